/* net/pasta.c - see pasta.h */
#include "net/pasta.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "net/addr.h"
#include "sys/calls.h"

#define ARGS_MAX 2048

struct args {
	struct arena arena;
	char *v[ARGS_MAX];
	size_t n;
};

static void arg(struct args *l, const char *s)
{
	if (l->n + 1 < ARGS_MAX)
		l->v[l->n++] = arena_strdup(&l->arena, s);
}

static char *pid_path(const struct net *n, const char *instance)
{
	return xasprintf("%s/pasta/%s", n->run_dir, instance);
}

/*
 * "-t ADDRESS/HOST-PORT:PORT".  pasta listens itself, so it also says when somebody else
 * has the port.  Any address of both families is what it does without one.
 */
static void add_port(struct args *l, const struct net_port *p)
{
	bool any = p->host_ip[0] == 0 || strcmp(p->host_ip, "0.0.0.0") == 0;

	arg(l, strcmp(p->protocol, "udp") == 0 ? "-u" : "-t");
	if (any)
		arg(l, arena_printf(&l->arena, "%u:%u", p->host_port, p->port));
	else
		arg(l, arena_printf(&l->arena, "%s/%u:%u", p->host_ip, p->host_port, p->port));
}

static bool has_protocol(const struct net_port *ports, size_t n, const char *protocol)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(ports[i].protocol, protocol) == 0)
			return true;
	}
	return false;
}

static int run_pasta(struct args *l, struct err *e)
{
	CLEANUP_FD int out = memfd_create("pasta-says", MFD_CLOEXEC);
	posix_spawn_file_actions_t actions;
	char line[512];
	int status;
	pid_t pid;

	if (out < 0)
		return err_sys(e, errno, "make a file in memory");
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_RDWR, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	int code = posix_spawnp(&pid, "pasta", &actions, NULL, l->v, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (code == ENOENT)
		return err_set(e, ENOENT, "pasta is not installed: a user's instances reach the "
			       "network through it (Debian package passt), or use --network none");
	if (code != 0)
		return err_sys(e, code, "execute pasta");
	/* It goes into the background once the namespace has its device. */
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return err_sys(e, errno, "wait for pasta");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	ssize_t n = pread(out, line, sizeof(line) - 1, 0);
	line[n > 0 ? n : 0] = 0;
	char *last = line;
	for (char *p = line; *p; p++) {
		if (*p == '\n' && p[1])
			last = p + 1;
	}
	last[strcspn(last, "\n")] = 0;
	return err_set(e, EIO, "pasta: %s", last[0] ? last : "failed without a word");
}

int net_pasta_start(const struct net *n, const char *instance, pid_t pid,
		    const struct net_port *ports, size_t n_ports, struct err *e)
{
	CLEANUP_FREE char *dir = xasprintf("%s/pasta", n->run_dir);
	CLEANUP_FREE char *path = pid_path(n, instance);
	CLEANUP_FREE char *ns = xasprintf("/proc/%d/ns/net", (int)pid);
	CLEANUP_FREE struct args *l = xcalloc(1, sizeof(*l));

	if ((mkdir(n->run_dir, 0700) < 0 && errno != EEXIST) ||
	    (mkdir(dir, 0700) < 0 && errno != EEXIST))
		return err_sys(e, errno, "make %s", dir);
	arg(l, "pasta");
	arg(l, "--config-net");
	arg(l, "--quiet");
	/* We are in the user namespace that owns the network namespace already. */
	arg(l, "--netns-only");
	arg(l, "--pid");
	arg(l, path);
	/* By default pasta forwards every port that somebody inside or outside listens on. */
	static const char *const closed[] = { "-T", "none", "-U", "none", "--no-map-gw" };
	for (size_t i = 0; i < ARRAY_LEN(closed); i++)
		arg(l, closed[i]);
	if (!has_protocol(ports, n_ports, "tcp")) {
		arg(l, "-t");
		arg(l, "none");
	}
	if (!has_protocol(ports, n_ports, "udp")) {
		arg(l, "-u");
		arg(l, "none");
	}
	for (size_t i = 0; i < n_ports; i++)
		add_port(l, &ports[i]);
	arg(l, "--netns");
	arg(l, ns);
	int r = l->n + 1 < ARGS_MAX ? run_pasta(l, e) :
		err_set(e, E2BIG, "more ports are published than pasta can be told");
	arena_release(&l->arena);
	return r;
}

int pasta_for(const struct net *n, const char *instance, pid_t pid, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_FREE struct net_port *ports = NULL;
	CLEANUP_STMT struct db_stmt *q = NULL;
	size_t n_ports = 0;

	/* "0.0.0.0" stands for both families here: the row of "::" is left out. */
	int r = db_query(n->db, &q, e, "SELECT protocol, host_ip, host_port, port FROM ports "
			 "WHERE instance = ? AND host_ip != '::'", "s", instance);
	for (; r > 0; r = db_next(q, e)) {
		ports = xreallocarray(ports, n_ports + 1, sizeof(*ports));
		ports[n_ports++] = (struct net_port){
			.protocol = arena_strdup(&a, db_text(q, 0)),
			.host_ip = arena_strdup(&a, db_text(q, 1)),
			.host_port = (uint16_t)db_int(q, 2),
			.port = (uint16_t)db_int(q, 3),
		};
	}
	return r < 0 ? r : net_pasta_start(n, instance, pid, ports, n_ports, e);
}

/* The number in the pid file may be another process's by now. */
static bool is_pasta(pid_t pid)
{
	CLEANUP_FREE char *path = xasprintf("/proc/%d/comm", (int)pid);
	struct buf b __attribute__((cleanup(buf_release))) = BUF_INIT(64);

	/* passt has a build for newer processors: "pasta.avx2". */
	return file_read_at(AT_FDCWD, path, &b) >= 0 && b.data && strncmp(b.data, "pas", 3) == 0;
}

int pasta_stop(const struct net *n, const char *instance, struct err *e)
{
	CLEANUP_FREE char *path = pid_path(n, instance);
	struct buf b __attribute__((cleanup(buf_release))) = BUF_INIT(32);

	int r = file_read_at(AT_FDCWD, path, &b);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	long pid = b.data ? strtol(b.data, NULL, 10) : 0;
	CLEANUP_FD int pidfd = pid > 0 ? sys_pidfd_open((pid_t)pid) : -1;
	if (pidfd >= 0 && is_pasta((pid_t)pid)) {
		r = sys_pidfd_send_signal(pidfd, SIGTERM);
		if (r < 0 && r != -ESRCH)
			return err_sys(e, -r, "stop pasta, process %ld", pid);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s", path);
	return 0;
}
