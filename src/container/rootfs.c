/*
 * container/rootfs.c - the root file system, from the bundle's directory to "/".
 *
 *      prepare   host      clone the root's tree and the bind sources
 *      setup     child     host's copy made slave, root attached, mounts, devices
 *      pivot     child     pivot.c
 *      seal      child     sysctls, read-only tmpfs, read-only and masked paths, root
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

/* config-linux.md#rootfs-mount-propagation, and the recursive forms. */
static int propagation_of(const char *name, uint64_t *ret)
{
	static const struct { const char *name; uint64_t value; } names[] = {
		{ "shared", MS_SHARED }, { "slave", MS_SLAVE },
		{ "private", MS_PRIVATE }, { "unbindable", MS_UNBINDABLE },
	};
	uint64_t rec = name[0] == 'r' ? MS_REC : 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name + (rec ? 1 : 0), names[i].name) == 0) {
			*ret = names[i].value | rec;
			return 0;
		}
	return -EINVAL;
}

static int read_propagation(struct rootfs *r, struct err *e)
{
	const char *name = r->o.spec->os.rootfs_propagation;

	r->propagation = MS_SLAVE;
	if (!name || !name[0])
		return 0;
	if (propagation_of(name, &r->root_propagation) < 0)
		return err_set(e, EINVAL, "linux.rootfsPropagation: \"%s\" is none of shared, "
			       "slave, private, unbindable and their r- forms", name);
	if (r->root_propagation & MS_SHARED)
		r->propagation = 0;
	else if (!(r->root_propagation & MS_SLAVE))
		r->propagation = MS_PRIVATE;
	return 0;
}

static int prepare_root(struct rootfs *r, struct err *e)
{
	const char *path = r->o.spec->root_path;
	struct stat st;

	if (!path || !path[0])
		return err_set(e, EINVAL, "config.json has no root.path");
	r->path = path[0] == '/' ? arena_strdup(&r->arena, path) :
		  arena_printf(&r->arena, "%s/%s", r->o.bundle, path);

	r->root_tree = tree_clone(AT_FDCWD, r->path, true, true);
	/* EPERM: not in this namespace, but the child may in its own. */
	if (r->root_tree < 0 && r->root_tree != -EPERM)
		return err_sys(e, -r->root_tree, "root file system %s", r->path);
	if (stat(r->path, &st) < 0)
		return err_sys(e, errno, "root file system %s", r->path);
	if (!S_ISDIR(st.st_mode))
		return err_sys(e, ENOTDIR, "root file system %s", r->path);
	return 0;
}

int rootfs_prepare(const struct rootfs_opts *o, struct rootfs **ret, struct err *e)
{
	struct rootfs *r = xcalloc(1, sizeof(*r));

	r->o = *o;
	r->root_tree = r->root = r->dev = r->null = r->nodes = -1;
	devices_list(r);
	int n = read_propagation(r, e);
	if (n == 0)
		n = prepare_root(r, e);
	if (n == 0)
		n = mounts_prepare(r, e);
	if (n == 0)
		nodes_prepare(r);
	if (n < 0) {
		rootfs_free(r);
		return n;
	}
	*ret = r;
	return 0;
}

void rootfs_free(struct rootfs *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		fd_close(&r->mounts[i].tree);
	for (size_t i = 0; i < r->n_late_ro; i++)
		fd_close(&r->late_ro[i]);
	for (size_t i = 0; i < r->n_devices; i++)
		fd_close(&r->devices[i].tree);
	fd_close(&r->nodes);
	fd_close(&r->root_tree);
	fd_close(&r->root);
	fd_close(&r->dev);
	fd_close(&r->null);
	arena_release(&r->arena);
	free(r);
}

int rootfs_fd(const struct rootfs *r)
{
	return r->root;
}

/*
 * With a shared rootfsPropagation the mount below the root must still be private, or
 * attaching the root would show on the host, and pivot_root(2) refuses it.
 */
static int parent_private(const struct rootfs *r)
{
	CLEANUP_FD int fd = open(r->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx stx;

	while (fd >= 0) {
		if (statx(fd, "", AT_EMPTY_PATH, 0, &stx) < 0)
			return -errno;
		if (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
			return tree_propagation(fd, MS_PRIVATE);
		int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		fd = up;
	}
	return -errno;
}

static int attach_root(struct rootfs *r)
{
	if (r->o.detached) {
		r->root = take_fd(r->root_tree);
		return tree_propagation(r->root, MS_PRIVATE | MS_REC);
	}

	int n = r->propagation ? tree_propagation(r->root_tree, r->propagation | MS_REC) :
		parent_private(r);

	/* pivot_root(2): the new root is where the old one is put, so not shared yet. */
	if (n == 0 && !r->propagation)
		n = tree_propagation(r->root_tree, MS_PRIVATE);
	if (n == 0)
		n = sys_move_mount(r->root_tree, "", AT_FDCWD, r->path,
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
	/* Root of a user namespace may not get at the path; any place will do for the
	 * pivot, and "/" is always in reach. */
	if (n == -EACCES)
		n = sys_move_mount(r->root_tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (n == 0)
		r->root = take_fd(r->root_tree);
	return n;
}

int rootfs_setup(struct rootfs *r, struct err *e)
{
	/* Modes of config.json and of our own directories are meant as they are. */
	umask(0);

	if (r->propagation && !r->o.detached) {
		struct mount_attr attr = { .propagation = r->propagation };
		int n = sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr);

		if (n < 0)
			return err_sys(e, -n, "detach the mounts from the host's");
	}
	if (r->root_tree < 0)
		r->root_tree = tree_clone(AT_FDCWD, r->path, true, true);
	int n = r->root_tree < 0 ? r->root_tree : attach_root(r);
	if (n < 0)
		return err_sys(e, -n, "root file system %s", r->path);

	nodes_take(r);
	n = masks_prepare(r, e);
	if (n == 0)
		n = mounts_apply(r, e);
	return n < 0 ? n : devices_make(r, e);
}

static int write_sysctls(const struct rootfs *r, struct err *e)
{
	const struct oci_kvs *s = &r->o.spec->os.sysctl;

	if (s->n == 0)
		return 0;
	CLEANUP_FD int proc = procfs_open(e);
	if (proc < 0)
		return proc;
	for (size_t i = 0; i < s->n; i++) {
		char path[512] = "sys/";
		int n = oci_sysctl_path(s->v[i].key, path + 4, sizeof(path) - 4);

		if (n < 0)
			return err_sys(e, -n, "sysctl %.100s", s->v[i].key);
		if (procfs_write(proc, path, s->v[i].value, e) < 0)
			return err_prefix(e, "sysctl %s", s->v[i].key);
	}
	return 0;
}

int rootfs_seal(struct rootfs *r, struct err *e)
{
	int n = write_sysctls(r, e);

	if (n == 0)
		n = mounts_seal(r, e);
	if (n == 0)
		n = masks_apply(r, e);
	if (n < 0)
		return n;
	if (r->o.spec->root_readonly)
		n = tree_setattr(r->root, false, MOUNT_ATTR_RDONLY, 0);
	if (n < 0)
		return err_sys(e, -n, "make the root read-only");
	if (r->root_propagation)
		n = tree_propagation(r->root, r->root_propagation);
	return n < 0 ? err_sys(e, -n, "linux.rootfsPropagation") : 0;
}
