/* net/network.c - user-defined networks: create, remove, inspect, prune.  See net.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/link.h"
#include "net/table.h"

#define NAME_MAX_BYTES 128
#define OPTION_MTU "com.docker.network.driver.mtu"
#define OPTION_DEVICE "com.docker.network.bridge.name"

static int name_check(const char *name, struct err *e)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char more[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX_BYTES || !strchr(letters, name[0]) ||
	    strspn(name, more) != n)
		return err_set(e, EINVAL, "\"%s\" is not a network's name: letters, digits, "
			       "\"_\", \".\" and \"-\" are, after a letter or digit", name);
	if (strcmp(name, "default") == 0 || strcmp(name, "container") == 0 ||
	    strcmp(name, "private") == 0)
		return err_set(e, EINVAL, "\"%s\" cannot be a network's name: it means something "
			       "else in --network", name);
	return 0;
}

struct fresh {                          /* a network being made */
	char id[65], device[16];
	struct subnet s4, s6, range;
	struct addr g4, g6;
	unsigned mtu;
};

static int device_check(const char *name, struct err *e)
{
	if (!name[0] || strlen(name) > 15 || strpbrk(name, "/ :%") || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return err_set(e, EINVAL, "%s: \"%s\" is not a device's name of 1 to 15 "
			       "characters", OPTION_DEVICE, name);
	return 0;
}

static int read_options(const struct net_create *c, struct fresh *f, struct err *e)
{
	for (size_t i = 0; i < c->options.n; i++) {
		const char *key = c->options.v[i].key, *value = c->options.v[i].value;
		if (strcmp(key, OPTION_MTU) == 0) {
			char *end;
			unsigned long mtu = strtoul(value, &end, 10);
			/* RFC 8200, 5: an IPv6 link carries 1280. */
			if (*end || mtu < 68 || mtu > 65535 || (mtu < 1280 && c->ipv6))
				return err_set(e, EINVAL, "%s: \"%s\" is not an MTU", key, value);
			f->mtu = (unsigned)mtu;
		} else if (strcmp(key, OPTION_DEVICE) == 0) {
			int r = device_check(value, e);
			if (r < 0)
				return r;
			(void)snprintf(f->device, sizeof(f->device), "%s", value);
		} else {
			return err_set(e, EINVAL, "network option \"%s\" is not known; there are "
				       OPTION_MTU " and " OPTION_DEVICE, key);
		}
	}
	return 0;
}

static int one_subnet(const struct net *n, int family, const char *subnet,
		      const char *gateway, struct subnet *ret, struct addr *ret_gateway,
		      struct err *e)
{
	int r;

	if (subnet) {
		r = subnet_parse(subnet, family, ret, e);
		if (r == 0)
			r = table_check_subnet(n, ret, e);
	} else if (gateway) {
		return err_set(e, EINVAL, "gateway %s needs a --subnet that it is in", gateway);
	} else {
		r = table_free_subnet(n, family, ret, e);
	}
	if (r < 0)
		return r;
	if (subnet_last(ret) < 2)
		return err_set(e, EINVAL, "subnet %s has no room for a gateway and an instance",
			       subnet);
	*ret_gateway = subnet_host(ret, 1);
	if (gateway && (addr_parse(gateway, ret_gateway) < 0 ||
			!subnet_contains(ret, ret_gateway)))
		return err_set(e, EINVAL, "gateway %s is not in subnet %s", gateway, subnet);
	return 0;
}

static int fill_subnets(const struct net *n, const struct net_create *c, struct fresh *f,
			struct err *e)
{
	int r = one_subnet(n, AF_INET, c->subnet4, c->gateway4, &f->s4, &f->g4, e);

	if (r == 0 && c->range4) {
		r = subnet_parse(c->range4, AF_INET, &f->range, e);
		if (r == 0 && (!subnet_contains(&f->s4, &f->range.addr) ||
			       f->range.prefix < f->s4.prefix))
			r = err_set(e, EINVAL, "range %s is not in the network's subnet",
				    c->range4);
	}
	if (r == 0 && (c->ipv6 || c->subnet6))
		r = one_subnet(n, AF_INET6, c->subnet6, c->gateway6, &f->s6, &f->g6, e);
	return r;
}

static char *kvs_text(const struct oci_kvs *l)
{
	CLEANUP_JSON json_t *o = json_object();

	for (size_t i = 0; i < l->n; i++)
		(void)json_object_set_new(o, l->v[i].key, json_string(l->v[i].value));
	char *text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
	return text ? text : xstrdup("{}");
}

static int insert(const struct net *n, const struct net_create *c, const struct fresh *f,
		  struct err *e)
{
	char s4[ADDR_TEXT_MAX], g4[ADDR_TEXT_MAX], s6[ADDR_TEXT_MAX], g6[ADDR_TEXT_MAX];
	char range[ADDR_TEXT_MAX];
	CLEANUP_FREE char *labels = kvs_text(&c->labels);
	CLEANUP_FREE char *options = kvs_text(&c->options);
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	subnet_format(&f->s4, s4);
	subnet_format(&f->s6, s6);
	subnet_format(&f->range, range);
	addr_format(&f->g4, g4);
	addr_format(&f->g6, g6);
	int r = db_run(n->db, e, "INSERT INTO networks(id, name, driver, device, subnet4, "
		       "gateway4, range4, subnet6, gateway6, internal, mtu, created, labels, "
		       "options) "
		       "VALUES(?, ?, 'bridge', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		       "ssssssssiiiss", f->id, c->name, f->device, s4, g4,
		       range[0] ? range : NULL, s6[0] ? s6 : NULL, g6[0] ? g6 : NULL,
		       (int64_t)c->internal, (int64_t)f->mtu,
		       now.tv_sec * (int64_t)1000000000 + now.tv_nsec, labels, options);
	if (r == -EEXIST)
		return err_set(e, EEXIST, "network with name %s already exists, or its device %s "
			       "is another's", c->name, f->device);
	return r < 0 ? r : 0;
}

static int create(const struct net *n, const struct net_create *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct fresh f = { 0 };
	struct network def;

	/* The default network's subnets first: ours must not take them. */
	int r = table_network(n, NET_DEFAULT, &a, &def, e);
	if (r == 0)
		r = table_random_hex(f.id, 32, e);
	if (r < 0)
		return r;
	(void)snprintf(f.device, sizeof(f.device), NET_DEVICE_PREFIX "%.8s", f.id);
	r = read_options(c, &f, e);
	if (r == 0)
		r = fill_subnets(n, c, &f, e);
	return r < 0 ? r : insert(n, c, &f, e);
}

int net_network_create(const struct net *n, const struct net_create *c, struct err *e)
{
	if (n->rootless)
		return err_set(e, EOPNOTSUPP, "networks of one's own need root: an ordinary user "
			       "has only the default network, through pasta");
	if (c->driver && strcmp(c->driver, "bridge") != 0)
		return err_set(e, EINVAL, "network driver \"%s\" is not known; there is bridge",
			       c->driver);
	int r = name_check(c->name, e);
	if (r == 0)
		r = db_begin(n->db, e);
	if (r < 0)
		return r;
	r = create(n, c, e);
	if (r == 0)
		return db_commit(n->db, e);
	db_rollback(n->db);
	return r;
}

static int remove_row(const struct net *n, const char *name, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_STMT struct db_stmt *q = NULL;
	struct network net;

	int r = table_network(n, name, &a, &net, e);
	if (r < 0)
		return r;
	if (strcmp(net.driver, "bridge") != 0 || strcmp(net.name, NET_DEFAULT) == 0)
		return err_set(e, EPERM, "%s is a pre-defined network and cannot be removed",
			       net.name);
	r = db_query(n->db, &q, e, "SELECT count(*), min(name) FROM endpoints WHERE network = ?",
		     "s", net.id);
	if (r > 0 && db_int(q, 0) > 0)
		return err_set(e, EBUSY, "network %s is in use by %lld instance%s (%s): "
			       "disconnect or remove first", net.name, (long long)db_int(q, 0),
			       db_int(q, 0) == 1 ? "" : "s, one is", db_text(q, 1));
	if (r < 0)
		return r;
	r = db_run(n->db, e, "DELETE FROM networks WHERE id = ?", "s", net.id);
	return r < 0 ? r : 0;
}

int net_network_remove(const struct net *n, const char *name, struct err *e)
{
	int r = db_begin(n->db, e);

	if (r < 0)
		return r;
	r = remove_row(n, name, e);
	if (r < 0) {
		db_rollback(n->db);
		return r;
	}
	r = db_commit(n->db, e);
	/* Its bridge is known by its mark, not by the row. */
	return r < 0 ? r : net_settle(n, e);
}

/* ---- inspect ------------------------------------------------------------------------- */

static json_t *ipam_config(const struct subnet *s, const struct addr *gateway)
{
	char subnet[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX];

	subnet_format(s, subnet);
	addr_format(gateway, text);
	return json_pack("{s:s, s:s}", "Subnet", subnet, "Gateway", text);
}

static json_t *ipam(const struct network *net)
{
	json_t *config = json_array();

	if (net->subnet4.addr.family != 0)
		(void)json_array_append_new(config, ipam_config(&net->subnet4, &net->gateway4));
	if (net->subnet6.addr.family != 0)
		(void)json_array_append_new(config, ipam_config(&net->subnet6, &net->gateway6));
	return json_pack("{s:s, s:n, s:o}", "Driver", "default", "Options", "Config", config);
}

/* "172.29.0.2/16", "" for none. */
static void with_prefix(const struct addr *a, const struct subnet *s, char ret[ADDR_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	ret[0] = 0;
	if (a->family == 0)
		return;
	addr_format(a, text);
	(void)snprintf(ret, ADDR_TEXT_MAX, "%.48s/%u", text, s->prefix);
}

static int members(const struct net *n, const struct network *net, json_t **ret,
		   struct err *e)
{
	struct endpoints l CLEANUP_ENDPOINTS = { 0 };
	int r = table_endpoints_on(n->db, net->id, &l, e);
	json_t *o = r < 0 ? NULL : json_object();

	for (size_t i = 0; i < l.n; i++) {
		char ip4[ADDR_TEXT_MAX], ip6[ADDR_TEXT_MAX];
		with_prefix(&l.v[i].ip4, &net->subnet4, ip4);
		with_prefix(&l.v[i].ip6, &net->subnet6, ip6);
		(void)json_object_set_new(o, l.v[i].instance, json_pack(
			"{s:s, s:s, s:s, s:s, s:s}", "Name", l.v[i].name, "EndpointID", l.v[i].id,
			"MacAddress", l.v[i].mac ? l.v[i].mac : "", "IPv4Address", ip4,
			"IPv6Address", ip6));
	}
	*ret = o;
	return r;
}

static int describe(const struct net *n, const struct network *net, json_t **ret,
		    struct err *e)
{
	char created[TIME_RFC3339_MAX];
	CLEANUP_JSON json_t *labels = NULL, *options = NULL;
	json_t *in = NULL;

	int r = json_parse("labels", net->labels, strlen(net->labels), &labels, e);
	if (r == 0)
		r = json_parse("options", net->options, strlen(net->options), &options, e);
	if (r == 0)
		r = members(n, net, &in, e);
	if (r < 0)
		return r;
	if (net->device)
		(void)json_object_set_new(options, OPTION_DEVICE, json_string(net->device));
	time_rfc3339_at(net->created_ns / 1000000000, (uint32_t)(net->created_ns % 1000000000),
			created);
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:b, s:b, s:b, s:o, s:O, s:O}",
			 "Name", net->name, "Id", net->id, "Created", created, "Scope", "local",
			 "Driver", net->driver, "EnableIPv4", net->subnet4.addr.family != 0,
			 "EnableIPv6", net->subnet6.addr.family != 0, "IPAM", ipam(net),
			 "Internal", net->internal, "Attachable", 0, "Ingress", 0,
			 "Containers", in, "Options", options, "Labels", labels);
	return 0;
}

static int describe_all(const struct net *n, json_t *list, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_STMT struct db_stmt *q = NULL;

	int r = db_query(n->db, &q, e, "SELECT " TABLE_NETWORK_COLUMNS " FROM networks n "
			 "ORDER BY n.name", "");
	for (; r > 0; r = db_next(q, e)) {
		struct network net;
		json_t *one = NULL;
		r = table_network_read(q, 0, &a, &net, e);
		if (r == 0)
			r = describe(n, &net, &one, e);
		if (r < 0)
			return r;
		(void)json_array_append_new(list, one);
	}
	return r;
}

int net_network_inspect(const struct net *n, const char *name, json_t **ret, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct network net;
	/* Also where all are asked for: the default network gets its subnets here. */
	int r = table_network(n, name ? name : NET_DEFAULT, &a, &net, e);

	if (r < 0 || name)
		return r < 0 ? r : describe(n, &net, ret, e);
	json_t *list = json_array();
	r = describe_all(n, list, e);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret = list;
	return 0;
}

int net_network_prune(const struct net *n, json_t **ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	json_t *gone = json_array();

	int r = db_begin(n->db, e);
	if (r == 0)
		r = db_query(n->db, &q, e, "DELETE FROM networks WHERE driver = 'bridge' AND "
			     "name != '" NET_DEFAULT "' AND id NOT IN "
			     "(SELECT network FROM endpoints) RETURNING name", "");
	for (; r > 0; r = db_next(q, e))
		(void)json_array_append_new(gone, json_string(db_text(q, 0)));
	db_end(q);
	q = NULL;
	if (r == 0)
		r = db_commit(n->db, e);
	else
		db_rollback(n->db);
	if (r == 0)
		r = net_settle(n, e);
	if (r < 0) {
		json_decref(gone);
		return r;
	}
	*ret = gone;
	return 0;
}
