/* image/tree_copy.c - copying trees; see tree.h */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/tree.h"
#include "image/tree_links.h"
#include "image/tree_xattr.h"
#include "sys/calls.h"

#define DEPTH_MAX 400                   /* two directories are open for each */
#define CHUNK_BYTES (1u << 20)

struct copy {
	const struct tree_options *o;
	int top;                        /* of the destination: hard links are found below it */
	struct tree_links links;
	char *buffer;
};

static int copy_one(struct copy *c, int src, const char *name, int dst, const char *to,
		    const char *path, unsigned depth, struct err *e);

/* ---- data ------------------------------------------------------------------------- */

static int copy_slow(struct copy *c, int in, int out, off_t at, off_t end)
{
	if (!c->buffer)
		c->buffer = xmalloc(CHUNK_BYTES);
	while (at < end) {
		size_t want = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
		ssize_t n = pread(in, c->buffer, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t done = 0; done < n; ) {
			ssize_t k = pwrite(out, c->buffer + done, (size_t)(n - done), at + done);

			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0)
				return -errno;
			done += k;
		}
		at += n;
	}
	return 0;
}

/* One run of data.  copy_file_range() shares blocks where the file system can. */
static int copy_run(struct copy *c, int in, int out, off_t at, off_t end)
{
	while (at < end) {
		off_t from = at, to = at;
		ssize_t n = copy_file_range(in, &from, out, &to, (size_t)(end - at), 0);

		if (n < 0 && errno == EINTR)
			continue;
		/* Other file systems, old kernels, and files of procfs that say 0. */
		if (n <= 0)
			return n < 0 && (errno == ENOSPC || errno == EIO || errno == EDQUOT) ?
				       -errno : copy_slow(c, in, out, at, end);
		at += n;
	}
	return 0;
}

/* Holes stay holes (lseek(2), SEEK_DATA). */
static int copy_data(struct copy *c, int in, int out, off_t size)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(in, at, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return copy_run(c, in, out, at, size);
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		r = copy_run(c, in, out, data, hole);
		if (r < 0)
			return r;
		at = hole;
	}
	return ftruncate(out, size) < 0 ? -errno : 0;
}

/* ---- metadata ---------------------------------------------------------------------- */

static uid_t uid_of(const struct copy *c, const struct stat *st)
{
	return c->o->own ? c->o->uid : st->st_uid;
}

static gid_t gid_of(const struct copy *c, const struct stat *st)
{
	return c->o->own ? c->o->gid : st->st_gid;
}

/* On the descriptor fd, or with -1 on the name; xattrs of src/name.  Owner first. */
static int copy_meta(const struct copy *c, int src, const char *name, const struct stat *st,
		     int fd, int dst, const char *to, const char *path, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	struct tar_xattr *v;
	size_t n;
	int r;

	r = fd >= 0 ? fchown(fd, uid_of(c, st), gid_of(c, st))
		    : fchownat(dst, to, uid_of(c, st), gid_of(c, st), AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return err_sys(e, errno, "set the owner of \"%s\"", path);
	r = fd >= 0 ? fchmod(fd, st->st_mode & 07777)
		    : S_ISLNK(st->st_mode) ? 0 : fchmodat(dst, to, st->st_mode & 07777, 0);
	if (r < 0)
		return err_sys(e, errno, "set the mode of \"%s\"", path);
	r = tree_xattrs(src, name, &a, &v, &n, e);
	if (r == 0)
		r = tree_xattrs_set(fd, dst, to, v, n, e);
	if (r < 0)
		return r;
	r = fd >= 0 ? futimens(fd, times) : utimensat(dst, to, times, AT_SYMLINK_NOFOLLOW);
	return r < 0 ? err_sys(e, errno, "set the times of \"%s\"", path) : 0;
}

/* ---- kinds --------------------------------------------------------------------------- */

/* Make way: what is not a directory is removed. */
static int make_way(int dst, const char *to, const char *path, struct err *e)
{
	struct stat st;

	if (fstatat(dst, to, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "stat \"%s\"", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EEXIST, "cannot overwrite directory \"%s\" with a non-directory",
			       path);
	if (unlinkat(dst, to, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "replace \"%s\"", path);
	return 0;
}

static int copy_file(struct copy *c, int src, const char *name, const struct stat *was,
		     int dst, const char *to, const char *path, struct err *e)
{
	CLEANUP_FD int in = openat(src, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLEANUP_FD int out = -1;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return err_sys(e, errno, "open \"%s\"", path);
	if (st.st_ino != was->st_ino || !S_ISREG(st.st_mode))
		return err_set(e, EAGAIN, "\"%s\" was replaced while it was copied", path);
	out = openat(dst, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, errno, "create \"%s\"", path);
	r = copy_data(c, in, out, st.st_size);
	if (r < 0)
		return err_sys(e, -r, "copy \"%s\"", path);
	return copy_meta(c, src, name, &st, out, dst, to, path, e);
}

/* Returns 1 when it is linked; 0: the first copy is gone or replaced, copy again. */
static int copy_link(const struct copy *c, const char *first, int dst, const char *to)
{
	char proc[64];
	CLEANUP_FD int fd = sys_openat2(c->top, first, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
					RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);

	if (fd < 0)
		return 0;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, proc, dst, to, AT_SYMLINK_FOLLOW) == 0;
}

static int copy_symlink(const struct copy *c, int src, const char *name,
			const struct stat *st, int dst, const char *to, const char *path,
			struct err *e)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(src, name, text, sizeof(text) - 1);

	if (n < 0)
		return err_sys(e, errno, "read the symlink \"%s\"", path);
	text[n] = '\0';
	if (symlinkat(text, dst, to) < 0)
		return err_sys(e, errno, "make the symlink \"%s\"", path);
	return copy_meta(c, src, name, st, -1, dst, to, path, e);
}

static int copy_inside(struct copy *c, int src, int dst, const char *path, unsigned depth,
		       struct err *e)
{
	int fd = openat(src, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *x;

	if (!d) {
		fd_close(&fd);
		return err_sys(e, errno, "read the directory \"%s\"", path);
	}
	while (r == 0 && (x = readdir(d)) != NULL) {
		CLEANUP_FREE char *below = NULL;

		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		below = *path ? xasprintf("%s/%s", path, x->d_name) : xstrdup(x->d_name);
		r = copy_one(c, src, x->d_name, dst, x->d_name, below, depth, e);
	}
	closedir(d);
	return r;
}

/* Both descriptors are directories; metadata last, for times and read-only modes. */
static int copy_dir(struct copy *c, int src, int dst, const char *path, unsigned depth,
		    struct err *e)
{
	struct stat st;
	int r = 0;

	if (depth > DEPTH_MAX)
		return err_set(e, ENAMETOOLONG, "\"%.100s...\": more than %d directories deep",
			       path, DEPTH_MAX);
	if (fstat(src, &st) < 0)
		return err_sys(e, errno, "stat \"%s\"", path);
	if (!c->o->one_level)
		r = copy_inside(c, src, dst, path, depth + 1, e);
	if (r < 0 || (depth == 0 && c->o->keep_top && !*path))
		return r;
	return copy_meta(c, src, ".", &st, dst, dst, ".", *path ? path : ".", e);
}

static int copy_subdir(struct copy *c, int src, const char *name, int dst, const char *to,
		       const char *path, unsigned depth, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	CLEANUP_FD int in = openat(src, name, flags), out = -1;

	if (in < 0)
		return err_sys(e, errno, "open \"%s\"", path);
	if (mkdirat(dst, to, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make the directory \"%s\"", path);
	out = openat(dst, to, flags);
	if (out < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_set(e, EEXIST, "cannot overwrite non-directory \"%s\" with a directory",
			       path);
	if (out < 0)
		return err_sys(e, errno, "open \"%s\"", path);
	return copy_dir(c, in, out, path, depth, e);
}

static int copy_one(struct copy *c, int src, const char *name, int dst, const char *to,
		    const char *path, unsigned depth, struct err *e)
{
	const char *first = NULL;
	struct stat st;
	int r;

	if (fstatat(src, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && depth ? 0 : err_sys(e, errno, "stat \"%s\"", path);
	if (S_ISDIR(st.st_mode))
		return copy_subdir(c, src, name, dst, to, path, depth, e);
	if (S_ISSOCK(st.st_mode)) {
		log_debug("%s: sockets are left out", path);
		return 0;
	}
	r = make_way(dst, to, path, e);
	if (r < 0)
		return r;
	if (st.st_nlink > 1)
		first = tree_links_seen(&c->links, &st, path);
	if (first && copy_link(c, first, dst, to) == 1)
		return 0;
	if (S_ISREG(st.st_mode))
		return copy_file(c, src, name, &st, dst, to, path, e);
	if (S_ISLNK(st.st_mode))
		return copy_symlink(c, src, name, &st, dst, to, path, e);
	if (mknodat(dst, to, (st.st_mode & S_IFMT) | 0600, st.st_rdev) < 0)
		return err_sys(e, errno, "make the device or fifo \"%s\"", path);
	return copy_meta(c, src, name, &st, -1, dst, to, path, e);
}

static void copy_release(struct copy *c)
{
	tree_links_release(&c->links);
	free(c->buffer);
}

int tree_copy_dir(int src, int dst, const struct tree_options *o, struct err *e)
{
	CLEANUP(copy_release) struct copy c = { .o = o, .top = dst };

	return copy_dir(&c, src, dst, "", 0, e);
}

int tree_copy_at(int srcdir, const char *name, int dstdir, const char *dstname,
		 const struct tree_options *o, struct err *e)
{
	CLEANUP(copy_release) struct copy c = { .o = o, .top = dstdir };

	return copy_one(&c, srcdir, name, dstdir, dstname, dstname, 0, e);
}
