/*
 * guest/agent/main.c - isle-agent: boot, then the loop of the first process.
 *
 *      /init                                   in a guest
 *      isle-agent --listen SOCKET --root DIR   for tests, as PID 1 of a pid namespace with
 *                                              mounts of its own and a tmpfs at /run: no
 *                                              boot, the unix socket SOCKET instead of
 *                                              vsock, DIR instead of a shared tag
 */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "parts.h"

#define PROGRAM "isle-agent"
#define BACKLOG 128
#define REQUEST_WAIT_S 30               /* for who connects and says nothing */
#define SERVERS_MAX 256                 /* further connections wait */

struct loop {
	struct agent agent;
	int signals;
	pid_t server[SERVERS_MAX];      /* 0: free */
	unsigned n_servers;
};

static int listen_vsock(struct err *e)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = AGENT_PORT,
	};
	CLEANUP_FD int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, errno, "listen on vsock port %d (are its modules loaded?)",
			       AGENT_PORT);
	return take_fd(fd);
}

static int listen_unix(const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "--listen %s: the name is too long", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, errno, "listen on %s", path);
	return take_fd(fd);
}

/* ---- servers ----------------------------------------------------------------------------- */

/* A program in the guest may have vsock too, and must not give us orders. */
static bool peer_is_host(const struct sockaddr_storage *a)
{
	const struct sockaddr_vm *vm = (const struct sockaddr_vm *)a;

	return a->ss_family != AF_VSOCK || vm->svm_cid == VMADDR_CID_HOST;
}

static _Noreturn void server(const struct loop *l, int fd)
{
	struct stream s = { .agent = &l->agent, .fd = fd, .in.from = AGENT_FROM_HOST };
	struct timeval wait = { .tv_sec = REQUEST_WAIT_S };
	sigset_t none;

	close(l->agent.listener);
	close(l->signals);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		log_debug("bound the wait for a request: %s", err_text(errno));
	serve(&s);
	agent_reader_release(&s.in);
	close(fd);
	exit(0);
}

static void server_start(struct loop *l)
{
	struct sockaddr_storage from = { 0 };
	socklen_t n = sizeof(from);
	unsigned slot = 0;
	CLEANUP_FD int fd = accept4(l->agent.listener, (struct sockaddr *)&from, &n,
				    SOCK_CLOEXEC);

	if (fd < 0 || !peer_is_host(&from))
		return;
	while (l->server[slot])
		slot++;
	pid_t pid = fork();
	if (pid == 0)
		server(l, fd);
	if (pid < 0) {
		log_warn("serve a connection: fork: %s", err_text(errno));
		return;
	}
	l->server[slot] = pid;
	l->n_servers++;
}

/* Servers, and whatever lost its parent in this machine. */
static void reap(struct loop *l)
{
	struct signalfd_siginfo si;
	pid_t pid;

	while (read(l->signals, &si, sizeof(si)) > 0)
		;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		for (unsigned i = 0; i < SERVERS_MAX; i++) {
			if (l->server[i] != pid)
				continue;
			l->server[i] = 0;
			l->n_servers--;
		}
	}
}

static int watch_children(struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, errno, "block SIGCHLD");
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, errno, "watch for SIGCHLD") : fd;
}

static int run(struct loop *l, struct err *e)
{
	/* A host that went away is an error of write(2). */
	signal(SIGPIPE, SIG_IGN);
	l->signals = watch_children(e);
	if (l->signals < 0)
		return l->signals;
	for (;;) {
		struct pollfd p[] = {
			{ .fd = l->signals, .events = POLLIN },
			{ .fd = l->n_servers < SERVERS_MAX ? l->agent.listener : -1,
			  .events = POLLIN },
		};

		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "wait for work");
		if (p[0].revents)
			reap(l);
		if (p[1].revents)
			server_start(l);
	}
}

static int make_dirs(struct err *e)
{
	static const char *const dirs[] = {
		AGENT_DIR, AGENT_ROOT, AGENT_BUNDLE, AGENT_STATE,
	};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdir(dirs[i], 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make directory %s", dirs[i]);
	return 0;
}

int main(int argc, char **argv)
{
	/* A kernel hands its first process the words of its command line it does not know. */
	bool test = argc == 5 && strcmp(argv[1], "--listen") == 0 &&
		    strcmp(argv[3], "--root") == 0;
	struct loop l = { .signals = -1 };
	struct err e = { 0 };

	if (getpid() != 1) {
		fprintf(stderr, PROGRAM ": is the first process of a guest, started by its "
			"kernel\n");
		return 2;
	}
	int r = log_open(PROGRAM, NULL, LOG_TEXT, false, &e);
	if (r == 0 && !test)
		r = boot(&e);
	if (r == 0)
		r = make_dirs(&e);
	if (r == 0)
		r = l.agent.listener = test ? listen_unix(argv[2], &e) : listen_vsock(&e);
	l.agent.root = test ? argv[4] : NULL;
	if (r >= 0)
		r = run(&l, &e);
	log_error("%s", e.msg);
	if (!test)
		boot_power_off();
	return 1;
}
