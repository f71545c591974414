/* image/unpack.c - see unpack.h; unpack_tree.h places the entries */
#include "image/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "image/decompress.h"
#include "image/unpack_queue.h"
#include "image/unpack_tree.h"

#define IN_BYTES (256u << 10)           /* a slot of compressed bytes */
#define OUT_BYTES (1u << 20)            /* a slot of the tar stream */
#define RATIO_FROM_BYTES (1ull << 30)

const struct layer_limits layer_limits_default = {
	.unpacked_bytes = 256ull << 30,
	.file_bytes = 1ull << 40,
	.entries = 4000000,
	.ratio = 2000,                  /* gzip cannot do more than 1032 */
};

struct layer_sink {
	struct layer_options o;
	int dirfd;
	struct queue in, out;
	pthread_t inflater, unpacker;
	bool started;

	char *slot;                     /* the caller's, being filled */
	size_t slot_len;
	uint64_t in_bytes;              /* all that layer_sink_write() took */

	/* The inflater's. */
	struct digest *digest;
	struct decompress *decompress;
	uint64_t inflated_from, inflated;

	/* The unpacker's. */
	struct digest *diff_id;
	uint64_t entries, file_bytes;

	pthread_mutex_t lock;           /* of e */
	struct err e;                   /* the first failure of any stage */
};

static const char *what(const struct layer_sink *s)
{
	return s->o.what ? s->o.what : "layer";
}

/* The first failure stays; every stage stops. */
static void fail(struct layer_sink *s, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	if (!s->e.code)
		s->e = *e;
	pthread_mutex_unlock(&s->lock);
	queue_stop(&s->in);
	queue_stop(&s->out);
}

static int failure(struct layer_sink *s, struct err *e)
{
	int code;

	pthread_mutex_lock(&s->lock);
	code = s->e.code ? s->e.code : ECANCELED;
	if (e)
		*e = s->e;
	pthread_mutex_unlock(&s->lock);
	return -code;
}

/* ---- compressed bytes -> tar stream ------------------------------------------------ */

static void *out_room(void *ctx, size_t *ret_n, struct err *e)
{
	struct layer_sink *s = ctx;
	char *p = queue_room(&s->out);

	if (!p)
		err_set(e, ECANCELED, "%s: stopped", what(s));
	*ret_n = OUT_BYTES;
	return p;
}

static int out_filled(void *ctx, size_t n, struct err *e)
{
	struct layer_sink *s = ctx;

	s->inflated += n;
	if (s->inflated > s->o.limits.unpacked_bytes)
		return err_set(e, EFBIG, "unpacks to more than %" PRIu64 " bytes",
			       s->o.limits.unpacked_bytes);
	if (s->inflated > RATIO_FROM_BYTES &&
	    s->inflated / s->o.limits.ratio > s->inflated_from)
		return err_set(e, EFBIG, "unpacks to more than %" PRIu64 " times its size: "
			       "refused as a bomb", s->o.limits.ratio);
	queue_put(&s->out, n);
	return 0;
}

static const struct decompress_ops inflate_ops = { .room = out_room, .filled = out_filled };

static void *inflate_thread(void *arg)
{
	struct layer_sink *s = arg;
	struct err e = { 0 };
	const char *p;
	size_t n = 0;
	int r = 0;

	while (r == 0 && (p = queue_get(&s->in, &n)) != NULL) {
		digest_add(s->digest, p, n);
		s->inflated_from += n;
		r = decompress_write(s->decompress, p, n, &e);
		queue_done(&s->in);
	}
	if (r == 0 && !queue_stopped(&s->in))
		r = decompress_finish(s->decompress, &e);
	if (r < 0) {
		err_prefix(&e, "%s", what(s));
		fail(s, &e);
	}
	queue_close(&s->out);
	return NULL;
}

/* ---- tar stream -> files --------------------------------------------------------------- */

static int unpack_stream(struct layer_sink *s, struct tar_reader *tar, struct unpack *u,
			 struct err *e)
{
	const char *p;
	size_t n = 0;
	int r = 0;

	while (r == 0 && (p = queue_get(&s->out, &n)) != NULL) {
		digest_add(s->diff_id, p, n);
		r = tar ? tar_reader_feed(tar, p, n, e) : 0;
		queue_done(&s->out);
	}
	if (r < 0 || !tar || !u || queue_stopped(&s->out))
		return r;
	r = tar_reader_finish(tar, e);
	return r < 0 ? r : unpack_finish(u, e);
}

static void *unpack_thread(void *arg)
{
	struct layer_sink *s = arg;
	const struct unpack_options o = {
		.layer = true, .rootless = s->o.rootless,
		.entries_max = s->o.limits.entries, .file_bytes_max = s->o.limits.file_bytes,
	};
	struct tar_reader *tar = NULL;
	struct unpack *u = NULL;
	struct err e = { 0 };

	/* The umask becomes this thread's own; where that is refused, it is the process'. */
	if (unshare(CLONE_FS) < 0)
		log_debug("unshare(CLONE_FS): %s", err_text(errno));
	if (s->dirfd >= 0) {
		u = unpack_new(s->dirfd, &o);
		tar = tar_reader_new(&unpack_ops, u);
	}
	if (unpack_stream(s, tar, u, &e) < 0) {
		err_prefix(&e, "%s", what(s));
		fail(s, &e);
	}
	if (u) {
		s->entries = unpack_entries(u);
		s->file_bytes = unpack_file_bytes(u);
	}
	tar_reader_free(tar);
	unpack_free(u);
	return NULL;
}

/* ---- the caller's side ------------------------------------------------------------------- */

static void defaults(struct layer_limits *l)
{
	const struct layer_limits *d = &layer_limits_default;

	l->unpacked_bytes = l->unpacked_bytes ? l->unpacked_bytes : d->unpacked_bytes;
	l->file_bytes = l->file_bytes ? l->file_bytes : d->file_bytes;
	l->entries = l->entries ? l->entries : d->entries;
	l->ratio = l->ratio ? l->ratio : d->ratio;
}

/* pthread_create() returns a positive code. */
static int start_threads(struct layer_sink *s, struct err *e)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&s->inflater, NULL, inflate_thread, s);
	if (r == 0) {
		r = pthread_create(&s->unpacker, NULL, unpack_thread, s);
		s->started = r == 0;
		if (r != 0) {
			queue_stop(&s->in);
			queue_stop(&s->out);
			pthread_join(s->inflater, NULL);
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? err_sys(e, r, "%s: start a thread", what(s)) : 0;
}

int layer_sink_new(int dirfd, const struct layer_options *o, struct layer_sink **ret,
		   struct err *e)
{
	CLEANUP_LAYER_SINK struct layer_sink *s = xcalloc(1, sizeof(*s));
	int r;

	s->o = *o;
	s->dirfd = dirfd;
	defaults(&s->o.limits);
	pthread_mutex_init(&s->lock, NULL);
	queue_init(&s->in, IN_BYTES);
	queue_init(&s->out, OUT_BYTES);
	s->decompress = decompress_new(&inflate_ops, s);
	r = digest_new(o->digest, &s->digest, e);
	if (r == 0)
		r = digest_new(o->diff_id, &s->diff_id, e);
	if (r == 0)
		r = start_threads(s, e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

int layer_sink_write(struct layer_sink *s, const void *bytes, size_t n, struct err *e)
{
	const char *p = bytes;

	s->in_bytes += n;
	if (s->o.size_bytes && s->in_bytes > s->o.size_bytes)
		return err_set(e, EBADMSG, "%s: more than the %" PRIu64 " bytes its manifest says",
			       what(s), s->o.size_bytes);
	while (n > 0) {
		size_t k;

		if (!s->slot)
			s->slot = queue_room(&s->in);
		if (!s->slot)
			return failure(s, e);
		k = IN_BYTES - s->slot_len < n ? IN_BYTES - s->slot_len : n;
		memcpy(s->slot + s->slot_len, p, k);
		s->slot_len += k;
		p += k;
		n -= k;
		if (s->slot_len == IN_BYTES) {
			queue_put(&s->in, IN_BYTES);
			s->slot = NULL;
			s->slot_len = 0;
		}
	}
	return 0;
}

static void join(struct layer_sink *s)
{
	if (!s->started)
		return;
	pthread_join(s->inflater, NULL);
	pthread_join(s->unpacker, NULL);
	s->started = false;
}

static int check(const struct layer_sink *s, const struct layer_result *r, struct err *e)
{
	if (s->o.size_bytes && r->size_bytes != s->o.size_bytes)
		return err_set(e, EBADMSG, "%s: %" PRIu64 " bytes, but its manifest says %" PRIu64,
			       what(s), r->size_bytes, s->o.size_bytes);
	if (s->o.digest && strcmp(s->o.digest, r->digest) != 0)
		return err_set(e, EBADMSG, "%s: its bytes have the digest %s, not %s", what(s),
			       r->digest, s->o.digest);
	if (s->o.diff_id && strcmp(s->o.diff_id, r->diff_id) != 0)
		return err_set(e, EBADMSG, "%s: unpacked it has the DiffID %s, but the image's "
			       "config says %s", what(s), r->diff_id, s->o.diff_id);
	return 0;
}

int layer_sink_finish(struct layer_sink *s, struct layer_result *ret, struct err *e)
{
	enum decompress_kind kind;

	if (s->slot_len)
		queue_put(&s->in, s->slot_len);
	s->slot = NULL;
	s->slot_len = 0;
	queue_close(&s->in);
	join(s);
	if (s->e.code)
		return failure(s, e);
	kind = decompress_kind(s->decompress);
	*ret = (struct layer_result){
		.size_bytes = s->in_bytes, .tar_bytes = s->inflated,
		.unpacked_bytes = s->file_bytes, .entries = s->entries,
		.compressed = kind != DECOMPRESS_PLAIN,
		.media_type = kind == DECOMPRESS_GZIP ?
				      "application/vnd.oci.image.layer.v1.tar+gzip" :
			      kind == DECOMPRESS_ZSTD ?
				      "application/vnd.oci.image.layer.v1.tar+zstd" :
				      "application/vnd.oci.image.layer.v1.tar",
	};
	digest_text(s->digest, ret->digest);
	digest_text(s->diff_id, ret->diff_id);
	return check(s, ret, e);
}

void layer_sink_free(struct layer_sink *s)
{
	if (!s)
		return;
	queue_stop(&s->in);
	queue_stop(&s->out);
	join(s);
	queue_release(&s->in);
	queue_release(&s->out);
	decompress_free(s->decompress);
	digest_free(s->digest);
	digest_free(s->diff_id);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void layer_sink_cleanup(struct layer_sink **s)
{
	layer_sink_free(*s);
	*s = NULL;
}

int layer_unpack_fd(int fd, int dirfd, const struct layer_options *o,
		    struct layer_result *ret, struct err *e)
{
	CLEANUP_LAYER_SINK struct layer_sink *s = NULL;
	CLEANUP_FREE char *p = xmalloc(IN_BYTES);
	int r = layer_sink_new(dirfd, o, &s, e);

	while (r == 0) {
		ssize_t n = read(fd, p, IN_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "%s: read", what(s));
		if (n == 0)
			return layer_sink_finish(s, ret, e);
		r = layer_sink_write(s, p, (size_t)n, e);
	}
	return r;
}
