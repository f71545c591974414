#pragma once
/*
 * net/net.h - networks, addresses, published ports.  Layer: net.
 *
 * Tables: networks, endpoints (leases and names), ports.  The tables say what should be; the kernel
 * (bridges, veths, the nft table "isle") is made to agree, and whatever a killed command
 * left is brought in line by the next.  Rules of others are never touched.
 *
 * The life of an endpoint:
 *   net_plan()     in the caller's transaction: addresses leased, ports claimed
 *   net_connect()  after commit: bridge, veth into the namespace, addresses, routes, nft
 *   net_disconnect()   takes both back; a namespace that is gone is fine
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/db.h"
#include "base/err.h"
#include "oci/spec.h"

#define NET_DEFAULT "bridge"            /* the network instances get unless told */

extern const struct db_schema net_schema;

struct net {                            /* the area's hands, filled by the engine */
	struct db *db;
	const char *bundles;            /* <run-root>/bundles: <id>/hosts is an instance's */
	const char *run_dir;            /* <run-root>/net, made by us */
	const char *nft_helper;         /* absolute path of isle-nft */
	const char *bridge;             /* device of the default network: "isle0" */
	const char *subnet4, *subnet6;  /* of the default network; NULL: chosen; "none" (6) */
	bool rootless;
};

struct net_port {                       /* one -p, a range already taken apart */
	const char *host_ip;            /* "" both families, "0.0.0.0", "127.0.0.1", "::" ... */
	uint16_t host_port;             /* 0: a free one is chosen and written back */
	uint16_t port;
	const char *protocol;           /* "tcp", "udp" */
};

struct net_endpoint {                   /* one instance on one network */
	const char *network;            /* name */
	const char *instance;           /* ID */
	const char *name;               /* the instance's name: resolved on the network */
	const char *hostname;
	struct oci_strv aliases;
	const char *ip4, *ip6;          /* asked for, or NULL; filled by net_plan() */
	const char *mac;                /* the same */
	const char *gateway4, *gateway6;        /* filled by net_plan() */
	unsigned prefix4, prefix6;              /* filled */
	const char *ifname;             /* "eth0", filled: by the order of connecting */
};

/* Strings that are filled in hang in a.  ports may be written (chosen host ports). */
MUST_CHECK int net_plan(const struct net *n, struct net_endpoint *ep, struct net_port *ports,
			size_t n_ports, struct arena *a, struct err *e);
/*
 * All networks of the instance that its namespace has not got yet; lo is set up; ports are
 * published.  pid: any process in the namespace.  An instance without networks: lo alone.
 * Rootless: pasta is started.  Called again after another net_plan() for a hot connect.
 */
MUST_CHECK int net_connect(const struct net *n, const char *instance, pid_t pid,
			   struct err *e);
/*
 * network NULL: from all.  Ports, leases and names are free when it returns; devices go with
 * the namespace, or a moment later by a process of its own.  An instance that is on none of
 * them: fine (-ENOENT when a network is named).  Also updates the hosts files of who is
 * left on it.
 */
MUST_CHECK int net_disconnect(const struct net *n, const char *instance, const char *network,
			      struct err *e);

/* Now, not in a moment: unused devices and rules of ours go.  For rm, prune and the like. */
MUST_CHECK int net_settle(const struct net *n, struct err *e);

/* What inspect and port show: [{network, ip4, ip6, mac, gateway4, ..., aliases, ports}]. */
MUST_CHECK int net_describe(const struct net *n, const char *instance, json_t **ret,
			    struct err *e);

/*
 * (Re)write, in place so that bind mounts of it see it, the instance's hosts file: its own
 * addresses and names, extra ("name:ip", from --add-host; "host-gateway" as an ip), and the
 * names of the others on its user-defined networks.
 */
MUST_CHECK int net_write_hosts(const struct net *n, const char *instance, const char *path,
			       const struct oci_strv *extra, struct err *e);
/* resolv.conf: what --dns, --dns-search and --dns-option say, else the host's without its
 * loopback servers, which are not there inside. */
MUST_CHECK int net_write_resolv(const char *path, const struct oci_strv *servers,
				const struct oci_strv *search, const struct oci_strv *options,
				bool host_network, struct err *e);

/* network create|rm|ls|inspect|prune: JSON objects have Docker's field names. */
struct net_create {
	const char *name, *driver;      /* "bridge" */
	const char *subnet4, *gateway4, *subnet6, *gateway6;    /* NULL: chosen */
	const char *range4;             /* part of subnet4 that is given out, or NULL */
	bool internal, ipv6;
	struct oci_kvs labels, options;
};
MUST_CHECK int net_network_create(const struct net *n, const struct net_create *c,
				  struct err *e);
MUST_CHECK int net_network_remove(const struct net *n, const char *name, struct err *e);
/* name NULL: all, an array. */
MUST_CHECK int net_network_inspect(const struct net *n, const char *name, json_t **ret,
				   struct err *e);
/* Names of the networks removed: an array. */
MUST_CHECK int net_network_prune(const struct net *n, json_t **ret, struct err *e);
/*
 * Make kernel and tables agree again (after a kill, a flushed ruleset): rows of instances
 * that the engine's table "instances" no longer has go, rules are written anew, unused
 * devices are removed.
 */
MUST_CHECK int net_reconcile(const struct net *n, struct err *e);

/* For `isle doctor`: [{name, ok, text, fix}], what networks need of the host. */
MUST_CHECK int net_doctor(const struct net *n, json_t **ret, struct err *e);
