/*
 * image/pull_layer.c - one layer: what is on disk, the rest by Range, into both a blob and a
 * directory.  Layer: image.
 *
 *	tmp/<digest>.blob  --(earlier bytes)--+--> layer_sink: digest, inflate, DiffID, files
 *	registry --Range: bytes=N- -----------+
 *	                       '--> appended to tmp/<digest>.blob
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/pull_impl.h"
#include "image/unpack.h"

#define REFEED_BYTES (1u << 20)
#define LOCK_POLL_MS 50

/* One attempt at a layer. */
struct work {
	struct pull *p;
	const struct image_descriptor *d;
	size_t item;
	struct ingest_blob blob;
	struct ingest_layer layer;
	struct layer_sink *sink;
	uint64_t have;                  /* bytes in the file, all of them given to sink */
	uint64_t skip;                  /* of an answer that begins before have */
	bool bad;                       /* the bytes, not the way to them, are at fault */
};

static void work_release(struct work *w)
{
	layer_sink_free(w->sink);
	ingest_layer_close(&w->layer);
	ingest_blob_close(&w->blob);
}

/* --- locks ------------------------------------------------------------------ */

static int pause_for_lock(struct work *w, struct err *e)
{
	struct timespec t = { .tv_nsec = LOCK_POLL_MS * 1000000L };

	if (atomic_load(&w->p->stop))
		return err_set(e, ECANCELED, "stopped");
	progress_state(w->p->progress, w->item, "Waiting for another pull", 0);
	nanosleep(&t, NULL);
	return 0;
}

static int open_blob(struct work *w, struct err *e)
{
	for (;;) {
		int r = ingest_blob_open(&w->p->in, w->d->digest, w->d->size_bytes, false,
					 &w->blob, e);

		if (r != -EAGAIN)
			return r;
		r = pause_for_lock(w, e);
		if (r < 0)
			return r;
	}
}

static int open_layer(struct work *w, const char *diff_id, struct err *e)
{
	for (;;) {
		int r = ingest_layer_open(&w->p->in, diff_id, false, &w->layer, e);

		if (r != -EAGAIN)
			return r;
		r = pause_for_lock(w, e);
		if (r < 0)
			return r;
	}
}

/* --- bytes ------------------------------------------------------------------ */

/* Faults of this host; all else that a sink says is about the bytes. */
static bool is_host_fault(int code)
{
	static const int codes[] = {
		ENOSPC, EDQUOT, EIO, ENOMEM, EROFS, EACCES, EPERM, EMFILE, ENFILE, ECANCELED,
		EAGAIN,
	};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

static int give(struct work *w, const void *p, size_t n, struct err *e)
{
	int r = layer_sink_write(w->sink, p, n, e);

	if (r < 0)
		w->bad = !is_host_fault(-r);
	return r;
}

/* What an earlier process left, through the hashes again. */
static int refeed(struct work *w, struct err *e)
{
	CLEANUP_FREE char *b = xmalloc(REFEED_BYTES);

	while (w->have < w->blob.have_bytes) {
		uint64_t left = w->blob.have_bytes - w->have;
		ssize_t n = pread(w->blob.fd, b, left < REFEED_BYTES ? left : REFEED_BYTES,
				  (off_t)w->have);

		if (n <= 0)
			return err_sys(e, n < 0 ? errno : EIO, "read what came of %s earlier",
				       w->d->digest);
		int r = give(w, b, (size_t)n, e);

		if (r < 0)
			return r;
		w->have += (uint64_t)n;
		progress_at(w->p->progress, w->item, w->have);
		if (atomic_load(&w->p->stop))
			return err_set(e, ECANCELED, "stopped");
	}
	return 0;
}

/* The head of an answer: is it about the bytes that we lack, and about as many? */
static int on_start(void *arg, const struct http_answer *a, struct err *e)
{
	struct work *w = arg;
	uint64_t first = 0, last, total = w->d->size_bytes, expected = w->d->size_bytes;

	if (a->status == 206) {
		if (!a->content_range ||
		    http_content_range(a->content_range, &first, &last, &total) < 0 ||
		    first > w->have) {
			w->bad = true;
			return err_set(e, EPROTO, "asked for bytes from %llu on, got \"%s\"",
				       (unsigned long long)w->have,
				       a->content_range ? a->content_range : "");
		}
		expected = last - first + 1;
	}
	/* A server without Range sends all again: what we have is passed over. */
	w->skip = w->have - first;
	if ((total != UINT64_MAX && total != w->d->size_bytes) ||
	    (a->content_bytes >= 0 && (uint64_t)a->content_bytes != expected)) {
		w->bad = true;
		return err_set(e, EPROTO, "the manifest says %llu bytes, the registry sends %llu",
			       (unsigned long long)w->d->size_bytes,
			       (unsigned long long)(total != w->d->size_bytes ? total :
						    (uint64_t)a->content_bytes + first));
	}
	return 0;
}

static int append(struct work *w, const char *p, size_t n, struct err *e)
{
	uint64_t at = w->have;

	while (n > 0) {
		ssize_t done = pwrite(w->blob.fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, errno, "write layer %s to the store", w->d->digest);
		p += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

static int on_bytes(void *arg, const void *p, size_t n, struct err *e)
{
	struct work *w = arg;
	size_t over = w->skip < n ? (size_t)w->skip : n;

	w->skip -= over;
	p = (const char *)p + over;
	n -= over;
	if (n == 0)
		return 0;
	if (n > w->d->size_bytes - w->have) {
		w->bad = true;
		return err_set(e, EPROTO, "the registry sends more than the %llu bytes that the "
			       "manifest says", (unsigned long long)w->d->size_bytes);
	}
	int r = append(w, p, n, e);

	if (r == 0)
		r = give(w, p, n, e);
	if (r < 0)
		return r;
	w->have += n;
	progress_at(w->p->progress, w->item, w->have);
	return 0;
}

/* An answer may end early with no word of it (no Content-Length): ask for the rest. */
static int download(struct work *w, struct http *h, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("blobs/%s", w->d->digest);
	struct client_request q = {
		.http = { .method = "GET", .start = on_start, .sink = on_bytes, .arg = w },
		.path = path,
		.position = &w->have,
		.size_bytes = w->d->size_bytes,
	};

	while (w->have < w->d->size_bytes) {
		CLEANUP(http_answer_release) struct http_answer ans = { 0 };
		uint64_t before = w->have;
		int r = client_do(w->p->client, h, &q, &ans, e);

		if (r < 0) {
			/* The registry's blob is shorter than what we hold. */
			w->bad |= ans.status == 416;
			return r;
		}
		if (w->have < w->d->size_bytes && w->have == before) {
			w->bad = true;
			return err_set(e, EBADMSG, "%s ended after %llu of the %llu bytes that "
				       "the manifest says", ans.url,
				       (unsigned long long)w->have,
				       (unsigned long long)w->d->size_bytes);
		}
	}
	return 0;
}

/* --- one layer ---------------------------------------------------------------- */

static int new_sink(struct work *w, const struct pull_job *j, struct err *e)
{
	struct layer_options o = {
		.what = w->d->digest,
		.digest = w->d->digest,
		.diff_id = j->diff_id,
		.size_bytes = w->d->size_bytes,
		.rootless = w->p->store->rootless,
	};

	return layer_sink_new(w->layer.dirfd, &o, &w->sink, e);
}

static int receive(struct work *w, struct http *h, struct pull_job *j, struct err *e)
{
	struct progress *pr = w->p->progress;
	struct layer_result result;
	int r = new_sink(w, j, e);

	if (r < 0)
		return r;
	if (w->blob.have_bytes > 0)
		progress_state(pr, w->item, "Resuming", w->d->size_bytes);
	else
		progress_state(pr, w->item, "Downloading", w->d->size_bytes);
	r = refeed(w, e);
	if (r == 0)
		r = download(w, h, e);
	if (r < 0)
		return r;
	progress_state(pr, w->item, "Extracting", 0);
	r = layer_sink_finish(w->sink, &result, e);
	if (r < 0) {
		w->bad = !is_host_fault(-r);
		return r;
	}
	j->unpacked_bytes = result.unpacked_bytes;
	r = ingest_blob_commit(&w->blob, w->d->digest, e);
	if (r == 0 && w->layer.dirfd >= 0)
		r = ingest_layer_commit(&w->layer, j->diff_id, e);
	return r;
}

/* The blob is in the store, its layer not: an earlier pull got so far. */
static int unpack_again(struct work *w, struct pull_job *j, struct err *e)
{
	struct layer_options o = {
		.what = w->d->digest, .digest = w->d->digest, .diff_id = j->diff_id,
		.size_bytes = w->d->size_bytes, .rootless = w->p->store->rootless,
	};
	struct layer_result result;
	CLEANUP_FD int fd = store_blob_open(w->p->store, w->d->digest, NULL, e);

	if (fd < 0)
		return fd;
	progress_state(w->p->progress, w->item, "Extracting", 0);
	int r = layer_unpack_fd(fd, w->layer.dirfd, &o, &result, e);

	if (r < 0)
		return r;
	j->unpacked_bytes = result.unpacked_bytes;
	return ingest_layer_commit(&w->layer, j->diff_id, e);
}

/* *ret_again: what was on disk was wrong and is gone; from the start it may be right. */
static int pull_once(struct pull *p, struct http *h, size_t i, bool *ret_again, struct err *e)
{
	struct pull_job *j = &p->jobs[i];
	CLEANUP(work_release) struct work w = {
		.p = p, .d = j->layer, .item = i,
		.blob = INGEST_BLOB_INIT, .layer = INGEST_LAYER_INIT,
	};

	*ret_again = false;
	int there = open_blob(&w, e);

	if (there < 0)
		return there;
	int r = open_layer(&w, j->diff_id, e);

	if (r < 0)
		return r;
	if (there && r > 0) {
		progress_state(p->progress, i, "Already exists", 0);
		return 0;
	}
	/* With a layer that is there dirfd stays -1: only the blob is brought and checked. */
	uint64_t resumed = there ? 0 : w.blob.have_bytes;

	r = there ? unpack_again(&w, j, e) : receive(&w, h, j, e);
	if (r < 0 && !there && w.bad) {
		*ret_again = resumed > 0;
		ingest_blob_discard(&w.blob);
	}
	if (r == 0)
		progress_state(p->progress, i, "Pull complete", 0);
	return r;
}

int pull_layer(void *arg, struct http *h, size_t i, struct err *e)
{
	struct pull *p = arg;
	bool again;
	int r = pull_once(p, h, i, &again, e);

	if (r < 0 && again) {
		log_debug("layer %s: %s; from the start", p->jobs[i].layer->digest, e->msg);
		r = pull_once(p, h, i, &again, e);
	}
	return r;
}
