/* image/pack_walk.c - see pack_walk.h */
#include "image/pack_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/tree_links.h"
#include "image/tree_xattr.h"

#define DEPTH_MAX 400                   /* directories held open */
#define READ_BYTES (256u << 10)

struct walk {
	struct tar_writer *w;
	const struct pack_walk_options *o;
	struct tree_links links;
	char *buffer;
	uint64_t file_bytes;
};

static int walk_dir(struct walk *k, int dirfd, const char *prefix, unsigned depth,
		    struct err *e);

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* A mark of the layer's: an empty file, as Docker writes them. */
static int write_mark(struct walk *k, const char *prefix, const char *mark, const char *name,
		      struct timespec mtime, struct err *e)
{
	CLEANUP_FREE char *full = xasprintf("%s%s%s", prefix, mark, name);
	const struct tar_entry t = { .type = TAR_FILE, .name = full, .link = "", .mode = 0600,
				     .mtime = mtime };

	return tar_write_entry(k->w, &t, e);
}

/* A file that grew is cut, one that shrank is filled with zeros: its size is written. */
static int write_data(struct walk *k, int fd, uint64_t size, const char *as, struct err *e)
{
	while (size > 0) {
		size_t want = size < READ_BYTES ? (size_t)size : READ_BYTES;
		ssize_t n = read(fd, k->buffer, want);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "read \"%s\"", as);
		if (n == 0)
			log_debug("%s: became shorter while it was read", as);
		want = n > 0 ? (size_t)n : want;
		r = tar_write_data(k->w, n > 0 ? k->buffer : NULL, want, e);
		if (r < 0)
			return r;
		size -= want;
	}
	return 0;
}

static int write_file(struct walk *k, int dirfd, const char *name, struct tar_entry *t,
		      const struct stat *st, struct err *e)
{
	CLEANUP_FD int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat now;
	int r;

	if (fd < 0 || fstat(fd, &now) < 0)
		return err_sys(e, errno, "open \"%s\"", t->name);
	if (now.st_ino != st->st_ino || !S_ISREG(now.st_mode))
		return err_set(e, EAGAIN, "\"%s\" was replaced while it was read", t->name);
	t->size_bytes = (uint64_t)now.st_size;
	k->file_bytes += t->size_bytes;
	r = tar_write_entry(k->w, t, e);
	return r < 0 ? r : write_data(k, fd, t->size_bytes, t->name, e);
}

static int write_symlink(struct walk *k, int dirfd, const char *name, struct tar_entry *t,
			 struct err *e)
{
	char *text = k->buffer;
	ssize_t n = readlinkat(dirfd, name, text, READ_BYTES - 1);

	if (n < 0)
		return err_sys(e, errno, "read the symlink \"%s\"", t->name);
	text[n] = '\0';
	t->link = text;
	return tar_write_entry(k->w, t, e);
}

static int write_dir(struct walk *k, int dirfd, const char *name, struct tar_entry *t,
		     unsigned depth, struct err *e)
{
	CLEANUP_FREE char *prefix = xasprintf("%s/", t->name);
	CLEANUP_FD int fd = -1;
	int r;

	if (k->o->layer && tree_overlay_xattr(dirfd, name, k->o->rootless, "redirect", NULL))
		return err_set(e, EOPNOTSUPP, "\"%s\" was renamed by overlayfs' redirect_dir, "
			       "which a layer cannot express", t->name);
	t->name = prefix;
	r = tar_write_entry(k->w, t, e);
	if (r == 0 && k->o->layer &&
	    tree_overlay_xattr(dirfd, name, k->o->rootless, "opaque", "y"))
		r = write_mark(k, prefix, ".wh..wh..opq", "", t->mtime, e);
	if (r < 0)
		return r;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open \"%s\"", t->name);
	return walk_dir(k, fd, prefix, depth + 1, e);
}

static int write_kind(struct walk *k, int dirfd, const char *name, struct tar_entry *t,
		      const struct stat *st, unsigned depth, struct err *e)
{
	const char *first = NULL;

	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		first = tree_links_seen(&k->links, st, t->name);
	if (first) {
		t->type = TAR_LINK;
		t->link = first;
		t->n_xattrs = 0;
		return tar_write_entry(k->w, t, e);
	}
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		t->type = TAR_FILE;
		return write_file(k, dirfd, name, t, st, e);
	case S_IFDIR:
		t->type = TAR_DIR;
		return write_dir(k, dirfd, name, t, depth, e);
	case S_IFLNK:
		t->type = TAR_SYMLINK;
		return write_symlink(k, dirfd, name, t, e);
	case S_IFCHR:
	case S_IFBLK:
		t->type = S_ISCHR(st->st_mode) ? TAR_CHAR : TAR_BLOCK_DEV;
		t->major = major(st->st_rdev);
		t->minor = minor(st->st_rdev);
		return tar_write_entry(k->w, t, e);
	case S_IFIFO:
		t->type = TAR_FIFO;
		return tar_write_entry(k->w, t, e);
	default:
		log_debug("%s: sockets are left out", t->name);
		return 0;
	}
}

static bool is_skipped(const struct walk *k, const char *full)
{
	for (size_t i = 0; i < k->o->n_skip; i++)
		if (strcmp(k->o->skip[i], full) == 0)
			return true;
	return false;
}

static int write_one(struct walk *k, int dirfd, const char *name, const char *prefix,
		     const char *as, unsigned depth, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_FREE char *full = xasprintf("%s%s", prefix, as);
	struct tar_entry t = { .name = full, .link = "" };
	struct stat st;
	int r;

	if (is_skipped(k, full))
		return 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && depth ? 0 : err_sys(e, errno, "stat \"%s\"", full);
	if (k->o->layer && is_whiteout(&st))
		return write_mark(k, prefix, ".wh.", as, st.st_mtim, e);
	if (k->o->layer && strncmp(as, ".wh.", 4) == 0)
		return err_set(e, EINVAL, "\"%s\": a layer cannot hold names with \".wh.\"", full);
	t.mode = st.st_mode & 07777;
	t.uid = st.st_uid;
	t.gid = st.st_gid;
	t.mtime = st.st_mtim;
	r = tree_xattrs(dirfd, name, &a, &t.xattrs, &t.n_xattrs, e);
	return r < 0 ? r : write_kind(k, dirfd, name, &t, &st, depth, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in dirfd, sorted, in a. */
static int names_of(int dirfd, struct arena *a, char ***ret, size_t *ret_n, struct err *e)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *x;
	char **v = NULL;
	size_t n = 0, cap = 0;

	if (!d) {
		fd_close(&fd);
		return err_sys(e, errno, "read a directory");
	}
	while ((x = readdir(d)) != NULL) {
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 64;
			v = xreallocarray(v, cap, sizeof(*v));
		}
		v[n++] = arena_strdup(a, x->d_name);
	}
	closedir(d);
	if (n > 0)
		qsort(v, n, sizeof(*v), by_name);
	*ret = v;
	*ret_n = n;
	return 0;
}

static int walk_dir(struct walk *k, int dirfd, const char *prefix, unsigned depth,
		    struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_FREE char **names = NULL;
	size_t n = 0;
	int r;

	if (depth > DEPTH_MAX)
		return err_set(e, ENAMETOOLONG, "\"%.100s...\": more than %d directories deep",
			       prefix, DEPTH_MAX);
	r = names_of(dirfd, &a, &names, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = write_one(k, dirfd, names[i], prefix, names[i], depth + 1, e);
	return r;
}

static void walk_release(struct walk *k)
{
	tree_links_release(&k->links);
	free(k->buffer);
}

int pack_walk_dir(struct tar_writer *w, int dirfd, const char *prefix,
		  const struct pack_walk_options *o, uint64_t *ret_bytes, struct err *e)
{
	CLEANUP(walk_release) struct walk k = { .w = w, .o = o };
	int r;

	k.buffer = xmalloc(READ_BYTES);
	r = walk_dir(&k, dirfd, prefix, 0, e);
	*ret_bytes = k.file_bytes;
	return r;
}

int pack_walk_one(struct tar_writer *w, int dirfd, const char *name, const char *as,
		  const struct pack_walk_options *o, uint64_t *ret_bytes, struct err *e)
{
	CLEANUP(walk_release) struct walk k = { .w = w, .o = o };
	int r;

	k.buffer = xmalloc(READ_BYTES);
	r = write_one(&k, dirfd, name, "", as, 0, e);
	*ret_bytes = k.file_bytes;
	return r;
}
