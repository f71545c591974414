/*
 * container/create.c - the runtime's side of a creation, from the clone to the
 * commit; see create.h for the talk with the child.
 */
#include "container/create.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/console.h"
#include "container/hooks.h"
#include "container/lifecycle.h"
#include "container/sync.h"
#include "sys/calls.h"
#include "sys/netlink.h"

/* Below this a memory limit could be used up by the making of the container. */
#define SMALL_MEMORY_BYTES (16 << 20)

/* ---- the clone ------------------------------------------------------------ */

/*
 * Of the new namespaces: pid and user, which one must be born in, by clone3.  The child
 * makes the others while the runtime makes the groups (child.c), but for a network
 * namespace that devices are moved into from here.  Last, cgroup and time: the child
 * must be in its group, and offsets be written, before those are entered.
 */
static unsigned clone_flags(struct creation *c)
{
	unsigned at_clone = CLONE_NEWPID | CLONE_NEWUSER;

	if (c->spec.os.n_net_devices)
		at_clone |= CLONE_NEWNET;
	c->own_unshare = c->ns.create &
			 ~(at_clone | (unsigned)(CLONE_NEWCGROUP | CLONE_NEWTIME));
	return c->ns.create & at_clone;
}

static bool limit_is_small(const struct creation *c)
{
	const struct oci_resources *r = c->spec.os.resources;

	return r && r->memory && r->memory->limit.set && r->memory->limit.v >= 0 &&
	       r->memory->limit.v < SMALL_MEMORY_BYTES;
}

static pid_t clone_child(struct creation *c, struct err *e)
{
	struct clone_args a = {
		.flags = clone_flags(c) | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&c->pidfd,
		.exit_signal = SIGCHLD,
	};
	/* On a hybrid host that tree limits no memory, so it can be early all the same. */
	bool early = !limit_is_small(c) || c->st.cgroup.mode == CGROUP_MODE_V1;
	CLEANUP_FD int group = early ? cgroup_birth(&c->st.cgroup) : -1;

	if (group >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)group;
	}
	pid_t pid = sys_clone3(&a);
	if (pid == 0)
		creation_child(c);
	return pid < 0 ? err_sys(e, -pid, "create the container's namespaces") : pid;
}

/*
 * A process only enters a pid namespace by being born in it (pid_namespaces(7)), so
 * the runtime switches what its next child gets, and switches back: hooks are its
 * children too, and belong outside.
 */
static pid_t clone_into_pidns(struct creation *c, struct err *e)
{
	CLEANUP_FD int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(e, errno, "open /proc/self/ns/pid");
	int r = ns_enter(&c->ns, OCI_NS_PID, e);
	if (r < 0)
		return r;
	pid_t pid = clone_child(c, e);
	if (pid < 0)
		return pid;
	r = sys_setns(own, CLONE_NEWPID);
	if (r < 0) {
		kill(pid, SIGKILL);
		return err_sys(e, -r, "return to the runtime's pid namespace");
	}
	return pid;
}

#define OUTER_NAMESPACES (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWTIME)

/*
 * A namespace to join may be owned by a user namespace above the container's (the host's
 * network, say): joining takes a privilege over its owner, which we have only before we are
 * in the container's.  What cannot be joined from here is left to the child, which may from
 * there.
 */
static void enter_outer_namespaces(struct creation *c)
{
	for (int i = 0; i < OCI_NS_COUNT; i++)
		if (c->ns.fd[i] >= 0 && (ns_flag((enum oci_ns)i) & OUTER_NAMESPACES) &&
		    sys_setns(c->ns.fd[i], (int)ns_flag((enum oci_ns)i)) == 0)
			fd_close(&c->ns.fd[i]);
}

/* In the intermediate: enter the user namespace, then make the rest below it. */
static _Noreturn void clone_from_userns(struct creation *c)
{
	struct clone_args a = { .flags = clone_flags(c) | CLONE_PARENT };
	struct init_msg m = { .kind = INIT_MSG_PID };
	struct err e = { 0 };

	enter_outer_namespaces(c);
	/* setgroups(2) may be shut in there, and the caller's groups must not stay. */
	if (c->ns.fd[OCI_NS_USER] >= 0 && setgroups(0, NULL) < 0)
		log_debug("drop the additional groups: %s", err_text(errno));
	if (ns_enter(&c->ns, OCI_NS_USER, &e) < 0 || ns_enter(&c->ns, OCI_NS_PID, &e) < 0)
		sync_fail(c->sync_c, &e);
	pid_t pid = sys_clone3(&a);
	if (pid == 0)
		creation_child(c);
	if (pid < 0) {
		err_sys(&e, -pid, "create the container's namespaces");
		sync_fail(c->sync_c, &e);
	}
	m.pid = pid;
	if (send(c->sync_c, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		kill(pid, SIGKILL);
	_exit(0);
}

static int child_recv(struct creation *c, struct init_msg *m, struct err *e);

/*
 * New namespaces belong to the user namespace of who makes them, and the runtime
 * cannot come back from one: an intermediate enters it, and its child is ours by
 * CLONE_PARENT.  The same where namespaces must be joined before a user namespace is made.
 */
static pid_t clone_below_userns(struct creation *c, struct err *e)
{
	struct init_msg m;
	int status;

	pid_t mid = fork();
	if (mid < 0)
		return err_sys(e, errno, "fork");
	if (mid == 0)
		clone_from_userns(c);
	int r = child_recv(c, &m, e);
	if (waitpid(mid, &status, 0) < 0)
		log_debug("wait for the intermediate: %s", err_text(errno));
	if (r < 0)
		return r;
	if (m.kind != INIT_MSG_PID)
		return err_set(e, EPROTO, "the intermediate sent message %u", m.kind);
	c->pidfd = sys_pidfd_open(m.pid);
	if (c->pidfd < 0)
		return err_sys(e, -c->pidfd, "open the container's process");
	return m.pid;
}

static int spawn(struct creation *c, struct err *e)
{
	pid_t pid;

	bool above = (c->ns.create & CLONE_NEWUSER) && (c->ns.joined & OUTER_NAMESPACES);

	if ((c->ns.joined & CLONE_NEWUSER) || above)
		pid = clone_below_userns(c, e);
	else if (c->ns.joined & CLONE_NEWPID)
		pid = clone_into_pidns(c, e);
	else
		pid = clone_child(c, e);
	if (pid < 0)
		return pid;
	c->pid = pid;
	/* Only the child may hold it open: its end of file is how we notice a death. */
	fd_close(&c->sync_c);
	fd_close(&c->listen_fd);
	fd_close(&c->listener_fd);
	fd_close(&c->console_sock);
	/* An attached run lives long; the child's mounts must not be pinned by it. */
	rootfs_free(c->rootfs);
	c->rootfs = NULL;
	init_exec_release(&c->init);

	char s;
	int r = proc_stat_read(pid, &s, &c->st.pid_start);
	c->st.pid = pid;
	return r < 0 ? err_sys(e, -r, "read /proc/%d/stat", pid) : 0;
}

/* ---- while the child builds ------------------------------------------------ */

static int set_oom_score(const struct creation *c, struct err *e)
{
	const struct oci_process *p = c->spec.process;
	char path[64], text[32];

	if (!p || !p->oom_score_adj.set)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", c->pid);
	snprintf(text, sizeof(text), "%lld", (long long)p->oom_score_adj.v);
	int r = file_write_at(AT_FDCWD, path, text);
	if (r == -EACCES && c->rt->rootless) {
		log_debug("oom_score_adj %s needs CAP_SYS_RESOURCE: left as it is", text);
		return 0;
	}
	return r < 0 ? err_sys(e, -r, "process.oomScoreAdj: write %s to %s", text, path) : 0;
}

static int move_net_devices(const struct creation *c, struct err *e)
{
	char path[64];

	if (!c->spec.os.n_net_devices)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", c->pid);
	CLEANUP_FD int fresh = open(path, O_RDONLY | O_CLOEXEC);
	int ns = c->ns.fd[OCI_NS_NETWORK] >= 0 ? c->ns.fd[OCI_NS_NETWORK] : fresh;
	if (ns < 0)
		return err_sys(e, errno, "open %s", path);
	for (size_t i = 0; i < c->spec.os.n_net_devices; i++) {
		const struct oci_net_device *d = &c->spec.os.net_devices[i];
		int r = net_move_device(d->host_name, ns, d->name ? d->name : d->host_name, e);

		if (r < 0)
			return err_prefix(e, "linux.netDevices");
	}
	return 0;
}

/* Make the groups and hand the child what it joins them by. */
static int send_groups(struct creation *c, struct err *e)
{
	int fd[CGROUP_HIERARCHIES_MAX];
	const char byte = CHILD_JOIN;

	int r = cgroup_make(&c->st.cgroup, &c->cgroup_rq, e);
	if (r < 0)
		return r;
	size_t n = 0;
	for (size_t i = 0; i < c->st.cgroup.n; i++)
		if (!c->st.cgroup.h[i].entered)
			fd[n++] = c->st.cgroup.h[i].join_fd;
	r = fd_send(c->sync_p, &byte, 1, fd, n);
	/* If it is gone already, receiving will say why. */
	if (r < 0)
		log_debug("the child does not wait for its groups: %s", err_text(-r));
	return 0;
}

static int attend(struct creation *c, struct err *e)
{
	int r;

	if (c->ns.create & CLONE_NEWUSER) {
		r = userns_write_maps(c->pid, &c->spec, c->rt->rootless, e);
		if (r < 0)
			return r;
	}
	if (c->st.cgroup.manager == CGROUP_SYSTEMD) {
		c->cgroup_rq.systemd_pid = c->pid;
		r = cgroup_make(&c->st.cgroup, &c->cgroup_rq, e);
		if (r < 0)
			return r;
	}
	if (c->spec.os.intel_rdt) {
		r = rdt_join(c->spec.os.intel_rdt, c->st.id, c->pid, e);
		if (r < 0)
			return r;
	}
	/* While /proc/PID is still ours to write: the child becomes undumpable. */
	r = set_oom_score(c, e);
	if (r < 0)
		return r;
	if (c->child_waits) {
		char go = CHILD_GO;

		/* If it is gone already, receiving will say why. */
		if (send(c->sync_p, &go, 1, MSG_NOSIGNAL) < 0)
			log_debug("the child does not wait: %s", err_text(errno));
	}
	r = move_net_devices(c, e);
	if (r < 0)
		return r;
	if (c->groups_late) {
		r = send_groups(c, e);
		if (r < 0)
			return r;
	}
	if (c->spec.os.resources)
		return cgroup_set(&c->st.cgroup, c->spec.os.resources, e);
	return 0;
}

/* The child is gone without a word: say what took it. */
static int child_died(struct creation *c, struct err *e)
{
	int status = 0;

	if (waitpid(c->pid, &status, 0) == c->pid)
		c->pid = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return err_set(e, ENOMEM, "container init was killed before it was ready "
			       "(memory limit too low?)");
	if (WIFSIGNALED(status))
		return err_set(e, EPROTO, "container init died of signal %d before it was ready",
			       WTERMSIG(status));
	return err_set(e, EPROTO, "container init exited with %d before it was ready",
		       WEXITSTATUS(status));
}

static int child_recv(struct creation *c, struct init_msg *m, struct err *e)
{
	int r = sync_recv(c->sync_p, m, e);

	return r ? r : child_died(c, e);
}

static int serve_hooks(struct creation *c, struct err *e)
{
	/* runtime.md#state: "created" is after step 2 of the lifecycle; hooks are from step 3. */
	CLEANUP_FREE char *state = creation_state_json(c, STATUS_CREATED);
	const struct oci_hooks *h = c->spec.hooks;

	c->hooks_begun = true;
	int r = hooks_run(OCI_HOOK_PRESTART, &h[OCI_HOOK_PRESTART], state, e);
	if (r < 0)
		return r;
	r = hooks_run(OCI_HOOK_CREATE_RUNTIME, &h[OCI_HOOK_CREATE_RUNTIME], state, e);
	if (r < 0)
		return r;
	if (send(c->sync_p, state, strlen(state), MSG_NOSIGNAL) < 0)
		log_debug("the child does not wait for hooks: %s", err_text(errno));
	return 0;
}

static int await_ready(struct creation *c, struct err *e)
{
	for (;;) {
		struct init_msg m;
		int r = child_recv(c, &m, e);

		if (r < 0)
			return r;
		if (m.kind == INIT_MSG_READY)
			return 0;
		if (m.kind != CHILD_MSG_HOOKS)
			return err_set(e, EPROTO, "the container's process sent message %u",
				       m.kind);
		r = serve_hooks(c, e);
		if (r < 0)
			return r;
	}
}

/* ---- the commit ------------------------------------------------------------ */

int pid_file_write(const char *path, pid_t pid, struct err *e)
{
	char text[32];

	if (!path)
		return 0;
	/* Engines wait for the file to appear, so it appears whole. */
	CLEANUP_FREE char *copy = xstrdup(path);
	char *slash = strrchr(copy, '/');
	const char *name = slash ? slash + 1 : copy;
	if (slash)
		*slash = '\0';
	const char *dir_name = !slash ? "." : *copy ? copy : "/";
	CLEANUP_FD int dir = open(dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "open the directory of pid file %s", path);
	int n = snprintf(text, sizeof(text), "%d", pid);
	int r = file_replace_at(dir, name, text, (size_t)n, 0644);
	return r < 0 ? err_sys(e, -r, "write pid file %s", path) : 0;
}

int pidfd_socket_send(const char *path, int pidfd, struct err *e)
{
	if (!path)
		return 0;
	CLEANUP_FD int sock = console_connect(path, e);
	if (sock < 0)
		return sock;
	return console_send_fd(sock, pidfd, "pidfd", e);
}

static int commit(struct creation *c, struct err *e)
{
	struct init_commit go = { .byte = INIT_COMMIT_BYTE, .pid = c->pid };

	int r = pidfd_socket_send(c->pidfd_socket, c->pidfd, e);
	if (r < 0)
		return r;
	if (c->o->ret_pid)
		*c->o->ret_pid = c->pid;
	c->st.creating = false;
	c->st.started = c->run;
	r = state_save(&c->st, e);
	if (r < 0)
		return r;
	r = pid_file_write(c->o->pid_file, c->pid, e);
	if (r < 0)
		return r;
	if (send(c->sync_p, &go, sizeof(go), MSG_NOSIGNAL) < 0) {
		struct init_msg m;

		/* It has failed already: hear why. */
		r = child_recv(c, &m, e);
		return r < 0 ? r : err_set(e, EPIPE, "the container's process hung up");
	}
	return 0;
}

int creation_run(struct creation *c, struct err *e)
{
	int r;

	if (c->st.cgroup.manager != CGROUP_SYSTEMD && !c->groups_late) {
		r = cgroup_make(&c->st.cgroup, &c->cgroup_rq, e);
		if (r < 0)
			return r;
	}
	if (c->spec.os.intel_rdt) {
		r = rdt_make(c->spec.os.intel_rdt, c->st.id, e);
		if (r < 0)
			return r;
	}
	r = spawn(c, e);
	if (r < 0)
		return r;
	r = attend(c, e);
	if (r < 0)
		return r;
	/*
	 * run: nobody looks in between, so the commit may lie in the socket before the
	 * child is there to read it, and the two processes never wait for each other.
	 */
	if (c->run && !c->child_hooks) {
		r = commit(c, e);
		return r < 0 ? r : await_ready(c, e);
	}
	r = await_ready(c, e);
	return r < 0 ? r : commit(c, e);
}

int creation_await_exec(struct creation *c, struct err *e)
{
	struct init_msg m;
	int r = sync_recv(c->sync_p, &m, e);

	return r > 0 ? err_set(e, EPROTO, "isle-init sent message %u", m.kind) : r;
}

void creation_undo(struct creation *c)
{
	struct err e = { 0 };
	int status;

	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		if (TEMP_FAILURE_RETRY(waitpid(c->pid, &status, 0)) < 0)
			log_debug("wait for the failed container: %s", err_text(errno));
	}
	if (c->st.dirfd < 0)
		return;
	c->st.has_poststop = c->st.has_poststop && c->hooks_begun;
	if (lifecycle_destroy(c->rt, &c->st, &e) < 0)
		log_warn("clean up after the failure: %s", e.msg);
}

void creation_release(struct creation *c)
{
	state_release(&c->st);
	oci_spec_release(&c->spec);
	buf_release(&c->config);
	ns_release(&c->ns);
	rootfs_free(c->rootfs);
	seccomp_program_release(&c->seccomp);
	init_exec_release(&c->init);
	fd_close(&c->sync_p);
	fd_close(&c->sync_c);
	fd_close(&c->listen_fd);
	fd_close(&c->console_sock);
	fd_close(&c->listener_fd);
	fd_close(&c->label_fd);
	fd_close(&c->notify_fd);
	fd_close(&c->pidfd);
}
