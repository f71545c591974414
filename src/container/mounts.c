/*
 * container/mounts.c - the "mounts" of config.json, in their order: options, source,
 * destination, attachment.  Spec: config.md#mounts.
 *
 *      prepare (runtime, host)          apply (child, new mount namespace)
 *      options parsed                   destination opened below the root, made if missing
 *      bind sources cloned  ---fd--->   source attached to that very descriptor
 *                                       other types: fsopen ... fsmount, attached likewise
 *
 * A destination is resolved once, by descriptor, below the root; what is attached to
 * is what was opened, so a symlink swapped in afterwards has nothing to redirect.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"
#include "sys/inroot.h"

/* Absolute, without "." and "..", without doubled slashes: as runc compares paths. */
static const char *clean(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2), *end = out;

	while (*path) {
		path += strspn(path, "/");
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (end > out && *--end != '/')
				;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			*end++ = '/';
			memcpy(end, path, n);
			end += n;
		}
		path += n;
	}
	if (end == out)
		*end++ = '/';
	*end = 0;
	return out;
}

/*
 * Where a mount goes: the object of the descriptor (name ""), or a name in a directory
 * that nobody but us can change.
 */
struct place {
	int fd;                         /* owned, unless name is set: then borrowed */
	const char *name;
	mode_t had_mode;                /* of a directory that was there before, or NO_MODE */
};

#define NO_MODE ((mode_t)-1)

static void place_release(struct place *p)
{
	if (!p->name[0])
		fd_close(&p->fd);
}

static bool is_type(const struct rootfs_mount *rm, const char *type)
{
	return !rm->bind && rm->m->type && strcmp(rm->m->type, type) == 0;
}

/* --- prepare ------------------------------------------------------------- */

static int prepare_one(struct rootfs *r, const struct oci_mount *m, struct rootfs_mount *rm,
		       struct err *e)
{
	rm->m = m;
	rm->tree = -1;
	if (!m->destination || !m->destination[0])
		return err_set(e, EINVAL, "mounts: an entry has no destination");
	rm->dest = clean(&r->arena, m->destination);
	rm->source = m->source;

	int n = mount_options_parse(m, &r->arena, &rm->opt, e);
	if (n < 0)
		return n;

	/* With "bind" or "rbind" the type is a dummy (config.md#mounts); type "bind"
	 * without either is what runc takes for one too. */
	rm->bind = (rm->opt.flags & MS_BIND) || (m->type && strcmp(m->type, "bind") == 0);
	if (!rm->bind || (rm->opt.flags & MS_REMOUNT))
		return 0;
	if (!m->source || !m->source[0])
		return err_set(e, EINVAL, "mount at %s: a bind mount needs a source", rm->dest);
	if (m->source[0] != '/')
		rm->source = arena_printf(&r->arena, "%s/%s", r->o.bundle, m->source);
	return bind_open(r, rm, true, e);
}

int mounts_prepare(struct rootfs *r, struct err *e)
{
	const struct oci_spec *spec = r->o.spec;

	r->n = spec->n_mounts;
	r->mounts = arena_calloc(&r->arena, r->n, sizeof(*r->mounts));
	r->late_ro = arena_calloc(&r->arena, r->n, sizeof(*r->late_ro));
	for (size_t i = 0; i < r->n; i++)
		r->mounts[i].tree = -1;
	for (size_t i = 0; i < r->n; i++) {
		int n = prepare_one(r, &spec->mounts[i], &r->mounts[i], e);

		if (n < 0)
			return n;
	}
	return 0;
}

/* --- destinations -------------------------------------------------------- */

/* Below /proc, only what lxcfs emulates may be covered (runc's list). */
static bool proc_file_allowed(const char *dest)
{
	static const char *const files[] = {
		"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps",
		"/proc/uptime", "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev",
		"/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(dest, files[i]) == 0)
			return true;
	return false;
}

/*
 * The runtime itself writes to /proc, so nothing but procfs may be there.  The name is
 * judged, and what the descriptor turned out to be in, whichever symlinks led there.
 */
static int check_proc(const struct rootfs_mount *rm, const struct place *p, struct err *e)
{
	struct statfs fs;

	if (strcmp(rm->dest, "/proc") == 0) {
		if (is_type(rm, "proc") || (rm->bind && rm->tree >= 0 && procfs_is_root(rm->tree)))
			return 0;
		return err_set(e, EPERM, "mount %s: \"/proc\" cannot be mounted because it is not "
			       "of type proc", rm->source ? rm->source : "");
	}
	if (strncmp(rm->dest, "/proc/", 6) == 0) {
		if (proc_file_allowed(rm->dest))
			return 0;
	} else if (p->name[0] || fstatfs(p->fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) {
		return 0;
	}
	return err_set(e, EPERM, "mount %s: \"%s\" cannot be mounted because it is inside /proc",
		       rm->source ? rm->source : "", rm->dest);
}

static int dest_error(const struct rootfs_mount *rm, int code, struct err *e)
{
	const char *source = rm->source ? rm->source : rm->m->type ? rm->m->type : "";

	return err_sys(e, code, "mount %s at %s: destination", source, rm->dest);
}

/* Directly in a /dev that is a new tmpfs of ours nothing can be there to be followed. */
static bool place_in_dev(const struct rootfs *r, const struct rootfs_mount *rm, struct place *p)
{
	const char *name = rm->dest + strlen("/dev/");

	if (!r->dev_fresh || strncmp(rm->dest, "/dev/", strlen("/dev/")) != 0 ||
	    strchr(name, '/') || mkdirat(r->dev, name, 0755) < 0)
		return false;
	p->fd = r->dev;
	p->name = name;
	return true;
}

/* Open the destination of a file system or a directory, making it if it is missing. */
static int open_dest_dir(const struct rootfs *r, const struct rootfs_mount *rm, struct place *p,
			 struct err *e)
{
	if (place_in_dev(r, rm, p))
		return 0;

	/* A symlink there could make /proc something else later (CVE-2019-19921). */
	bool ordinary = is_type(rm, "proc") || is_type(rm, "sysfs");
	int flags = O_PATH | O_DIRECTORY | (ordinary || rm->opt.dest_nofollow ? O_NOFOLLOW : 0);
	int dest = inroot_open(r->root, rm->dest, flags, 0);
	struct stat st;

	if (dest >= 0 && is_type(rm, "tmpfs") && fstat(dest, &st) == 0)
		p->had_mode = st.st_mode & 07777;
	if (ordinary && (dest == -ENOTDIR || dest == -ELOOP))
		return err_set(e, ENOTDIR, "filesystem \"%s\" must be mounted on ordinary "
			       "directory: \"%s\" is none", rm->m->type, rm->dest);
	if (dest == -ENOENT)
		dest = inroot_mkdir_all(r->root, rm->dest, 0755);
	p->fd = dest;
	return dest < 0 ? dest_error(rm, -dest, e) : 0;
}

/* The same for a bind mount: a directory or a file, as the source is. */
static int open_dest_bind(const struct rootfs *r, const struct rootfs_mount *rm, struct place *p,
			  struct err *e)
{
	struct stat st;

	if (fstat(rm->tree, &st) < 0)
		return err_sys(e, errno, "mount %s at %s", rm->source, rm->dest);
	if (S_ISDIR(st.st_mode))
		return open_dest_dir(r, rm, p, e);

	int dest = -ENOENT;
	if (rm->opt.dest_nofollow)
		dest = inroot_open(r->root, rm->dest, O_PATH | O_NOFOLLOW, 0);
	if (dest == -ENOENT)
		dest = inroot_touch(r->root, rm->dest, 0755);
	p->fd = dest;
	return dest < 0 ? dest_error(rm, -dest, e) : 0;
}

/* --- apply --------------------------------------------------------------- */

/* Remember /dev for the devices, and the root should a mount cover it. */
static int note_place(struct rootfs *r, const struct rootfs_mount *rm, int tree, struct err *e)
{
	bool is_dev = strcmp(rm->dest, "/dev") == 0;
	bool is_root = strcmp(rm->dest, "/") == 0;

	if (!is_dev && !is_root)
		return 0;
	int fd = fcntl(tree, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_sys(e, errno, "mount at %s", rm->dest);
	fd_close(&r->dev);
	r->dev_bound = r->dev_fresh = false;
	if (is_root) {
		fd_close(&r->root);
		r->root = fd;
		return 0;
	}
	r->dev = fd;
	r->dev_bound = rm->bind;
	r->dev_fresh = is_type(rm, "tmpfs") && !rm->opt.tmpcopyup;
	return 0;
}

static int attach(struct rootfs *r, const struct rootfs_mount *rm, int tree,
		  const struct place *p, struct err *e)
{
	const char *source = rm->source ? rm->source : rm->m->type;
	int n = check_proc(rm, p, e);

	if (n < 0)
		return n;
	n = tree_attach(tree, p->fd, p->name);
	if (n < 0)
		return err_sys(e, -n, "mount %s at %s", source, rm->dest);
	return note_place(r, rm, tree, e);
}

static int apply_link(const struct rootfs *r, const struct rootfs_mount *rm, struct err *e)
{
	const char *base;
	char old[PATH_MAX];
	CLEANUP_FD int dir = inroot_parent(r->root, rm->dest, 0755, &base);

	if (dir < 0)
		return dest_error(rm, -dir, e);
	if (symlinkat(rm->link, dir, base) == 0)
		return 0;
	int code = errno;
	ssize_t k = readlinkat(dir, base, old, sizeof(old));
	if (code == EEXIST && k == (ssize_t)strlen(rm->link) &&
	    memcmp(old, rm->link, (size_t)k) == 0)
		return 0;
	return err_sys(e, code, "copy symlink %s to %s", rm->source, rm->dest);
}

static int apply_bind(struct rootfs *r, struct rootfs_mount *rm, struct err *e)
{
	int n = rm->tree < 0 && !rm->link ? bind_open(r, rm, false, e) : 0;

	if (n < 0)
		return n;
	if (rm->link)
		return apply_link(r, rm, e);

	struct place p CLEANUP(place_release) = { .fd = -1, .name = "", .had_mode = NO_MODE };
	n = open_dest_bind(r, rm, &p, e);
	return n < 0 ? n : attach(r, rm, rm->tree, &p, e);
}

/* "remount", or no file system at all: new options and propagation for what is there. */
static int apply_change(const struct rootfs *r, const struct rootfs_mount *rm, struct err *e)
{
	const struct mount_options *o = &rm->opt;
	CLEANUP_FD int dest = inroot_open(r->root, rm->dest, O_PATH, 0);
	int n = 0;

	if (dest < 0)
		return dest_error(rm, -dest, e);
	if ((o->flags & MS_REMOUNT) && !rm->bind)
		n = fs_reconfigure(dest, o, e);
	if (n < 0)
		return err_prefix(e, "mount at %s", rm->dest);
	n = tree_setattr(dest, false, o->attr_set, o->attr_clear);
	if (n == 0)
		n = tree_setattr(dest, true, o->rec_set, o->rec_clear);
	for (size_t i = 0; n == 0 && i < o->n_propagation; i++)
		n = tree_propagation(dest, o->propagation[i]);
	return n < 0 ? err_sys(e, -n, "mount at %s: change its options", rm->dest) : 0;
}

static bool has_mode(const struct mount_options *o)
{
	for (size_t i = 0; i < o->n_data; i++)
		if (strncmp(o->data[i], "mode=", 5) == 0 || strstr(o->data[i], ",mode="))
			return true;
	return false;
}

/*
 * A sysfs of a network namespace that is not ours to mount, or one the kernel does not
 * show us whole: the host's then, read-only, as rootless runc does.
 */
static int sysfs_of_host(const struct rootfs_mount *rm)
{
	int tree = tree_clone(AT_FDCWD, "/sys", true, true);
	int n = tree < 0 ? tree : tree_propagation(tree, MS_SLAVE | MS_REC);

	if (n == 0)
		n = tree_setattr(tree, true, rm->opt.attr_set, 0);
	if (n < 0) {
		fd_close(&tree);
		return n;
	}
	return tree;
}

/* What the kernel's bare code means, where it needs saying. */
static int explain(const struct rootfs *r, const struct rootfs_mount *rm, struct err *e)
{
	if (r->o.new_userns && is_type(rm, "proc") && e->code == EPERM)
		err_prefix(e, "the kernel mounts proc in a user namespace only where the "
			   "runtime's own /proc has nothing mounted over it and a new pid "
			   "namespace is made");
	else if (r->o.new_userns && is_type(rm, "devpts") && e->code == EINVAL)
		err_prefix(e, "devpts: is the group of its gid= option mapped in the user "
			   "namespace?");
	return err_prefix(e, "mount %s at %s", rm->source ? rm->source : rm->m->type, rm->dest);
}

/* The detached mount of a file system, but for type cgroup. */
static int new_tree(const struct rootfs *r, const struct rootfs_mount *rm, uint64_t attr,
		    const char *mode, struct err *e)
{
	const char *type = rm->m->type;
	bool own_label = is_type(rm, "proc") || is_type(rm, "sysfs");
	const struct fs_request rq = {
		.type = type,
		.source = rm->source ? rm->source : type,
		.opt = &rm->opt,
		.label = own_label ? NULL : r->o.spec->os.mount_label,
		.mode = mode,
		.attr = attr,
	};
	int tree = fs_new(&rq, e);

	if (tree == -E2BIG && !r->o.detached) {
		*e = (struct err){ 0 };
		tree = fs_new_by_page(r, &rq, e);
	}
	if (tree == -EPERM && is_type(rm, "sysfs")) {
		int host = sysfs_of_host(rm);

		if (host >= 0) {
			*e = (struct err){ 0 };
			return host;
		}
	}
	return tree < 0 ? explain(r, rm, e) : tree;
}

static int finish_tree(struct rootfs *r, const struct rootfs_mount *rm, int tree, struct err *e)
{
	const struct mount_options *o = &rm->opt;
	bool cgroup = is_type(rm, "cgroup") || is_type(rm, "cgroup2");
	int n = cgroup ? cgroup_fill(r, rm, tree, e) : 0;

	if (n < 0)
		return n;
	n = tree_setattr(tree, true, o->rec_set, o->rec_clear);
	for (size_t i = 0; n == 0 && i < o->n_propagation; i++)
		n = tree_propagation(tree, o->propagation[i]);
	return n < 0 ? err_sys(e, -n, "mount %s at %s: set its options", rm->m->type, rm->dest) : 0;
}

static int apply_fs(struct rootfs *r, struct rootfs_mount *rm, struct err *e)
{
	bool tmpfs = is_type(rm, "tmpfs");
	bool cgroup = is_type(rm, "cgroup") || is_type(rm, "cgroup2");
	uint64_t attr = rm->opt.attr_set;
	struct place p CLEANUP(place_release) = { .fd = -1, .name = "", .had_mode = NO_MODE };
	char mode[16] = "";

	int n = open_dest_dir(r, rm, &p, e);
	if (n < 0)
		return n;
	/* A tmpfs keeps the permissions of the directory it covers, and is written to by
	 * later mounts, so it becomes read-only last. */
	if (p.had_mode != NO_MODE && !has_mode(&rm->opt))
		snprintf(mode, sizeof(mode), "%04o", (unsigned)p.had_mode);
	bool late_ro = tmpfs && !r->o.detached;
	if (late_ro)
		attr &= ~(uint64_t)MOUNT_ATTR_RDONLY;

	CLEANUP_FD int tree = cgroup ? cgroup_tree(r, rm, e) :
			      new_tree(r, rm, attr, mode[0] ? mode : NULL, e);
	if (tree < 0)
		return tree;
	if (tmpfs && rm->opt.tmpcopyup && !p.name[0])
		n = tmp_copy_up(p.fd, tree, e);
	/* Inside a detached root a mount takes no more changes; kernels that have those can
	 * mount on this tree before it is attached, which others cannot. */
	if (n == 0 && r->o.detached)
		n = finish_tree(r, rm, tree, e);
	if (n == 0)
		n = attach(r, rm, tree, &p, e);
	if (n == 0 && !r->o.detached)
		n = finish_tree(r, rm, tree, e);
	if (n == 0 && late_ro && (rm->opt.attr_set & MOUNT_ATTR_RDONLY))
		r->late_ro[r->n_late_ro++] = take_fd(tree);
	return n;
}

int mounts_apply(struct rootfs *r, struct err *e)
{
	for (size_t i = 0; i < r->n; i++) {
		struct rootfs_mount *rm = &r->mounts[i];
		const char *type = rm->m->type;
		bool no_type = !type || !type[0] || strcmp(type, "none") == 0;
		int n;

		if ((rm->opt.flags & MS_REMOUNT) || (!rm->bind && no_type))
			n = apply_change(r, rm, e);
		else if (rm->bind)
			n = apply_bind(r, rm, e);
		else
			n = apply_fs(r, rm, e);
		fd_close(&rm->tree);
		if (n < 0)
			return n;
	}
	return 0;
}

int mounts_seal(struct rootfs *r, struct err *e)
{
	for (size_t i = 0; i < r->n_late_ro; i++) {
		int n = tree_setattr(r->late_ro[i], false, MOUNT_ATTR_RDONLY, 0);

		fd_close(&r->late_ro[i]);
		if (n < 0)
			return err_sys(e, -n, "make a tmpfs read-only");
	}
	return 0;
}
