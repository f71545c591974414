#pragma once
/*
 * image/digest.h - digests of bytes: "sha256:<hex>", "sha512:<hex>".  Layer: image.
 *
 * Through libcrypto, which uses the processor's SHA instructions.  For the programs that
 * take images in; `isle` itself has no use for it.
 */
#include <stddef.h>

#include "base/err.h"

#define DIGEST_TEXT_MAX 136             /* "sha512:", 128 digits and the NUL */

struct digest;

/*
 * A running digest of the algorithm that like names ("sha256:..." or just "sha256"; NULL is
 * sha256).  -EINVAL for an algorithm there is not.
 */
MUST_CHECK int digest_new(const char *like, struct digest **ret, struct err *e);
void digest_add(struct digest *d, const void *p, size_t n);
/* The text of all that was added; d is good only for digest_free() after. */
void digest_text(struct digest *d, char text[DIGEST_TEXT_MAX]);
void digest_free(struct digest *d);
void digest_cleanup(struct digest **d);
#define CLEANUP_DIGEST __attribute__((cleanup(digest_cleanup)))

/* The sha256 of n bytes at hand. */
void digest_of(const void *p, size_t n, char text[DIGEST_TEXT_MAX]);
