#pragma once
/*
 * image/platform.h - "os/architecture/variant": this host's, a user's, the best of an
 * index.  Layer: image.
 */
#include "base/arena.h"
#include "base/err.h"
#include "oci/image.h"

/* "linux/arm64/v8", "arm64", "linux": as --platform takes it; the host fills the rest. */
MUST_CHECK int platform_parse(const char *text, struct arena *a, struct image_platform *ret,
			      struct err *e);
/* This machine's, in Go's words (image-spec config.md, "architecture"). */
void platform_host(struct image_platform *ret);
/* "linux/arm64/v8"; a's. */
char *platform_format(const struct image_platform *p, struct arena *a);
/*
 * The entry of index for want: same os and architecture; the variant asked for, else the
 * newest one that such a machine runs (arm64 "v8" is no variant; arm v7 runs v6, v5).
 * Entries that are no image (attestations: platform unknown/unknown) never match.
 * -ENOENT lists what there is.  An index of one entry without a platform gives that.
 */
MUST_CHECK int platform_choose(const struct image_index *index,
			       const struct image_platform *want, struct arena *a,
			       const struct image_descriptor **ret, struct err *e);
