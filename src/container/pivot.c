/*
 * container/pivot.c - making the new root "/": pivot_root(2), or move and chroot.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

#define MOUNTINFO_BYTES_MAX (8u << 20)

/*
 * pivot_root(".", ".") stacks the old root over the new one (its manual page, NOTES),
 * from where "." unmounts it: no directory of the image is needed to put it in.
 */
static int pivot(const struct rootfs *r)
{
	CLEANUP_FD int old = r->propagation ? -1 : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int n = fchdir(r->root) < 0 ? -errno : sys_pivot_root(".", ".");

	/* Unmounting a shared tree would unmount the host's. */
	if (n == 0 && !r->propagation)
		n = old < 0 ? -EBADF : tree_propagation(old, MS_SLAVE | MS_REC);
	if (n == 0 && umount2(".", MNT_DETACH) < 0)
		n = -errno;
	return n;
}

/* Octal escapes of mountinfo (proc_pid_mountinfo(5)), in place. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		unsigned c;

		if (s[0] == '\\' && sscanf(s + 1, "%3o", &c) == 1 && s[1] && s[2] && s[3]) {
			*out++ = (char)c;
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = 0;
}

/*
 * A chroot leaves the host's mounts in the namespace.  A full proc or sysfs among them
 * would let a user namespace made inside mount its own (mount_too_revealing() of the
 * kernel), so they go, or are covered where they are locked.
 */
static int hide_one(char *line, const char *root)
{
	char *type = strstr(line, " - ");
	char place[4096];

	if (!type || (strncmp(type + 3, "proc ", 5) != 0 && strncmp(type + 3, "sysfs ", 6) != 0))
		return 0;
	if (sscanf(line, "%*s %*s %*s %*s %4095s", place) != 1)
		return 0;
	unescape(place);
	size_t n = strlen(root);
	if (strncmp(place, root, n) == 0 && (place[n] == '/' || place[n] == 0))
		return 0;
	if (umount2(place, MNT_DETACH) == 0 || (errno != EINVAL && errno != EPERM))
		return 0;

	CLEANUP_FD int cover = fs_new_plain("tmpfs", "tmpfs", MOUNT_ATTR_RDONLY);
	return cover < 0 ? cover : sys_move_mount(cover, "", AT_FDCWD, place,
						  MOVE_MOUNT_F_EMPTY_PATH);
}

static int move_root(const struct rootfs *r)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT(MOUNTINFO_BYTES_MAX);
	CLEANUP_FREE char *root = realpath(r->path, NULL);
	char *save = NULL;

	if (!root)
		return -errno;
	int n = file_read_at(AT_FDCWD, "/proc/self/mountinfo", &b);
	if (n < 0)
		return n;
	for (char *line = strtok_r(b.data, "\n", &save); n == 0 && line;
	     line = strtok_r(NULL, "\n", &save))
		n = hide_one(line, root);
	if (n == 0 && fchdir(r->root) < 0)
		n = -errno;
	if (n == 0)
		n = sys_move_mount(r->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (n == 0 && (chroot(".") < 0 || chdir("/") < 0))
		n = -errno;
	return n;
}

/* The root of a detached tree is reached through its descriptor alone. */
static int chroot_detached(const struct rootfs *r)
{
	return fchdir(r->root) < 0 || chroot(".") < 0 || chdir("/") < 0 ? -errno : 0;
}

int rootfs_pivot(struct rootfs *r, struct err *e)
{
	int n = r->o.detached ? chroot_detached(r) : r->o.no_pivot ? move_root(r) : pivot(r);
	bool pivots = !r->o.detached && !r->o.no_pivot;

	return n < 0 ? err_sys(e, -n, "%s to %s", pivots ? "pivot_root" : "change root",
			       r->path) : 0;
}
