/* container/hooks.c - see hooks.h */
#include "container/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "sys/calls.h"

#define HOOK_STDERR_KEEP 512    /* bytes of the last stderr line kept for the message */

const char *hook_kind_name(enum oci_hook_kind kind)
{
	static const char *const names[] = {
		[OCI_HOOK_PRESTART] = "prestart",
		[OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
		[OCI_HOOK_CREATE_CONTAINER] = "createContainer",
		[OCI_HOOK_START_CONTAINER] = "startContainer",
		[OCI_HOOK_POSTSTART] = "poststart",
		[OCI_HOOK_POSTSTOP] = "poststop",
	};

	return names[kind];
}

/* In the forked child; only async-signal-safe calls. */
static _Noreturn void hook_exec(const struct oci_hook *h, int in, int err_fd)
{
	/* config.md: args[0] as execv's argv; absent, the path itself. */
	char *const path_only[] = { (char *)h->path, NULL };
	char *const *argv = h->args.n ? (char *const *)h->args.v : path_only;
	char *const no_env[] = { NULL };
	sigset_t none;

	/* A process group of its own, so that a timeout ends what it started too. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(err_fd, STDERR_FILENO) < 0)
		_exit(127);
	/*
	 * Our descriptors are close-on-exec; what our caller left open is not the hook's
	 * business either.  Before Linux 5.9 it gets that, as from any program.
	 */
	int r = sys_close_range(STDERR_FILENO + 1, ~0u, 0);
	if (r < 0 && r != -ENOSYS && r != -EPERM)
		_exit(127);
	/* No env means the caller's, as with runc and crun; an empty one is empty. */
	execve(h->path, argv, h->env.n ? (char *const *)h->env.v : h->env.v ? no_env : environ);
	dprintf(STDERR_FILENO, "exec %s: %s\n", h->path, err_text(errno));
	_exit(127);
}

/* Keep the last whole line of what passes, echo all to our stderr. */
struct hook_tail {
	char line[HOOK_STDERR_KEEP];
	size_t len;
	bool ended;             /* the next byte begins a new line */
};

static void tail_add(struct hook_tail *t, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n') {
			t->ended = true;
			continue;
		}
		if (t->ended)
			t->len = 0;
		t->ended = false;
		if (t->len < sizeof(t->line) - 1)
			t->line[t->len++] = p[i];
	}
	t->line[t->len] = '\0';
}

/* Pass stderr on until the hook ends; 0, or -ETIMEDOUT after killing its group. */
static int hook_follow(int pidfd, pid_t pid, int err_fd, const struct opt_i64 *timeout,
		       struct hook_tail *tail)
{
	uint64_t end = timeout->set ? time_mono_ns() + (uint64_t)timeout->v * 1000000000u : 0;
	struct pollfd p[2] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = err_fd, .events = POLLIN },
	};

	for (;;) {
		int wait_ms = -1;

		if (end) {
			uint64_t now = time_mono_ns();

			wait_ms = now >= end ? 0 : (int)((end - now) / 1000000u) + 1;
		}
		int n = poll(p, 2, wait_ms);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0) {
			kill(-pid, SIGKILL);
			return -ETIMEDOUT;
		}
		if (n > 0 && p[1].revents) {
			char chunk[4096];
			ssize_t k = read(err_fd, chunk, sizeof(chunk));

			if (k > 0) {
				tail_add(tail, chunk, (size_t)k);
				if (fd_write_all(STDERR_FILENO, chunk, (size_t)k) < 0)
					log_debug("hook output lost: stderr is closed");
				continue;
			}
			p[1].fd = -1;
		}
		if (n > 0 && p[0].revents)
			return 0;
	}
}

static int hook_run(enum oci_hook_kind kind, size_t index, const struct oci_hook *h,
		    const char *state_json, struct err *e)
{
	const char *name = hook_kind_name(kind);
	CLEANUP_FD int in = fd_sealed("state", state_json, strlen(state_json), 0);
	int out[2];

	if (in < 0)
		return err_sys(e, -in, "%s hook #%zu: pass the state", name, index);
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, errno, "%s hook #%zu: make a pipe", name, index);
	CLEANUP_FD int out_r = out[0];
	CLEANUP_FD int out_w = out[1];

	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "%s hook #%zu: fork", name, index);
	if (pid == 0)
		hook_exec(h, in, out_w);
	setpgid(pid, pid);
	fd_close(&out_w);

	struct hook_tail tail = { .len = 0 };
	CLEANUP_FD int pidfd = sys_pidfd_open(pid);
	int r = pidfd < 0 ? pidfd : hook_follow(pidfd, pid, out_r, &h->timeout, &tail);
	if (r < 0)
		kill(pid, SIGKILL);

	int status = 0;
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return err_sys(e, errno, "%s hook #%zu: wait for %s", name, index, h->path);
	const char *sep = tail.len ? ": " : "";
	if (r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, "error running %s hook #%zu: %s: killed after its "
			       "timeout of %lld s", name, index, h->path, (long long)h->timeout.v);
	if (r < 0)
		return err_sys(e, -r, "%s hook #%zu: follow %s", name, index, h->path);
	if (WIFSIGNALED(status))
		return err_set(e, ECHILD, "error running %s hook #%zu: %s: signal %d%s%s", name,
			       index, h->path, WTERMSIG(status), sep, tail.line);
	if (WEXITSTATUS(status) && kind == OCI_HOOK_POSTSTOP)
		return err_set(e, ECHILD, "poststop hook failed with exit code %d: hook #%zu, "
			       "%s%s%s", WEXITSTATUS(status), index, h->path, sep, tail.line);
	if (WEXITSTATUS(status))
		return err_set(e, ECHILD, "error running %s hook #%zu: %s: exit status %d%s%s",
			       name, index, h->path, WEXITSTATUS(status), sep, tail.line);
	return 0;
}

int hooks_run(enum oci_hook_kind kind, const struct oci_hooks *h, const char *state_json,
	      struct err *e)
{
	/* The container is gone, nothing is left to refuse: the rest is told all the same
	 * (runtime.md#lifecycle, 13). */
	bool goes_on = kind == OCI_HOOK_POSTSTOP;
	int first = 0;

	for (size_t i = 0; i < h->n; i++) {
		struct err later = { 0 };

		log_debug("%s hook #%zu: %s", hook_kind_name(kind), i, h->v[i].path);
		int r = hook_run(kind, i, &h->v[i], state_json, first < 0 ? &later : e);
		if (r < 0 && !goes_on)
			return r;
		if (r < 0 && first < 0)
			log_warn("%s", later.msg);
		else if (r < 0)
			first = r;
	}
	return first;
}
