/* image/ingest.c - blobs and layers into the store; see ingest.h */
#include "image/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/store_files.h"

/* ---- begin, end -------------------------------------------------------------- */

static int open_dir(const struct store *s, const char *name, int *ret, struct err *e)
{
	if (mkdirat(s->rootfd, name, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make %s/%s", s->root, name);
	*ret = openat(s->rootfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *ret < 0 ? err_sys(e, errno, "open %s/%s", s->root, name) : 0;
}

int ingest_begin(const struct store *s, struct ingest *ret, struct err *e)
{
	struct ingest g = INGEST_INIT;

	g.store = s;
	int r = open_dir(s, "blobs", &g.blobs, e);
	if (r == 0)
		r = open_dir(s, "layers", &g.layers, e);
	/* Half a download is nobody's business; unpacked layers have the images' own modes. */
	if (r == 0)
		r = open_dir(s, "tmp", &g.tmp, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(store_algorithms); i++)
		if (mkdirat(g.blobs, store_algorithms[i], 0755) < 0 && errno != EEXIST)
			r = err_sys(e, errno, "make %s/blobs/%s", s->root, store_algorithms[i]);
	if (r == 0) {
		g.lock = store_lock(s, LOCK_SH, e);
		r = g.lock < 0 ? g.lock : 0;
	}
	if (r < 0)
		ingest_end(&g);
	else
		*ret = g;
	return r;
}

void ingest_end(struct ingest *g)
{
	fd_close(&g->blobs);
	fd_close(&g->layers);
	fd_close(&g->tmp);
	fd_close(&g->lock);
}

/* ---- names in tmp ------------------------------------------------------------ */

/* Is what name shows now still what fd is?  It may have been renamed while we waited. */
static bool still_named(int dirfd, const char *name, int fd)
{
	struct stat a, b;

	return fstatat(dirfd, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int lock_fd(int fd, const char *name, bool wait, struct err *e)
{
	if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(e, EAGAIN, "%s: another command is working on it", name);
	return err_sys(e, errno, "lock %s", name);
}

static void random_name(char name[INGEST_NAME_MAX])
{
	uint64_t v[2] = { 0 };

	/* Up to 256 bytes never come short (getrandom(2)); before that, it waits. */
	if (getrandom(v, sizeof(v), 0) < 0)
		v[0] = (uint64_t)getpid();
	snprintf(name, INGEST_NAME_MAX, "%016llx%016llx.work", (unsigned long long)v[0],
		 (unsigned long long)v[1]);
}

/* ---- blobs ------------------------------------------------------------------- */

/* 1 when the blob is there with that size. */
static int blob_there(const struct ingest *g, const char *digest, uint64_t size_bytes,
		      struct err *e)
{
	char path[STORE_NAME_MAX];
	struct stat st;

	store_blob_name(digest, path);
	if (fstatat(g->blobs, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "look at blob %s", digest);
	if ((uint64_t)st.st_size != size_bytes)
		return err_set(e, EINVAL, "blob %s: the store has it with %lld bytes, expected "
			       "%llu: run \"isle system check\"", digest, (long long)st.st_size,
			       (unsigned long long)size_bytes);
	return 1;
}

int ingest_blob_open(const struct ingest *g, const char *digest, uint64_t size_bytes,
		     bool wait, struct ingest_blob *ret, struct err *e)
{
	struct ingest_blob b = { .in = g, .fd = -1, .keep = true };
	struct stat st;

	if (!image_digest_valid(digest))
		return err_set(e, EINVAL, "\"%.150s\" is not a digest", digest);
	snprintf(b.name, sizeof(b.name), "%.6s-%.128s.blob", digest, digest + 7);
	for (;;) {
		int r = blob_there(g, digest, size_bytes, e);
		if (r != 0)
			return r;
		CLEANUP_FD int fd = openat(g->tmp, b.name, O_RDWR | O_CREAT | O_CLOEXEC |
					   O_NOFOLLOW, 0600);
		if (fd < 0)
			return err_sys(e, errno, "open %s/tmp/%s", g->store->root, b.name);
		r = lock_fd(fd, b.name, wait, e);
		if (r < 0)
			return r;
		/* Whoever had the lock has committed or discarded it: look again. */
		if (!still_named(g->tmp, b.name, fd))
			continue;
		if (fstat(fd, &st) < 0)
			return err_sys(e, errno, "look at %s", b.name);
		b.fd = take_fd(fd);
		b.have_bytes = (uint64_t)st.st_size;
		if (b.have_bytes > size_bytes)
			r = ingest_blob_restart(&b, e);
		else if (lseek(b.fd, 0, SEEK_END) < 0)
			r = err_sys(e, errno, "seek in %s", b.name);
		if (r < 0) {
			ingest_blob_close(&b);
			return r;
		}
		*ret = b;
		return 0;
	}
}

int ingest_blob_new(const struct ingest *g, struct ingest_blob *ret, struct err *e)
{
	struct ingest_blob b = { .in = g, .fd = -1 };

	random_name(b.name);
	b.fd = openat(g->tmp, b.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (b.fd < 0)
		return err_sys(e, errno, "make %s/tmp/%s", g->store->root, b.name);
	int r = lock_fd(b.fd, b.name, true, e);
	if (r < 0)
		ingest_blob_discard(&b);
	else
		*ret = b;
	return r;
}

int ingest_blob_restart(struct ingest_blob *b, struct err *e)
{
	if (ftruncate(b->fd, 0) < 0 || lseek(b->fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "empty %s/tmp/%s", b->in->store->root, b->name);
	b->have_bytes = 0;
	return 0;
}

int ingest_blob_commit(struct ingest_blob *b, const char *digest, struct err *e)
{
	char path[STORE_NAME_MAX];

	if (!image_digest_valid(digest))
		return err_set(e, EINVAL, "\"%.150s\" is not a digest", digest);
	store_blob_name(digest, path);
	if (fchmod(b->fd, 0644) < 0 || fsync(b->fd) < 0)
		return err_sys(e, errno, "write blob %s", digest);
	if (renameat(b->in->tmp, b->name, b->in->blobs, path) < 0)
		return err_sys(e, errno, "move blob %s into the store", digest);
	fd_close(&b->fd);
	return 0;
}

void ingest_blob_discard(struct ingest_blob *b)
{
	if (b->fd >= 0 && unlinkat(b->in->tmp, b->name, 0) < 0)
		log_debug("remove %s: %s", b->name, err_text(errno));
	fd_close(&b->fd);
}

void ingest_blob_close(struct ingest_blob *b)
{
	struct stat st;

	if (b->fd < 0)
		return;
	/* An empty file is nothing to resume. */
	if (b->keep && fstat(b->fd, &st) == 0 && st.st_size > 0)
		fd_close(&b->fd);
	else
		ingest_blob_discard(b);
}

int ingest_bytes(const struct ingest *g, const char *digest, const void *p, size_t n,
		 struct err *e)
{
	CLEANUP_INGEST_BLOB struct ingest_blob b = INGEST_BLOB_INIT;

	int r = ingest_blob_open(g, digest, n, true, &b, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = ingest_blob_restart(&b, e);
	if (r < 0)
		return r;
	r = fd_write_all(b.fd, p, n);
	if (r < 0) {
		err_sys(e, -r, "write blob %s", digest);
		ingest_blob_discard(&b);
		return r;
	}
	return ingest_blob_commit(&b, digest, e);
}

/* ---- layers ------------------------------------------------------------------ */

/* An empty directory called name, locked; 1 when another took it away meanwhile. */
static int lock_dir(const struct ingest *g, const char *name, bool wait, int *ret,
		    struct err *e)
{
	if (mkdirat(g->tmp, name, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make %s/tmp/%s", g->store->root, name);
	CLEANUP_FD int fd = openat(g->tmp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return err_sys(e, errno, "open %s/tmp/%s", g->store->root, name);
	int r = lock_fd(fd, name, wait, e);
	if (r < 0)
		return r;
	if (!still_named(g->tmp, name, fd))
		return 1;
	/* A killed command's work: its lock went with it. */
	r = store_empty_dir(fd, e);
	if (r == 0 && fchmod(fd, 0755) < 0)
		r = err_sys(e, errno, "set the mode of %s/tmp/%s", g->store->root, name);
	if (r == 0)
		*ret = take_fd(fd);
	return r;
}

int ingest_layer_open(const struct ingest *g, const char *diff_id, bool wait,
		      struct ingest_layer *ret, struct err *e)
{
	struct ingest_layer l = { .in = g, .dirfd = -1 };
	int r = 1;

	if (diff_id && !image_digest_valid(diff_id))
		return err_set(e, EINVAL, "\"%.150s\" is not a DiffID", diff_id);
	if (diff_id)
		snprintf(l.name, sizeof(l.name), "%.128s.layer", diff_id + 7);
	else
		random_name(l.name);
	while (r == 1) {
		if (diff_id && faccessat(g->layers, diff_id + 7, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 1;
		r = lock_dir(g, l.name, wait, &l.dirfd, e);
	}
	if (r == 0)
		*ret = l;
	return r;
}

int ingest_layer_commit(struct ingest_layer *l, const char *diff_id, struct err *e)
{
	const struct ingest *g = l->in;

	if (!image_digest_valid(diff_id))
		return err_set(e, EINVAL, "\"%.150s\" is not a DiffID", diff_id);
	/* Thousands of files: one sync of the file system beats an fsync for each. */
	if (syncfs(l->dirfd) < 0)
		return err_sys(e, errno, "write layer %s", diff_id);
	if (renameat2(g->tmp, l->name, g->layers, diff_id + 7, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			return err_sys(e, errno, "move layer %s into the store", diff_id);
		ingest_layer_close(l);
		return 0;
	}
	fd_close(&l->dirfd);
	return 0;
}

void ingest_layer_close(struct ingest_layer *l)
{
	struct err e = { 0 };

	if (l->dirfd < 0)
		return;
	/* What cannot be removed now is a leftover for the next prune. */
	if (store_empty_dir(l->dirfd, &e) < 0)
		log_debug("%s", e.msg);
	else if (unlinkat(l->in->tmp, l->name, AT_REMOVEDIR) < 0)
		log_debug("remove %s: %s", l->name, err_text(errno));
	fd_close(&l->dirfd);
}
