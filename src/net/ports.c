/* net/ports.c - published ports: who has which.  See table.h */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "net/table.h"

/* Where free host ports are chosen, as the kernel chooses those of its clients. */
#define PORT_FIRST 32768u
#define PORT_LAST 60999u
#define PORT_TRIES 1000

/* Can the host bind it: nobody listens there, and the address is one of its own? */
static int host_has_room(const struct net_port *p, const struct addr *ip, struct err *e)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->host_port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(p->host_port) };
	bool tcp = strcmp(p->protocol, "tcp") == 0, v4 = ip->family == AF_INET;
	int one = 1;

	CLEANUP_FD int s = socket(ip->family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (s < 0)
		return errno == EAFNOSUPPORT ? 0 : err_sys(e, errno, "open a socket");
	/* For TCP this forgives connections that are closing, not one who listens. */
	if (tcp)
		(void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	memcpy(&a4.sin_addr, ip->b, sizeof(a4.sin_addr));
	if (!v4) {
		(void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		memcpy(&a6.sin6_addr, ip->b, sizeof(a6.sin6_addr));
	}
	const struct sockaddr *sa = v4 ? (const void *)&a4 : (const void *)&a6;
	if (bind(s, sa, v4 ? sizeof(a4) : sizeof(a6)) == 0)
		return 0;
	if (errno == EACCES)
		return err_sys(e, errno, "publish port %u/%s: an ordinary user's ports begin at "
			       "sysctl net.ipv4.ip_unprivileged_port_start (1024 by default)",
			       p->host_port, p->protocol);
	return err_sys(e, errno, "publish port %u/%s on host address %s", p->host_port,
		       p->protocol, p->host_ip);
}

/* -EADDRINUSE when another instance has the port on this address or on all. */
static int nobody_claimed(const struct net *n, const struct net_port *p, const struct addr *ip,
			  const char *instance, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	int r = db_query(n->db, &q, e, "SELECT p.host_ip, p.instance, e.name FROM ports p "
			 "LEFT JOIN endpoints e ON e.instance = p.instance "
			 "AND e.network = p.network WHERE p.protocol = ? AND p.host_port = ?", "si",
			 p->protocol, (int64_t)p->host_port);
	for (; r > 0; r = db_next(q, e)) {
		struct addr other;
		if (addr_parse(db_text(q, 0), &other) < 0 || other.family != ip->family ||
		    (strcmp(db_text(q, 1), instance) == 0 && addr_equal(&other, ip)))
			continue;
		if (addr_equal(&other, ip) || addr_is_any(&other) || addr_is_any(ip))
			return err_set(e, EADDRINUSE, "port %u/%s on host address %s is already "
				       "allocated by instance %s", p->host_port, p->protocol,
				       p->host_ip, db_text(q, 2) ? db_text(q, 2) : db_text(q, 1));
	}
	return r;
}

/* One port on one address: ip is p->host_ip. */
static int usable(const struct net *n, const char *instance, const struct net_port *p,
		  struct err *e)
{
	struct addr ip;

	if (addr_parse(p->host_ip, &ip) < 0)
		return err_set(e, EINVAL, "\"%s\" is not a host address to publish on", p->host_ip);
	int r = nobody_claimed(n, p, &ip, instance, e);
	return r < 0 ? r : host_has_room(p, &ip, e);
}

static int claim_row(const struct net *n, const struct endpoint *ep, const struct net_port *p,
		     struct err *e)
{
	struct addr ip;
	char text[ADDR_TEXT_MAX];

	if (addr_parse(p->host_ip, &ip) < 0)
		return err_set(e, EINVAL, "\"%s\" is not a host address to publish on", p->host_ip);
	addr_format(&ip, text);
	int r = db_run(n->db, e, "INSERT OR REPLACE INTO ports(protocol, host_port, host_ip, "
		       "instance, network, port) VALUES(?, ?, ?, ?, ?, ?)", "sisssi", p->protocol,
		       (int64_t)p->host_port, text, ep->instance, ep->net.id, (int64_t)p->port);
	return r < 0 ? r : 0;
}

static int usable_on_all(const struct net *n, const struct endpoint *ep,
			 const struct net_port *p, const char *const *ips, size_t n_ips,
			 struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_ips; i++) {
		struct net_port one = *p;
		one.host_ip = ips[i];
		r = usable(n, ep->instance, &one, e);
	}
	return r;
}

static int choose(const struct net *n, const struct endpoint *ep, struct net_port *p,
		  const char *const *ips, size_t n_ips, struct err *e)
{
	unsigned start = 0;
	int r = -EADDRINUSE;

	if (getrandom(&start, sizeof(start), 0) != sizeof(start))
		return err_sys(e, errno, "get a random number");
	for (unsigned i = 0; i < PORT_TRIES && r == -EADDRINUSE; i++) {
		p->host_port = (uint16_t)(PORT_FIRST +
					  (start + i) % (PORT_LAST - PORT_FIRST + 1));
		r = usable_on_all(n, ep, p, ips, n_ips, e);
	}
	return r;
}

static int claim(const struct net *n, const struct endpoint *ep, struct net_port *p,
		 struct err *e)
{
	static const char *const any[] = { "0.0.0.0", "::" };
	const char *const named[] = { p->host_ip };
	bool both = p->host_ip[0] == 0;
	/* Rootless, and where the network has IPv6, both; else there is nobody to answer. */
	size_t n_any = n->rootless || ep->ip6.family != 0 ? 2 : 1;
	const char *const *ips = both ? any : named;
	size_t n_ips = both ? n_any : 1;
	struct addr ip = { 0 };
	int r;

	if (!both && addr_parse(p->host_ip, &ip) < 0)
		return err_set(e, EINVAL, "\"%s\" is not a host address to publish on", p->host_ip);
	if (!both && ip.family == AF_INET6 && !n->rootless && ep->ip6.family == 0)
		return err_set(e, EAFNOSUPPORT, "publish port %u on %s: network %s has no IPv6",
			       p->port, p->host_ip, ep->net.name);
	if (!both && !n->rootless && ip.family == AF_INET6 && addr_is_loopback(&ip))
		return err_set(e, EADDRNOTAVAIL, "publish port %u on ::1: Linux forwards nothing "
			       "from there; use 127.0.0.1, or an IPv6 address of the host",
			       p->port);
	if (p->host_port == 0)
		r = choose(n, ep, p, ips, n_ips, e);
	else
		r = usable_on_all(n, ep, p, ips, n_ips, e);
	for (size_t i = 0; r == 0 && i < n_ips; i++) {
		struct net_port one = *p;
		one.host_ip = ips[i];
		r = claim_row(n, ep, &one, e);
	}
	return r;
}

int ports_claim(const struct net *n, const struct endpoint *ep, struct net_port *ports,
		size_t n_ports, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_ports; i++) {
		if (strcmp(ports[i].protocol, "tcp") != 0 && strcmp(ports[i].protocol, "udp") != 0)
			return err_set(e, EINVAL, "publish port %u: protocol %s is not tcp or udp",
				       ports[i].port, ports[i].protocol);
		r = claim(n, ep, &ports[i], e);
	}
	return r;
}

int ports_json(struct db *db, const char *instance, const char *network, json_t **ret,
	       struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	json_t *list = json_array();

	int r = db_query(db, &q, e, "SELECT protocol, host_ip, host_port, port FROM ports "
			 "WHERE instance = ? AND network = ? ORDER BY port, protocol, host_port, "
			 "host_ip", "ss", instance, network);
	for (; r > 0; r = db_next(q, e)) {
		json_t *one = json_pack("{s:s, s:s, s:I, s:I}", "protocol", db_text(q, 0),
					"host_ip", db_text(q, 1), "host_port",
					(json_int_t)db_int(q, 2), "port", (json_int_t)db_int(q, 3));
		(void)json_array_append_new(list, one);
	}
	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret = list;
	return 0;
}
