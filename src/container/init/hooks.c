/*
 * container/init/hooks.c - startContainer hooks: run inside the container, as the
 * payload's user with its capabilities, before the payload.  See init.h
 *
 * Spec: config.md#startContainer-hooks, runtime.md#lifecycle step 8.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "container/init/init.h"

#define HOOK_STACK_BYTES 16384

static int pid_digits(int pid, char text[PID_TEXT_MAX])
{
	int n = 0;

	for (int rest = pid; n == 0 || rest; rest /= 10)
		n++;
	for (int i = n, rest = pid; i > 0; rest /= 10)
		text[--i] = (char)('0' + rest % 10);
	return n;
}

int json_pid_pieces(const char *json, int pid, char pid_text[PID_TEXT_MAX],
		    struct iovec iov[JSON_PIECES_MAX])
{
	static const char key[] = "\"pid\":";
	const size_t k = sizeof(key) - 1;
	const char *from = json, *at = json;
	int n = 0, digits = pid_digits(pid, pid_text);

	while (n + 3 <= JSON_PIECES_MAX && (at = strchr(at, '"'))) {
		if (strncmp(at, key, k) != 0) {
			at++;
			continue;
		}
		at += k;
		while (*at == ' ')
			at++;
		if (at[0] != '0' || (at[1] >= '0' && at[1] <= '9'))
			continue;
		iov[n++] = (struct iovec){ (char *)from, (size_t)(at - from) };
		iov[n++] = (struct iovec){ pid_text, (size_t)digits };
		from = ++at;
	}
	iov[n++] = (struct iovec){ (char *)from, strlen(from) };
	return n;
}

/* The state as a file to read from its start: a pipe may be smaller than annotations. */
static int state_fd(const struct init *in)
{
	char pid[PID_TEXT_MAX];
	struct iovec iov[JSON_PIECES_MAX];
	int n = json_pid_pieces(plan_str(in, in->plan->state_json), getpid(), pid, iov);
	int fd = (int)syscall(SYS_memfd_create, "state", 1 /* MFD_CLOEXEC */);

	if (fd < 0)
		return -errno;
	if (writev(fd, iov, n) < 0) {
		int code = errno;

		close(fd);
		return -code;
	}
	return fd;
}

struct hook_child {
	struct init *in;
	const struct plan_hook *hook;
	int stdin_fd;
	int code;               /* errno when it could not exec */
};

/* In the child, whose memory is ours: only exec's failure comes back, in code. */
static int hook_exec(void *arg)
{
	struct hook_child *c = arg;
	struct init *in = c->in;
	const struct plan_hook *h = c->hook;

	setsid();               /* so that a timeout reaches its children as well */
	if (lseek(c->stdin_fd, 0, SEEK_SET) < 0 || dup2(c->stdin_fd, STDIN_FILENO) < 0 ||
	    /* After the filter the capabilities are already the payload's. */
	    (!in->filtered && (ids_caps_raise(in) < 0 || ids_caps_final(in) < 0))) {
		c->code = errno;
		return 1;
	}
	for (unsigned fd = 3; fd < 3 + in->plan->preserve_fds; fd++)
		close((int)fd);
	task_signals_default();
	execve(plan_str(in, h->path), plan_array(in, h->args), plan_array(in, h->env));
	c->code = errno;
	return 1;
}

static int64_t mono_ms(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* SIGCHLD is blocked, so it waits for us in sigtimedwait.  -ETIME past the timeout. */
static int hook_wait(pid_t pid, int timeout_s, int *status)
{
	const int64_t end = mono_ms() + (int64_t)timeout_s * 1000;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		pid_t k = waitpid(pid, status, WNOHANG);

		if (k == pid)
			return 0;
		if (k < 0 && errno != EINTR)
			return -errno;
		int64_t left = timeout_s > 0 ? end - mono_ms() : 60000;
		if (left <= 0)
			return -ETIME;
		struct timespec t = { left / 1000, (left % 1000) * 1000000 };
		sigtimedwait(&chld, NULL, &t);
	}
}

static int hook_run(struct init *in, uint32_t index, const struct plan_hook *h, int stdin_fd)
{
	static _Alignas(16) char stack[HOOK_STACK_BYTES];
	const char *path = plan_str(in, h->path);
	struct hook_child c = { .in = in, .hook = h, .stdin_fd = stdin_fd };
	int status = 0;

	/* As vfork(2), on a stack of its own: we go on when it has exec'd or is gone. */
	pid_t pid = clone(hook_exec, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &c);
	if (pid < 0)
		return init_err_sys(in, errno, "fork for startContainer hook #%u", index);
	int r = hook_wait(pid, h->timeout_s, &status);
	if (r == -ETIME) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return init_err(in, ETIME, "error running startContainer hook "
				"#%u: %s: timed out after %d s",
				index, path, h->timeout_s);
	}
	if (r < 0)
		return init_err_sys(in, -r, "wait for startContainer hook #%u", index);
	if (c.code)
		return init_err_sys(in, c.code, "error running startContainer hook #%u: exec "
				    "%s", index, path);
	if (WIFSIGNALED(status))
		return init_err(in, ECANCELED, "error running startContainer hook #%u: %s: killed "
				"by signal %d%s", index, path, WTERMSIG(status),
				WTERMSIG(status) == SIGSYS ? " (bad system call)" : "");
	if (WEXITSTATUS(status))
		return init_err(in, ECANCELED, "error running startContainer hook #%u: %s: exit "
				"status %d", index, path, WEXITSTATUS(status));
	return 0;
}

int start_hooks_run(struct init *in)
{
	const struct plan_hook *h = plan_array(in, in->plan->hooks);
	sigset_t chld;
	int r = 0;

	if (!in->plan->hooks.n)
		return 0;
	int fd = state_fd(in);
	if (fd < 0)
		return init_err_sys(in, -fd, "state for the startContainer hooks");
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	for (uint32_t i = 0; r == 0 && i < in->plan->hooks.n; i++)
		r = hook_run(in, i, &h[i], fd);
	sigprocmask(SIG_UNBLOCK, &chld, NULL);
	close(fd);
	return r;
}
