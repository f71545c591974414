/*
 * container/restore.c - a container from files; see checkpoint.h.
 *
 * criu makes the processes, their namespaces and mounts.  Ours is what create would do
 * around it: the state, the cgroup, the mount points, stdio.  The restored init is made
 * a sibling of criu, so it is our child and can be waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "container/checkpoint.h"
#include "container/console.h"
#include "container/create.h"
#include "container/criu.h"
#include "container/foreground.h"
#include "container/hooks.h"
#include "container/lifecycle.h"
#include "container/rdt.h"
#include "sys/inroot.h"

#define PIDFILE "criu.pid"

struct restoration {
	const struct runtime *rt;
	const struct restore_opts *o;
	struct state st;
	struct oci_spec spec;
	struct cgroup_request cgroup_rq;
	struct criu criu;
	struct console console;
	int stdio[3];           /* copies of our own, which the container gets */
	int ns_fd[2];           /* network and pid namespaces of the configuration */
	bool cgroup_made;
	bool hooks_begun;
};

static void restoration_release(struct restoration *x)
{
	for (size_t i = 0; i < ARRAY_LEN(x->stdio); i++)
		fd_close(&x->stdio[i]);
	for (size_t i = 0; i < ARRAY_LEN(x->ns_fd); i++)
		fd_close(&x->ns_fd[i]);
	console_release(&x->console);
	criu_release(&x->criu);
	oci_spec_release(&x->spec);
	state_release(&x->st);
}

/* --- the bundle and the state ---------------------------------------------- */

static int check_opts(const struct restore_opts *o, struct err *e)
{
	if (o->no_pivot)
		return err_set(e, ENOTSUP, "option --no-pivot: criu changes the root with "
			       "pivot_root only, so it cannot restore on a ramdisk");
	if (o->lsm_profile && strncmp(o->lsm_profile, "apparmor:", 9) != 0 &&
	    strncmp(o->lsm_profile, "selinux:", 8) != 0)
		return err_set(e, EINVAL, "option --lsm-profile: \"%s\" is neither apparmor:NAME "
			       "nor selinux:LABEL", o->lsm_profile);
	return 0;
}

/* It runs between the mounts and the change of the root: criu lets no one in there. */
static int check_hooks(const struct oci_spec *spec, struct err *e)
{
	if (spec->hooks[OCI_HOOK_CREATE_CONTAINER].n == 0)
		return 0;
	return err_set(e, ENOTSUP, "hooks.createContainer: the program criu gives no moment to "
		       "run it at while it restores");
}

static int read_bundle(struct restoration *x, struct buf *config, struct err *e)
{
	const char *given = x->o->bundle ? x->o->bundle : ".";
	char *bundle = realpath(given, NULL);

	if (!bundle)
		return err_sys(e, errno, "open bundle %s", given);
	x->st.bundle = bundle;
	CLEANUP_FREE char *path = xasprintf("%s/config.json", bundle);
	int r = file_read_at(AT_FDCWD, path, config);
	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	r = oci_spec_parse("config.json", config->data, config->len, &x->spec, e);
	if (r >= 0)
		r = oci_spec_validate(&x->spec, e);
	if (r >= 0)
		r = check_hooks(&x->spec, e);
	if (r < 0)
		return r;
	if (!x->spec.root_path)
		return err_set(e, EINVAL, "root: criu restores into a root file system, and none "
			       "is given");
	CLEANUP_FREE char *root = x->spec.root_path[0] == '/'
		? xstrdup(x->spec.root_path) : xasprintf("%s/%s", bundle, x->spec.root_path);
	x->st.rootfs = realpath(root, NULL);
	return x->st.rootfs ? 0 : err_sys(e, errno, "open root file system %s", root);
}

static void fill_state(struct restoration *x)
{
	struct state *st = &x->st;
	char now[TIME_RFC3339_MAX];

	time_rfc3339(now);
	st->created = xstrdup(now);
	st->oci_version = xstrdup(x->spec.oci_version);
	st->owner = geteuid();
	st->creating = true;
	st->has_process = true;
	st->has_poststart = x->spec.hooks[OCI_HOOK_POSTSTART].n > 0;
	st->has_poststop = x->spec.hooks[OCI_HOOK_POSTSTOP].n > 0;
	for (size_t i = 0; i < x->spec.os.n_namespaces; i++)
		st->ns_flags |= ns_flag(x->spec.os.namespaces[i].type);
	if (!x->spec.annotations.n)
		return;
	st->annotations = json_object();
	for (size_t i = 0; i < x->spec.annotations.n; i++)
		json_object_set_new(st->annotations, x->spec.annotations.v[i].key,
				    json_string(x->spec.annotations.v[i].value));
}

static int make_state(struct restoration *x, const char *id, struct err *e)
{
	CLEANUP(buf_release) struct buf config = BUF_INIT(JSON_BYTES_MAX);
	struct state fresh;

	int r = read_bundle(x, &config, e);
	if (r < 0)
		return r;
	r = state_new(x->rt, id, &fresh, e);
	if (r < 0)
		return r;
	x->st.id = fresh.id;
	x->st.dirfd = fresh.dirfd;
	fill_state(x);
	x->cgroup_rq = (struct cgroup_request){
		.manager = x->rt->cgroup_manager,
		.rootless = x->rt->rootless,
		.id = x->st.id,
		.path = x->spec.os.cgroups_path,
		.resources = x->spec.os.resources,
		.annotations = &x->spec.annotations,
	};
	r = cgroup_plan(&x->cgroup_rq, &x->st.cgroup, e);
	if (r >= 0 && x->spec.os.intel_rdt)
		r = rdt_plan(x->spec.os.intel_rdt, id, &x->st.intel_rdt_group, e);
	if (r >= 0)
		r = state_save(&x->st, e);
	if (r < 0)
		return r;
	r = file_replace_at(x->st.dirfd, "config.json", config.data, config.len, 0600);
	return r < 0 ? err_sys(e, -r, "store config.json of container %s", id) : 0;
}

/* --- mount points ----------------------------------------------------------- */

/* Below another mount than a bind: criu saved what is in there. */
static bool below_saved_mount(const struct oci_spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const char *at = spec->mounts[i].destination;
		size_t len = strlen(at);

		while (len > 1 && at[len - 1] == '/')
			len--;
		if (strncmp(path, at, len) == 0 && path[len] == '/' && path[len + 1])
			return true;
	}
	return false;
}

/* criu mounts only on what is there; the root file system may be a fresh copy. */
static int make_mount_points(struct restoration *x, struct err *e)
{
	CLEANUP_FD int root = open(x->st.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, errno, "open root file system %s", x->st.rootfs);
	for (size_t i = 0; i < x->spec.n_mounts; i++) {
		const struct oci_mount *m = &x->spec.mounts[i];
		bool relative = m->source && m->source[0] != '/';
		CLEANUP_FREE char *source = xasprintf("%s%s%s", relative ? x->st.bundle : "",
						      relative ? "/" : "",
						      m->source ? m->source : "/");
		struct stat st;

		if (below_saved_mount(&x->spec, m->destination))
			continue;
		bool file = m->type && strcmp(m->type, "bind") == 0 && stat(source, &st) == 0 &&
			    !S_ISDIR(st.st_mode);
		int fd = file ? inroot_touch(root, m->destination, 0644)
			      : inroot_mkdir_all(root, m->destination, 0755);
		if (fd < 0)
			return err_sys(e, -fd, "make mount point %s", m->destination);
		close(fd);
	}
	return 0;
}

/* --- stdio and namespaces ---------------------------------------------------- */

/* The pty that takes the place of the one which was dumped: one of the host's. */
static int make_console(struct restoration *x, struct err *e)
{
	CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct oci_process *p = x->spec.process;
	char path[64], name[PATH_MAX];

	if (root < 0)
		return err_sys(e, errno, "open /");
	int r = console_new(root, "dev/pts/ptmx", p->console_height, p->console_width, 0,
			    &x->console, e);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", x->console.slave);
	ssize_t n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return err_sys(e, errno, "read %s", path);
	name[n] = '\0';
	criu_opt(&x->criu, "--external", "mnt[/dev/console]:%s", name);
	if (!x->o->console_socket)
		return 0;
	CLEANUP_FD int sock = console_connect(x->o->console_socket, e);
	if (sock < 0)
		return sock;
	r = console_send_fd(sock, x->console.master, name, e);
	fd_close(&x->console.master);
	return r;
}

static int check_console(const struct restoration *x, struct err *e)
{
	bool terminal = x->spec.process && x->spec.process->terminal;

	if (terminal && x->o->detach && !x->o->console_socket)
		return err_set(e, EINVAL, "process.terminal is true: restore --detach needs "
			       "--console-socket");
	if (!terminal && x->o->console_socket)
		return err_set(e, EINVAL, "option --console-socket: process.terminal is false, so "
			       "there is no terminal to send");
	return 0;
}

/* Is name a thing from outside that criu wants replaced? */
static bool is_external(const char *name)
{
	return strncmp(name, "pipe:[", 6) == 0 || strncmp(name, "socket:[", 8) == 0 ||
	       strncmp(name, "tty[", 4) == 0 || strncmp(name, "file[", 5) == 0;
}

/* Give our stdio, or the new terminal, for what stdio was at the checkpoint. */
static int add_stdio(struct restoration *x, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/" CRIU_STDIO_FILE, x->criu.image_dir);
	CLEANUP(buf_release) struct buf text = BUF_INIT(64u << 10);
	const char *seen[3] = { "", "", "" };

	int r = file_read_at(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, -r, "read %s (is it a checkpoint?)", path);
	json_t *j;
	r = json_parse(CRIU_STDIO_FILE, text.data, text.len, &j, e);
	if (r < 0)
		return r;
	CLEANUP_JSON json_t *names = j;
	for (int i = 0; i < 3; i++) {
		const char *name = json_string_value(json_array_get(names, (size_t)i));
		bool tty = name && strncmp(name, "tty[", 4) == 0 && x->console.slave >= 0;

		if (!name || !is_external(name) || !strcmp(name, seen[0]) || !strcmp(name, seen[1]))
			continue;
		seen[i] = arena_strdup(&x->criu.arena, name);
		/* Above 2, which are criu's own. */
		x->stdio[i] = fcntl(tty ? x->console.slave : i, F_DUPFD_CLOEXEC, 3);
		if (x->stdio[i] < 0)
			return err_sys(e, errno, "copy descriptor %d", i);
		criu_opt(&x->criu, "--inherit-fd", "fd[%d]:%s", x->stdio[i], name);
		criu_keep(&x->criu, x->stdio[i]);
	}
	return 0;
}

/* The counterpart of the dump's: namespaces that others made. */
static int add_namespaces(struct restoration *x, struct err *e)
{
	static const struct { enum oci_ns type; const char *label; } given[] = {
		{ OCI_NS_NETWORK, "extRootNetNS" }, { OCI_NS_PID, "extRootPidNS" },
	};
	static const struct { enum oci_ns type; const char *name; } joined[] = {
		{ OCI_NS_IPC, "ipc" }, { OCI_NS_UTS, "uts" },
	};

	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		const struct oci_namespace *ns = oci_ns_find(&x->spec, given[i].type);

		if (!ns || !ns->path)
			continue;
		x->ns_fd[i] = open(ns->path, O_RDONLY | O_CLOEXEC);
		if (x->ns_fd[i] < 0)
			return err_sys(e, errno, "open namespace %s", ns->path);
		criu_opt(&x->criu, "--inherit-fd", "fd[%d]:%s", x->ns_fd[i], given[i].label);
		criu_keep(&x->criu, x->ns_fd[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(joined); i++) {
		const struct oci_namespace *ns = oci_ns_find(&x->spec, joined[i].type);

		if (ns && ns->path)
			criu_opt(&x->criu, "--join-ns", "%s:%s", joined[i].name, ns->path);
	}
	return 0;
}

/* --- criu -------------------------------------------------------------------- */

/* Groups go where this container's are planned, not where the dumped one's were. */
static void add_cgroup_roots(struct criu *c, const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		if (cg->mode == CGROUP_MODE_V2)
			criu_opt(c, "--cgroup-root", "%s", cg->h[i].path);
		else
			criu_opt(c, "--cgroup-root", "%s:%s", cg->h[i].controllers,
				 cg->h[i].path);
	}
}

/* As at create, and as runc does: the namespaces are there, what is in them is not. */
static int run_hooks(void *arg, pid_t init, struct err *e)
{
	struct restoration *x = arg;
	const struct oci_hooks *h = x->spec.hooks;
	struct state with_pid = x->st;          /* a view: owns nothing */

	with_pid.pid = init;
	CLEANUP_FREE char *state = lifecycle_state_json(&with_pid, STATUS_CREATED);
	x->hooks_begun = true;
	int r = hooks_run(OCI_HOOK_PRESTART, &h[OCI_HOOK_PRESTART], state, e);
	return r < 0 ? r : hooks_run(OCI_HOOK_CREATE_RUNTIME, &h[OCI_HOOK_CREATE_RUNTIME], state,
				     e);
}

static int add_restore_args(struct restoration *x, struct err *e)
{
	const struct restore_opts *o = x->o;
	struct criu *c = &x->criu;

	criu_arg(c, "--restore-detached");
	criu_arg(c, "--restore-sibling");
	criu_arg(c, "--evasive-devices");
	criu_opt(c, "--root", "%s", x->st.rootfs);
	c->bind_root = x->st.rootfs;
	if (x->rt->root[0])
		criu_opt(c, "--pidfile", "%s/%s/" PIDFILE, x->rt->root, x->st.id);
	if (o->lsm_profile)
		criu_opt(c, "--lsm-profile", "%s", o->lsm_profile);
	if (o->lsm_mount_context)
		criu_opt(c, "--lsm-mount-context", "%s", o->lsm_mount_context);
	add_cgroup_roots(c, &x->st.cgroup);
	int r = criu_external_mounts(c, &x->spec, &x->st.cgroup, 0, x->st.bundle, e);
	if (r >= 0 && x->spec.process && x->spec.process->terminal)
		r = make_console(x, e);
	if (r >= 0)
		r = add_stdio(x, e);
	if (r >= 0 && (x->spec.hooks[OCI_HOOK_PRESTART].n ||
		       x->spec.hooks[OCI_HOOK_CREATE_RUNTIME].n))
		r = criu_at_namespaces(c, run_hooks, x, e);
	return r < 0 ? r : add_namespaces(x, e);
}

/* With cgroups that criu leaves alone, the processes are where criu is. */
static bool criu_joins(const struct restore_opts *o)
{
	const char *mode = o->criu.manage_cgroups;

	return mode && (!strcmp(mode, "ignore") || !strcmp(mode, "none"));
}

static int make_cgroup(struct restoration *x, struct err *e)
{
	int r = cgroup_make(&x->st.cgroup, &x->cgroup_rq, e);

	if (r < 0)
		return r;
	x->cgroup_made = true;
	return x->spec.os.resources ? cgroup_set(&x->st.cgroup, x->spec.os.resources, e) : 0;
}

static int run_criu(struct restoration *x, struct err *e)
{
	bool systemd = x->st.cgroup.manager == CGROUP_SYSTEMD;
	int r = systemd ? 0 : make_cgroup(x, e);

	if (r >= 0)
		r = criu_spawn(&x->criu, !systemd && criu_joins(x->o) ? &x->st.cgroup : NULL, e);
	if (r >= 0 && systemd) {
		/* systemd makes a scope around a process: criu, still waiting, is the one. */
		x->cgroup_rq.systemd_pid = x->criu.pid;
		r = make_cgroup(x, e);
	}
	if (r >= 0 && x->spec.os.intel_rdt) {
		r = rdt_make(x->spec.os.intel_rdt, x->st.id, e);
		if (r >= 0)
			r = rdt_join(x->spec.os.intel_rdt, x->st.id, x->criu.pid, e);
	}
	return r < 0 ? r : criu_finish(&x->criu, e);
}

static int adopt(struct restoration *x, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(64);
	char s;

	int r = file_read_at(x->st.dirfd, PIDFILE, &text);
	if (r < 0)
		return err_sys(e, -r, "read the process ID that criu wrote");
	x->st.pid = (pid_t)strtol(text.data ? text.data : "", NULL, 10);
	if (x->st.pid <= 0)
		return err_set(e, EPROTO, "criu wrote no process ID");
	r = proc_stat_read(x->st.pid, &s, &x->st.pid_start);
	if (r < 0)
		return err_sys(e, -r, "read /proc/%d/stat", x->st.pid);
	unlinkat(x->st.dirfd, PIDFILE, 0);
	x->st.creating = false;
	x->st.started = true;
	r = state_save(&x->st, e);
	return r < 0 ? r : pid_file_write(x->o->pid_file, x->st.pid, e);
}

/* --- the operation ------------------------------------------------------------ */

static void undo(struct restoration *x)
{
	struct err e = { 0 };

	if (!x->st.id)
		return;
	/* A criu that waits must go ahead of the group it may be in. */
	criu_release(&x->criu);
	x->criu = (struct criu)CRIU_INIT;
	if (!x->cgroup_made)
		x->st.cgroup.mode = CGROUP_MODE_NONE;
	x->st.creating = true;
	/* Who was told of the beginning is told of the end. */
	x->st.has_poststop = x->st.has_poststop && x->hooks_begun;
	if ((x->st.pid > 0 && lifecycle_kill_init(&x->st, &e) < 0) ||
	    lifecycle_destroy(x->rt, &x->st, &e) < 0)
		log_warn("clean up after a failed restore: %s", e.msg);
}

static int restore(struct restoration *x, const char *id, struct err *e)
{
	int r = check_opts(x->o, e);

	if (r >= 0)
		r = criu_init(&x->criu, "restore", &x->o->criu, false, e);
	if (r >= 0)
		r = make_state(x, id, e);
	if (r >= 0)
		r = check_console(x, e);
	if (r >= 0)
		r = make_mount_points(x, e);
	if (r >= 0)
		r = add_restore_args(x, e);
	if (r >= 0)
		r = run_criu(x, e);
	if (r >= 0)
		r = adopt(x, e);
	if (r < 0)
		undo(x);
	return r;
}

/* As run does: the lock is let go while the container runs. */
static int attend(struct restoration *x, int *ret_status, struct err *e)
{
	state_unlock(&x->st);
	int r = foreground_wait(x->st.pid, x->console.master, ret_status, e);
	if (r < 0)
		return r;
	r = state_relock(x->rt, &x->st, e);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : lifecycle_destroy(x->rt, &x->st, e);
}

int container_restore(const struct runtime *rt, const char *id, const struct restore_opts *o,
		      int *ret_status, struct err *e)
{
	CLEANUP(restoration_release) struct restoration x = {
		.rt = rt, .o = o, .st.dirfd = -1, .criu = CRIU_INIT,
		.console = { -1, -1 }, .stdio = { -1, -1, -1 }, .ns_fd = { -1, -1 },
	};
	sigset_t old;

	if (!o->detach) {
		foreground_block_signals(&old);
		/* Its orphans are ours to reap, unless the caller wants them. */
		if (!o->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
			return err_sys(e, errno, "prctl PR_SET_CHILD_SUBREAPER");
	}
	*ret_status = 0;
	int r = restore(&x, id, e);
	if (r < 0 || o->detach)
		return r;
	fd_close(&x.console.slave);
	return attend(&x, ret_status, e);
}
