#pragma once
/*
 * image/unpack.h - a compressed layer's bytes, as they arrive, into a directory.
 * Layer: image.
 *
 *	caller              thread                     thread
 *	layer_sink_write -> digest, inflate  --------> DiffID, tar, files
 *	                    (gzip, zstd or plain)
 *
 * The bytes are queued and worked on while the caller fetches more; the queues are a few
 * megabytes whatever the layer's size, and layer_sink_write() blocks while they are full.
 *
 * The directory becomes an overlayfs lower directory (kernel, overlayfs.rst): whiteouts
 * are 0:0 devices, opaque directories have the xattr "trusted.overlay.opaque", or
 * "user.overlay.opaque" rootless.  What is written is durable only after the caller's
 * syncfs.  After a failure the directory holds part of the layer: remove it.
 *
 * Layers are untrusted.  Entries are placed below the directory by descriptor; those that
 * lead out of it (a "..", a parent that is a symlink leading out, a hard link to what is not
 * in the layer), that are malformed or past a limit fail the layer with a line that names
 * the entry.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"

struct layer_limits {                   /* 0: the default of layer_limits_default */
	uint64_t unpacked_bytes;        /* of the tar stream */
	uint64_t file_bytes;            /* apparent size of one file, holes included */
	uint64_t entries;
	uint64_t ratio;                 /* unpacked : compressed, once past 1 GiB unpacked */
};
extern const struct layer_limits layer_limits_default;

struct layer_options {
	const char *what;               /* the layer's name in messages: its digest; or NULL */
	const char *digest;             /* expected of the compressed bytes; NULL: any */
	const char *diff_id;            /* expected of the tar stream; NULL: any */
	uint64_t size_bytes;            /* expected, compressed; 0: any.  More is refused at once */
	bool rootless;                  /* struct store's */
	struct layer_limits limits;
};

struct layer_result {
	char digest[DIGEST_TEXT_MAX];   /* of the compressed bytes */
	char diff_id[DIGEST_TEXT_MAX];  /* of the tar stream */
	uint64_t size_bytes;            /* compressed */
	uint64_t tar_bytes;             /* the tar stream */
	uint64_t unpacked_bytes;        /* data of the regular files: what `isle images` adds up */
	uint64_t entries;
	bool compressed;                /* false: the blob is a plain tar */
	const char *media_type;         /* OCI's for this compression; static */
};

struct layer_sink;

/*
 * dirfd is an empty directory, borrowed until the end; -1: only digests are computed.
 * Two threads are started, with all signals blocked.
 */
MUST_CHECK int layer_sink_new(int dirfd, const struct layer_options *o,
			      struct layer_sink **ret, struct err *e);
/*
 * Queue n compressed bytes, copied.  Fails with the first error of any stage: then only
 * layer_sink_free() is left to call.
 */
MUST_CHECK int layer_sink_write(struct layer_sink *s, const void *p, size_t n, struct err *e);
/*
 * No more bytes: wait, complete the directories' modes and times, check digests.
 * A digest that is not the expected one is -EBADMSG, with both in the line.
 */
MUST_CHECK int layer_sink_finish(struct layer_sink *s, struct layer_result *ret, struct err *e);
/* Stop the threads, release.  At any time; NULL is accepted. */
void layer_sink_free(struct layer_sink *s);
void layer_sink_cleanup(struct layer_sink **s);
#define CLEANUP_LAYER_SINK __attribute__((cleanup(layer_sink_cleanup)))

/* All of it for a blob at hand: the rest of the file fd. */
MUST_CHECK int layer_unpack_fd(int fd, int dirfd, const struct layer_options *o,
			       struct layer_result *ret, struct err *e);
