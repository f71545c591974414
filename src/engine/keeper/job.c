/*
 * engine/keeper/job.c - forked children that call the wall and send what came of it.
 *
 * A job dies with the keeper.  What it makes (the program, a health check's process) is
 * the keeper's once the job has ended: the keeper is their subreaper (prctl(2)).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/parts.h"

#define EXIT_CODE_OTHER 125             /* of isle itself, as Docker has it */
#define CONFIG_MAX (32u << 20)

static void report(int sock, struct job_result *res, const struct err *e, int fd)
{
	if (res->r < 0)
		snprintf(res->msg, sizeof(res->msg), "%s", e->msg);
	/* If the keeper does not listen any more it is dying, and we with it. */
	(void)!fd_send(sock, res, sizeof(*res), &fd, fd >= 0);
}

/* In the child: as a program of its own would begin. */
static void child_begin(pid_t keeper)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* fork: 0 in the child, whose end is *ret_sock. */
static pid_t job_fork(struct job *j, int *ret_sock, struct err *e)
{
	pid_t keeper = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "make a socket pair");
	j->pid = fork();
	if (j->pid == 0) {
		close(pair[0]);
		*ret_sock = pair[1];
		child_begin(keeper);
		return 0;
	}
	close(pair[1]);
	if (j->pid < 0) {
		int code = errno;

		close(pair[0]);
		j->pid = 0;
		return err_sys(e, code, "fork");
	}
	j->sock = pair[0];
	return j->pid;
}

static int take_stdio(const int stdio[3], struct err *e)
{
	for (int i = 0; i < 3; i++)
		if (dup2(stdio[i], i) < 0)
			return err_sys(e, errno, "make stdio");
	return 0;
}

static void failed(const struct keeper *k, struct job_result *res, const struct err *e)
{
	int code = k->cfg.wall->exit_code(e);

	res->exit_code = code == 126 || code == 127 ? code : EXIT_CODE_OTHER;
}

static _Noreturn void create_child(const struct keeper *k, int sock, const int stdio[3])
{
	const struct wall *w = k->cfg.wall;
	const struct wall_host *h = &k->cfg.host;
	struct wall_create o = { .bundle = k->cfg.bundle };
	struct job_result res = { 0 };
	struct err e = { 0 }, ignored;
	char console[64], go;

	snprintf(console, sizeof(console), "/proc/self/fd/%d/console", k->dirfd);
	if (k->cfg.tty)
		o.console_socket = console;
	res.r = take_stdio(stdio, &e);
	if (res.r == 0)
		res.r = w->create(h, k->cfg.id, &o, &res.made, &e);
	if (res.r < 0)
		failed(k, &res, &e);
	report(sock, &res, &e, -1);
	if (res.r < 0 || recv(sock, &go, 1, 0) != 1)
		_exit(1);
	res.r = w->start(h, k->cfg.id, &e);
	if (res.r < 0) {
		failed(k, &res, &e);
		(void)!w->remove(h, k->cfg.id, true, &ignored);
	}
	report(sock, &res, &e, -1);
	if (res.r < 0)
		_exit(1);
	CLEANUP_FD int oom = w->oom_fd(h, k->cfg.id, &e);
	res.r = oom < 0 ? oom : 0;
	report(sock, &res, &e, oom);
	_exit(0);
}

int job_create(struct keeper *k, const int stdio[3], struct err *e)
{
	int sock = -1;
	pid_t pid = job_fork(&k->life, &sock, e);

	if (pid == 0)
		create_child(k, sock, stdio);
	return pid < 0 ? pid : 0;
}

int job_go(const struct job *j)
{
	return send(j->sock, "g", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int job_remove(struct keeper *k, struct err *e)
{
	const struct wall *w = k->cfg.wall;
	struct job_result res = { 0 };
	struct err why = { 0 };
	int sock = -1;

	pid_t pid = job_fork(&k->life, &sock, e);
	if (pid != 0)
		return pid < 0 ? pid : 0;
	if (w->oom_count(&k->cfg.host, k->cfg.id, &res.count, &why) < 0)
		res.count = 0;          /* no group: nothing was counted */
	res.r = w->remove(&k->cfg.host, k->cfg.id, true, &why);
	if (res.r == -ENOENT)
		res.r = 0;
	report(sock, &res, &why, -1);
	_exit(0);
}

int job_oom(struct keeper *k, struct err *e)
{
	struct job_result res = { 0 };
	struct err why = { 0 };
	int sock = -1;

	pid_t pid = job_fork(&k->oom, &sock, e);
	if (pid != 0)
		return pid < 0 ? pid : 0;
	res.r = k->cfg.wall->oom_count(&k->cfg.host, k->cfg.id, &res.count, &why);
	report(sock, &res, &why, -1);
	_exit(0);
}

/* The program's process with the arguments of the test, and without its terminal. */
static int health_process(const struct keeper *k, struct oci_spec *spec, struct arena *a,
			  struct err *e)
{
	const struct health_config *h = &k->cfg.health;
	CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_MAX);
	CLEANUP_FREE char *path = xasprintf("%s/config.json", k->cfg.bundle);

	int r = file_read_at(AT_FDCWD, path, &b);
	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	r = oci_spec_parse("config.json", b.data, b.len, spec, e);
	if (r < 0)
		return r;
	if (!spec->process)
		return err_set(e, EINVAL, "config.json has no process");
	spec->process->terminal = false;
	spec->process->args = h->test;
	if (h->shell) {
		const char **v = arena_calloc(a, 4, sizeof(*v));

		v[0] = "/bin/sh";
		v[1] = "-c";
		v[2] = h->test.v[0];
		spec->process->args = (struct oci_strv){ v, 3 };
	}
	return 0;
}

static _Noreturn void health_child(const struct keeper *k, int sock, int output)
{
	struct oci_spec spec = { 0 };
	struct arena a = { 0 };
	struct job_result res = { 0 };
	struct err e = { 0 };
	int status, stdio[] = { open("/dev/null", O_RDWR | O_CLOEXEC), output, output };

	res.r = take_stdio(stdio, &e);
	if (res.r == 0)
		res.r = health_process(k, &spec, &a, &e);
	if (res.r == 0) {
		struct wall_exec x = {
			.process = spec.process, .detach = true, .ret_pid = &res.made,
		};

		res.r = k->cfg.wall->exec(&k->cfg.host, k->cfg.id, &x, &status, &e);
		if (res.r < 0)
			res.exit_code = k->cfg.wall->exit_code(&e);
	}
	report(sock, &res, &e, -1);
	_exit(0);
}

int job_health(struct keeper *k, int output, struct err *e)
{
	int sock = -1;
	pid_t pid = job_fork(&k->health.job, &sock, e);

	if (pid == 0)
		health_child(k, sock, output);
	return pid < 0 ? pid : 0;
}

int job_signal(struct keeper *k, int sig, bool all, struct err *e)
{
	struct job j = { .sock = -1 };
	struct job_result res = { 0 };
	struct err why = { 0 };
	int sock = -1, fd;

	pid_t pid = job_fork(&j, &sock, e);
	if (pid == 0) {
		res.r = k->cfg.wall->signal(&k->cfg.host, k->cfg.id, sig, all, &why);
		report(sock, &res, &why, -1);
		_exit(0);
	}
	if (pid < 0)
		return pid;
	int r = job_result(&j, &res, &fd);
	job_end(&j);
	if (r == 0)
		return err_set(e, EPROTO, "sending signal %d failed", sig);
	return res.r < 0 ? err_set(e, -res.r, "%s", res.msg) : 0;
}

int job_result(struct job *j, struct job_result *ret, int *ret_fd)
{
	*ret_fd = -1;
	ssize_t n = fd_recv(j->sock, ret, sizeof(*ret), ret_fd, 1);
	if (n < 0)
		return 0;
	if (n == 0)
		*ret_fd = -1;
	ret->msg[sizeof(ret->msg) - 1] = '\0';
	return 1;
}

void job_end(struct job *j)
{
	fd_close(&j->sock);
	j->pid = 0;
}
