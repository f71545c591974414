/*
 * container/masks.c - masked and read-only paths.
 * Spec: config-linux.md#masked-paths, #readonly-paths.
 *
 * Applied after the pivot, on descriptors opened below the new root.  A file is covered
 * by the host's /dev/null, cloned before the pivot and known to be character device 1:3:
 * what the image has at /dev/null plays no part (CVE-2025-31133).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"
#include "sys/inroot.h"

int masks_prepare(struct rootfs *r, struct err *e)
{
	struct stat st;

	if (r->o.spec->os.masked_paths.n == 0)
		return 0;
	CLEANUP_FD int null = tree_clone(AT_FDCWD, "/dev/null", false, true);
	if (null < 0)
		return err_sys(e, -null, "clone the host's /dev/null");
	if (fstat(null, &st) < 0)
		return err_sys(e, errno, "/dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(e, ENODEV, "the host's /dev/null is not the null device");
	r->null = take_fd(null);
	return 0;
}

/*
 * One mount serves all paths: the first gets the tree, the others copies of it (only
 * an attached mount can be copied).
 */
struct cover {
	int tree;
	bool attached;
};

static int cover(struct cover *c, int dest)
{
	int n;

	if (!c->attached) {
		n = tree_attach(c->tree, dest, "");
		c->attached = n == 0;
		return n;
	}
	CLEANUP_FD int copy = tree_clone(c->tree, "", false, true);
	return copy < 0 ? copy : tree_attach(copy, dest, "");
}

static int cover_dir(struct cover *c, int dest)
{
	if (c->tree < 0)
		c->tree = fs_new_plain("tmpfs", "tmpfs", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
				       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return c->tree < 0 ? c->tree : cover(c, dest);
}

static int mask_one(const struct rootfs *r, const char *path, struct cover *null,
		    struct cover *empty, struct err *e)
{
	CLEANUP_FD int dest = inroot_open(r->root, path, O_PATH, 0);
	struct stat st;
	int n;

	/* What is not there needs no mask; ENOTDIR: nor can it come to be there. */
	if (dest == -ENOENT || dest == -ENOTDIR)
		return 0;
	n = dest < 0 ? dest : fstat(dest, &st) < 0 ? -errno : 0;
	if (n == 0)
		n = S_ISDIR(st.st_mode) ? cover_dir(empty, dest) : cover(null, dest);
	return n < 0 ? err_sys(e, -n, "mask %s", path) : 0;
}

static int readonly_one(const struct rootfs *r, const char *path, struct err *e)
{
	CLEANUP_FD int dest = inroot_open(r->root, path, O_PATH, 0);

	if (dest == -ENOENT || dest == -ENOTDIR)
		return 0;

	/* A copy of the place over itself keeps what is mounted below, and its flags. */
	CLEANUP_FD int tree = dest < 0 ? dest : tree_clone(dest, "", true, true);
	int n = tree < 0 ? tree : tree_setattr(tree, false, MOUNT_ATTR_RDONLY, 0);
	if (n == 0)
		n = tree_attach(tree, dest, "");
	return n < 0 ? err_sys(e, -n, "make %s read-only", path) : 0;
}

int masks_apply(struct rootfs *r, struct err *e)
{
	const struct oci_linux *l = &r->o.spec->os;
	struct cover null = { .tree = r->null }, empty = { .tree = -1 };
	int n = 0;

	for (size_t i = 0; n == 0 && i < l->readonly_paths.n; i++)
		n = readonly_one(r, l->readonly_paths.v[i], e);
	for (size_t i = 0; n == 0 && i < l->masked_paths.n; i++)
		n = mask_one(r, l->masked_paths.v[i], &null, &empty, e);
	fd_close(&empty.tree);
	fd_close(&r->null);
	return n;
}
