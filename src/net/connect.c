/* net/connect.c - the kernel's side of an endpoint, made and taken back.  See net.h */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/hosts.h"
#include "net/link.h"
#include "net/pasta.h"
#include "net/rules.h"
#include "net/settle.h"
#include "sys/nlreq.h"

/* The bridge's index, made where it is missing.  The lock is held alone. */
static int bridge_make(const struct net *n, int sock, const struct network *net,
		       struct err *e)
{
	struct buf lines __attribute__((cleanup(buf_release))) = BUF_INIT(RULES_BYTES_MAX);

	/* A device without rules would be open to everyone for a moment: rules come first. */
	int r = settle_mark(n, net->device, net->internal, e);
	int there = r < 0 ? r : rules_there(e);
	if (there < 0)
		return there;
	rules_network(&lines, net, true);
	r = there ? rules_change(n, &lines, e) : rules_replace(n, e);
	return r < 0 ? r : link_bridge_make(sock, net, e);
}

/* The index of the bridge, and in *lock what keeps it there. */
static int bridge_ready(const struct net *n, int sock, const struct network *net, int *lock,
			struct err *e)
{
	*lock = settle_lock(n, LOCK_SH, e);
	if (*lock < 0)
		return *lock;
	int index = link_bridge_find(sock, net->device, e);
	int there = index > 0 && settle_marked(n, net->device) ? rules_there(e) : 0;
	if (index < 0 || there < 0)
		return index < 0 ? index : there;
	if (there)
		return index;
	fd_close(lock);
	*lock = settle_lock(n, LOCK_EX, e);
	return *lock < 0 ? *lock : bridge_make(n, sock, net, e);
}

struct target {                         /* the instance's namespace */
	int nsfd, sock;
};

static int target_open(pid_t pid, struct target *t, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("/proc/%d/ns/net", (int)pid);

	t->sock = -1;
	t->nsfd = open(path, O_RDONLY | O_CLOEXEC);
	if (t->nsfd < 0)
		return err_sys(e, errno, "open network namespace %s", path);
	t->sock = nlreq_open(NETLINK_ROUTE, t->nsfd);
	return t->sock < 0 ? err_sys(e, -t->sock, "enter network namespace %s", path) : 0;
}

static void target_close(struct target *t)
{
	fd_close(&t->nsfd);
	fd_close(&t->sock);
}

/* Published ports.  Adding what is there already is fine. */
static int publish(const struct net *n, const char *instance, struct err *e)
{
	struct buf lines __attribute__((cleanup(buf_release))) = BUF_INIT(RULES_BYTES_MAX);

	int ports = rules_ports(n->db, &lines, instance, NULL, true, e);
	if (ports <= 0)
		return ports;
	CLEANUP_FD int lock = settle_lock(n, LOCK_EX, e);
	return lock < 0 ? lock : rules_change(n, &lines, e);
}

static int connect_one(const struct net *n, int sock, const struct target *t,
		       const struct endpoint *ep, bool gateway, struct err *e)
{
	CLEANUP_FD int lock = -1;
	int bridge = bridge_ready(n, sock, &ep->net, &lock, e);

	return bridge < 0 ? bridge :
	       link_veth_make(sock, bridge, t->nsfd, t->sock, ep, gateway, e);
}

static int connect_all(const struct net *n, const struct endpoints *l, const struct target *t,
		       struct err *e)
{
	CLEANUP_FD int sock = nlreq_open(NETLINK_ROUTE, -1);
	bool gateway = true;
	int r = 0;

	if (sock < 0)
		return err_sys(e, -sock, "open a netlink socket");
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		const struct endpoint *ep = &l->v[i];
		/* The first that leads outside has the default routes. */
		bool leads = gateway && !ep->net.internal;
		r = connect_one(n, sock, t, ep, leads, e);
		gateway = gateway && !leads;
	}
	return r;
}

int net_connect(const struct net *n, const char *instance, pid_t pid, struct err *e)
{
	struct endpoints l CLEANUP_ENDPOINTS = { 0 };
	CLEANUP(target_close) struct target t = { .nsfd = -1, .sock = -1 };

	int r = table_endpoints(n->db, instance, NULL, &l, e);
	if (r < 0)
		return r;
	if (n->rootless && l.n > 0)
		return pasta_for(n, instance, pid, e);
	r = target_open(pid, &t, e);
	if (r == 0)
		r = link_loopback_up(t.sock, e);
	if (r < 0 || l.n == 0)
		return r;
	r = connect_all(n, &l, &t, e);
	if (r == 0)
		r = publish(n, instance, e);
	return r < 0 ? r : hosts_refresh(n, &l, NULL, e);
}

/* ---- the way back ---------------------------------------------------------------------- */

static int unpublish(const struct net *n, const char *instance, const char *network,
		     struct err *e)
{
	struct buf lines __attribute__((cleanup(buf_release))) = BUF_INIT(RULES_BYTES_MAX);

	int ports = rules_ports(n->db, &lines, instance, network, false, e);
	if (ports <= 0)
		return ports;
	CLEANUP_FD int lock = settle_lock(n, LOCK_EX, e);
	if (lock < 0)
		return lock;
	int r = rules_apply(n, "change", &lines, e);
	if (r != -ENOENT)
		return r;
	/* Some were not there: a killed command had taken them, or never brought them. */
	int there = rules_there(e);
	if (there <= 0)
		return there;
	r = db_run(n->db, e, "DELETE FROM ports WHERE instance = ? AND "
		   "(? IS NULL OR network = ?)", "sss", instance, network, network);
	return r < 0 ? r : rules_replace(n, e);
}

static int forget(const struct net *n, const char *instance, const char *network,
		  struct err *e)
{
	int r = db_begin(n->db, e);

	if (r < 0)
		return r;
	r = db_run(n->db, e, "DELETE FROM ports WHERE instance = ? AND "
		   "(? IS NULL OR network = ?)", "sss", instance, network, network);
	if (r >= 0)
		r = db_run(n->db, e, "DELETE FROM endpoints WHERE instance = ? AND "
			   "(? IS NULL OR network = ?)", "sss", instance, network, network);
	if (r >= 0)
		return db_commit(n->db, e);
	db_rollback(n->db);
	return r;
}

/* A veth that somebody waits for goes at once, else it is left to the namespace's end. */
static int drop_links(const struct net *n, const struct endpoints *l, bool now,
		      struct err *e)
{
	int r = 0;

	if (now) {
		CLEANUP_FD int sock = nlreq_open(NETLINK_ROUTE, -1);
		if (sock < 0)
			return err_sys(e, -sock, "open a netlink socket");
		for (size_t i = 0; r == 0 && i < l->n; i++)
			r = link_remove(sock, l->v[i].link, e);
		return r;
	}
	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = settle_link(n, l->v[i].link, e);
	return r;
}

int net_disconnect(const struct net *n, const char *instance, const char *network,
		   struct err *e)
{
	struct endpoints l CLEANUP_ENDPOINTS = { 0 };
	CLEANUP(arena_release) struct arena a = { 0 };
	struct network net = { 0 };
	int r = network ? table_network(n, network, &a, &net, e) : 0;

	if (r == 0)
		r = table_endpoints(n->db, instance, net.id, &l, e);
	if (r < 0)
		return r;
	if (network && l.n == 0)
		return err_set(e, ENOENT, "instance %.12s is not on network %s", instance,
			       net.name);
	if (n->rootless && (r = pasta_stop(n, instance, e)) < 0)
		return r;
	if (l.n == 0)
		return 0;
	if (!n->rootless)
		r = unpublish(n, instance, net.id, e);
	if (r == 0 && !n->rootless)
		r = drop_links(n, &l, network != NULL, e);
	if (r == 0)
		r = forget(n, instance, net.id, e);
	if (r < 0)
		return r;
	if (!n->rootless)
		settle_start(n);
	return hosts_refresh(n, &l, instance, e);
}

/* Rows of instances that are not in the engine's table; without one nobody is. */
static int forget_strays(const struct net *n, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	int r = db_query(n->db, &q, e, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND "
			 "name = 'instances'", "");
	if (r <= 0)
		return r;
	db_end(q);
	q = NULL;
	r = db_query(n->db, &q, e, "SELECT DISTINCT instance FROM endpoints WHERE instance NOT IN "
		     "(SELECT id FROM instances)", "");
	CLEANUP_JSON json_t *stray = json_array();
	for (; r > 0; r = db_next(q, e))
		(void)json_array_append_new(stray, json_string(db_text(q, 0)));
	size_t i;
	json_t *id;
	json_array_foreach(stray, i, id) {
		if (r == 0)
			r = net_disconnect(n, json_string_value(id), NULL, e);
	}
	return r;
}

int net_reconcile(const struct net *n, struct err *e)
{
	int r = forget_strays(n, e);

	if (r < 0 || n->rootless)
		return r;
	r = net_settle(n, e);
	if (r < 0)
		return r;
	CLEANUP_FD int lock = settle_lock(n, LOCK_EX, e);
	return lock < 0 ? lock : rules_replace(n, e);
}

int net_describe(const struct net *n, const char *instance, json_t **ret, struct err *e)
{
	struct endpoints l CLEANUP_ENDPOINTS = { 0 };
	json_t *list = json_array();
	int r = table_endpoints(n->db, instance, NULL, &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		const struct endpoint *ep = &l.v[i];
		char ip4[ADDR_TEXT_MAX], ip6[ADDR_TEXT_MAX], g4[ADDR_TEXT_MAX], g6[ADDR_TEXT_MAX];
		json_t *ports;
		addr_format(&ep->ip4, ip4);
		addr_format(&ep->ip6, ip6);
		addr_format(&ep->net.gateway4, g4);
		addr_format(&ep->net.gateway6, g6);
		r = ports_json(n->db, instance, ep->net.id, &ports, e);
		if (r < 0)
			break;
		json_t *one = json_pack(
			"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:O, s:o}",
			"network", ep->net.name, "network_id", ep->net.id, "endpoint_id", ep->id,
			"ifname", ep->ifname, "mac", ep->mac ? ep->mac : "", "ip4", ip4,
			"gateway4", g4, "prefix4", ip4[0] ? (int)ep->net.subnet4.prefix : 0,
			"ip6", ip6, "gateway6", ip6[0] ? g6 : "",
			"prefix6", ip6[0] ? (int)ep->net.subnet6.prefix : 0,
			"aliases", ep->aliases, "ports", ports);
		(void)json_array_append_new(list, one);
	}
	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret = list;
	return 0;
}
