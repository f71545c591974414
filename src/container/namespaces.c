/* container/namespaces.c - see namespaces.h */
#include "container/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/calls.h"

#define MAP_TEXT_MAX 65536

static const struct {
	unsigned flag;
	const char *proc;
} ns_table[OCI_NS_COUNT] = {
	[OCI_NS_PID] = { CLONE_NEWPID, "pid" },
	[OCI_NS_NETWORK] = { CLONE_NEWNET, "net" },
	[OCI_NS_MOUNT] = { CLONE_NEWNS, "mnt" },
	[OCI_NS_IPC] = { CLONE_NEWIPC, "ipc" },
	[OCI_NS_UTS] = { CLONE_NEWUTS, "uts" },
	[OCI_NS_USER] = { CLONE_NEWUSER, "user" },
	[OCI_NS_CGROUP] = { CLONE_NEWCGROUP, "cgroup" },
	[OCI_NS_TIME] = { CLONE_NEWTIME, "time" },
};

unsigned ns_flag(enum oci_ns type)
{
	return ns_table[type].flag;
}

const char *ns_proc_name(enum oci_ns type)
{
	return ns_table[type].proc;
}

int ns_open(const struct oci_spec *spec, struct ns_set *ret, struct err *e)
{
	*ret = (struct ns_set){ .create = 0 };
	for (int i = 0; i < OCI_NS_COUNT; i++)
		ret->fd[i] = -1;

	for (size_t i = 0; i < spec->os.n_namespaces; i++) {
		const struct oci_namespace *ns = &spec->os.namespaces[i];

		if (!ns->path || !*ns->path) {
			ret->create |= ns_flag(ns->type);
			continue;
		}
		int fd = open(ns->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0)
			return err_sys(e, errno, "open %s namespace %s", oci_ns_name(ns->type),
				       ns->path);
		ret->fd[ns->type] = fd;
		ret->joined |= ns_flag(ns->type);

		/* ioctl_ns(2): anything else is refused with ENOTTY. */
		int kind = ioctl(fd, NS_GET_NSTYPE);
		if (kind < 0)
			return err_set(e, EINVAL, "%s is not a namespace, expected one of type %s",
				       ns->path, oci_ns_name(ns->type));
		if ((unsigned)kind != ns_flag(ns->type))
			return err_set(e, EINVAL, "%s is a namespace of another type than %s",
				       ns->path, oci_ns_name(ns->type));
	}
	return 0;
}

void ns_release(struct ns_set *ns)
{
	for (int i = 0; i < OCI_NS_COUNT; i++)
		fd_close(&ns->fd[i]);
}

int ns_enter(const struct ns_set *ns, enum oci_ns type, struct err *e)
{
	if (ns->fd[type] < 0)
		return 0;
	int r = sys_setns(ns->fd[type], (int)ns_flag(type));
	return r < 0 ? err_sys(e, -r, "join %s namespace", oci_ns_name(type)) : 0;
}

/* ---- user namespace maps ------------------------------------------------- */

static void map_text(struct buf *b, const struct oci_idmaps *m)
{
	for (size_t i = 0; i < m->n; i++)
		buf_printf(b, "%u %u %u\n", m->v[i].container_id, m->v[i].host_id, m->v[i].size);
}

static int proc_write(pid_t pid, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return file_write_at(AT_FDCWD, path, text);
}

/* newuidmap PID INSIDE OUTSIDE COUNT ...: the set-id helper that knows /etc/subuid. */
static int map_by_helper(const char *program, pid_t pid, const struct oci_idmaps *m,
			 struct err *e)
{
	char **argv = xcalloc(3 + 3 * m->n, sizeof(*argv));
	size_t n = 0;

	argv[n++] = xstrdup(program);
	argv[n++] = xasprintf("%d", pid);
	for (size_t i = 0; i < m->n; i++) {
		argv[n++] = xasprintf("%u", m->v[i].container_id);
		argv[n++] = xasprintf("%u", m->v[i].host_id);
		argv[n++] = xasprintf("%u", m->v[i].size);
	}

	pid_t child = fork();
	if (child == 0) {
		execvp(program, argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	for (size_t i = 0; i < n; i++)
		free(argv[i]);
	free(argv);
	if (child < 0)
		return err_sys(e, errno, "fork %s", program);

	int status;
	if (TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) < 0)
		return err_sys(e, errno, "wait for %s", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENOENT, "%s not found: mapping more than your own id needs it "
			       "(Debian package uidmap)", program);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(e, EPERM, "%s refused the map: is the range yours in /etc/subuid "
			       "and /etc/subgid?", program);
	return 0;
}

/* user_namespaces(7): without privilege one may map exactly one's own id. */
static bool map_is_own_id(const struct oci_idmaps *m, unsigned own)
{
	return m->n == 1 && m->v[0].size == 1 && m->v[0].host_id == own;
}

static int map_write(pid_t pid, const char *file, const char *helper,
		     const struct oci_idmaps *m, bool use_helper, struct err *e)
{
	if (use_helper)
		return map_by_helper(helper, pid, m, e);

	CLEANUP(buf_release) struct buf b = BUF_INIT(MAP_TEXT_MAX);
	map_text(&b, m);
	if (b.overflow)
		return err_set(e, E2BIG, "%s: more lines than the kernel takes", file);
	int r = proc_write(pid, file, b.data);
	if (r < 0)
		return err_sys(e, -r, "write %s of the container (%zu ranges)", file, m->n);
	return 0;
}

bool setgroups_is_denied(pid_t pid)
{
	char path[64];
	CLEANUP(buf_release) struct buf b = BUF_INIT(64);

	snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
	return file_read_at(AT_FDCWD, path, &b) == 0 && !strncmp(b.data, "deny", 4);
}

bool userns_denies_setgroups(const struct oci_spec *spec, bool rootless)
{
	return rootless && map_is_own_id(&spec->os.gid_maps, getegid());
}

static void map_add(struct oci_idmaps *m, struct arena *a, unsigned first, unsigned outside,
		    unsigned size)
{
	struct oci_idmap *v = arena_calloc(a, m->n + 1, sizeof(*v));

	if (m->n)
		memcpy(v, m->v, m->n * sizeof(*v));
	v[m->n++] = (struct oci_idmap){
		.container_id = first, .host_id = outside, .size = size,
	};
	m->v = v;
}

/* Every id the caller has, each as itself. */
static int map_own(const char *file, struct oci_idmaps *m, struct arena *a, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(MAP_TEXT_MAX);
	unsigned first, size;

	int r = file_read_at(AT_FDCWD, file, &b);
	if (r < 0)
		return err_sys(e, -r, "read %s", file);
	for (char *save, *line = strtok_r(b.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%u %*u %u", &first, &size) == 2)
			map_add(m, a, first, first, size);
	return 0;
}

int userns_default_maps(struct oci_spec *spec, bool rootless, struct err *e)
{
	const struct oci_namespace *user = oci_ns_find(spec, OCI_NS_USER);
	struct oci_linux *os = &spec->os;

	if (!user && os->uid_maps.n + os->gid_maps.n > 0)
		log_warn("linux.uidMappings, gidMappings: without a user namespace they map "
			 "nothing");
	if (!user || user->path || os->uid_maps.n + os->gid_maps.n > 0)
		return 0;
	if (rootless) {         /* what needs neither privilege nor /etc/subuid */
		map_add(&os->uid_maps, &spec->arena, 0, geteuid(), 1);
		map_add(&os->gid_maps, &spec->arena, 0, getegid(), 1);
		return 0;
	}
	int r = map_own("/proc/self/uid_map", &os->uid_maps, &spec->arena, e);
	return r < 0 ? r : map_own("/proc/self/gid_map", &os->gid_maps, &spec->arena, e);
}

int userns_write_maps(pid_t pid, const struct oci_spec *spec, bool rootless, struct err *e)
{
	const struct oci_idmaps *u = &spec->os.uid_maps, *g = &spec->os.gid_maps;
	bool own_uid = rootless && map_is_own_id(u, geteuid());
	bool own_gid = userns_denies_setgroups(spec, rootless);
	int r;

	if (own_gid) {
		/* The price of mapping without a helper (user_namespaces(7)). */
		r = proc_write(pid, "setgroups", "deny");
		if (r < 0 && r != -ENOENT)
			return err_sys(e, -r, "deny setgroups in the container");
	}
	r = map_write(pid, "uid_map", "newuidmap", u, rootless && !own_uid, e);
	if (r < 0)
		return r;
	return map_write(pid, "gid_map", "newgidmap", g, rootless && !own_gid, e);
}

/*
 * The specification does not ask for 0 to be mapped.  As an id that is not, what we make
 * could belong to nobody (EOVERFLOW).  No capability is lost: that happens only on the way
 * from the namespace's uid 0 (capabilities(7)).
 */
static int become_first(int proc, const char *what, const char *map,
			int (*set)(unsigned real, unsigned effective, unsigned saved),
			struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(MAP_TEXT_MAX);
	unsigned id;

	if (set(0, 0, 0) == 0)
		return 0;
	if (errno != EINVAL)
		return err_sys(e, errno, "become %s 0 of the user namespace", what);
	int r = file_read_at(proc, map, &b);
	if (r < 0)
		return err_sys(e, -r, "read %s of the user namespace", map);
	if (sscanf(b.data, "%u", &id) != 1)
		return err_set(e, EINVAL, "the user namespace maps no %s", what);
	if (set(id, id, id) < 0)
		return err_sys(e, errno, "become %s %u of the user namespace", what, id);
	return 0;
}

/*
 * Only a uid 0 keeps its capabilities when it executes isle-init; another one those that
 * are ambient.  isle-init lowers its inheritable ones, and with them go the ambient.
 */
static int keep_capabilities(struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &h, d) < 0)
		return err_sys(e, errno, "read capabilities");
	for (size_t i = 0; i < ARRAY_LEN(d); i++)
		d[i].inheritable = d[i].permitted;
	if (syscall(SYS_capset, &h, d) < 0)
		return err_sys(e, errno, "make capabilities inheritable");
	for (int cap = 0; cap_valid(cap); cap++)
		if ((d[CAP_TO_INDEX(cap)].permitted & CAP_TO_MASK(cap)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(e, errno, "make capability %d ambient", cap);
	return 0;
}

int userns_become_root(int proc, struct err *e)
{
	int r = become_first(proc, "gid", "gid_map", setresgid, e);

	if (r == 0)
		r = become_first(proc, "uid", "uid_map", setresuid, e);
	return r < 0 || geteuid() == 0 ? r : keep_capabilities(e);
}

/* ---- time namespace ------------------------------------------------------ */

static int timens_offset(int fd, const char *clock, const struct oci_time_offset *o,
			 struct err *e)
{
	char line[96];

	if (!o->set)
		return 0;
	int n = snprintf(line, sizeof(line), "%s %lld %u\n", clock, (long long)o->secs,
			 o->nanosecs);
	if (write(fd, line, (size_t)n) != n)
		return err_sys(e, errno, "set the time offset of %s to %lld s %u ns", clock,
			       (long long)o->secs, o->nanosecs);
	return 0;
}

int timens_enter_new(const struct oci_spec *spec, struct err *e)
{
	/* time_namespaces(7): the caller stays outside; only its children, or it after
	 * setns, are in, and offsets may be set until then. */
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(e, errno, "create a time namespace");

	CLEANUP_FD int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open /proc/self/timens_offsets");
	int r = timens_offset(fd, "monotonic", &spec->os.time_monotonic, e);
	if (r < 0)
		return r;
	r = timens_offset(fd, "boottime", &spec->os.time_boottime, e);
	if (r < 0)
		return r;

	CLEANUP_FD int ns = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_sys(e, errno, "open /proc/self/ns/time_for_children");
	r = sys_setns(ns, CLONE_NEWTIME);
	return r < 0 ? err_sys(e, -r, "enter the time namespace") : 0;
}
