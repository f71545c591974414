#pragma once
/*
 * net/table.h - the rows of networks, endpoints and ports.  Layer: net.
 *
 * Inside the area.  Strings of a row hang in the arena given.  The kernel's side is in
 * link.h and rules.h; what is asked for here is made there.
 */
#include "net/addr.h"
#include "net/net.h"

#define NET_DEVICE_PREFIX "isle-"

struct network {
	const char *id, *name, *driver, *device;
	struct subnet subnet4, subnet6;         /* family 0: none */
	struct addr gateway4, gateway6;
	uint32_t first, last;                   /* host numbers given out */
	unsigned mtu;                           /* 0: the kernel's */
	bool internal;
	int64_t created_ns;
	const char *labels, *options;           /* JSON objects */
};

struct endpoint {
	const char *id, *instance, *ifname, *link, *name, *hostname;
	const char *mac;                        /* "02:42:ac:1d:00:02" */
	struct addr ip4, ip6;                   /* family 0: none */
	json_t *aliases;                        /* an array; owned, see endpoints_release() */
	struct network net;
};

struct endpoints {
	struct arena arena;
	struct endpoint *v;
	size_t n;
};
void endpoints_release(struct endpoints *l);
#define CLEANUP_ENDPOINTS __attribute__((cleanup(endpoints_release)))

/* Those of an instance in the order of their devices, network (an ID) NULL: all. */
MUST_CHECK int table_endpoints(struct db *db, const char *instance, const char *network,
			       struct endpoints *ret, struct err *e);
/* All of a network. */
MUST_CHECK int table_endpoints_on(struct db *db, const char *network, struct endpoints *ret,
				  struct err *e);

/*
 * A network by name, ID or unique prefix of an ID; -ENOENT "network X not found".  The
 * default network is given its subnets when it is first asked for.
 */
MUST_CHECK int table_network(const struct net *n, const char *what, struct arena *a,
			     struct network *ret, struct err *e);
/* Read the row that q, a query of table_network_columns, stands on. */
MUST_CHECK int table_network_read(struct db_stmt *q, int first_column, struct arena *a,
				  struct network *ret, struct err *e);
#define TABLE_NETWORK_COLUMNS \
	"n.id, n.name, n.driver, n.device, n.subnet4, n.gateway4, n.range4, n.subnet6, " \
	"n.gateway6, n.internal, n.mtu, n.created, n.labels, n.options"
#define TABLE_NETWORK_COLUMN_COUNT 14

/* A subnet of family that no network of ours and no route of the host covers, from the
 * pool of user-defined networks; -ENOSPC. */
MUST_CHECK int table_free_subnet(const struct net *n, int family, struct subnet *ret,
				 struct err *e);
/* -EEXIST names what s overlaps: a network of ours, or a route of the host. */
MUST_CHECK int table_check_subnet(const struct net *n, const struct subnet *s, struct err *e);

/* n random bytes as hex digits into ret, which has room for 2 * n + 1. */
MUST_CHECK int table_random_hex(char *ret, size_t n, struct err *e);

/* Ports of an instance for isle-nft and for people; host_ip is always an address. */
MUST_CHECK int ports_claim(const struct net *n, const struct endpoint *ep,
			   struct net_port *ports, size_t n_ports, struct err *e);
MUST_CHECK int ports_json(struct db *db, const char *instance, const char *network,
			  json_t **ret, struct err *e);
