#pragma once
/*
 * image/decompress.h - gzip (ISA-L), zstd or plain bytes, told by their first ones.
 * Layer: image.
 *
 * Fed with bytes, it fills buffers that its user gives: nothing is copied twice.  gzip
 * (RFC 1952) may have several members, zstd (RFC 8878) several frames; checksums and lengths in
 * trailers are verified.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum decompress_kind { DECOMPRESS_UNKNOWN, DECOMPRESS_PLAIN, DECOMPRESS_GZIP, DECOMPRESS_ZSTD };

struct decompress_ops {
	/* A buffer to fill, of *ret_n > 0 bytes; NULL: stop, with e filled. */
	void *(*room)(void *ctx, size_t *ret_n, struct err *e);
	/* n > 0 bytes of the last buffer were filled. */
	int (*filled)(void *ctx, size_t n, struct err *e);
};

struct decompress;

struct decompress *decompress_new(const struct decompress_ops *ops, void *ctx);
void decompress_free(struct decompress *d);
MUST_CHECK int decompress_write(struct decompress *d, const void *p, size_t n, struct err *e);
/* No more bytes: -EBADMSG inside a member or frame. */
MUST_CHECK int decompress_finish(struct decompress *d, struct err *e);
enum decompress_kind decompress_kind(const struct decompress *d);
