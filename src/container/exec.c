/*
 * container/exec.c - one more process in a running container.
 *
 *   runtime --fork--> joiner: enters the cgroup and, by the init's pidfd, the
 *                     namespaces; pty; execs isle-init, which
 *                     --clone(CLONE_PARENT)--> the process, born in the pid
 *                     namespace as the runtime's child; then the joiner ends
 *
 * The joiner itself stays outside the container's pid namespace, so what the
 * container can look at is isle-init from its memfd, never this program.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/console.h"
#include "container/container.h"
#include "container/cpulist.h"
#include "container/create.h"
#include "container/exec_process.h"
#include "container/foreground.h"
#include "container/inherit.h"
#include "container/label.h"
#include "container/sync.h"
#include "sys/calls.h"

struct exec_run {
	const struct runtime *rt;
	const struct exec_opts *o;
	struct state st;
	struct oci_spec spec;           /* the container's own */
	struct oci_process *process;
	struct arena arena;
	struct seccomp_program seccomp;
	struct init_exec init;
	unsigned join;                  /* CLONE_NEW* to enter */
	int init_pidfd;                 /* the container's init */
	int root_fd;                    /* its root, where it has no mount namespace, or -1 */
	int sync_p, sync_c, console_sock, console_here, listener_fd, label_fd;
	pid_t pid;
	int pidfd;                      /* the new process */
};

static void exec_release(struct exec_run *x)
{
	state_release(&x->st);
	oci_spec_release(&x->spec);
	arena_release(&x->arena);
	seccomp_program_release(&x->seccomp);
	init_exec_release(&x->init);
	fd_close(&x->init_pidfd);
	fd_close(&x->root_fd);
	fd_close(&x->sync_p);
	fd_close(&x->sync_c);
	fd_close(&x->console_sock);
	fd_close(&x->console_here);
	fd_close(&x->listener_fd);
	fd_close(&x->label_fd);
	fd_close(&x->pidfd);
}

/* ---- the joiner ---------------------------------------------------------------- */

static int joiner_console(const struct exec_run *x, struct err *e)
{
	const struct oci_process *p = x->process;
	struct console con __attribute__((cleanup(console_release))) = { -1, -1 };

	if (!p->terminal)
		return 0;
	CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = console_new(root, "/dev/pts/ptmx", p->console_height, p->console_width,
			    p->user.uid, &con, e);
	if (r == 0)
		r = console_send_fd(x->console_sock, con.master, "/dev/ptmx", e);
	return r < 0 ? r : console_set_stdio(con.slave, e);
}

static int proc_dir_open(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int joiner_build(const struct exec_run *x, struct err *e)
{
	const char *cpus = x->process->cpu_affinity_initial;
	int r = 0;

	/* While the container's cpuset does not bind us yet. */
	if (cpus && *cpus)
		r = cpulist_apply("process.execCPUAffinity.initial", cpus, e);
	if (r < 0)
		return r;
	if (x->st.cgroup.mode != CGROUP_MODE_NONE) {
		r = cgroup_join_self(&x->st.cgroup, e);
		if (r < 0)
			return r;
	}
	if (!cpus || !*cpus)
		cpulist_reset();
	CLEANUP_FD int proc = x->join & CLONE_NEWUSER ? proc_dir_open(x->st.pid) : -1;
	r = sys_setns(x->init_pidfd, (int)x->join);
	if (r < 0)
		return err_sys(e, -r, "join the namespaces of container %s", x->st.id);
	if (x->root_fd >= 0 && (fchdir(x->root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0))
		return err_sys(e, errno, "enter the root of container %s", x->st.id);
	if (x->join & CLONE_NEWUSER)
		r = userns_become_root(proc, e);
	if (r < 0)
		return r;
	r = label_open(x->label_fd, e);
	return r < 0 ? r : joiner_console(x, e);
}

static _Noreturn void joiner(struct exec_run *x)
{
	struct err e = { 0 };

	fd_close(&x->sync_p);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		err_sys(&e, errno, "protect the joining process");
	else if (joiner_build(x, &e) == 0)
		init_exec_stub(&x->init, &e);
	sync_fail(x->sync_c, &e);
}

/* ---- the runtime ---------------------------------------------------------------- */

static int check_status(const struct exec_run *x, struct err *e)
{
	enum container_status s;
	int r = state_status(&x->st, &s, e);

	if (r < 0)
		return r;
	if (s == STATUS_STOPPED)
		return err_set(e, ESRCH, "cannot exec in a stopped container");
	if (s == STATUS_CREATING)
		return err_set(e, EBUSY, "cannot exec in a container that is being created");
	if (s == STATUS_PAUSED && !x->o->ignore_paused)
		return err_set(e, EBUSY, "cannot exec in a paused container (use "
			       "--ignore-paused to override)");
	return 0;
}

/* The kernel refuses to enter the user namespace one is in (setns(2), EINVAL). */
static bool same_userns(pid_t pid)
{
	char path[64];
	struct stat own, other;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat("/proc/self/ns/user", &own) == 0 && stat(path, &other) == 0 &&
	       own.st_ino == other.st_ino;
}

static int exec_prepare_init(struct exec_run *x, struct err *e)
{
	CLEANUP_FREE char *notify = NULL;
	unsigned fds;

	int r = inherit_fds(x->o->preserve_fds, 0, &fds, e);
	if (r < 0)
		return r;
	if (x->spec.os.seccomp) {
		CLEANUP_FD int cache = seccomp_cache_open(x->rt);
		r = seccomp_compile(x->spec.os.seccomp, cache, &x->seccomp, e);
		if (r < 0)
			return r;
		x->listener_fd = seccomp_listener_connect(x->spec.os.seccomp, &x->seccomp, e);
		if (x->listener_fd < -1)
			return x->listener_fd;
	}
	if (x->seccomp.has_notify) {
		CLEANUP_JSON json_t *j = state_to_oci(&x->st, STATUS_RUNNING, false);
		notify = seccomp_listener_message(x->spec.os.seccomp, j);
	}
	struct init_request rq = {
		.process = x->process,
		.seccomp = x->spec.os.seccomp ? &x->seccomp : NULL,
		.listener_fd = x->listener_fd,
		.listener_msg = notify,
		.fork_into_pidns = true,
		.setsid = true,
		.set_ctty = x->process->terminal,
		.userns_setgroups_denied = (x->rt->rootless || (x->join & CLONE_NEWUSER)) &&
					   setgroups_is_denied(x->st.pid),
		.preserve_fds = fds,
		.sync_fd = x->sync_c,
		.start_fd = -1,
	};
	init_request_linux(&rq, &x->spec);
	r = label_reserve(&rq, &x->label_fd, e);
	if (r < 0)
		return r;
	return init_prepare(&rq, &x->init, e);
}

static int exec_consoles(struct exec_run *x, struct err *e)
{
	int pair[2];

	if (!x->process->terminal && x->o->console_socket)
		return err_set(e, EINVAL, "cannot use console socket if isle-runtime will not "
			       "allocate a tty");
	if (!x->process->terminal)
		return 0;
	if (x->o->console_socket) {
		x->console_sock = console_connect(x->o->console_socket, e);
		return x->console_sock < 0 ? x->console_sock : 0;
	}
	if (x->o->detach)
		return err_set(e, EINVAL, "cannot allocate tty if runc will detach without setting "
			       "console socket: use --console-socket");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "make a socket pair");
	x->console_sock = pair[0];
	x->console_here = pair[1];
	/* Before it starts: a program that asks at once must not find 0 by 0. */
	struct winsize ws;
	if (!x->process->console_height && ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0) {
		x->process->console_height = ws.ws_row;
		x->process->console_width = ws.ws_col;
	}
	return 0;
}

/* A container in our own mount namespace lives in a root of its own by chroot. */
static int open_root(struct exec_run *x, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", x->st.pid);
	x->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (x->root_fd < 0)
		return err_sys(e, errno, "open the root of container %s", x->st.id);
	return 0;
}

static int exec_prepare(struct exec_run *x, const char *id, struct err *e)
{
	int pair[2];

	int r = inherit_reserve(x->o->preserve_fds, e);
	if (r == 0)
		r = state_load(x->rt, id, false, &x->st, e);
	if (r < 0)
		return r;
	r = check_status(x, e);
	if (r < 0)
		return r;
	x->init_pidfd = state_pidfd(&x->st);
	if (x->init_pidfd < 0)
		return err_set(e, ESRCH, "cannot exec in a stopped container");
	x->join = x->st.ns_flags;
	if ((x->join & CLONE_NEWUSER) && same_userns(x->st.pid))
		x->join &= ~(unsigned)CLONE_NEWUSER;
	if (!(x->join & CLONE_NEWNS)) {
		r = open_root(x, e);
		if (r < 0)
			return r;
	}
	r = state_load_spec(&x->st, &x->spec, e);
	if (r < 0)
		return r;
	r = exec_process_build(x->o, x->spec.process, &x->arena, &x->process, e);
	if (r < 0)
		return r;
	if (x->st.cgroup.mode != CGROUP_MODE_NONE) {
		r = cgroup_open_join(&x->st.cgroup, &x->o->cgroups, x->st.pid, e);
		if (r < 0)
			return r;
	}
	r = exec_consoles(x, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "make a socket pair");
	x->sync_p = pair[0];
	x->sync_c = pair[1];
	return exec_prepare_init(x, e);
}

/*
 * Born into the v2 group.  Not where CPUs are given for the time before the container's
 * cpuset binds, which the joiner then enters by itself.
 */
static pid_t fork_joiner(struct exec_run *x)
{
	const char *cpus = x->process->cpu_affinity_initial;
	CLEANUP_FD int group = cpus && *cpus ? -1 : cgroup_birth(&x->st.cgroup);
	struct clone_args a = { .exit_signal = SIGCHLD };

	if (group >= 0) {
		a.flags = CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)group;
	}
	return sys_clone3(&a);
}

/* PID, READY, and commit; the joiner is reaped on the way. */
static int exec_spawn(struct exec_run *x, struct err *e)
{
	struct init_msg m;
	int status;

	pid_t mid = fork_joiner(x);
	if (mid < 0)
		return err_sys(e, -mid, "fork");
	if (mid == 0)
		joiner(x);
	fd_close(&x->sync_c);
	fd_close(&x->console_sock);
	fd_close(&x->listener_fd);

	int r = sync_recv(x->sync_p, &m, e);
	if (waitpid(mid, &status, 0) < 0)
		log_debug("wait for the joiner: %s", err_text(errno));
	if (r == 0)
		return err_set(e, EPROTO, "the joining process died (status %#x): is a limit "
			       "of the container used up?", status);
	if (r > 0 && m.kind != INIT_MSG_PID)
		r = err_set(e, EPROTO, "isle-init sent message %u", m.kind);
	if (r < 0)
		return r;
	x->pid = m.pid;
	x->pidfd = sys_pidfd_open(m.pid);
	if (x->pidfd < 0)
		return err_sys(e, -x->pidfd, "open process %d", m.pid);
	r = sync_recv(x->sync_p, &m, e);
	if (r == 0)
		return err_set(e, EPROTO, "the process died before it was ready: is a limit of the "
			       "container used up?");
	return r < 0 ? r : 0;
}

static int set_oom_score(const struct exec_run *x, struct err *e)
{
	char path[64], text[32];

	if (!x->process->oom_score_adj.set)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", x->pid);
	snprintf(text, sizeof(text), "%lld", (long long)x->process->oom_score_adj.v);
	int r = file_write_at(AT_FDCWD, path, text);
	if (r == -EACCES && x->rt->rootless)
		return 0;
	return r < 0 ? err_sys(e, -r, "process.oomScoreAdj: write %s to %s", text, path) : 0;
}

static int exec_commit(struct exec_run *x, struct err *e)
{
	struct init_commit go = { .byte = INIT_COMMIT_BYTE, .pid = x->pid };
	struct init_msg m;

	int r = set_oom_score(x, e);
	if (r < 0)
		return r;
	r = pid_file_write(x->o->pid_file, x->pid, e);
	if (r < 0)
		return r;
	r = pidfd_socket_send(x->o->pidfd_socket, x->pidfd, e);
	if (r < 0)
		return r;
	if (send(x->sync_p, &go, sizeof(go), MSG_NOSIGNAL) < 0)
		log_debug("commit: %s", err_text(errno));
	r = sync_recv(x->sync_p, &m, e);
	return r > 0 ? err_set(e, EPROTO, "isle-init sent message %u", m.kind) : r;
}

static int exec_wait(struct exec_run *x, int *ret_status, struct err *e)
{
	CLEANUP_FD int master = -1;

	if (x->console_here >= 0) {
		master = console_recv_fd(x->console_here, e);
		if (master < 0)
			return master;
	}
	return foreground_wait(x->pid, master, ret_status, e);
}

int container_exec(const struct runtime *rt, const char *id, const struct exec_opts *o,
		   int *ret_status, struct err *e)
{
	struct exec_run x __attribute__((cleanup(exec_release))) = {
		.rt = rt, .o = o, .st.dirfd = -1, .init = INIT_EXEC_NONE, .init_pidfd = -1,
		.root_fd = -1, .sync_p = -1, .sync_c = -1, .console_sock = -1, .console_here = -1,
		.listener_fd = -1, .label_fd = -1, .pidfd = -1,
	};
	sigset_t old;

	int r = exec_prepare(&x, id, e);
	if (r < 0)
		return r;
	if (!o->detach)
		foreground_block_signals(&old);
	r = exec_spawn(&x, e);
	if (r == 0)
		r = exec_commit(&x, e);
	if (r < 0) {
		int status;

		if (x.pid > 0) {
			kill(x.pid, SIGKILL);
			waitpid(x.pid, &status, 0);
		}
		return r;
	}
	if (o->ret_pid)
		*o->ret_pid = x.pid;
	*ret_status = 0;
	return o->detach ? 0 : exec_wait(&x, ret_status, e);
}
