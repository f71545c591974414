/* net/rules.c - see rules.h */
#include "net/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "net/settle.h"
#include "sys/nlreq.h"

static int ignore(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	(void)arg;
	return 0;
}

int rules_there(struct err *e)
{
	struct nfgenmsg m = { .nfgen_family = NFPROTO_INET };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));
	CLEANUP_FD int sock = nlreq_open(NETLINK_NETFILTER, -1);

	if (sock < 0)
		return err_sys(e, -sock, "open a netfilter socket");
	nlreq_init(q);
	nlreq_message(q, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, 0, &m, sizeof(m));
	nlreq_str(q, NFTA_TABLE_NAME, "isle");
	int r = nlreq_get(sock, q, ignore, NULL);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_sys(e, -r, "look for the nft table \"isle\"") : 1;
}

void rules_network(struct buf *b, const struct network *net, bool add)
{
	buf_printf(b, "%snetwork %s %s\n", add ? "" : "-", net->device,
		   net->internal ? "internal" : "open");
}

int rules_ports(struct db *db, struct buf *b, const char *instance, const char *network,
		bool add, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int n = 0;

	int r = db_query(db, &q, e,
			 "SELECT p.protocol, p.host_ip, p.host_port, p.port, e.ip4, e.ip6 "
			 "FROM ports p JOIN endpoints e ON e.instance = p.instance "
			 "AND e.network = p.network WHERE (? IS NULL OR p.instance = ?) "
			 "AND (? IS NULL OR p.network = ?)", "ssss", instance, instance, network,
			 network);
	for (; r > 0; r = db_next(q, e)) {
		const char *host = db_text(q, 1);
		const char *to = db_text(q, strchr(host, ':') ? 5 : 4);
		if (!to)
			continue;
		buf_printf(b, "%sport %s %s %d %s %d\n", add ? "" : "-", db_text(q, 0), host,
			   (int)db_int(q, 2), to, (int)db_int(q, 3));
		n++;
	}
	return r < 0 ? r : n;
}

/* stdin is in; what it says on stderr is its message. */
static int spawn(const char *program, int in, int out, pid_t *ret, struct err *e)
{
	char *const argv[] = { (char *)"isle-nft", NULL };
	char *const envp[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t actions;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	int code = posix_spawn(ret, program, &actions, NULL, argv, envp);
	(void)posix_spawn_file_actions_destroy(&actions);
	return code == 0 ? 0 : err_sys(e, code, "execute %s", program);
}

/* The exit status of isle-nft is an errno, its stderr one line. */
static int reap(pid_t pid, int out, struct err *e)
{
	char line[512];
	int status;

	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return err_sys(e, errno, "wait for isle-nft");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	ssize_t n = pread(out, line, sizeof(line) - 1, 0);
	line[n > 0 ? n : 0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (WIFSIGNALED(status))
		return err_set(e, EIO, "isle-nft was killed by signal %d", WTERMSIG(status));
	return err_set(e, WEXITSTATUS(status), "%s", line[0] ? line : "isle-nft failed");
}

int rules_apply(const struct net *n, const char *mode, const struct buf *lines, struct err *e)
{
	CLEANUP_FD int in = memfd_create("isle-nft", MFD_CLOEXEC);
	CLEANUP_FD int out = memfd_create("isle-nft-says", MFD_CLOEXEC);
	pid_t pid;

	if (in < 0 || out < 0)
		return err_sys(e, errno, "make a file in memory");
	if (lines && lines->overflow)
		return err_set(e, EFBIG, "the network rules are longer than %u bytes",
			       RULES_BYTES_MAX);
	int r = fd_write_all(in, mode, strlen(mode));
	if (r == 0)
		r = fd_write_all(in, "\n", 1);
	if (r == 0 && lines)
		r = fd_write_all(in, lines->data, lines->len);
	if (r < 0 || lseek(in, 0, SEEK_SET) < 0)
		return err_sys(e, r < 0 ? -r : errno, "write the network rules");
	r = spawn(n->nft_helper, in, out, &pid, e);
	return r < 0 ? r : reap(pid, out, e);
}

int rules_replace(const struct net *n, struct err *e)
{
	struct buf b __attribute__((cleanup(buf_release))) = BUF_INIT(RULES_BYTES_MAX);
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_STMT struct db_stmt *q = NULL;
	unsigned used = 0;

	int r = db_query(n->db, &q, e, "SELECT " TABLE_NETWORK_COLUMNS " FROM networks n "
			 "WHERE n.device NOT NULL", "");
	for (; r > 0; r = db_next(q, e)) {
		struct network net;
		r = table_network_read(q, 0, &a, &net, e);
		if (r < 0)
			return r;
		if (settle_marked(n, net.device)) {
			rules_network(&b, &net, true);
			used++;
		}
	}
	if (r == 0 && used == 0)
		return rules_apply(n, "delete", NULL, e);
	if (r == 0)
		r = rules_ports(n->db, &b, NULL, NULL, true, e);
	return r < 0 ? r : rules_apply(n, "replace", &b, e);
}

int rules_change(const struct net *n, const struct buf *lines, struct err *e)
{
	int r = rules_apply(n, "change", lines, e);

	/* Somebody flushed the ruleset, or a killed command had got further than we knew. */
	if (r == -ENOENT || r == -EEXIST || r == -EBUSY)
		r = rules_replace(n, e);
	return r;
}
