/* image/prune.c - sweep what nobody needs; see store.h */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/store_rows.h"

#define RESUME_SECONDS (24 * 3600)

struct sweep {
	const struct store *s;
	struct image_prune_report *report;
	bool downloads, *synced;
	struct err *e;
};

static int has_row(const struct sweep *w, const char *sql, const char *digest)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	return db_query(w->s->db, &q, w->e, sql, "s", digest);
}

/*
 * What has no row may be part of a pull that was cut off: it is left for a day, unless an
 * image that needed it was removed.  1: remove it.
 */
static int is_waste(const struct sweep *w, int dirfd, const char *name, const char *digest)
{
	struct timespec now;
	struct stat st;

	if (w->downloads)
		return 1;
	int r = has_row(w, "SELECT 1 FROM image_doomed WHERE digest = ?", digest);
	if (r != 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.tv_sec - st.st_ctim.tv_sec > RESUME_SECONDS;
}

/*
 * Removals from the tables do not reach the disk by themselves: a power cut must not bring
 * back an image whose files are gone.  A sync needs no space, as a durable commit would.
 */
static int sync_tables(const struct sweep *w)
{
	if (!*w->synced && syncfs(w->s->rootfd) < 0)
		return err_sys(w->e, errno, "write %s", w->s->root);
	*w->synced = true;
	return 0;
}

/* "<hex>" in blobs/ALGORITHM and in layers/: 1 when it is to go. */
static int blob_goes(const struct sweep *w, int dirfd, const char *algorithm, const char *hex)
{
	CLEANUP_FREE char *digest = xasprintf("%s:%s", algorithm, hex);
	int r = has_row(w, "SELECT 1 FROM image_blob WHERE digest = ? LIMIT 1", digest);

	return r < 0 ? r : r == 0 && is_waste(w, dirfd, hex, digest);
}

static int layer_goes(const struct sweep *w, int dirfd, const char *hex)
{
	CLEANUP_FREE char *digest = xasprintf("%s:%s", strlen(hex) == 128 ? "sha512" : "sha256",
					      hex);
	int r = has_row(w, "SELECT 1 FROM image_layer WHERE diff_id = ? LIMIT 1", digest);

	return r < 0 ? r : r == 0 && is_waste(w, dirfd, hex, digest);
}

/* Does a living command hold name?  Its lock is on the thing itself. */
static bool in_use(int dirfd, const char *name)
{
	CLEANUP_FD int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static int open_part(const struct sweep *w, const char *path, DIR **ret)
{
	CLEANUP_FD int fd = openat(w->s->rootfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret = NULL;
	if (fd < 0 && errno == ENOENT)
		return 0;
	*ret = fd < 0 ? NULL : fdopendir(fd);
	if (!*ret)
		return err_sys(w->e, errno, "read %s/%s", w->s->root, path);
	(void)take_fd(fd);
	return 0;
}

static int sweep_blobs(const struct sweep *w, const char *algorithm)
{
	CLEANUP_FREE char *path = xasprintf("blobs/%s", algorithm);
	struct dirent *de;
	DIR *d;
	int r = open_part(w, path, &d);

	while (d && r >= 0 && (de = readdir(d))) {
		if (de->d_name[0] == '.' ||
		    (r = blob_goes(w, dirfd(d), algorithm, de->d_name)) <= 0)
			continue;
		r = sync_tables(w);
		if (r == 0)
			r = store_remove(dirfd(d), de->d_name, &w->report->freed_bytes, w->e);
		w->report->blobs += r == 0;
	}
	if (d)
		closedir(d);
	return r < 0 ? r : 0;
}

/*
 * A layer loses its name in layers/ in one step and is taken apart in tmp/: a kill in
 * between leaves a whole layer or a leftover, never half a layer.
 */
static int sweep_layers(const struct sweep *w)
{
	struct dirent *de;
	DIR *d;
	int r = open_part(w, "layers", &d);

	while (d && r >= 0 && (de = readdir(d))) {
		if (de->d_name[0] == '.' || (r = layer_goes(w, dirfd(d), de->d_name)) <= 0)
			continue;
		CLEANUP_FREE char *gone = xasprintf("tmp/%s.gone", de->d_name);
		r = sync_tables(w);
		if (r == 0)
			r = store_remove(w->s->rootfd, gone, &w->report->freed_bytes, w->e);
		if (r == 0 && renameat(dirfd(d), de->d_name, w->s->rootfd, gone) < 0)
			r = err_sys(w->e, errno, "remove layer %s", de->d_name);
		if (r == 0)
			r = store_remove(w->s->rootfd, gone, &w->report->freed_bytes, w->e);
		w->report->layers += r == 0;
	}
	if (d)
		closedir(d);
	return r < 0 ? r : 0;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static int sweep_tmp(const struct sweep *w)
{
	struct dirent *de;
	DIR *d;
	int r = open_part(w, "tmp", &d);

	while (d && r >= 0 && (de = readdir(d))) {
		bool download = ends_with(de->d_name, ".blob");

		if (de->d_name[0] == '.' || strcmp(de->d_name, "lock") == 0 ||
		    (download && !w->downloads) || in_use(dirfd(d), de->d_name))
			continue;
		r = store_remove(dirfd(d), de->d_name, &w->report->freed_bytes, w->e);
		w->report->leftovers += r == 0;
	}
	if (d)
		closedir(d);
	return r < 0 ? r : 0;
}

/* Rows of what was just removed, which do no harm where the disk is too full to go. */
static int forget(const struct sweep *w)
{
	int r = db_run(w->s->db, w->e, "DELETE FROM layer WHERE NOT EXISTS (SELECT 1 FROM "
		       "image_layer WHERE image_layer.diff_id = layer.diff_id)", "");

	if (r >= 0)
		r = db_run(w->s->db, w->e, "DELETE FROM image_doomed", "");
	if (r == -ENOSPC)
		log_debug("%s", w->e->msg);
	return r < 0 && r != -ENOSPC ? r : 0;
}

int image_prune(const struct store *s, bool downloads, struct image_prune_report *ret,
		struct err *e)
{
	bool synced = false;
	struct sweep w = {
		.s = s, .report = ret, .synced = &synced, .downloads = downloads, .e = e,
	};

	*ret = (struct image_prune_report){ 0 };
	CLEANUP_FD int lock = store_lock(s, LOCK_EX | LOCK_NB, e);
	if (lock == -EAGAIN) {
		log_debug("not swept: %s", e->msg);
		ret->busy = true;
		return 0;
	}
	if (lock < 0)
		return lock;
	int r = sweep_tmp(&w);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(store_algorithms); i++)
		r = sweep_blobs(&w, store_algorithms[i]);
	if (r == 0)
		r = sweep_layers(&w);
	return r == 0 ? forget(&w) : r;
}
