/* cli/isle/network_create.c - isle network create. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "cli/isle/run_values.h"
#include "engine/event.h"

struct create_options {
	const char *driver, *ip_range;
	struct oci_strv subnets, gateways, labels, options;
	bool internal, ipv6;
};

#define AT(member) offsetof(struct create_options, member)

static const struct option options[] = {
	{ "driver", 'd', OPT_STRING, AT(driver), "DRIVER", "bridge, the only one", NULL },
	{ "gateway", 0, OPT_STRINGS, AT(gateways), "IP",
	  "the host's own address in the subnet of its family", NULL },
	{ "internal", 0, OPT_FLAG, AT(internal), NULL, "no way out of it and none in", NULL },
	{ "ip-range", 0, OPT_STRING, AT(ip_range), "SUBNET",
	  "the part of the IPv4 subnet that addresses are chosen from", NULL },
	{ "ipv6", 0, OPT_FLAG, AT(ipv6), NULL, "an IPv6 subnet too", NULL },
	{ "label", 0, OPT_STRINGS, AT(labels), "KEY[=VALUE]", "a label", NULL },
	{ "opt", 'o', OPT_STRINGS, AT(options), "KEY=VALUE",
	  "com.docker.network.driver.mtu, com.docker.network.bridge.name", NULL },
	{ "subnet", 0, OPT_STRINGS, AT(subnets), "SUBNET",
	  "ADDRESS/PREFIX; one a family", NULL },
	OPTION_HELP,
};

/* To the pointer of its family, which must be free. */
static int by_family(const char *what, const char *s, const char **v4, const char **v6,
		     struct err *e)
{
	const char **to = strchr(s, ':') ? v6 : v4;

	if (*to)
		return err_set(e, EINVAL, "option --%s: %s and %s are of one family", what, *to, s);
	*to = s;
	return 0;
}

static int read_options(const struct create_options *o, struct arena *a, struct net_create *c,
			struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->subnets.n; i++)
		r = by_family("subnet", o->subnets.v[i], &c->subnet4, &c->subnet6, e);
	for (size_t i = 0; r == 0 && i < o->gateways.n; i++)
		r = by_family("gateway", o->gateways.v[i], &c->gateway4, &c->gateway6, e);
	for (size_t i = 0; r == 0 && i < o->labels.n; i++) {
		r = key_value_parse(o->labels.v[i], a, &c->labels, e);
		if (r < 0)
			return err_prefix(e, "option --label");
	}
	for (size_t i = 0; r == 0 && i < o->options.n; i++) {
		r = key_value_parse(o->options.v[i], a, &c->options, e);
		if (r < 0)
			return err_prefix(e, "option --opt");
	}
	return r;
}

static int create(struct isle_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_JSON json_t *made = NULL;
	const struct create_options *o = c->target;
	struct net_create n = {
		.name = c->argv[0], .driver = o->driver, .range4 = o->ip_range,
		.internal = o->internal, .ipv6 = o->ipv6,
	};

	int r = read_options(o, &a, &n, e);
	if (r == 0)
		r = net_network_create(&c->eng->net, &n, e);
	if (r == 0)
		r = net_network_inspect(&c->eng->net, n.name, &made, e);
	if (r < 0)
		return r;
	const char *id = json_string_value(json_object_get(made, "Id"));
	event_add(c->eng, "network", "create", id,
		  json_pack("{s:s, s:s}", "name", n.name, "type", "bridge"));
	printf("%s\n", id);
	return output_flush(e);
}

const struct command command_network_create = {
	.name = "network create",
	.args = "NAME",
	.summary = "make a network of its own, apart from the others",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct create_options),
	.min_args = 1,
	.max_args = 1,
	.run = create,
};
