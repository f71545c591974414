/* image/tree_remove.c - removing trees; see tree.h */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/tree.h"

#define DEPTH_MAX 128           /* directories held open; what is deeper is moved up */

struct removal {
	int top;                /* of the tree being removed */
	unsigned moved;         /* directories moved to top: names of them */
};

static int remove_inside(struct removal *m, int dirfd, unsigned depth, struct err *e);

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int remove_dir(struct removal *m, int dirfd, const char *name, unsigned depth,
		      struct err *e)
{
	CLEANUP_FD int fd = -1;
	int r;

	if (depth == DEPTH_MAX) {
		char up[32];

		/* Its turn comes again, one level deep. */
		do
			snprintf(up, sizeof(up), ".deep.%u", m->moved++);
		while (faccessat(m->top, up, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
		return renameat(dirfd, name, m->top, up) < 0 ?
			       err_sys(e, errno, "remove \"%s\"", name) : 0;
	}
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "remove \"%s\": open it", name);
	r = remove_inside(m, fd, depth + 1, e);
	if (r < 0)
		return r;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove \"%s\"", name);
	return 0;
}

static int remove_one(struct removal *m, int dirfd, const char *name, unsigned depth,
		      struct err *e)
{
	/* EISDIR is Linux' answer for a directory, EPERM that of POSIX. */
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "remove \"%s\"", name);
	return remove_dir(m, dirfd, name, depth, e);
}

/* Entries of a directory that changes while it is read may be missed: until none is left. */
static int remove_inside(struct removal *m, int dirfd, unsigned depth, struct err *e)
{
	int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *x;
	bool some = true;
	int r = 0;

	if (!d) {
		fd_close(&fd);
		return err_sys(e, errno, "read a directory to remove it");
	}
	while (r == 0 && some) {
		some = false;
		rewinddir(d);
		while (r == 0 && (x = readdir(d)) != NULL) {
			if (is_dots(x->d_name))
				continue;
			some = true;
			r = remove_one(m, dirfd, x->d_name, depth, e);
		}
	}
	closedir(d);
	return r;
}

int tree_remove_at(int dirfd, const char *name, struct err *e)
{
	CLEANUP_FD int top = -1;
	struct removal m = { 0 };
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "remove \"%s\"", name);
	top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "remove \"%s\": open it", name);
	m.top = top;
	r = remove_inside(&m, top, 0, e);
	if (r < 0)
		return r;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove \"%s\"", name);
	return 0;
}
