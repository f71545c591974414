/*
 * container/tmpcopyup.c - the mount option "tmpcopyup": a tmpfs that starts with the
 * files of the directory it covers.  Spec: config.md#linux-mount-options.
 *
 * The source is the image's and may change under us: every name is opened below the
 * directory it was listed in, never through a link, and judged by what was opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"

#define DEPTH_MAX 100           /* levels hold three descriptors each */
#define COPY_CHUNK_BYTES (16u << 20)

static int copy_xattrs(int from, int to)
{
	char names[XATTR_LIST_MAX];
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (char *p = names; p < names + n; p += strlen(p) + 1) {
		CLEANUP_FREE char *value = NULL;
		ssize_t k = fgetxattr(from, p, NULL, 0);

		if (k < 0)
			continue;               /* removed meanwhile */
		value = xmalloc((size_t)k + 1);
		k = fgetxattr(from, p, value, (size_t)k);
		/* A tmpfs has no user.* before Linux 6.6, and labels are the policy's. */
		if (k >= 0 && fsetxattr(to, p, value, (size_t)k, 0) < 0 &&
		    errno != ENOTSUP && errno != EPERM)
			return -errno;
	}
	return 0;
}

/* Owner first: chown takes setuid bits and file capabilities away. */
static int copy_attributes(int from, int to, const struct stat *st)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };

	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	int n = copy_xattrs(from, to);
	if (n == 0 && futimens(to, times) < 0)
		n = -errno;
	return n;
}

static int copy_file(int from, int dst, const char *name, const struct stat *st)
{
	CLEANUP_FD int to = openat(dst, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				   0600);
	ssize_t k;

	if (to < 0)
		return -errno;
	while ((k = TEMP_FAILURE_RETRY(sendfile(to, from, NULL, COPY_CHUNK_BYTES))) > 0)
		;
	return k < 0 ? -errno : copy_attributes(from, to, st);
}

static int copy_link(int src, int dst, const char *name, const struct stat *st)
{
	char text[PATH_MAX];
	ssize_t k = readlinkat(src, name, text, sizeof(text) - 1);

	if (k < 0)
		return -errno;
	text[k] = 0;
	if (symlinkat(text, dst, name) < 0 ||
	    fchownat(dst, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_node(int dst, const char *name, const struct stat *st)
{
	/* Sockets and nodes mean something only to who made them. */
	if (!S_ISFIFO(st->st_mode))
		return 0;
	if (mkfifoat(dst, name, st->st_mode & 07777) < 0 ||
	    fchownat(dst, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_dir(int src, int dst, unsigned depth);

static int copy_subdir(int from, int dst, const char *name, const struct stat *st, unsigned depth)
{
	if (mkdirat(dst, name, 0700) < 0)
		return -errno;
	CLEANUP_FD int to = openat(dst, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	int n = copy_dir(from, to, depth + 1);
	return n < 0 ? n : copy_attributes(from, to, st);
}

static int copy_entry(int src, int dst, const char *name, unsigned depth)
{
	struct stat st;

	if (fstatat(src, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISLNK(st.st_mode))
		return copy_link(src, dst, name, &st);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return copy_node(dst, name, &st);

	/* NONBLOCK: if a fifo was swapped in, do not wait for its writer. */
	CLEANUP_FD int from = openat(src, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				     O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return copy_subdir(from, dst, name, &st, depth);
	return S_ISREG(st.st_mode) ? copy_file(from, dst, name, &st) : -ESTALE;
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int copy_dir(int src, int dst, unsigned depth)
{
	int fd = depth > DEPTH_MAX ? -1 : openat(src, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int n = 0;

	if (fd < 0)
		return depth > DEPTH_MAX ? -ELOOP : -errno;
	DIR *d CLEANUP(close_dir) = fdopendir(fd);
	if (!d) {
		n = -errno;
		close(fd);
		return n;
	}
	while (n == 0 && (errno = 0, entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			n = copy_entry(fd, dst, entry->d_name, depth);
	return n < 0 ? n : -errno;
}

int tmp_copy_up(int src, int dst, struct err *e)
{
	/* Directories of descriptors made for mounting (O_PATH) cannot be listed. */
	CLEANUP_FD int to = openat(dst, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD int from = openat(src, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (to < 0 || from < 0 || fstat(from, &st) < 0)
		return err_sys(e, errno, "tmpcopyup");
	int n = copy_dir(from, to, 0);
	if (n == 0)
		n = copy_xattrs(from, to);
	/* The owner of the directory too; its mode is an option of the mount. */
	if (n == 0 && fchown(to, st.st_uid, st.st_gid) < 0)
		n = -errno;
	return n < 0 ? err_sys(e, -n, "tmpcopyup") : 0;
}
