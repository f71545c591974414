/*
 * container/prepare.c - a creation up to the clone: the bundle is read, everything
 * decided, and made what the host's side can make.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "container/console.h"
#include "container/cpulist.h"
#include "container/create.h"
#include "container/exe.h"
#include "container/inherit.h"
#include "container/lifecycle.h"
#include "container/notify.h"

char *creation_state_json(const struct creation *c, enum container_status s)
{
	return lifecycle_state_json(&c->st, s);
}

int seccomp_cache_open(const struct runtime *rt)
{
	/* '@' cannot be in an id, so the cache is never taken for a container. */
	CLEANUP_FREE char *at = xasprintf("%s/@cache", rt->root);
	CLEANUP_FREE char *dir = xasprintf("%s/seccomp", at);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		return fd;
	if ((mkdir(at, 0700) < 0 && errno != EEXIST) || (mkdir(dir, 0700) < 0 && errno != EEXIST))
		log_debug("no seccomp cache at %s: %s", dir, err_text(errno));
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

int seccomp_listener_connect(const struct oci_seccomp *s, const struct seccomp_program *p,
			     struct err *e)
{
	if (!p->has_notify)
		return -1;
	if (!s->listener_path)
		return err_set(e, EINVAL, "linux.seccomp: SCMP_ACT_NOTIFY is used, but there is no "
			       "listenerPath") ;
	int fd = console_connect(s->listener_path, e);
	return fd < 0 ? err_prefix(e, "linux.seccomp.listenerPath: failed to connect with "
				   "seccomp agent") : fd;
}

char *seccomp_listener_message(const struct oci_seccomp *s, json_t *state)
{
	CLEANUP_JSON json_t *j = json_pack("{s:s, s:[s], s:i, s:s, s:O}",
		/* The specification's example has not changed since: agents compare. */
		"ociVersion", "0.2.0", "fds", "seccompFd", "pid", 0,
		"metadata", s->listener_metadata ? s->listener_metadata : "", "state", state);

	return j ? json_dumps(j, JSON_COMPACT) : NULL;
}

/* ---- the bundle ---------------------------------------------------------- */

static int read_bundle(struct creation *c, struct err *e)
{
	CLEANUP_FREE char *bundle = realpath(c->o->bundle ? c->o->bundle : ".", NULL);
	if (!bundle)
		return err_sys(e, errno, "open bundle %s", c->o->bundle ? c->o->bundle : ".");

	CLEANUP_FD int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "open bundle %s", bundle);
	const char *name = c->o->config ? c->o->config : "config.json";
	c->config = (struct buf)BUF_INIT(JSON_BYTES_MAX);
	int r = file_read_at(c->o->config ? AT_FDCWD : dir, name, &c->config);
	if (r < 0)
		return err_sys(e, -r, "read %s of bundle %s", name, bundle);
	r = oci_spec_parse(name, c->config.data, c->config.len, &c->spec, e);
	if (r < 0)
		return r;
	r = oci_spec_validate(&c->spec, e);
	if (r == 0)
		r = userns_default_maps(&c->spec, c->rt->rootless, e);
	if (r < 0)
		return r;

	if (c->o->rootfs)
		c->spec.root_path = c->o->rootfs;
	const char *root = c->spec.root_path;
	c->st.bundle = take_ptr(bundle);
	if (root)
		c->st.rootfs = root[0] == '/' ? xstrdup(root)
					      : xasprintf("%s/%s", c->st.bundle, root);
	return 0;
}

static void fill_state(struct creation *c)
{
	struct state *st = &c->st;
	char now[TIME_RFC3339_MAX];

	time_rfc3339(now);
	st->created = xstrdup(now);
	st->oci_version = xstrdup(c->spec.oci_version);
	st->owner = geteuid();
	st->creating = true;
	st->ns_flags = c->ns.create | c->ns.joined;
	st->has_process = c->spec.process != NULL;
	st->has_poststart = c->spec.hooks[OCI_HOOK_POSTSTART].n > 0;
	st->has_poststop = c->spec.hooks[OCI_HOOK_POSTSTOP].n > 0;
	if (!c->spec.annotations.n)
		return;
	st->annotations = json_object();
	for (size_t i = 0; i < c->spec.annotations.n; i++)
		json_object_set_new(st->annotations, c->spec.annotations.v[i].key,
				    json_string(c->spec.annotations.v[i].value));
}

/* ---- what must be told apart before the clone ---------------------------- */

static int check_console(const struct creation *c, struct err *e)
{
	bool terminal = c->spec.process && c->spec.process->terminal;

	if (terminal && c->console_sock < 0)
		return err_set(e, EINVAL, "cannot allocate tty if runc will detach without "
			       "setting console socket: process.terminal is true, use "
			       "--console-socket");
	if (!terminal && c->o->console_socket)
		return err_set(e, EINVAL, "cannot use console socket if isle-runtime will not "
			       "detach or allocate tty: process.terminal is false");
	return 0;
}

/* Used by exec only, but a document that is wrong is refused now. */
static int check_affinity(const struct creation *c, struct err *e)
{
	const struct oci_process *p = c->spec.process;
	unsigned long mask[CPULIST_WORDS];
	int r = 0;

	if (p && p->cpu_affinity_initial)
		r = cpulist_parse("process.execCPUAffinity.initial", p->cpu_affinity_initial,
				  mask, e);
	if (r >= 0 && p && p->cpu_affinity_final)
		r = cpulist_parse("process.execCPUAffinity.final", p->cpu_affinity_final, mask, e);
	return r < 0 ? r : 0;
}

static void decide(struct creation *c)
{
	const struct oci_spec *s = &c->spec;
	bool userns = c->ns.create & CLONE_NEWUSER;
	bool systemd = c->st.cgroup.manager == CGROUP_SYSTEMD;

	c->child_hooks = s->hooks[OCI_HOOK_PRESTART].n || s->hooks[OCI_HOOK_CREATE_RUNTIME].n ||
			 s->hooks[OCI_HOOK_CREATE_CONTAINER].n;
	c->child_waits = userns || systemd || s->os.intel_rdt;
	/*
	 * A v1 host has nine groups to make, half a millisecond.  The child needs them only
	 * after its namespaces and mounts stand, so they are made at the same time.  Not
	 * rootless: which of them can be made is then known only after, and the child
	 * must know it too.
	 */
	c->groups_late = c->st.cgroup.mode == CGROUP_MODE_V1 && !systemd && !c->rt->rootless;
}

static int plan_cgroup(struct creation *c, struct err *e)
{
	c->cgroup_rq = (struct cgroup_request){
		.manager = c->rt->cgroup_manager,
		.rootless = c->rt->rootless,
		.id = c->st.id,
		.path = c->spec.os.cgroups_path,
		.resources = c->spec.os.resources,
		.annotations = &c->spec.annotations,
	};
	return cgroup_plan(&c->cgroup_rq, &c->st.cgroup, e);
}

/* ---- descriptors ---------------------------------------------------------- */

static int make_sync(struct creation *c, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "make a socket pair");
	c->sync_p = pair[0];
	c->sync_c = pair[1];
	return 0;
}

/* <root>/<id>/start.sock, by way of the directory's descriptor: sun_path is short. */
static int make_listener(struct creation *c, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (c->run)
		return 0;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/start.sock", c->st.dirfd);
	c->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->listen_fd < 0 || bind(c->listen_fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(c->listen_fd, 1) < 0)
		return err_sys(e, errno, "make the start socket of container %s", c->st.id);
	return 0;
}

/*
 * A joined mount namespace gets the container's root and mounts as a new one would, and
 * who else lives in it sees them (as with runc): so it must not be the host's.
 */
static bool mount_namespace_of_others(const struct creation *c)
{
	static const char *const hosts[] = { "/proc/self/ns/mnt", "/proc/1/ns/mnt" };
	struct stat st, host;

	if (!(c->ns.joined & CLONE_NEWNS) || fstat(c->ns.fd[OCI_NS_MOUNT], &st) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (stat(hosts[i], &host) == 0 && host.st_ino == st.st_ino)
			return false;
	return true;
}

static bool kernel_at_least(unsigned major, unsigned minor)
{
	struct utsname u;
	unsigned m = 0, n = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &m, &n) != 2)
		return false;
	return m > major || (m == major && n >= minor);
}

static int prepare_rootfs(struct creation *c, struct err *e)
{
	struct rootfs_opts o = {
		.spec = &c->spec,
		.bundle = c->st.bundle,
		.cgroup = &c->st.cgroup,
		.new_userns = (c->ns.create | c->ns.joined) & CLONE_NEWUSER,
		.new_netns = c->ns.create & CLONE_NEWNET,
		.new_cgroupns = c->ns.create & CLONE_NEWCGROUP,
		.userns_fd = c->ns.fd[OCI_NS_USER],
		.no_pivot = c->o->no_pivot,
		.cgroup_wait = c->groups_late ? child_groups_wait : NULL,
		.cgroup_wait_arg = c,
		.rootless = c->rt->rootless,
		.detached = !((c->ns.create | c->ns.joined) & CLONE_NEWNS),
	};

	if ((c->ns.joined & CLONE_NEWNS) && !mount_namespace_of_others(c))
		return err_set(e, EINVAL, "linux.namespaces: the mount namespace to join is the "
			       "host's: the container's mounts would be the host's");
	if (o.detached && !kernel_at_least(6, 15))
		return err_set(e, ENOTSUP, "linux.namespaces: a mount namespace is required: to "
			       "keep the container's mounts off the host without one takes "
			       "Linux 6.15");
	return rootfs_prepare(&o, &c->rootfs, e);
}

static int prepare_seccomp(struct creation *c, struct err *e)
{
	const struct oci_seccomp *s = c->spec.os.seccomp;

	if (!s)
		return 0;
	CLEANUP_FD int cache = seccomp_cache_open(c->rt);
	int r = seccomp_compile(s, cache, &c->seccomp, e);
	if (r < 0)
		return r;
	c->listener_fd = seccomp_listener_connect(s, &c->seccomp, e);
	return c->listener_fd < -1 ? c->listener_fd : 0;
}

static bool no_setgroups(const struct creation *c)
{
	/* Spares the read where nobody can have shut it. */
	if (!c->rt->rootless)
		return false;
	return ((c->ns.create & CLONE_NEWUSER) && userns_denies_setgroups(&c->spec, true)) ||
	       setgroups_is_denied(getpid());
}

static int prepare_init(struct creation *c, struct err *e)
{
	static const struct oci_process nothing;
	const struct oci_hooks *start_hooks = &c->spec.hooks[OCI_HOOK_START_CONTAINER];
	bool terminal = c->spec.process && c->spec.process->terminal;
	CLEANUP_FREE char *state = NULL, *notify = NULL;
	unsigned listen = inherit_listen(c->spec.process, &c->spec.arena), fds;

	int r = inherit_fds(c->o->preserve_fds, listen, &fds, e);
	if (r < 0)
		return r;
	if (start_hooks->n)
		state = creation_state_json(c, STATUS_CREATED);
	if (c->seccomp.has_notify) {
		CLEANUP_JSON json_t *j = state_to_oci(&c->st, STATUS_CREATING, false);
		notify = seccomp_listener_message(c->spec.os.seccomp, j);
	}
	struct init_request rq = {
		.process = c->spec.process ? c->spec.process : &nothing,
		.start_hooks = start_hooks->n ? start_hooks : NULL,
		.state_json = state,
		.seccomp = c->spec.os.seccomp ? &c->seccomp : NULL,
		.listener_fd = c->listener_fd,
		.listener_msg = notify,
		.setsid = true,
		.set_ctty = terminal,
		.userns_setgroups_denied = no_setgroups(c),
		.preserve_fds = fds,
		.sync_fd = c->sync_c,
		.start_fd = c->listen_fd,
	};
	init_request_linux(&rq, &c->spec);
	r = label_reserve(&rq, &c->label_fd, e);
	if (r < 0)
		return r;
	return init_prepare(&rq, &c->init, e);
}

int creation_prepare(struct creation *c, const char *id, struct err *e)
{
	int r = read_bundle(c, e);
	if (r == 0)
		r = inherit_reserve(c->o->preserve_fds, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->spec.os.n_namespaces; i++) {
		const struct oci_namespace *ns = &c->spec.os.namespaces[i];

		if (ns->path && (ns->type == OCI_NS_PID || ns->type == OCI_NS_USER) &&
		    (r = exe_become_sealed(e)) < 0)
			return r;
	}
	/* read_bundle() has filled parts of st; state_new() fills the rest. */
	struct state fresh;
	r = state_new(c->rt, id, &fresh, e);
	if (r < 0)
		return r;
	c->st.id = fresh.id;
	c->st.dirfd = fresh.dirfd;
	r = ns_open(&c->spec, &c->ns, e);
	if (r < 0)
		return r;
	if (c->o->console_socket) {
		c->console_sock = console_connect(c->o->console_socket, e);
		if (c->console_sock < 0)
			return c->console_sock;
	}
	r = check_console(c, e);
	if (r < 0)
		return r;
	r = check_affinity(c, e);
	if (r < 0)
		return r;
	if (notify_host_socket()) {
		CLEANUP_FREE char *root = realpath(c->rt->root, NULL);
		CLEANUP_FREE char *dir = xasprintf("%s/%s", root ? root : c->rt->root, id);

		r = notify_prepare(c->st.dirfd, dir, &c->spec, e);
		if (r < 0)
			return r;
	}
	c->pidfd_socket = c->o->pidfd_socket ? c->o->pidfd_socket :
			  oci_kvs_get(&c->spec.annotations, "run.oci.pidfd_receiver");
	fill_state(c);
	r = plan_cgroup(c, e);
	if (r < 0)
		return r;
	decide(c);
	if (c->spec.os.intel_rdt) {
		r = rdt_plan(c->spec.os.intel_rdt, id, &c->st.intel_rdt_group, e);
		if (r < 0)
			return r;
	}
	r = state_save(&c->st, e);
	if (r < 0)
		return r;
	r = file_replace_at(c->st.dirfd, "config.json", c->config.data, c->config.len, 0600);
	if (r < 0)
		return err_sys(e, -r, "store config.json of container %s", id);
	buf_release(&c->config);
	r = make_sync(c, e);
	if (r < 0)
		return r;
	r = make_listener(c, e);
	if (r < 0)
		return r;
	if (c->run && notify_host_socket()) {
		c->notify_fd = notify_bind(c->st.dirfd, e);
		if (c->notify_fd < -1)
			return c->notify_fd;
	}
	r = prepare_seccomp(c, e);
	if (r < 0)
		return r;
	r = prepare_rootfs(c, e);
	if (r < 0)
		return r;
	return prepare_init(c, e);
}
