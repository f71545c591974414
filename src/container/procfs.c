/*
 * container/procfs.c - a procfs nobody else can have tampered with, and writes to it.
 *
 * A fresh, detached mount shows this process's pid namespace and has nothing mounted
 * over its files (CVE-2025-52881: labels and sysctls redirected to a harmless file).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

#define PROC_ROOT_INO 1         /* of every procfs */

bool procfs_is_root(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
	       fstat(fd, &st) == 0 && st.st_ino == PROC_ROOT_INO;
}

int procfs_open(struct err *e)
{
	int fd = fs_new_plain("proc", "proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			      MOUNT_ATTR_NOEXEC);

	if (fd >= 0)
		return fd;
	/* Not allowed everywhere in user namespaces: then the one that is mounted. */
	CLEANUP_FD int have = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (have < 0)
		return err_sys(e, errno, "open /proc");
	if (!procfs_is_root(have))
		return err_set(e, EPERM, "/proc is not the root of a proc file system");
	return take_fd(have);
}

static bool same_mount(int a, int b)
{
	struct statx sa, sb;

	return statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &sa) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &sb) == 0 &&
	       (sa.stx_mask & sb.stx_mask & STATX_MNT_ID) && sa.stx_mnt_id == sb.stx_mnt_id;
}

/*
 * On the fallback of procfs_open() files may be covered by other mounts, of another file
 * of procfs even: with openat2 the walk refuses to leave the mount, without it the file
 * opened is looked at.
 */
static int open_file(int procfd, const char *path)
{
	int fd = sys_openat2(procfd, path, O_WRONLY | O_NOCTTY, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);

	if (fd != -ENOSYS && fd != -EPERM)
		return fd;
	fd = openat(procfd, path, O_WRONLY | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (same_mount(fd, procfd))
		return fd;
	close(fd);
	return -EXDEV;
}

int procfs_write(int procfd, const char *path, const char *value, struct err *e)
{
	CLEANUP_FD int fd = open_file(procfd, path);

	if (fd < 0)
		return err_sys(e, -fd, "open /proc/%s", path);
	int n = fd_write_all(fd, value, strlen(value));
	return n < 0 ? err_sys(e, -n, "write \"%s\" to /proc/%s", value, path) : 0;
}
