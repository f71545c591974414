/*
 * image/tree_cp.c - docker cp; see tree.h
 *
 * Each end is found as an open directory and a name in it, symlinks of its parents
 * followed below its root.  From there on nothing is looked up by a path again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/pack_walk.h"
#include "image/tree.h"
#include "image/unpack_tree.h"
#include "sys/inroot.h"

#define LINKS_MAX 40                    /* as the kernel's MAXSYMLINKS */
#define READ_BYTES (256u << 10)

struct spot {
	const char *label;
	int parent;                     /* O_PATH directory */
	char base[NAME_MAX + 1];        /* "": the parent itself */
	char name[NAME_MAX + 1];        /* the last component as typed */
	bool contents;                  /* "DIR/.": what it holds */
	bool slash;                     /* typed as a directory */
	bool exists, dir;
};
#define SPOT_INIT { .parent = -1 }

static void spot_release(struct spot *s)
{
	fd_close(&s->parent);
}

static const char *label_of(const struct tree_place *p)
{
	return p->label ? p->label : p->path;
}

static int open_in(const struct tree_place *p, const char *path, int flags)
{
	int fd;

	if (p->rootfd != AT_FDCWD)
		return inroot_open(p->rootfd, path, flags, 0);
	fd = openat(AT_FDCWD, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* path -> its parent's path (left in path) and its last name; "" for "/", "." and "..". */
static int split(char *path, char base[NAME_MAX + 1])
{
	size_t n = strlen(path);
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	slash = slash ? slash + 1 : path;
	base[0] = '\0';
	if (!*slash || !strcmp(slash, ".") || !strcmp(slash, ".."))
		return 0;
	if (strlen(slash) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(base, slash, strlen(slash) + 1);
	if (slash == path)
		memcpy(path, ".", 2);
	else
		*slash = '\0';
	return 0;
}

/* Where the symlink s leads: path becomes its target's.  Returns 0 for what is none. */
static int follow(const struct spot *s, char *path, size_t size)
{
	char text[PATH_MAX];
	ssize_t n = *s->base ? readlinkat(s->parent, s->base, text, sizeof(text) - 1) : -1;
	size_t at = 0;

	if (n < 0)
		return 0;
	text[n] = '\0';
	if (text[0] != '/') {
		at = strlen(path);
		if (at + (size_t)n + 2 > size)
			return -ENAMETOOLONG;
		path[at++] = '/';
	}
	memcpy(path + at, text, (size_t)n + 1);
	return 1;
}

static int walk_links(const struct tree_place *p, char *path, size_t size, bool links,
		      struct spot *s)
{
	for (unsigned i = 0; i <= LINKS_MAX; i++) {
		char base[NAME_MAX + 1];
		int r = split(path, base);

		if (r < 0)
			return r;
		fd_close(&s->parent);
		memcpy(s->base, base, sizeof(base));
		s->parent = open_in(p, path, O_PATH | O_DIRECTORY);
		if (s->parent < 0) {
			r = s->parent;
			s->parent = -1;
			return r;
		}
		if (i == 0)
			memcpy(s->name, base, sizeof(base));
		r = links ? follow(s, path, size) : 0;
		if (r <= 0)
			return r;
	}
	return -ELOOP;
}

/* links: a symlink as last component is followed (parents' always are). */
static int find(const struct tree_place *p, bool links, struct spot *s, struct err *e)
{
	char path[2 * PATH_MAX];
	size_t n = strlen(p->path);
	struct stat st;
	int r;

	s->label = label_of(p);
	if (n == 0 || n >= PATH_MAX)
		return err_set(e, n ? ENAMETOOLONG : EINVAL, "%s: %s", s->label,
			       n ? "path too long" : "an empty path");
	memcpy(path, p->path, n + 1);
	s->contents = !strcmp(path, ".") || (n > 1 && !strcmp(path + n - 2, "/."));
	if (s->contents)
		path[n - 1] = '\0';     /* "DIR/": the rest is as for a directory */
	s->slash = s->contents || path[n - 1] == '/';
	if (!*path)
		memcpy(path, ".", 2);
	r = walk_links(p, path, sizeof(path), links || s->slash, s);
	if (r < 0)
		return err_sys(e, -r, "%s", s->label);
	r = fstatat(s->parent, s->base, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	if (r < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", s->label);
	s->exists = r == 0;
	s->dir = s->exists && S_ISDIR(st.st_mode);
	s->contents |= s->dir && !*s->base;
	if (s->slash && s->exists && !s->dir)
		return err_set(e, ENOTDIR, "%s: not a directory", s->label);
	return 0;
}

static int open_spot(const struct spot *s, struct err *e)
{
	int fd = openat(s->parent, *s->base ? s->base : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "%s: open", s->label) : fd;
}

static int find_source(const struct tree_place *p, const struct tree_cp_options *o,
		       struct spot *s, struct err *e)
{
	int r = find(p, o->follow, s, e);

	if (r == 0 && !s->exists)
		return err_set(e, ENOENT, "%s: no such file or directory", s->label);
	return r;
}

/* What src holds into the directory dst. */
static int copy_contents(const struct spot *src, const struct spot *dst, bool made,
			 const struct tree_options *o, struct err *e)
{
	struct tree_options t = *o;
	CLEANUP_FD int to = open_spot(dst, e), from = -1;

	if (to < 0)
		return to;
	from = open_spot(src, e);
	if (from < 0)
		return from;
	t.keep_top = !made;
	return tree_copy_dir(from, to, &t, e);
}

static int copy_into(const struct spot *src, const struct spot *dst,
		     const struct tree_options *o, struct err *e)
{
	CLEANUP_FD int to = -1;

	if (src->contents)
		return copy_contents(src, dst, false, o, e);
	to = open_spot(dst, e);
	return to < 0 ? to : tree_copy_at(src->parent, src->base, to, src->name, o, e);
}

int tree_cp(const struct tree_place *from, const struct tree_place *to,
	    const struct tree_cp_options *o, struct err *e)
{
	const struct tree_options t = { .own = !o->archive, .uid = o->uid, .gid = o->gid };
	CLEANUP(spot_release) struct spot src = SPOT_INIT, dst = SPOT_INIT;
	int r = find_source(from, o, &src, e);

	if (r == 0)
		r = find(to, true, &dst, e);
	if (r < 0)
		return r;
	if (dst.dir)
		return copy_into(&src, &dst, &t, e);
	if (dst.exists && src.dir)
		return err_set(e, ENOTDIR, "%s: cannot copy a directory over a file", dst.label);
	if (!dst.exists && dst.slash && !src.dir)
		return err_set(e, ENOENT, "%s: no such directory", dst.label);
	if (!src.contents)
		return tree_copy_at(src.parent, src.base, dst.parent, dst.base, &t, e);
	if (mkdirat(dst.parent, dst.base, 0700) < 0)
		return err_sys(e, errno, "%s: make directory", dst.label);
	return copy_contents(&src, &dst, true, &t, e);
}

/* ---- streams ----------------------------------------------------------------------- */

static int write_fd(void *ctx, const void *p, size_t n, struct err *e)
{
	int r = fd_write_all(*(const int *)ctx, p, n);

	return r < 0 ? err_sys(e, -r, "write the tar stream") : 0;
}

int tree_cp_to_tar(const struct tree_place *from, int fd, const struct tree_cp_options *o,
		   struct err *e)
{
	static const struct pack_walk_options walk;
	CLEANUP(spot_release) struct spot src = SPOT_INIT;
	struct tar_writer w = { .write = write_fd, .ctx = &fd };
	uint64_t bytes;
	int r = find_source(from, o, &src, e);

	if (r == 0 && src.contents) {
		CLEANUP_FD int dir = open_spot(&src, e);

		r = dir < 0 ? dir : pack_walk_dir(&w, dir, "./", &walk, &bytes, e);
	} else if (r == 0) {
		r = pack_walk_one(&w, src.parent, src.base, src.name, &walk, &bytes, e);
	}
	return r < 0 ? r : tar_write_end(&w, e);
}

static int feed(int fd, struct tar_reader *tar, struct err *e)
{
	CLEANUP_FREE char *p = xmalloc(READ_BYTES);

	for (;;) {
		ssize_t n = read(fd, p, READ_BYTES);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "read the tar stream");
		if (n == 0)
			return tar_reader_finish(tar, e);
		r = tar_reader_feed(tar, p, (size_t)n, e);
		if (r < 0)
			return r;
	}
}

int tree_cp_from_tar(int fd, const struct tree_place *to, const struct tree_cp_options *o,
		     struct err *e)
{
	const struct unpack_options u = { .keep_kind = true, .own = !o->archive,
					  .uid = o->uid, .gid = o->gid };
	CLEANUP(spot_release) struct spot dst = SPOT_INIT;
	CLEANUP_FD int dir = -1;
	struct unpack *into;
	struct tar_reader *tar;
	int r = find(to, true, &dst, e);

	if (r < 0)
		return r;
	if (!dst.dir)
		return err_set(e, ENOTDIR, "%s: the destination of a stream must be a directory",
			       dst.label);
	dir = open_spot(&dst, e);
	if (dir < 0)
		return dir;
	into = unpack_new(dir, &u);
	tar = tar_reader_new(&unpack_ops, into);
	r = feed(fd, tar, e);
	if (r == 0)
		r = unpack_finish(into, e);
	tar_reader_free(tar);
	unpack_free(into);
	return r;
}
