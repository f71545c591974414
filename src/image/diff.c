/*
 * image/diff.c - see diff.h
 *
 * A directory of the upper is held against those of the layers that it merges with: "visible"
 * are, top first, the layers that have a directory there, down to an opaque one.  Directories are
 * opened one at a time by their path below each layer, no symlink followed.
 */
#include "image/diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/tree_xattr.h"
#include "sys/calls.h"

#define DEPTH_MAX 400

struct changes {
	const struct diff_options *o;
	int upperfd;
	int *layers;                    /* descriptors, top first */
	struct arena *a;
	struct diff_change *v;          /* kind 0: C if anything below it changed */
	size_t n, cap;
};

struct visible {
	size_t *layer;                  /* indices into changes.layers */
	int *fd;                        /* of the directory in each */
	size_t n;
};

static void visible_release(struct visible *v)
{
	for (size_t i = 0; i < v->n; i++)
		fd_close(&v->fd[i]);
	free(v->layer);
	free(v->fd);
}

static int open_below(int fd, const char *path)
{
	return sys_openat2(fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
			   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static size_t note(struct changes *c, char kind, const char *path)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 256;
		c->v = xreallocarray(c->v, c->cap, sizeof(*c->v));
	}
	c->v[c->n] = (struct diff_change){ kind, arena_printf(c->a, "/%s", path) };
	return c->n++;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/*
 * What the layers show under name: 1 with *st, 0 for nothing.  *below gets the layers whose
 * directory of that name is merged there.
 */
static int look_up(const struct changes *c, const struct visible *in, const char *name,
		   struct stat *st, struct visible *below)
{
	bool found = false;

	*below = (struct visible){ .layer = xcalloc(in->n + 1, sizeof(size_t)),
				   .fd = xcalloc(in->n + 1, sizeof(int)) };
	for (size_t i = 0; i < in->n; i++) {
		struct stat here;

		if (fstatat(in->fd[i], name, &here, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_whiteout(&here) || (found && !S_ISDIR(here.st_mode)))
			break;
		if (!found)
			*st = here;
		found = true;
		if (!S_ISDIR(here.st_mode))
			break;
		below->fd[below->n] = -1;
		below->layer[below->n++] = in->layer[i];
		if (tree_overlay_xattr(in->fd[i], name, c->o->rootless, "opaque", "y"))
			break;
	}
	return found;
}

struct names {
	char **v;
	size_t n, cap;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_name(const struct names *l, const char *name)
{
	return l->n > 0 && bsearch(&name, l->v, l->n, sizeof(*l->v), by_name);
}

static int read_names(int dirfd, struct arena *a, struct names *l, struct err *e)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *x;

	if (!d) {
		fd_close(&fd);
		return err_sys(e, errno, "read a directory of a layer");
	}
	while ((x = readdir(d)) != NULL) {
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		if (l->n == l->cap) {
			l->cap = l->cap ? l->cap * 2 : 64;
			l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
		}
		l->v[l->n++] = arena_strdup(a, x->d_name);
	}
	closedir(d);
	return 0;
}

/* An opaque directory hides what the layers have in it: each name that is not its own. */
static int note_hidden(struct changes *c, const char *path, const struct visible *in,
		       const struct names *own, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct names l = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < in->n; i++)
		r = read_names(in->fd[i], &a, &l, e);
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), by_name);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		CLEANUP(visible_release) struct visible below = { 0 };
		struct stat st;

		if ((i > 0 && !strcmp(l.v[i], l.v[i - 1])) || has_name(own, l.v[i]) ||
		    !look_up(c, in, l.v[i], &st, &below))
			continue;
		note(c, 'D', *path ? arena_printf(&a, "%s/%s", path, l.v[i]) : l.v[i]);
	}
	free(l.v);
	return r;
}

static int walk(struct changes *c, const char *path, struct visible *in, bool opaque,
		unsigned depth, struct err *e);

static bool same_dir(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int one(struct changes *c, int fd, const char *path, const char *name,
	       const struct visible *in, unsigned depth, struct err *e)
{
	CLEANUP_FREE char *full = *path ? xasprintf("%s/%s", path, name) : xstrdup(name);
	CLEANUP(visible_release) struct visible below = { 0 };
	struct stat st, old = { 0 };
	bool found, dirs;
	size_t at;
	int r;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "stat \"/%s\"", full);
	found = look_up(c, in, name, &old, &below) == 1;
	if (is_whiteout(&st)) {
		if (found)
			note(c, 'D', full);
		return 0;
	}
	dirs = found && S_ISDIR(st.st_mode) && S_ISDIR(old.st_mode);
	at = note(c, !found ? 'A' : dirs && same_dir(&st, &old) ? 0 : 'C', full);
	if (!S_ISDIR(st.st_mode))
		return 0;
	r = walk(c, full, &below,
		 tree_overlay_xattr(fd, name, c->o->rootless, "opaque", "y"), depth + 1, e);
	if (c->v[at].kind == 0 && c->n > at + 1)
		c->v[at].kind = 'C';
	return r;
}

/* The directory path of the upper; in: the layers it merges with, opened here. */
static int walk(struct changes *c, const char *path, struct visible *in, bool opaque,
		unsigned depth, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_FD int fd = open_below(c->upperfd, path);
	struct names l = { 0 };
	int r;

	if (fd < 0)
		return err_sys(e, -fd, "open \"/%s\"", path);
	if (depth > DEPTH_MAX)
		return err_set(e, ENAMETOOLONG, "\"/%.100s...\": more than %d directories deep",
			       path, DEPTH_MAX);
	for (size_t i = 0; i < in->n; i++) {
		in->fd[i] = open_below(c->layers[in->layer[i]], path);
		if (in->fd[i] < 0)
			return err_sys(e, -in->fd[i], "open \"/%s\" of a layer", path);
	}
	r = read_names(fd, &a, &l, e);
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), by_name);
	if (r == 0 && opaque)
		r = note_hidden(c, path, in, &l, e);
	for (size_t i = 0; r == 0 && i < l.n; i++)
		r = one(c, fd, path, l.v[i], in, depth, e);
	free(l.v);
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct diff_change *)a)->path,
		      ((const struct diff_change *)b)->path);
}

static int open_layers(struct changes *c, struct visible *root, struct err *e)
{
	size_t n = c->o->n_layers;

	c->layers = xcalloc(n + 1, sizeof(int));
	*root = (struct visible){ .layer = xcalloc(n + 1, sizeof(size_t)),
				  .fd = xcalloc(n + 1, sizeof(int)) };
	for (size_t i = 0; i < n; i++) {
		const char *path = c->o->layers[n - 1 - i];

		c->layers[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (c->layers[i] < 0) {
			int code = errno;

			while (i-- > 0)
				close(c->layers[i]);
			return err_sys(e, code, "open the layer %s", path);
		}
		root->layer[i] = i;
		root->fd[i] = -1;
		root->n++;
	}
	return 0;
}

int diff_list(int upperfd, const struct diff_options *o, struct arena *a,
	      struct diff_change **ret, size_t *ret_n, struct err *e)
{
	CLEANUP(visible_release) struct visible root = { 0 };
	struct changes c = { .o = o, .upperfd = upperfd, .a = a };
	int r = open_layers(&c, &root, e);

	if (r == 0) {
		r = walk(&c, "", &root, false, 0, e);
		for (size_t i = 0; i < o->n_layers; i++)
			close(c.layers[i]);
	}
	free(c.layers);
	if (r == 0) {
		*ret = arena_calloc(a, c.n + 1, sizeof(**ret));
		*ret_n = 0;
		for (size_t i = 0; i < c.n; i++)
			if (c.v[i].kind)
				(*ret)[(*ret_n)++] = c.v[i];
		qsort(*ret, *ret_n, sizeof(**ret), by_path);
	}
	free(c.v);
	return r;
}
