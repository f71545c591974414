/* container/lifecycle.c - see lifecycle.h and container.h */
#include "container/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/container.h"
#include "container/hooks.h"
#include "container/init/plan.h"
#include "container/init_plan.h"
#include "container/notify.h"
#include "container/rdt.h"
#include "container/sync.h"
#include "sys/calls.h"

#define KILL_WAIT_MS 10000

char *lifecycle_state_json(const struct state *st, enum container_status s)
{
	CLEANUP_JSON json_t *j = state_to_oci(st, s, false);
	char *text = json_dumps(j, JSON_COMPACT);

	/* Hooks see pid also of a stopped container as runc shows it: 0. */
	return text ? text : xstrdup("{}");
}

int lifecycle_kill_init(const struct state *st, struct err *e)
{
	CLEANUP_FD int pidfd = state_pidfd(st);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (pidfd == -ESRCH)
		return 0;
	if (pidfd < 0)
		return err_sys(e, -pidfd, "open process %d", st->pid);
	int r = sys_pidfd_send_signal(pidfd, SIGKILL);
	if (r < 0 && r != -ESRCH)
		return err_sys(e, -r, "kill process %d", st->pid);
	/* A frozen process dies when it thaws. */
	if (st->cgroup.mode != CGROUP_MODE_NONE && cgroup_is_frozen(&st->cgroup) > 0) {
		r = cgroup_freeze(&st->cgroup, false, e);
		/* On v2 the signal is enough, and systemd may have removed the group by now. */
		if (r < 0 && r != -ENOENT && r != -ENODEV)
			return r;
	}
	if (TEMP_FAILURE_RETRY(poll(&p, 1, KILL_WAIT_MS)) == 1)
		return 0;
	return err_set(e, ETIMEDOUT, "container init %d is still running %d s after SIGKILL",
		       st->pid, KILL_WAIT_MS / 1000);
}

static void run_poststop(struct state *st)
{
	struct oci_spec spec = { 0 };
	struct err e = { 0 };

	if (!st->has_poststop)
		return;
	CLEANUP_FREE char *state = lifecycle_state_json(st, STATUS_STOPPED);
	if (state_load_spec(st, &spec, &e) < 0 ||
	    hooks_run(OCI_HOOK_POSTSTOP, &spec.hooks[OCI_HOOK_POSTSTOP], state, &e) < 0)
		log_warn("%s", e.msg);  /* runtime.md#lifecycle: a warning, and go on */
	oci_spec_release(&spec);
}

int lifecycle_destroy(const struct runtime *rt, struct state *st, struct err *e)
{
	int r;

	if (st->cgroup.mode != CGROUP_MODE_NONE) {
		/* The end of a pid namespace has ended all in it; else there may be more. */
		if (!(st->ns_flags & CLONE_NEWPID) || st->creating) {
			r = cgroup_kill_all(&st->cgroup, SIGKILL, e);
			if (r < 0 && r != -ENOENT)
				return r;
		}
		r = cgroup_remove(&st->cgroup, e);
		if (r < 0)
			return r;
	}
	if (st->intel_rdt_group && (r = rdt_remove(st->intel_rdt_group, e)) < 0)
		return r;
	run_poststop(st);
	return state_remove(rt, st, e);
}

int lifecycle_clean_torn(const struct runtime *rt, const char *id, struct err *e)
{
	struct state st __attribute__((cleanup(state_release)));

	int r = state_load(rt, id, true, &st, e);
	if (r == -ENOENT)
		return 0;               /* somebody else cleaned it */
	if (r < 0)
		return r;
	if (!st.creating)
		return err_set(e, EEXIST, "container with given ID already exists: %s", id);
	log_debug("container %s: cleaning what a killed create left", id);
	r = lifecycle_kill_init(&st, e);
	return r < 0 ? r : lifecycle_destroy(rt, &st, e);
}

/* The state, locked where lock, and what the container is doing. */
static int load(const struct runtime *rt, const char *id, bool lock, struct state *st,
		enum container_status *ret, struct err *e)
{
	int r = state_load(rt, id, lock, st, e);

	return r < 0 ? r : state_status(st, ret, e);
}

/* ---- start ------------------------------------------------------------------ */

static int start_connect(const struct state *st, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/start.sock", st->dirfd);
	CLEANUP_FD int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_sys(e, errno, "make a socket");
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
		return take_fd(s);
	/* A start that was killed after the program ran did not get to note it. */
	if (errno == ECONNREFUSED || errno == ENOENT)
		return err_set(e, EINVAL, "cannot start an already running container");
	return err_sys(e, errno, "reach the init of container %s", st->id);
}

static int start_init(const struct state *st, struct err *e)
{
	CLEANUP_FD int s = start_connect(st, e);
	const char byte = INIT_START_BYTE;
	struct init_msg m;

	if (s < 0)
		return s;
	if (send(s, &byte, 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, errno, "start container %s", st->id);
	/* End of file is close-on-exec: the program was executed. */
	int r = sync_recv(s, &m, e);
	return r > 0 ? err_set(e, EPROTO, "the init of container %s sent message %u", st->id,
			       m.kind) : r;
}

/* A failure stops the container (runtime.md#lifecycle, 9); deleting it is the caller's. */
static int run_poststart(const struct state *st, struct err *e)
{
	struct oci_spec spec = { 0 };
	struct err late = { 0 };

	if (!st->has_poststart)
		return 0;
	CLEANUP_FREE char *state = lifecycle_state_json(st, STATUS_RUNNING);
	int r = state_load_spec(st, &spec, e);
	if (r >= 0)
		r = hooks_run(OCI_HOOK_POSTSTART, &spec.hooks[OCI_HOOK_POSTSTART], state, e);
	if (r < 0 && lifecycle_kill_init(st, &late) < 0)
		log_warn("%s", late.msg);
	oci_spec_release(&spec);
	return r;
}

int container_start(const struct runtime *rt, const char *id, struct err *e)
{
	struct state st __attribute__((cleanup(state_release)));
	enum container_status s;

	int r = load(rt, id, true, &st, &s, e);
	if (r < 0)
		return r;
	if (s == STATUS_STOPPED)
		return err_set(e, EINVAL, "cannot start a container that has stopped");
	if (s == STATUS_RUNNING)
		return err_set(e, EINVAL, "cannot start an already running container");
	if (s != STATUS_CREATED)
		return err_set(e, EINVAL, "cannot start a container in the %s state",
			       status_name(s));
	if (!st.has_process)
		return err_set(e, EINVAL, "cannot start container %s: its config.json has no "
			       "process", id);
	CLEANUP_FD int notify = notify_bind(st.dirfd, e);
	if (notify < -1)
		return notify;
	r = start_init(&st, e);
	if (r < 0)
		return r;
	st.started = true;
	r = state_save(&st, e);
	if (r < 0)
		return r;
	unlinkat(st.dirfd, "start.sock", 0);
	r = run_poststart(&st, e);
	if (r < 0)
		return r;
	if (notify < 0)
		return 0;
	CLEANUP_FD int pidfd = sys_pidfd_open(st.pid);
	return pidfd < 0 ? 0 : notify_relay(notify, st.pid, pidfd, e);
}

/* ---- kill, delete ------------------------------------------------------------ */

int container_kill(const struct runtime *rt, const char *id, int sig, bool all,
		   struct err *e)
{
	struct state st __attribute__((cleanup(state_release)));
	enum container_status s;

	int r = load(rt, id, false, &st, &s, e);
	if (r < 0)
		return r;
	bool own_pidns = st.ns_flags & CLONE_NEWPID;
	if (all || (sig == SIGKILL && !own_pidns && s == STATUS_STOPPED)) {
		if (st.cgroup.mode == CGROUP_MODE_NONE)
			return err_set(e, EINVAL, "kill --all needs the container's cgroup, and it "
				       "has none");
		r = cgroup_kill_all(&st.cgroup, sig, e);
		return r == -ENOENT ? err_set(e, ESRCH, "container not running") : r;
	}
	if (s == STATUS_STOPPED)
		return err_set(e, ESRCH, "container not running");

	CLEANUP_FD int pidfd = state_pidfd(&st);
	if (pidfd == -ESRCH)
		return err_set(e, ESRCH, "container not running");
	if (pidfd < 0)
		return err_sys(e, -pidfd, "open process %d", st.pid);
	r = sys_pidfd_send_signal(pidfd, sig);
	if (r == -ESRCH)
		return err_set(e, ESRCH, "container not running");
	if (r < 0)
		return err_sys(e, -r, "send signal %d to container %s", sig, id);
	/* Without a pid namespace nothing else ends the init's children. */
	if (sig == SIGKILL && !own_pidns && st.cgroup.mode != CGROUP_MODE_NONE)
		return cgroup_kill_all(&st.cgroup, sig, e);
	if (sig == SIGKILL && s == STATUS_PAUSED)
		return cgroup_freeze(&st.cgroup, false, e);
	return 0;
}

int container_delete(const struct runtime *rt, const char *id, bool force, struct err *e)
{
	struct state st __attribute__((cleanup(state_release)));
	enum container_status s;

	int r = state_load(rt, id, true, &st, e);
	if (r == -ENOENT && force && state_check_id(id, NULL) == 0)
		return 0;               /* as rm -f */
	if (r < 0)
		return r;
	r = state_status(&st, &s, e);
	if (r < 0 && !force)
		return r;
	if (r == 0 && !force && (s == STATUS_RUNNING || s == STATUS_PAUSED))
		return err_set(e, EBUSY, "cannot delete container %s that is not stopped: %s",
			       id, status_name(s));
	r = lifecycle_kill_init(&st, e);
	if (r < 0)
		return r;
	return lifecycle_destroy(rt, &st, e);
}

/* ---- pause, resume, update ----------------------------------------------------- */

static int freeze(const struct runtime *rt, const char *id, bool on, struct err *e)
{
	struct state st __attribute__((cleanup(state_release)));
	enum container_status s;

	int r = load(rt, id, true, &st, &s, e);
	if (r < 0)
		return r;
	if (!on && s != STATUS_PAUSED)
		return err_set(e, EINVAL, "container not paused");
	if (on && s != STATUS_RUNNING && s != STATUS_CREATED)
		return err_set(e, EINVAL, "container not running or created: %s", status_name(s));
	if (st.cgroup.mode == CGROUP_MODE_NONE)
		return err_set(e, ENOTSUP, "container %s has no cgroup to freeze", id);
	return cgroup_freeze(&st.cgroup, on, e);
}

int container_pause(const struct runtime *rt, const char *id, struct err *e)
{
	return freeze(rt, id, true, e);
}

int container_resume(const struct runtime *rt, const char *id, struct err *e)
{
	return freeze(rt, id, false, e);
}

int container_update(const struct runtime *rt, const char *id, const struct oci_resources *r,
		     struct err *e)
{
	struct state st __attribute__((cleanup(state_release)));
	enum container_status s;

	int n = load(rt, id, true, &st, &s, e);
	if (n < 0)
		return n;
	if (s == STATUS_STOPPED)
		return err_set(e, ESRCH, "container not running");
	if (st.cgroup.mode == CGROUP_MODE_NONE)
		return err_set(e, ENOTSUP, "container %s has no cgroup to update", id);
	return cgroup_set(&st.cgroup, r, e);
}

int container_exit_code(const struct err *e)
{
	/* The shell's numbers (POSIX 2.8.2), which engines' users know. */
	if (!strstr(e->msg, "exec: "))
		return 1;
	return e->code == ENOENT ? 127 : e->code == EACCES || e->code == ENOEXEC ? 126 : 1;
}
