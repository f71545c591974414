#pragma once
/*
 * image/pack.h - directories into tar streams: layers for commit and import, export.
 * Layer: image.
 *
 * Entries come sorted by name, so that the same tree gives the same bytes.  Names, owners and
 * times that ustar cannot hold go into pax headers, xattrs into SCHILY.xattr records, as
 * other engines read them.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"

struct pack_options {
	bool layer;             /* dirfd is an overlay upper: whiteouts become ".wh." entries */
	bool rootless;          /* user.overlay xattrs */
	bool gzip;              /* compress; level 0..3 of ISA-L, which is about gzip -1 at 1 */
	int level;
	const char *const *skip;        /* names without the first slash, left out */
	size_t n_skip;
};

struct pack_result {
	char digest[DIGEST_TEXT_MAX];   /* of what was written */
	char diff_id[DIGEST_TEXT_MAX];  /* of the tar stream */
	uint64_t size_bytes;            /* written */
	uint64_t tar_bytes;
	uint64_t unpacked_bytes;        /* data of the regular files */
};

/* The tree below dirfd, which stays the caller's, to fd.  Hard links are kept. */
MUST_CHECK int pack_tree(int dirfd, int fd, const struct pack_options *o,
			 struct pack_result *ret, struct err *e);
