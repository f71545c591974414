/*
 * container/child.c - the new process of a container, from clone to isle-init.
 *
 * It is a copy of the runtime, in the namespaces clone3 made, and holds the
 * descriptors the runtime prepared.  Nothing of the image has run yet; what it
 * does to the file system is in rootfs.c.  The order follows runtime.md#lifecycle.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/console.h"
#include "container/cpulist.h"
#include "container/create.h"
#include "container/hooks.h"
#include "container/sync.h"
#include "sys/calls.h"
#include "sys/inroot.h"
#include "sys/netlink.h"

/* keyctl(2): possessor and user may do all, so the program can use its own keyring. */
#define KEYRING_PERM 0x3f3f0000u

/* One packet from the runtime; its end of file means it died, and so do we. */
static size_t sync_wait(struct creation *c, char *p, size_t max)
{
	ssize_t n = TEMP_FAILURE_RETRY(recv(c->sync_c, p, max, 0));

	if (n <= 0)
		_exit(1);
	return (size_t)n;
}

int child_groups_wait(void *arg, struct err *e)
{
	struct creation *c = arg;
	struct cgroup *cg = &c->st.cgroup;
	int fd[CGROUP_HIERARCHIES_MAX];
	size_t used = 0;
	char byte;

	if (!c->groups_late)
		return 0;
	ssize_t n = fd_recv(c->sync_c, &byte, 1, fd, ARRAY_LEN(fd));
	if (n == -EPIPE)
		_exit(1);               /* the runtime died */
	if (n < 0 || byte != CHILD_JOIN)
		return err_set(e, EPROTO, "the runtime sent no cgroups");
	/* In the order of the hierarchies, but for one that we were born into. */
	for (size_t i = 0; i < cg->n && used < (size_t)n; i++)
		if (!cg->h[i].entered)
			cg->h[i].join_fd = fd[used++];
	c->groups_late = false;
	return 0;
}

static int enter_cgroup(struct creation *c, struct err *e)
{
	int r = child_groups_wait(c, e);

	if (r < 0)
		return r;
	if (!c->cgroup_rq.systemd_pid)
		r = cgroup_join_self(&c->st.cgroup, e);
	if (r < 0)
		return r;
	cpulist_reset();
	/* cgroup_namespaces(7): its root is where we are now, so it comes after. */
	if ((c->ns.create & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, errno, "create a cgroup namespace");
	return 0;
}

static int set_names(struct creation *c, struct err *e)
{
	const struct oci_spec *s = &c->spec;

	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_sys(e, errno, "set hostname %s", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_sys(e, errno, "set domainname %s", s->domainname);
	return 0;
}

static int join_keyring(struct creation *c, struct err *e)
{
	char name[300];

	if (c->o->no_new_keyring)
		return 0;
	snprintf(name, sizeof(name), "_ses.%s", c->st.id);
	int key = sys_keyctl_join_session(name);
	if (key == -ENOSYS || key == -EPERM) {
		log_debug("no session keyring: %s", err_text(-key));
		return 0;
	}
	if (key < 0)
		return err_sys(e, -key, "join session keyring %s", name);
	int r = sys_keyctl_setperm(key, KEYRING_PERM);
	return r < 0 ? err_sys(e, -r, "set permissions of session keyring %s", name) : 0;
}

static int open_console(struct creation *c, struct err *e)
{
	const struct oci_process *p = c->spec.process;
	struct console con __attribute__((cleanup(console_release))) = { -1, -1 };

	if (!p || !p->terminal)
		return 0;
	int r = console_new(rootfs_fd(c->rootfs), "/dev/pts/ptmx", p->console_height,
			    p->console_width, p->user.uid, &con, e);
	if (r < 0)
		return r;
	r = rootfs_bind_console(c->rootfs, con.slave, e);
	if (r < 0)
		return r;
	r = console_send_fd(c->console_sock, con.master, "/dev/ptmx", e);
	return r < 0 ? r : console_set_stdio(con.slave, e);
}

static int run_hooks(struct creation *c, struct err *e)
{
	struct init_msg m = { .kind = CHILD_MSG_HOOKS };
	CLEANUP_FREE char *state = xmalloc(STATE_JSON_MAX + 1);

	if (!c->child_hooks)
		return 0;
	/* Sent ahead of the state, so it must be taken first; a cgroup mount did it already. */
	int r = child_groups_wait(c, e);
	if (r < 0)
		return r;
	if (send(c->sync_c, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		return err_sys(e, errno, "ask for the hooks");
	state[sync_wait(c, state, STATE_JSON_MAX)] = '\0';
	return hooks_run(OCI_HOOK_CREATE_CONTAINER, &c->spec.hooks[OCI_HOOK_CREATE_CONTAINER],
			 state, e);
}

/*
 * What of the namespaces clone3 did not make.  A network namespace alone takes the
 * kernel most of a millisecond, and clone3 would keep the runtime waiting for it.
 */
static int make_namespaces(struct creation *c, struct err *e)
{
	if (c->own_unshare && unshare((int)c->own_unshare) < 0)
		return err_sys(e, errno, "create the container's namespaces");
	return 0;
}

static int enter_namespaces(struct creation *c, struct err *e)
{
	static const enum oci_ns order[] = {
		OCI_NS_IPC, OCI_NS_UTS, OCI_NS_NETWORK, OCI_NS_TIME, OCI_NS_CGROUP, OCI_NS_MOUNT,
	};
	int r;

	if (c->ns.create & CLONE_NEWTIME) {
		/* Needs the host's /proc, so ahead of a joined mount namespace. */
		r = timens_enter_new(&c->spec, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		r = ns_enter(&c->ns, order[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* isle-init makes a missing cwd, but below a read-only root that would be too late. */
static int make_cwd(const struct creation *c, struct err *e)
{
	const char *cwd = c->spec.process ? c->spec.process->cwd : NULL;

	if (!c->spec.root_readonly || !cwd)
		return 0;
	CLEANUP_FD int fd = inroot_mkdir_all(rootfs_fd(c->rootfs), cwd, 0755);
	return fd < 0 ? err_sys(e, -fd, "mkdir cwd %s", cwd) : 0;
}

static int build(struct creation *c, struct err *e)
{
	bool userns = (c->ns.create | c->ns.joined) & CLONE_NEWUSER;
	CLEANUP_FD int proc = userns ? open("/proc/self", O_PATH | O_CLOEXEC) : -1;

	int r = make_namespaces(c, e);
	if (r < 0)
		return r;
	r = enter_namespaces(c, e);
	if (r < 0)
		return r;
	if (userns)
		r = userns_become_root(proc, e);
	if (r < 0)
		return r;
	if ((c->ns.create & CLONE_NEWNET) && (r = net_loopback_up()) < 0)
		return err_sys(e, -r, "set the loopback device up");
	r = set_names(c, e);
	if (r < 0)
		return r;
	r = join_keyring(c, e);
	if (r < 0)
		return r;
	r = rootfs_setup(c->rootfs, e);
	if (r < 0)
		return r;
	r = make_cwd(c, e);
	if (r < 0)
		return r;
	r = open_console(c, e);
	if (r < 0)
		return r;
	r = run_hooks(c, e);
	if (r < 0)
		return r;
	r = label_open(c->label_fd, e);
	if (r < 0)
		return r;
	r = rootfs_pivot(c->rootfs, e);
	if (r < 0)
		return r;
	r = rootfs_seal(c->rootfs, e);
	if (r < 0)
		return r;
	return enter_cgroup(c, e);
}

_Noreturn void creation_child(struct creation *c)
{
	struct err e = { 0 };
	char go;

	fd_close(&c->sync_p);
	/* Until the commit we go with the runtime; isle-init takes this back. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		err_sys(&e, errno, "set the parent death signal");
		sync_fail(c->sync_c, &e);
	}
	if (c->child_waits)
		sync_wait(c, &go, 1);
	/* Not before the maps are written: /proc/PID/uid_map changes owner with it. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0) {
		err_sys(&e, errno, "make the process undumpable");
		sync_fail(c->sync_c, &e);
	}
	if (build(c, &e) == 0)
		init_exec_stub(&c->init, &e);
	sync_fail(c->sync_c, &e);
}
