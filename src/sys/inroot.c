/* sys/inroot.c - see inroot.h */
#include "sys/inroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/calls.h"

#define LINKS_MAX 40            /* as the kernel's MAXSYMLINKS */
#define DEPTH_MAX 256           /* directories held open by a walk */
#define RACES_MAX 1000          /* lost races with whoever swaps files under us */
#define EAGAIN_MAX 128          /* openat2 saw a rename or a mount while at ".." */

struct walk {
	int fds[DEPTH_MAX];     /* fds[0] is the caller's root, the rest ours */
	size_t n;
	unsigned links, races;
	bool make;              /* create missing directories */
	bool follow_last;       /* a symlink as last component is walked */
	bool dir_last;          /* the last component is a directory too: open it */
	mode_t mode;            /* of directories made */
	char rest[PATH_MAX];    /* still to be walked */
	char last[NAME_MAX + 1];        /* result: name in the top directory, or "" */
};

static void walk_release(struct walk *w)
{
	for (; w->n > 1; w->n--)
		close(w->fds[w->n - 1]);
}

static int walk_top(const struct walk *w)
{
	return w->fds[w->n - 1];
}

static int walk_push(struct walk *w, int fd)
{
	if (w->n == DEPTH_MAX) {
		close(fd);
		return -ENAMETOOLONG;
	}
	w->fds[w->n++] = fd;
	return 0;
}

/*
 * Symlinks of procfs that jump to an object instead of naming a path read as an
 * absolute path or "type:[inode]".  Its ordinary ones ("self", "net", "mounts") are
 * relative and hold no colon.  openat2's RESOLVE_NO_MAGICLINKS refuses the former.
 */
static bool is_magic(int dirfd, const char *text)
{
	struct statfs s;

	if (text[0] != '/' && !strchr(text, ':'))
		return false;
	return fstatfs(dirfd, &s) == 0 && s.f_type == PROC_SUPER_MAGIC;
}

/*
 * If name in the top directory is a symlink, put its text before the rest.
 * Returns 1 then, 0 if it is something else or missing, -errno.
 */
static int walk_link(struct walk *w, const char *name)
{
	char text[PATH_MAX];
	ssize_t k = readlinkat(walk_top(w), name, text, sizeof(text));

	if (k < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -errno;
	if (k == sizeof(text))
		return -ENAMETOOLONG;
	text[k] = 0;
	if (++w->links > LINKS_MAX || is_magic(walk_top(w), text))
		return -ELOOP;

	size_t n = strlen(w->rest);
	if ((size_t)k + 1 + n >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + k + 1, w->rest, n + 1);
	memcpy(w->rest, text, (size_t)k);
	/* No slash of ours after a last component: it might be a file. */
	if (n > 0)
		w->rest[k] = '/';
	else
		w->rest[k] = 0;
	if (text[0] == '/')
		walk_release(w);
	return 1;
}

/* Enter the directory name, a symlink to one, or one made now. */
static int walk_enter(struct walk *w, const char *name)
{
	while (w->races++ < RACES_MAX) {
		int fd = openat(walk_top(w), name,
				O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			return walk_push(w, fd);
		if (errno == ENOTDIR || errno == ELOOP) {
			int r = walk_link(w, name);
			struct stat st;

			if (r != 0)
				return r < 0 ? r : 0;
			/* Not a link: swapped just now, or really no directory. */
			if (fstatat(walk_top(w), name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			    !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
				return -ENOTDIR;
			continue;
		}
		if (errno != ENOENT || !w->make)
			return -errno;
		if (mkdirat(walk_top(w), name, w->mode) < 0 && errno != EEXIST)
			return -errno;
	}
	return -EAGAIN;
}

/* Take the next component off the rest.  Returns its length, 0 at the end. */
static int walk_next(struct walk *w, char *name, bool *ret_is_last)
{
	char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, p, n);
	name[n] = 0;
	*ret_is_last = p[n] == 0;
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return (int)n;
}

/*
 * Walk path.  Afterwards the result is w->last in the top directory, or the top
 * directory itself where w->last is empty.
 */
static int walk(struct walk *w, int rootfd, const char *path)
{
	size_t n = strlen(path);

	w->fds[0] = rootfd;
	w->n = 1;
	w->links = 0;
	w->last[0] = 0;
	if (n == 0)
		return -ENOENT;
	if (n >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, path, n + 1);

	for (;;) {
		char name[NAME_MAX + 1];
		bool is_last;
		int r = walk_next(w, name, &is_last);

		if (r <= 0)
			return r;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			if (w->n > 1)
				close(w->fds[--w->n]);
			continue;
		}
		if (!is_last || w->dir_last) {
			r = walk_enter(w, name);
			if (r < 0)
				return r;
			continue;
		}
		r = w->follow_last ? walk_link(w, name) : 0;
		if (r < 0)
			return r;
		if (r == 0) {
			memcpy(w->last, name, sizeof(name));
			return 0;
		}
	}
}

/* A new descriptor of a directory we hold. */
static int reopen_dir(int fd, int flags)
{
	int r = openat(fd, ".", flags | O_CLOEXEC);

	return r < 0 ? -errno : r;
}

static bool is_symlink(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

static int open_walking(int rootfd, const char *path, int flags, mode_t mode)
{
	bool nofollow = (flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	struct walk w = { .follow_last = !nofollow };

	for (unsigned i = 0; i < RACES_MAX; i++) {
		int r = walk(&w, rootfd, path);

		if (r == 0 && !w.last[0]) {
			r = reopen_dir(walk_top(&w), flags);
		} else if (r == 0) {
			r = openat(walk_top(&w), w.last, flags | O_NOFOLLOW | O_CLOEXEC, mode);
			if (r < 0)
				r = -errno;
		}
		walk_release(&w);
		if (nofollow || (r < 0 && r != -ELOOP))
			return r;
		/* The name became a symlink after we saw that it was none. */
		if (r == -ELOOP && (w.links > LINKS_MAX || !w.last[0]))
			return r;
		if (r >= 0 && !((flags & O_PATH) && is_symlink(r)))
			return r;
		if (r >= 0)
			close(r);
	}
	return -EAGAIN;
}

int inroot_open(int rootfd, const char *path, int flags, mode_t mode)
{
	/* One process, one kernel: a refusal is asked for only once. */
	static bool no_openat2;
	bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

	for (unsigned i = 0; i < EAGAIN_MAX && !no_openat2; i++) {
		int r = sys_openat2(rootfd, path, flags, creates ? mode : 0,
				    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

		if (r == -ENOSYS)
			no_openat2 = true;
		if (r == -EPERM)        /* a seccomp filter's answer, or a true one */
			break;
		if (r != -ENOSYS && r != -EAGAIN)
			return r;
	}
	return open_walking(rootfd, path, flags, mode);
}

int inroot_mkdir_all(int rootfd, const char *path, mode_t mode)
{
	int r = inroot_open(rootfd, path, O_PATH | O_DIRECTORY, 0);

	if (r != -ENOENT)
		return r;

	struct walk w = { .make = true, .dir_last = true, .mode = mode };

	r = walk(&w, rootfd, path);
	if (r == 0)
		r = reopen_dir(walk_top(&w), O_PATH | O_DIRECTORY);
	walk_release(&w);
	return r;
}

int inroot_touch(int rootfd, const char *path, mode_t mode)
{
	struct walk w = { .make = true, .follow_last = true, .mode = 0755 };

	for (unsigned i = 0; i < RACES_MAX; i++) {
		int r = inroot_open(rootfd, path, O_PATH, 0);

		if (r != -ENOENT)
			return r;
		r = walk(&w, rootfd, path);
		if (r == 0 && !w.last[0])
			r = -EISDIR;
		if (r == 0) {
			r = openat(walk_top(&w), w.last,
				   O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
			if (r < 0)
				r = -errno;
		}
		walk_release(&w);
		/* EEXIST: somebody was faster; look again at what it is. */
		if (r != -EEXIST)
			return r;
	}
	return -EAGAIN;
}

int inroot_parent(int rootfd, const char *path, mode_t mode, const char **ret_base)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	char dir[PATH_MAX];
	size_t n = (size_t)(base - path);

	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return -EINVAL;
	if (n >= sizeof(dir))
		return -ENAMETOOLONG;
	*ret_base = base;
	if (n == 0)
		return reopen_dir(rootfd, O_PATH | O_DIRECTORY);
	memcpy(dir, path, n);
	dir[n] = 0;
	return inroot_mkdir_all(rootfd, dir, mode);
}
