/* container/run.c - the verbs create and run; see container.h */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/console.h"
#include "container/container.h"
#include "container/create.h"
#include "container/foreground.h"
#include "container/hooks.h"
#include "container/lifecycle.h"
#include "container/notify.h"

static void creation_init(struct creation *c, const struct runtime *rt,
			  const struct create_opts *o, bool run)
{
	*c = (struct creation){
		.rt = rt, .o = o, .run = run,
		.st.dirfd = -1,
		.init = INIT_EXEC_NONE,
		.sync_p = -1, .sync_c = -1, .listen_fd = -1, .console_sock = -1,
		.listener_fd = -1, .label_fd = -1, .notify_fd = -1, .pidfd = -1,
	};
	for (int i = 0; i < OCI_NS_COUNT; i++)
		c->ns.fd[i] = -1;
}

static int create(struct creation *c, const char *id, struct err *e)
{
	int r = creation_prepare(c, id, e);

	if (r == 0)
		r = creation_run(c, e);
	if (r < 0)
		creation_undo(c);
	return r;
}

int container_create(const struct runtime *rt, const char *id, const struct create_opts *o,
		     struct err *e)
{
	struct creation c __attribute__((cleanup(creation_release)));

	creation_init(&c, rt, o, false);
	return create(&c, id, e);
}

/* As "start" runs them, but what fails here is deleted as well. */
static int run_poststart(struct creation *c, struct err *e)
{
	if (!c->st.has_poststart)
		return 0;
	CLEANUP_FREE char *state = creation_state_json(c, STATUS_RUNNING);
	return hooks_run(OCI_HOOK_POSTSTART, &c->spec.hooks[OCI_HOOK_POSTSTART], state, e);
}

/*
 * A run that goes away tells readiness first, as start does.  One that stays waits for
 * the program, and leaves the telling to a process of its own, which ends with it.
 */
static int run_notify(struct creation *c, bool detach, struct err *e)
{
	if (c->notify_fd < 0)
		return 0;
	if (detach)
		return notify_relay(c->notify_fd, c->pid, c->pidfd, e);
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid > 0)
		return 0;
	if (notify_relay(c->notify_fd, c->pid, c->pidfd, e) < 0)
		log_warn("%s", e->msg);
	_exit(0);
}

/* The pty of "run -t" comes to ourselves instead of to an engine's socket. */
static int own_console(struct creation *c, int *ret_here, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "make a socket pair");
	c->console_sock = pair[0];
	*ret_here = pair[1];
	return 0;
}

static int run_attached(struct creation *c, int console_here, int *ret_status, struct err *e)
{
	CLEANUP_FD int master = -1;

	if (console_here >= 0 && c->spec.process->terminal) {
		master = console_recv_fd(console_here, e);
		if (master < 0)
			return master;
	}
	return foreground_wait(c->pid, master, ret_status, e);
}

/* Unless someone else has deleted it, or has made another of that name since. */
static int run_delete(struct creation *c, struct err *e)
{
	int r = state_relock(c->rt, &c->st, e);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : lifecycle_destroy(c->rt, &c->st, e);
}

int container_run(const struct runtime *rt, const char *id, const struct run_opts *o,
		  int *ret_status, struct err *e)
{
	struct creation c __attribute__((cleanup(creation_release)));
	CLEANUP_FD int here = -1;
	sigset_t old;

	creation_init(&c, rt, &o->create, true);
	if (!o->detach && !o->create.console_socket) {
		int r = own_console(&c, &here, e);
		if (r < 0)
			return r;
	}
	if (!o->detach)
		foreground_block_signals(&old);
	int r = create(&c, id, e);
	if (r < 0)
		return r;
	r = creation_await_exec(&c, e);
	if (r == 0)
		r = run_poststart(&c, e);
	if (r < 0) {
		creation_undo(&c);
		return r;
	}
	*ret_status = 0;
	r = run_notify(&c, o->detach, e);
	if (r < 0 || o->detach)
		return r;

	/* Others may work on it while it runs: the lock is the directory's, let go. */
	state_unlock(&c.st);
	r = run_attached(&c, here, ret_status, e);
	if (r < 0 || o->keep)
		return r;
	return run_delete(&c, e);
}
