/* net/plan.c - what an instance gets on a network: address, device, names.  See net.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/table.h"

/* The host number after from that is neither leased nor a gateway's. */
static int free_number(const struct net *n, const struct network *net, uint32_t from,
		       uint32_t to, uint32_t *ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	uint32_t want = from, gateway = 0;

	if (subnet_number(&net->subnet4, &net->gateway4, &gateway) < 0)
		gateway = 0;
	int r = db_query(n->db, &q, e, "SELECT number FROM endpoints WHERE network = ? "
			 "AND number >= ? ORDER BY number", "si", net->id, (int64_t)from);
	for (;;) {
		bool taken = r > 0 && db_int(q, 0) == want;
		if (r < 0)
			return r;
		if (!taken && want != gateway)
			break;
		want++;
		if (taken)
			r = db_next(q, e);
	}
	*ret = want;
	return want <= to;
}

/* In a circle, so that an address rests before it is somebody else's: neighbours and
 * connection tracking still know the last one. */
static int next_number(const struct net *n, const struct network *net, uint32_t *ret,
		       struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	char text[ADDR_TEXT_MAX];

	int r = db_query(n->db, &q, e, "SELECT last FROM networks WHERE id = ?", "s", net->id);
	if (r <= 0)
		return r < 0 ? r : err_set(e, ENOENT, "network %s not found", net->name);
	uint32_t from = (uint32_t)db_int(q, 0) + 1;
	if (from < net->first || from > net->last)
		from = net->first;
	r = free_number(n, net, from, net->last, ret, e);
	if (r == 0 && from > net->first)
		r = free_number(n, net, net->first, from - 1, ret, e);
	if (r < 0)
		return r;
	subnet_format(&net->subnet4, text);
	if (r == 0)
		return err_set(e, ENOSPC, "network %s: no free address is left in %s", net->name,
			       text);
	return db_run(n->db, e, "UPDATE networks SET last = ? WHERE id = ?", "is",
		      (int64_t)*ret, net->id);
}

static int asked_address(const struct network *net, const char *text, int family,
			 const struct subnet *s, struct addr *ret, struct err *e)
{
	char subnet[ADDR_TEXT_MAX];

	if (addr_parse(text, ret) < 0 || ret->family != family)
		return err_set(e, EINVAL, "\"%s\" is not an IPv%d address", text,
			       family == AF_INET ? 4 : 6);
	subnet_format(s, subnet);
	if (s->addr.family == 0)
		return err_set(e, EINVAL, "network %s has no IPv%d subnet for %s", net->name,
			       family == AF_INET ? 4 : 6, text);
	if (!subnet_contains(s, ret))
		return err_set(e, EINVAL, "address %s is not in subnet %s of network %s", text,
			       subnet, net->name);
	const struct addr *gateway = family == AF_INET ? &net->gateway4 : &net->gateway6;
	if (addr_equal(gateway, ret) || addr_equal(&s->addr, ret))
		return err_set(e, EEXIST, "address %s is network %s's own", text, net->name);
	return 0;
}

struct lease {
	uint32_t number;
	struct addr ip4, ip6;
};

static int lease_choose(const struct net *n, const struct network *net,
			const struct net_endpoint *ep, struct lease *ret, struct err *e)
{
	int r;

	*ret = (struct lease){ 0 };
	if (ep->ip4) {
		r = asked_address(net, ep->ip4, AF_INET, &net->subnet4, &ret->ip4, e);
		if (r < 0)
			return r;
		r = subnet_number(&net->subnet4, &ret->ip4, &ret->number);
		if (r < 0 || ret->number > subnet_last(&net->subnet4))
			return err_set(e, EINVAL, "address %s is not one for a host", ep->ip4);
	} else {
		r = next_number(n, net, &ret->number, e);
		if (r < 0)
			return r;
		ret->ip4 = subnet_host(&net->subnet4, ret->number);
	}
	if (ep->ip6)
		return asked_address(net, ep->ip6, AF_INET6, &net->subnet6, &ret->ip6, e);
	if (net->subnet6.addr.family == 0)
		return 0;
	if (ret->number > subnet_last(&net->subnet6))
		return err_set(e, ENOSPC, "network %s: its IPv6 subnet is smaller than its IPv4 "
			       "subnet and has no address left", net->name);
	ret->ip6 = subnet_host(&net->subnet6, ret->number);
	return 0;
}

/* eth0, eth1 ... the lowest that the instance has not got. */
static int choose_ifname(const struct net *n, const char *instance, char ret[16],
			 struct err *e)
{
	for (unsigned i = 0; i < 1000; i++) {
		CLEANUP_STMT struct db_stmt *q = NULL;
		(void)snprintf(ret, 16, "eth%u", i);
		int r = db_query(n->db, &q, e, "SELECT 1 FROM endpoints WHERE instance = ? "
				 "AND ifname = ?", "ss", instance, ret);
		if (r <= 0)
			return r;
	}
	return err_set(e, ENOSPC, "an instance can be on 1000 networks");
}

static int mac_check(const char *mac, struct err *e)
{
	unsigned b[6];
	char end;

	if (sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 || strlen(mac) != 17)
		return err_set(e, EINVAL, "\"%s\" is not a MAC address", mac);
	if (b[0] & 1)
		return err_set(e, EINVAL, "MAC address %s is a group's, not a device's", mac);
	return 0;
}

static char *aliases_text(const struct net_endpoint *ep)
{
	CLEANUP_JSON json_t *list = json_array();

	for (size_t i = 0; i < ep->aliases.n; i++)
		(void)json_array_append_new(list, json_string(ep->aliases.v[i]));
	char *text = json_dumps(list, JSON_COMPACT);
	return text ? text : xstrdup("[]");
}

static int insert(const struct net *n, const struct network *net,
		  const struct net_endpoint *ep, const struct lease *l, struct err *e)
{
	char ip4[ADDR_TEXT_MAX], ip6[ADDR_TEXT_MAX], mac[18], ifname[16], id[65], link[16];
	CLEANUP_FREE char *aliases = aliases_text(ep);
	bool leased = l->ip4.family != 0;

	int r = choose_ifname(n, ep->instance, ifname, e);
	if (r == 0)
		r = table_random_hex(id, 32, e);
	if (r < 0)
		return r;
	/* Not the address in its name: a veth of the last holder may still be there. */
	(void)snprintf(link, sizeof(link), "iv%.10s", id);
	addr_format(&l->ip4, ip4);
	addr_format(&l->ip6, ip6);
	if (ep->mac && (r = mac_check(ep->mac, e)) < 0)
		return r;
	(void)snprintf(mac, sizeof(mac), "02:42:%02x:%02x:%02x:%02x", l->ip4.b[0], l->ip4.b[1],
		       l->ip4.b[2], l->ip4.b[3]);
	static const char sql[] =
		"INSERT INTO endpoints(instance, network, id, number, ip4, ip6, mac, ifname, link,"
		" name, hostname, aliases) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	static const char sql_unleased[] =
		"INSERT INTO endpoints(instance, network, id, ifname, link, name, hostname,"
		" aliases) VALUES(?, ?, ?, ?, ?, ?, ?, ?)";
	const char *hostname = ep->hostname ? ep->hostname : "";
	if (leased)
		r = db_run(n->db, e, sql, "sssissssssss", ep->instance, net->id, id,
			   (int64_t)l->number, ip4, ip6[0] ? ip6 : NULL, ep->mac ? ep->mac : mac,
			   ifname, link, ep->name, hostname, aliases);
	else
		r = db_run(n->db, e, sql_unleased, "ssssssss", ep->instance, net->id, id, ifname,
			   link, ep->name, hostname, aliases);
	if (r == -EEXIST)
		return err_set(e, EADDRINUSE, "address %s%s%s of network %s is already in use",
			       ip4, ep->ip6 ? " or " : "", ep->ip6 ? ep->ip6 : "", net->name);
	return r < 0 ? r : 0;
}

/* As strings for the caller. */
static void fill(const struct endpoint *row, struct net_endpoint *ep, struct arena *a)
{
	char text[ADDR_TEXT_MAX];

	ep->ifname = arena_strdup(a, row->ifname);
	ep->mac = arena_strdup(a, row->mac);
	if (row->ip4.family != 0) {
		addr_format(&row->ip4, text);
		ep->ip4 = arena_strdup(a, text);
		addr_format(&row->net.gateway4, text);
		ep->gateway4 = arena_strdup(a, text);
		ep->prefix4 = row->net.subnet4.prefix;
	}
	if (row->ip6.family != 0) {
		addr_format(&row->ip6, text);
		ep->ip6 = arena_strdup(a, text);
		addr_format(&row->net.gateway6, text);
		ep->gateway6 = arena_strdup(a, text);
		ep->prefix6 = row->net.subnet6.prefix;
	}
}

static int plan(const struct net *n, struct net_endpoint *ep, struct net_port *ports,
		size_t n_ports, struct arena *a, struct err *e)
{
	struct endpoints have CLEANUP_ENDPOINTS = { 0 };
	struct network net;
	struct lease lease = { 0 };

	int r = table_network(n, ep->network, a, &net, e);
	if (r < 0)
		return r;
	if (strcmp(net.driver, "bridge") != 0)
		return err_set(e, EINVAL, "network %s has no addresses to give", net.name);
	if (n->rootless && strcmp(net.name, NET_DEFAULT) != 0)
		return err_set(e, EOPNOTSUPP, "network %s needs root: an ordinary user has only "
			       "the default network, through pasta", net.name);
	r = table_endpoints(n->db, ep->instance, net.id, &have, e);
	if (r < 0)
		return r;
	/* Once more for the same instance, after a command that was killed: keep it. */
	if (have.n == 0) {
		r = n->rootless ? 0 : lease_choose(n, &net, ep, &lease, e);
		r = r < 0 ? r : insert(n, &net, ep, &lease, e);
		if (r == 0)
			r = table_endpoints(n->db, ep->instance, net.id, &have, e);
		if (r < 0)
			return r;
	}
	fill(&have.v[0], ep, a);
	return ports_claim(n, &have.v[0], ports, n_ports, e);
}

int net_plan(const struct net *n, struct net_endpoint *ep, struct net_port *ports,
	     size_t n_ports, struct arena *a, struct err *e)
{
	int r = db_begin(n->db, e);

	if (r < 0)
		return r;
	r = plan(n, ep, ports, n_ports, a, e);
	if (r == 0)
		return db_commit(n->db, e);
	db_rollback(n->db);
	return r;
}
