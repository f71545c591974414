/*
 * container/wall.c - struct wall over the verbs of container.h: in-process calls, so that
 * the engine starts no program for what isle-runtime could do.
 */
#include "container/wall.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/cgroup.h"
#include "container/container.h"
#include "container/state.h"
#include "sys/calls.h"

static struct runtime runtime_of(const struct wall_host *h)
{
	return (struct runtime){
		.root = h->state_dir,
		.cgroup_manager = h->systemd_cgroup ? CGROUP_SYSTEMD : CGROUP_CGROUPFS,
		.rootless = h->rootless,
	};
}

static int wall_create(const struct wall_host *h, const char *id, const struct wall_create *o,
		       pid_t *ret_pid, struct err *e)
{
	struct runtime rt = runtime_of(h);
	struct create_opts c = {
		.bundle = o->bundle,
		.console_socket = o->console_socket,
		.no_new_keyring = o->no_new_keyring,
		.ret_pid = ret_pid,
	};

	return container_create(&rt, id, &c, e);
}

static int wall_start(const struct wall_host *h, const char *id, struct err *e)
{
	struct runtime rt = runtime_of(h);

	return container_start(&rt, id, e);
}

static int wall_exec(const struct wall_host *h, const char *id, const struct wall_exec *o,
		     int *ret_status, struct err *e)
{
	struct runtime rt = runtime_of(h);
	struct exec_opts x = {
		.process = o->process,
		.detach = o->detach,
		.pid_file = o->pid_file,
		.console_socket = o->console_socket,
		.ret_pid = o->ret_pid,
	};

	return container_exec(&rt, id, &x, ret_status, e);
}

static int wall_signal(const struct wall_host *h, const char *id, int sig, bool all,
		       struct err *e)
{
	struct runtime rt = runtime_of(h);

	return container_kill(&rt, id, sig, all, e);
}

static int wall_pause(const struct wall_host *h, const char *id, struct err *e)
{
	struct runtime rt = runtime_of(h);

	return container_pause(&rt, id, e);
}

static int wall_resume(const struct wall_host *h, const char *id, struct err *e)
{
	struct runtime rt = runtime_of(h);

	return container_resume(&rt, id, e);
}

static int wall_update(const struct wall_host *h, const char *id,
		       const struct oci_resources *r, struct err *e)
{
	struct runtime rt = runtime_of(h);

	return container_update(&rt, id, r, e);
}

/* The state of one that is there; need_group: and that has a cgroup to ask. */
static int load(const struct wall_host *h, const char *id, bool need_group, struct state *st,
		struct err *e)
{
	struct runtime rt = runtime_of(h);

	int r = state_load(&rt, id, false, st, e);
	if (r < 0)
		return r;
	if (need_group && st->cgroup.mode == CGROUP_MODE_NONE)
		return err_set(e, ENOTSUP, "container %s has no cgroup to ask", id);
	return 0;
}

static int wall_status(const struct wall_host *h, const char *id, enum wall_status *ret,
		       pid_t *ret_pid, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	enum container_status s;

	int r = load(h, id, false, &st, e);
	if (r == 0)
		r = state_status(&st, &s, e);
	if (r < 0)
		return r;
	switch (s) {
	case STATUS_CREATING:
	case STATUS_CREATED: *ret = WALL_CREATED; break;
	case STATUS_RUNNING: *ret = WALL_RUNNING; break;
	case STATUS_PAUSED: *ret = WALL_PAUSED; break;
	case STATUS_STOPPED: *ret = WALL_STOPPED; break;
	}
	*ret_pid = s == STATUS_STOPPED ? 0 : st.pid;
	return 0;
}

static int wall_stats(const struct wall_host *h, const char *id, json_t **ret, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	int r = load(h, id, true, &st, e);

	return r < 0 ? r : cgroup_stats(&st.cgroup, ret, e);
}

/* The number of a process's pid namespace; 0: gone, or another user's. */
static ino_t pidns_of(int proc, const char *pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "%.16s/ns/pid", pid);
	return fstatat(proc, path, &st, 0) < 0 ? 0 : st.st_ino;
}

/* Those in the init's pid namespace, of which there is one for each container with its own. */
static int pidns_pids(pid_t init, pid_t **ret, size_t *ret_n, struct err *e)
{
	DIR *d = opendir("/proc");
	size_t n = 0, cap = 0;
	pid_t *v = NULL;
	char text[16];

	if (!d)
		return err_sys(e, errno, "open directory /proc");
	snprintf(text, sizeof(text), "%d", init);
	ino_t ns = pidns_of(dirfd(d), text);
	for (struct dirent *de; ns && (de = readdir(d)); ) {
		if (de->d_name[0] < '0' || de->d_name[0] > '9' ||
		    pidns_of(dirfd(d), de->d_name) != ns)
			continue;
		if (n == cap)
			v = xreallocarray(v, cap = cap ? 2 * cap : 16, sizeof(*v));
		v[n++] = (pid_t)strtol(de->d_name, NULL, 10);
	}
	closedir(d);
	*ret = v;
	*ret_n = n;
	return 0;
}

static int wall_pids(const struct wall_host *h, const char *id, pid_t **ret, size_t *ret_n,
		     struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	int r = load(h, id, false, &st, e);

	if (r < 0)
		return r;
	if (st.cgroup.mode != CGROUP_MODE_NONE)
		return cgroup_pids(&st.cgroup, ret, ret_n, e);
	if (!(st.ns_flags & CLONE_NEWPID))
		return err_set(e, ENOTSUP, "container %s has neither a cgroup nor a pid namespace "
			       "of its own to know its processes by", id);
	return pidns_pids(st.pid, ret, ret_n, e);
}

static int wall_oom_count(const struct wall_host *h, const char *id, uint64_t *ret,
			  struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	int r = load(h, id, true, &st, e);

	if (r < 0)
		return r;
	r = cgroup_oom_count(&st.cgroup, ret);
	return r < 0 ? err_sys(e, -r, "read the OOM kills of container %s", id) : 0;
}

static int wall_oom_fd(const struct wall_host *h, const char *id, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	int r = load(h, id, true, &st, e);

	return r < 0 ? r : cgroup_oom_fd(&st.cgroup, e);
}

static int wall_remove(const struct wall_host *h, const char *id, bool force, struct err *e)
{
	struct runtime rt = runtime_of(h);
	struct stat sb;

	/* container_delete(force) takes a missing one for removed; the engine is told. */
	CLEANUP_FREE char *dir = xasprintf("%s/%s", h->state_dir, id);
	if (stat(dir, &sb) < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "container does not exist: %s", id);
	return container_delete(&rt, id, force, e);
}

static int wall_root(const struct wall_host *h, const char *id, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	char path[64];

	int r = load(h, id, false, &st, e);
	if (r < 0)
		return r;
	/* Held while /proc is walked, so that the number is not another's. */
	CLEANUP_FD int pidfd = state_pidfd(&st);
	if (pidfd < 0)
		return err_set(e, ESRCH, "container not running");
	snprintf(path, sizeof(path), "/proc/%d/root", st.pid);
	CLEANUP_FD int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open the root of container %s", id);
	if (sys_pidfd_send_signal(pidfd, 0) < 0)
		return err_set(e, ESRCH, "container not running");
	return take_fd(fd);
}

const struct wall wall_container = {
	.name = "container",
	.create = wall_create,
	.start = wall_start,
	.exec = wall_exec,
	.exit_code = container_exit_code,
	.signal = wall_signal,
	.pause = wall_pause,
	.resume = wall_resume,
	.update = wall_update,
	.status = wall_status,
	.stats = wall_stats,
	.pids = wall_pids,
	.oom_count = wall_oom_count,
	.oom_fd = wall_oom_fd,
	.remove = wall_remove,
	.root = wall_root,
};
