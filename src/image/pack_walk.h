#pragma once
/*
 * image/pack_walk.h - a tree of files as tar entries.  Layer: image; no library.
 *
 * Names in a directory are sorted.  Sockets are left out with a debug line.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/tar.h"

struct pack_walk_options {
	bool layer;             /* overlay upper: whiteouts become ".wh." entries */
	bool rootless;
	const char *const *skip;        /* full names that are left out */
	size_t n_skip;
};

/* What dirfd holds; names start with prefix ("" or "dir/").  *ret_bytes: data of files. */
MUST_CHECK int pack_walk_dir(struct tar_writer *w, int dirfd, const char *prefix,
			     const struct pack_walk_options *o, uint64_t *ret_bytes,
			     struct err *e);
/* name in dirfd, called as, and what is below it. */
MUST_CHECK int pack_walk_one(struct tar_writer *w, int dirfd, const char *name,
			     const char *as, const struct pack_walk_options *o,
			     uint64_t *ret_bytes, struct err *e);
