/* net/pasta.c - see pasta.h */
#include "net/pasta.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "net/addr.h"
#include "sys/calls.h"

#define ARGS_MAX 2048
#define END_MS 2000

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

static char *file_path(const struct net *n, const char *instance, const char *suffix)
{
	return xasprintf("%s/pasta/%s%s", n->run_dir, instance, suffix);
}

/*
 * "-t ADDRESS/HOST-PORT:PORT".  pasta listens itself, so it also says when somebody else
 * has the port.  Any address of both families is what it does without one.
 */
static void add_port(struct args *l, const struct net_port *p)
{
	arg(l, strcmp(p->protocol, "udp") == 0 ? "-u" : "-t");
	if (p->host_ip[0] == 0)
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

/* What it wrote last, without the time that pasta of 2023 puts in front. */
static int said(int out, struct err *e)
{
	char text[1024];
	ssize_t n = pread(out, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	char *last = text;
	for (char *p = text; *p; p++) {
		if (*p == '\n' && p[1])
			last = p + 1;
	}
	last[strcspn(last, "\n")] = 0;
	last += strspn(last, "0123456789.");
	last += strspn(last, ": ");
	if (strstr(last, "not usable") || strstr(last, "outable"))
		return err_set(e, ENETUNREACH, "pasta: %s: it copies the addresses of the host's "
			       "default route, and there is none; --network none and --network "
			       "host need none", last);
	return err_set(e, EIO, "pasta: %s", last[0] ? last : "failed without a word");
}

/*
 * In the child.  pasta gives up capabilities before it opens the namespace, and ptrace(2)'s
 * check on /proc/PID/ns refuses it then: it is shown the namespace as a file, in a mount
 * namespace that ends with it.
 */
static void exec_pasta(struct args *l, const char *ns, const char *file, int out)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(out, 2) < 0)
		_exit(127);
	/* pasta of 2023 takes a SIGPIPE that was ignored already for a failed signal(2). */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)sigaction(SIGPIPE, &dfl, NULL);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount(ns, file, NULL, MS_BIND, NULL) < 0) {
		dprintf(2, "bind %s to %s: %s\n", ns, file, err_text(errno));
		_exit(126);
	}
	execvp("pasta", l->v);
	_exit(errno == ENOENT ? 127 : 126);
}

static int run_pasta(struct args *l, const char *ns, const char *file, struct err *e)
{
	CLEANUP_FD int out = memfd_create("pasta-says", MFD_CLOEXEC);
	int status;

	if (out < 0)
		return err_sys(e, errno, "make a file in memory");
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork for pasta");
	if (pid == 0)
		exec_pasta(l, ns, file, out);
	/* It goes into the background once the namespace has its device. */
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return err_sys(e, errno, "wait for pasta");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENOENT, "pasta is not installed: an ordinary user's instances "
			       "reach the network through it: apt-get install passt, or use "
			       "--network none");
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return err_sys(e, errno, "open /dev/net/tun, which pasta needs (as root: modprobe "
			       "tun; chmod 0666 /dev/net/tun), or use --network none");
	return said(out, e);
}

/* The file that shows the namespace, empty outside of pasta's mounts. */
static int make_file(const char *file, struct err *e)
{
	CLEANUP_FD int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_sys(e, errno, "make %s", file) : 0;
}

static void add_arguments(struct args *l, const char *pid_file, const char *ns_file,
			  const struct net_port *ports, size_t n_ports)
{
	/*
	 * We are in the user namespace that owns the network namespace already.  By default
	 * pasta forwards every port that somebody inside or outside listens on.
	 */
	static const char *const always[] = {
		"pasta", "--config-net", "--quiet", "--netns-only", "--ns-ifname", "eth0",
		"--no-map-gw", "-T", "none", "-U", "none",
	};

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		arg(l, always[i]);
	arg(l, "--pid");
	arg(l, pid_file);
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
	arg(l, ns_file);
}

static int start(const struct net *n, const char *instance, pid_t pid,
		 const struct net_port *ports, size_t n_ports, struct err *e)
{
	CLEANUP_FREE char *dir = xasprintf("%s/pasta", n->run_dir);
	CLEANUP_FREE char *pid_file = file_path(n, instance, "");
	CLEANUP_FREE char *ns_file = file_path(n, instance, ".ns");
	CLEANUP_FREE char *ns = xasprintf("/proc/%d/ns/net", (int)pid);
	CLEANUP_FREE struct args *l = xcalloc(1, sizeof(*l));

	if ((mkdir(n->run_dir, 0700) < 0 && errno != EEXIST) ||
	    (mkdir(dir, 0700) < 0 && errno != EEXIST))
		return err_sys(e, errno, "make %s", dir);
	add_arguments(l, pid_file, ns_file, ports, n_ports);
	int r = l->n + 1 < ARGS_MAX ? make_file(ns_file, e) :
		err_set(e, E2BIG, "more ports are published than pasta can be told");
	if (r == 0)
		r = run_pasta(l, ns, ns_file, e);
	arena_release(&l->arena);
	return r;
}

int pasta_for(const struct net *n, const char *instance, pid_t pid, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_FREE struct net_port *ports = NULL;
	CLEANUP_STMT struct db_stmt *q = NULL;
	size_t n_ports = 0;

	/* Any address of both families is one of pasta's ports, and two rows. */
	int r = db_query(n->db, &q, e, "SELECT protocol, CASE WHEN count(*) > 1 THEN '' ELSE "
			 "min(host_ip) END, host_port, port FROM ports WHERE instance = ? "
			 "GROUP BY protocol, host_port, port, CASE WHEN host_ip IN "
			 "('0.0.0.0', '::') THEN '' ELSE host_ip END", "s", instance);
	for (; r > 0; r = db_next(q, e)) {
		ports = xreallocarray(ports, n_ports + 1, sizeof(*ports));
		ports[n_ports++] = (struct net_port){
			.protocol = arena_strdup(&a, db_text(q, 0)),
			.host_ip = arena_strdup(&a, db_text(q, 1)),
			.host_port = (uint16_t)db_int(q, 2),
			.port = (uint16_t)db_int(q, 3),
		};
	}
	return r < 0 ? r : start(n, instance, pid, ports, n_ports, e);
}

/*
 * The number in the pid file may be another process's by now: ours has the file's path among
 * its arguments.
 */
static bool is_pasta(pid_t pid, const char *pid_file)
{
	CLEANUP_FREE char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	struct buf b __attribute__((cleanup(buf_release))) = BUF_INIT(1u << 20);

	if (file_read_at(AT_FDCWD, path, &b) < 0 || !b.data)
		return false;
	return memmem(b.data, b.len, pid_file, strlen(pid_file) + 1) != NULL;
}

/* Until its ports are free for whoever asks next. */
static int end(int pidfd, long pid, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGKILL };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		int r = sys_pidfd_send_signal(pidfd, signals[i]);

		if (r < 0)
			return r == -ESRCH ? 0 : err_sys(e, -r, "stop pasta, process %ld", pid);
		if (TEMP_FAILURE_RETRY(poll(&p, 1, END_MS)) > 0)
			return 0;
	}
	return err_set(e, ETIMEDOUT, "pasta, process %ld, does not end", pid);
}

int pasta_stop(const struct net *n, const char *instance, struct err *e)
{
	CLEANUP_FREE char *pid_file = file_path(n, instance, "");
	CLEANUP_FREE char *ns_file = file_path(n, instance, ".ns");
	struct buf b __attribute__((cleanup(buf_release))) = BUF_INIT(32);

	int r = file_read_at(AT_FDCWD, pid_file, &b);
	if (r < 0 && r != -ENOENT)
		return err_sys(e, -r, "read %s", pid_file);
	long pid = r == 0 && b.data ? strtol(b.data, NULL, 10) : 0;
	CLEANUP_FD int pidfd = pid > 0 ? sys_pidfd_open((pid_t)pid) : -1;
	r = pidfd >= 0 && is_pasta((pid_t)pid, pid_file) ? end(pidfd, pid, e) : 0;
	if (r < 0)
		return r;
	/* One whose number was never written sees its namespace's file go. */
	if (unlink(ns_file) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s", ns_file);
	if (unlink(pid_file) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s", pid_file);
	return 0;
}
