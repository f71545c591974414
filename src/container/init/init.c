/*
 * container/init/init.c - isle-init: from the runtime's child to the container's
 * program.  What happens, in order, is main() and its two halves; why a program of
 * its own is said in container/init_plan.h.
 *
 *	isle-init FD            FD: the plan (plan.h)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container/init/init.h"

static int err_vset(struct init *in, int code, bool sys, const char *fmt, va_list ap)
{
	in->msg.kind = INIT_MSG_ERROR;
	in->msg.code = code;
	in->msg.sys = sys;
	text_vformat(in->msg.msg, sizeof(in->msg.msg), fmt, ap);
	return -code;
}

int init_err(struct init *in, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = err_vset(in, code, false, fmt, ap);
	va_end(ap);
	return r;
}

int init_err_sys(struct init *in, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = err_vset(in, code, true, fmt, ap);
	va_end(ap);
	return r;
}

void init_end(struct init *in)
{
	send(in->channel, &in->msg, sizeof(in->msg), MSG_NOSIGNAL);
	for (;;) {
		syscall(SYS_exit_group, 1);
		/* A filter refused even that. */
		__builtin_trap();
	}
}

static int say(struct init *in, enum init_msg_kind kind, int32_t pid)
{
	const struct init_msg m = { .kind = kind, .pid = pid };

	return send(in->plan->sync_fd, &m, sizeof(m), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * exec: setns(2) moved only our children into the container's pid namespace.  The child
 * is made a sibling, so that the runtime is its parent and reads its exit status.
 * It waits until its pid was told: PID is the first message of an exec.
 */
static int enter_pidns(struct init *in)
{
	int gate[2];
	char go;

	if (!(in->plan->flags & INIT_PLAN_FORK))
		return 0;
	if (pipe2(gate, O_CLOEXEC) < 0)
		return init_err_sys(in, errno, "pipe");
	long pid = syscall(SYS_clone, (unsigned long)CLONE_PARENT | SIGCHLD, 0, NULL, NULL, 0);
	if (pid < 0)
		return init_err_sys(in, errno, "clone into the pid namespace");
	if (pid == 0) {
		close(gate[1]);
		if (read(gate[0], &go, 1) != 1)
			_exit(1);
		close(gate[0]);
		return 0;
	}
	if (say(in, INIT_MSG_PID, (int32_t)pid) == 0 && write(gate[1], "g", 1) == 1)
		_exit(0);
	_exit(1);
}

/* Everything that needs root or can fail: up to READY. */
static int before_commit(struct init *in)
{
	int r = enter_pidns(in);

	if (r == 0)
		r = task_terminal(in);
	if (r == 0)
		r = task_early(in);
	if (r == 0)
		r = task_label(in);
	if (r == 0)
		r = ids_stdio_owner(in);
	if (r < 0)
		return r;

	umask(022);
	int again = cwd_enter(in, false);
	if (again < 0)
		return again;
	umask((mode_t)in->plan->umask);

	env_home(in);
	r = ids_become_user(in);
	if (r == 0)
		r = ids_caps_as_payload(in);
	if (r == 0 && again)
		r = cwd_enter(in, true);
	if (r == 0)
		r = cwd_check(in);
	return r < 0 ? r : exe_find(in);
}

/*
 * The commit: until it came, the runtime may be killed and we end with it, by the end
 * of file here.  From it on the container has a saved state and outlives the runtime.
 */
static int wait_commit(struct init *in)
{
	struct init_commit c;

	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (say(in, INIT_MSG_READY, 0) < 0 ||
	    recv(in->plan->sync_fd, &c, sizeof(c), 0) != sizeof(c) ||
	    c.byte != INIT_COMMIT_BYTE)
		_exit(1);
	in->pid = c.pid;
	return 0;
}

/* A "start" that was killed before its byte leaves us waiting for the next. */
static int wait_start(struct init *in)
{
	char byte;

	if (in->plan->start_fd < 0)
		return 0;
	close(in->plan->sync_fd);
	in->channel = -1;
	for (;;) {
		int fd = accept4(in->plan->start_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return init_err_sys(in, errno, "wait for start");
		}
		if (recv(fd, &byte, 1, 0) == 1 && byte == INIT_START_BYTE) {
			in->channel = fd;
			close(in->plan->start_fd);
			return 0;
		}
		close(fd);
	}
}

static int filter_and_caps(struct init *in)
{
	int r;

	if (in->plan->flags & INIT_PLAN_NO_NEW_PRIVS) {
		/* No privilege is needed for the filter: then nothing but execve follows it. */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			return init_err_sys(in, errno, "set no_new_privs");
		r = ids_caps_final(in);
		return r < 0 ? r : seccomp_load(in);
	}
	r = seccomp_load(in);
	return r < 0 ? r : ids_caps_final(in);
}

/* Each capset(2) is a new set of credentials, so not without a reason. */
static bool wants_raise(const struct init *in)
{
	const struct init_plan *p = in->plan;

	return p->inheritable || (p->flags & INIT_PLAN_SCHEDULER) ||
	       (p->seccomp.n && !(p->flags & INIT_PLAN_NO_NEW_PRIVS));
}

/*
 * The hooks are the container's, so they run under its filter, as in runc; but a
 * SCHED_DEADLINE task may not fork (sched(7)), and becomes one ahead of the filter.
 */
static bool hooks_under_filter(const struct init *in)
{
	return in->plan->seccomp.n && !(in->plan->flags & INIT_PLAN_SCHEDULER);
}

static int become_payload(struct init *in)
{
	if (!in->args[0])
		return init_err(in, EINVAL, "process is not set in config.json: nothing to start");

	bool late = hooks_under_filter(in);
	int r = late ? 0 : start_hooks_run(in);

	if (r == 0)
		r = seccomp_prepare(in);
	if (r == 0 && wants_raise(in))
		r = ids_caps_raise(in);
	if (r == 0)
		r = task_late(in);
	if (r == 0)
		r = filter_and_caps(in);
	if (r == 0 && late)
		r = start_hooks_run(in);
	if (r < 0)
		return r;
	execve(in->exe, in->args, in->env);
	return init_err_sys(in, errno, "exec %s", in->exe);
}

int main(int argc, char **argv)
{
	static struct init in;
	uint64_t fd;

	/* Nothing in the container may trace or open us through /proc until we exec. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "isle-init", 0, 0, 0);
	if (argc != 2 || !text_number(argv[1], INT_MAX, &fd) || init_plan_open(&in, (int)fd) < 0)
		return 1;
	task_signals_default();

	int r = init_fds_sweep(&in, (int)fd);
	if (r == 0)
		r = before_commit(&in);
	if (r == 0)
		r = wait_commit(&in);
	if (r == 0)
		r = wait_start(&in);
	if (r == 0)
		become_payload(&in);
	if (in.filtered && in.notify)
		seccomp_notify_tell(&in);
	init_end(&in);
}
