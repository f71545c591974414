/*
 * tests/unit/net_drive.c - src/net from a shell: net_drive DIR NFT VERB [ARG...]
 *
 * tests/isle/50-network.t drives it in network namespaces of its own, without images and
 * keepers.  DIR holds the database, run/ and instances/.
 *
 *	create NAME [internal] [ipv6] [subnet=S] [subnet6=S]
 *	plan INSTANCE NAME NETWORK [ip=A] [alias=N] [PORT...]
 *	                PORT: [HOST-IP/]HOST-PORT:PORT/PROTOCOL; prints the addresses
 *	connect INSTANCE PID       disconnect INSTANCE [NETWORK]
 *	hosts INSTANCE             describe INSTANCE
 *	inspect [NETWORK]          rm NETWORK
 *	prune | settle | reconcile | doctor
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/db.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/net.h"

static struct net net;

static int print(json_t *j)
{
	(void)json_dumpf(j, stdout, JSON_INDENT(1));
	(void)putchar('\n');
	json_decref(j);
	return 0;
}

static int create(int argc, char **argv, struct err *e)
{
	struct net_create c = { .name = argv[0] };

	for (int i = 1; i < argc; i++) {
		c.internal = c.internal || strcmp(argv[i], "internal") == 0;
		c.ipv6 = c.ipv6 || strcmp(argv[i], "ipv6") == 0;
		if (strncmp(argv[i], "subnet=", 7) == 0)
			c.subnet4 = argv[i] + 7;
		if (strncmp(argv[i], "subnet6=", 8) == 0)
			c.subnet6 = argv[i] + 8;
	}
	return net_network_create(&net, &c, e);
}

static struct net_port port_of(char *s)
{
	char *slash = strrchr(s, '/'), *colon;
	struct net_port p = { .host_ip = "" };

	*slash = 0;
	p.protocol = slash + 1;
	slash = strchr(s, '/');
	if (slash) {
		*slash = 0;
		p.host_ip = s;
		s = slash + 1;
	}
	colon = strchr(s, ':');
	p.host_port = (uint16_t)strtoul(s, NULL, 10);
	p.port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return p;
}

static int plan(int argc, char **argv, struct err *e)
{
	const char *alias[8];
	struct net_port ports[64];
	size_t n_ports = 0;
	struct arena a = { 0 };
	struct net_endpoint ep = {
		.instance = argv[0], .name = argv[1], .network = argv[2], .hostname = argv[1],
		.aliases = { .v = alias },
	};

	for (int i = 3; i < argc; i++) {
		if (strncmp(argv[i], "ip=", 3) == 0)
			ep.ip4 = argv[i] + 3;
		else if (strncmp(argv[i], "alias=", 6) == 0)
			alias[ep.aliases.n++] = argv[i] + 6;
		else
			ports[n_ports++] = port_of(argv[i]);
	}
	int r = net_plan(&net, &ep, ports, n_ports, &a, e);
	if (r == 0) {
		(void)printf("%s %s %s", ep.ip4, ep.ip6 ? ep.ip6 : "-", ep.ifname);
		for (size_t i = 0; i < n_ports; i++)
			(void)printf(" %u", ports[i].host_port);
		(void)putchar('\n');
	}
	arena_release(&a);
	return r;
}

static int hosts(const char *instance, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s", net.bundles, instance);
	CLEANUP_FREE char *file = xasprintf("%s/hosts", path);

	(void)mkdir(path, 0755);
	return net_write_hosts(&net, instance, file, NULL, e);
}

static int inspect(const char *name, struct err *e)
{
	json_t *j;
	int r = net_network_inspect(&net, name, &j, e);

	return r < 0 ? r : print(j);
}

static int give(int (*get)(const struct net *n, json_t **ret, struct err *e), struct err *e)
{
	json_t *j;
	int r = get(&net, &j, e);

	return r < 0 ? r : print(j);
}

static int describe(const char *instance, struct err *e)
{
	json_t *j;
	int r = net_describe(&net, instance, &j, e);

	return r < 0 ? r : print(j);
}

static int connect_timed(const char *instance, const char *pid, struct err *e)
{
	uint64_t start = time_mono_ns();
	int r = net_connect(&net, instance, (pid_t)strtol(pid, NULL, 10), e);

	if (getenv("NET_DRIVE_TIMES"))
		(void)fprintf(stderr, "connect %llu us\n",
			      (unsigned long long)(time_mono_ns() - start) / 1000);
	return r;
}

static int verb(int argc, char **argv, struct err *e)
{
	const char *v = argv[0];
	const char *arg = argc > 1 ? argv[1] : NULL;

	if (strcmp(v, "create") == 0 && argc > 1)
		return create(argc - 1, argv + 1, e);
	if (strcmp(v, "plan") == 0 && argc > 3)
		return plan(argc - 1, argv + 1, e);
	if (strcmp(v, "connect") == 0 && argc == 3)
		return connect_timed(arg, argv[2], e);
	if (strcmp(v, "disconnect") == 0 && argc > 1)
		return net_disconnect(&net, arg, argc > 2 ? argv[2] : NULL, e);
	if (strcmp(v, "hosts") == 0 && argc == 2)
		return hosts(arg, e);
	if (strcmp(v, "describe") == 0 && argc == 2)
		return describe(arg, e);
	if (strcmp(v, "inspect") == 0)
		return inspect(arg, e);
	if (strcmp(v, "rm") == 0 && argc == 2)
		return net_network_remove(&net, arg, e);
	if (strcmp(v, "prune") == 0)
		return give(net_network_prune, e);
	if (strcmp(v, "doctor") == 0)
		return give(net_doctor, e);
	if (strcmp(v, "settle") == 0)
		return net_settle(&net, e);
	if (strcmp(v, "reconcile") == 0)
		return net_reconcile(&net, e);
	return err_set(e, EINVAL, "no such verb: %s", v);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	if (argc < 4)
		return 2;
	CLEANUP_FREE char *path = xasprintf("%s/isle.db", argv[1]);
	CLEANUP_FREE char *run_dir = xasprintf("%s/run", argv[1]);
	CLEANUP_FREE char *bundles = xasprintf("%s/instances", argv[1]);
	net = (struct net){ .bundles = bundles, .run_dir = run_dir, .nft_helper = argv[2],
			    .bridge = "isle0" };
	int r = db_open(path, &net_schema, 1, 1, &net.db, &e);
	if (r == 0)
		r = verb(argc - 3, argv + 3, &e);
	if (r < 0)
		(void)fprintf(stderr, "net_drive: %s\n", e.msg);
	db_close(net.db);
	return r < 0;
}
