/* image/unpack_dirs.c - see unpack_dirs.h */
#include "image/unpack_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/calls.h"

#define CHAINS_FIRST 256
#define EAGAIN_MAX 128          /* openat2 saw a rename or a mount while at ".." */

void dirs_init(struct dirs *d, int rootfd, bool layer)
{
	*d = (struct dirs){ .rootfd = rootfd, .layer = layer };
	for (size_t i = 0; i < DIRS_OPEN_MAX; i++)
		d->open[i].fd = -1;
	d->n_chains = CHAINS_FIRST;
	d->chains = xcalloc(d->n_chains, sizeof(struct dir_record *));
}

void dirs_forget(struct dirs *d)
{
	for (size_t i = 0; i < DIRS_OPEN_MAX; i++) {
		fd_close(&d->open[i].fd);
		free(d->open[i].path);
		d->open[i].path = NULL;
	}
}

void dirs_release(struct dirs *d)
{
	dirs_forget(d);
	free(d->chains);
	d->chains = NULL;
	arena_release(&d->arena);
}

/* FNV-1a */
static size_t hash(const char *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

/* ---- records ------------------------------------------------------------------- */

static struct dir_record *find(struct dirs *d, const char *path, size_t len)
{
	struct dir_record *r = d->chains[hash(path, len) % d->n_chains];

	while (r && (strncmp(r->path, path, len) != 0 || r->path[len]))
		r = r->next;
	return r;
}

static void grow(struct dirs *d)
{
	size_t n = d->n_chains * 4;
	struct dir_record **chains = xcalloc(n, sizeof(struct dir_record *));

	for (size_t i = 0; i < d->n_chains; i++)
		for (struct dir_record *r = d->chains[i], *next; r; r = next) {
			size_t at = hash(r->path, strlen(r->path)) % n;

			next = r->next;
			r->next = chains[at];
			chains[at] = r;
		}
	free(d->chains);
	d->chains = chains;
	d->n_chains = n;
}

struct dir_record *dirs_record(struct dirs *d, const char *path, size_t len)
{
	struct dir_record *r = find(d, path, len);
	size_t at;

	if (r)
		return r;
	if (d->n_records++ >= d->n_chains * 2)
		grow(d);
	at = hash(path, len) % d->n_chains;
	r = arena_alloc(&d->arena, sizeof(*r));
	r->path = arena_strndup(&d->arena, path, len);
	r->next = d->chains[at];
	d->chains[at] = r;
	return r;
}

void dirs_reset(struct dirs *d, const char *path, size_t len, bool opaque)
{
	struct dir_record *r = opaque ? dirs_record(d, path, len) : find(d, path, len);

	if (!r)
		return;
	r->set = r->whiteouts = false;
	r->opaque = opaque;
}

/* ---- open parents ---------------------------------------------------------------- */

static int open_beneath(int rootfd, const char *path)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	int fd = -EAGAIN;

	for (int i = 0; fd == -EAGAIN && i < EAGAIN_MAX; i++)
		fd = sys_openat2(rootfd, path, flags, 0,
				 RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	return fd;
}

/* Where openat2 is refused: component by component, and no symlink is followed at all. */
static int open_walk(int rootfd, const char *path)
{
	int fd = fcntl(rootfd, F_DUPFD_CLOEXEC, 0);

	while (fd >= 0 && *path) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(path, "/");
		int next;

		if (n > NAME_MAX) {
			close(fd);
			return -ENAMETOOLONG;
		}
		memcpy(name, path, n);
		name[n] = '\0';
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			next = -errno;
		close(fd);
		fd = next;
		path += n + (path[n] == '/');
	}
	return fd < 0 ? (fd == -1 ? -errno : fd) : fd;
}

static int open_dir(int rootfd, const char *path)
{
	int fd = open_beneath(rootfd, *path ? path : ".");

	return fd == -ENOSYS || fd == -EPERM ? open_walk(rootfd, path) : fd;
}

static int parent_error(const char *path, int r, struct err *e)
{
	if (r == -EXDEV || r == -ELOOP)
		return err_set(e, EPERM, "its parent \"%s\" is a symlink that leads out", path);
	if (r == -ENOTDIR)
		return err_set(e, ENOTDIR, "its parent \"%s\" is not a directory", path);
	return err_sys(e, -r, "open its parent \"%s\"", path);
}

/* Is name a whiteout of this layer?  A directory then takes its place, and is opaque. */
static bool unwhite(const struct dirs *d, int fd, const char *name)
{
	struct stat st;

	return d->layer && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISCHR(st.st_mode) && st.st_rdev == 0 && unlinkat(fd, name, 0) == 0;
}

/*
 * Make what lacks of path, from the left.  Returns the last directory.  Parents without an
 * entry of their own are 0755 and root's, as everywhere.
 */
static int make_dirs(struct dirs *d, char *path, struct err *e)
{
	CLEANUP_FD int fd = open_dir(d->rootfd, "");
	char *p = path;

	while (fd >= 0) {
		char *slash = p + strcspn(p, "/"), was = *slash;
		int next;

		*slash = '\0';
		next = open_dir(d->rootfd, path);
		if (next == -ENOENT || next == -ENOTDIR) {
			bool opaque = next == -ENOTDIR && unwhite(d, fd, p);

			if ((next == -ENOENT || opaque) && mkdirat(fd, p, 0755) == 0) {
				dirs_reset(d, path, (size_t)(slash - path), opaque);
				next = open_dir(d->rootfd, path);
			}
		}
		if (next == -ENOENT)    /* there is a symlink, to nothing */
			next = -ENOTDIR;
		if (next < 0)
			return parent_error(path, next, e);
		close(fd);
		fd = next;
		if (!was)
			return take_fd(fd);
		*slash = was;
		p = slash + 1;
	}
	return parent_error("", fd, e);
}

int dirs_parent(struct dirs *d, const char *path, size_t len, bool make, struct err *e)
{
	size_t at = hash(path, len) % DIRS_OPEN_MAX;
	char *name = d->open[at].path;
	int fd;

	if (name && strncmp(name, path, len) == 0 && !name[len])
		return d->open[at].fd;
	name = xmalloc(len + 1);
	memcpy(name, path, len);
	name[len] = '\0';
	fd = open_dir(d->rootfd, name);
	if ((fd == -ENOENT || fd == -ENOTDIR) && make)
		fd = make_dirs(d, name, e);
	else if (fd < 0)
		parent_error(name, fd, e);
	if (fd < 0) {
		free(name);
		return fd;
	}
	fd_close(&d->open[at].fd);
	free(d->open[at].path);
	d->open[at].path = name;
	d->open[at].fd = fd;
	return fd;
}
