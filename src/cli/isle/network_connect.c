/* cli/isle/network_connect.c - isle network connect. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/network_change.h"
#include "cli/isle/run_values.h"
#include "engine/event.h"

struct connect_options {
	struct oci_strv aliases;
	const char *ip, *ip6, *mac;
};

#define AT(member) offsetof(struct connect_options, member)

static const struct option options[] = {
	{ "alias", 0, OPT_STRINGS, AT(aliases), "NAME", "one more name on this network", NULL },
	{ "ip", 0, OPT_STRING, AT(ip), "IP", "this IPv4 address", NULL },
	{ "ip6", 0, OPT_STRING, AT(ip6), "IP", "this IPv6 address", NULL },
	{ "mac-address", 0, OPT_STRING, AT(mac), "MAC", "this MAC address", NULL },
	OPTION_HELP,
};

/* Recorded and leased at once; the device comes after, and is found wanting by the next. */
static int record(struct isle_call *c, struct instance *in, const struct instance_network *to,
		  struct err *e)
{
	struct net_endpoint ep = {
		.network = to->name, .instance = in->id, .name = in->name,
		.hostname = in->config.hostname, .aliases = to->aliases, .ip4 = to->ip4,
		.ip6 = to->ip6, .mac = to->mac,
	};
	int r = db_begin(c->eng->db, e);

	if (r < 0)
		return r;
	network_add(in, to);
	r = instance_save(c->eng, in, e);
	if (r >= 0 && network_is_live(in))
		r = net_plan(&c->eng->net, &ep, NULL, 0, &in->arena, e);
	if (r >= 0)
		return db_commit(c->eng->db, e);
	db_rollback(c->eng->db);
	return r;
}

static int connect_instance(struct isle_call *c, struct err *e)
{
	const struct connect_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	const char *name, *id;

	if ((o->ip && value_ip(o->ip, AF_INET, e) < 0) ||
	    (o->ip6 && value_ip(o->ip6, AF_INET6, e) < 0) ||
	    (o->mac && value_mac(o->mac, e) < 0))
		return err_prefix(e, "network connect");
	int r = instance_find(c->eng, c->argv[1], true, &in, e);
	if (r >= 0)
		r = network_known(c->eng, c->argv[0], &in.arena, &name, &id, e);
	if (r < 0)
		return r;
	if (strcmp(in.config.network_mode, "host") == 0 ||
	    strncmp(in.config.network_mode, "container:", 10) == 0)
		return err_set(e, EINVAL, "instance %s has no network namespace of its own "
			       "(--network %s): it cannot be connected", in.name,
			       in.config.network_mode);
	if (o->aliases.n && strcmp(name, NET_DEFAULT) == 0)
		return err_set(e, EINVAL, "option --alias: names are resolved on networks made by "
			       "\"isle network create\" alone");
	if (network_has(&in, name))
		return err_set(e, EEXIST, "instance %s is on network %s already", in.name, name);
	struct instance_network to = {
		.name = name, .ip4 = o->ip, .ip6 = o->ip6, .mac = o->mac, .aliases = o->aliases,
	};
	r = record(c, &in, &to, e);
	if (r >= 0 && network_is_live(&in))
		r = net_connect(&c->eng->net, in.id, in.status.pid, e);
	if (r >= 0)
		event_add(c->eng, "network", "connect", id,
			  json_pack("{s:s, s:s, s:s}", "container", in.id, "name", name, "type",
				    "bridge"));
	return r;
}

const struct command command_network_connect = {
	.name = "network connect",
	.args = "NETWORK INSTANCE",
	.summary = "put an instance on one more network",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct connect_options),
	.min_args = 2,
	.max_args = 2,
	.run = connect_instance,
};
