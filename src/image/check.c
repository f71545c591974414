/* image/check.c - tables against files, and what can be mended; see store.h */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sha2.h"
#include "image/ingest.h"
#include "image/store_rows.h"

#define READ_BYTES (256u << 10)
#define LINE_MAX_BYTES 1024

struct check {
	const struct store *s;
	bool content;
	image_check_tell *tell;
	void *arg;
	int left;                       /* findings for the user */
	struct arena a;
};

__attribute__((format(printf, 3, 4)))
static void tell(struct check *c, bool mended, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	c->left += !mended;
	c->tell(c->arg, mended, line);
}

/* What people call the image: its first name, else its ID. */
static const char *name_of(struct check *c, const char *id)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	struct err e = { 0 };

	if (db_query(c->s->db, &q, &e, "SELECT name FROM image_name WHERE image = ? "
		     "ORDER BY name LIKE '%@%', name LIMIT 1", "s", id) > 0)
		return arena_strdup(&c->a, db_text(q, 0));
	return id;
}

/* 1 when the bytes of fd have that digest. */
static int same_digest(int fd, const char *digest, struct err *e)
{
	CLEANUP_FREE char *p = xmalloc(READ_BYTES);
	char hex[SHA2_HEX_MAX];
	struct sha2 h;
	ssize_t n;

	sha2_init(&h, strcmp(store_algorithm(digest), "sha512") == 0 ? 512 : 256);
	while ((n = fd_read_all(fd, p, READ_BYTES)) > 0)
		sha2_add(&h, p, (size_t)n);
	if (n < 0)
		return err_sys(e, (int)-n, "read blob %s", digest);
	sha2_end(&h, hex);
	return strcmp(hex, digest + 7) == 0;
}

/*
 * A torn blob is put aside, so that the next pull fetches it: one that is there is taken
 * for whole.
 */
static int check_blob(struct check *c, const char *image, const char *digest, uint64_t size,
		      struct err *e)
{
	uint64_t have = 0;
	const char *what = NULL;
	CLEANUP_FD int fd = store_blob_open(c->s, digest, &have, e);

	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (fd < 0) {
		what = "is missing";
	} else if (have != size) {
		what = "has the wrong size";
	} else if (c->content || size == 0) {
		int r = same_digest(fd, digest, e);

		/* A bad sector is a torn blob, too. */
		if (r < 0 && r != -EIO)
			return r;
		what = r == 1 ? NULL : "is torn";
	}
	if (!what)
		return 0;
	if (fd >= 0) {
		char name[STORE_NAME_MAX];

		store_blob_name(digest, name);
		CLEANUP_FREE char *path = xasprintf("blobs/%s", name);
		if (unlinkat(c->s->rootfd, path, 0) < 0 && errno != ENOENT)
			return err_sys(e, errno, "remove blob %s", digest);
	}
	tell(c, false, "image %s: blob %s %s: pull or load the image again",
	     name_of(c, image), digest, what);
	return 0;
}

static int check_blobs(struct check *c, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(c->s->db, &q, e, "SELECT image, digest, size FROM image_blob "
			 "ORDER BY image", "");

	while (r > 0) {
		r = check_blob(c, db_text(q, 0), db_text(q, 1), (uint64_t)db_int(q, 2), e);
		if (r == 0)
			r = db_next(q, e);
	}
	return r;
}

/*
 * What a layer directory lost cannot be seen from names alone; its size can.  An
 * administrator's "rm -r" inside one is found so, a changed byte is not: that is what
 * read-only file systems and fs-verity are for.
 */
static int check_layer(struct check *c, const char *image, const char *diff_id,
		       int64_t tally, struct err *e)
{
	CLEANUP_FD int layers = openat(c->s->rootfd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct store_count have;
	const char *what = "is missing";
	bool there = layers >= 0 && store_layer_has(c->s, diff_id);

	if (there) {
		int r = store_tree_count(layers, diff_id + 7, &have, e);
		if (r < 0)
			return r;
		if (tally < 0 || have.tally == (uint64_t)tally)
			return 0;
		what = "has lost or gained files";
	}
	tell(c, false, "image %s: layer %s %s: %s", name_of(c, image), diff_id, what, there ?
	     "remove its instances and it (isle rmi -f), then pull or load it again" :
	     "pull or load the image again");
	return 0;
}

static int check_layers(struct check *c, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(c->s->db, &q, e, "SELECT l.image, l.diff_id, ifnull(s.tally, -1) "
			 "FROM image_layer l LEFT JOIN layer s ON s.diff_id = l.diff_id "
			 "ORDER BY l.image, l.position", "");

	while (r > 0) {
		r = check_layer(c, db_text(q, 0), db_text(q, 1), db_int(q, 2), e);
		if (r == 0)
			r = db_next(q, e);
	}
	return r;
}

static int check_leftovers(struct check *c, struct err *e)
{
	struct image_prune_report report;
	int r = image_prune(c->s, false, &report, e);

	if (r < 0)
		return r;
	if (report.leftovers + report.blobs + report.layers > 0)
		tell(c, true, "removed %zu leftovers, %zu blobs and %zu layers that no image "
		     "needs: %llu bytes", report.leftovers, report.blobs, report.layers,
		     (unsigned long long)report.freed_bytes);
	return 0;
}

int image_check(const struct store *s, bool content, image_check_tell *t, void *arg,
		struct err *e)
{
	struct check c = { .s = s, .content = content, .tell = t, .arg = arg };
	int r = check_leftovers(&c, e);

	if (r == 0)
		r = check_blobs(&c, e);
	if (r == 0)
		r = check_layers(&c, e);
	arena_release(&c.a);
	return r < 0 ? r : c.left;
}
