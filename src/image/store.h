#pragma once
/*
 * image/store.h - images on disk: blobs, unpacked layers, names.  Layer: image.
 *
 *   <root>/isle.db                     names and references (tables of this area below)
 *   <root>/blobs/sha256/<hex>          manifests, configs, compressed layers, by digest
 *   <root>/layers/<hex of DiffID>/     one unpacked layer: an overlayfs lower directory,
 *                                      whiteouts as overlayfs wants them (0:0 devices,
 *                                      opaque xattr: trusted.overlay, user.overlay rootless)
 *   <root>/tmp/                        what is being written; partial downloads by digest
 *   <root>/tmp/<name>.lock             flock: who works on it
 *
 * A blob or a layer appears by rename after fsync, so that what has its final name is
 * whole.  An image is in the tables only when all its blobs and layers are there, and
 * that commit is durable.  What no image refers to is swept by image_prune() under the
 * store's lock, never while an instance uses it (users are counted in table layer_users).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/db.h"
#include "base/err.h"
#include "oci/image.h"

extern const struct db_schema image_schema;

struct store {
	struct db *db;
	const char *root;               /* absolute */
	int rootfd;
	bool rootless;                  /* whiteout xattrs in user. */
};

/* One image as the tables have it.  Strings hang in the arena given. */
struct image {
	const char *id;                 /* digest of its config: "sha256:..." */
	const char *manifest;           /* digest of its manifest */
	const char *const *names;       /* references with tags or digests, full form */
	size_t n_names;
	uint64_t size_bytes;            /* of the unpacked layers */
	int64_t created;                /* of the config, seconds; 0 unknown */
	struct image_config config;
	/* Bottom first: absolute directories of the unpacked layers. */
	const char *const *layers;
	const char *const *diff_ids;
	size_t n_layers;
};

/*
 * What a user typed: a full or short name ("nginx", "nginx:1", "host/x@sha256:..."), an ID
 * or a unique prefix of one (at least 4 hex digits).  -ENOENT "no such image: X";
 * -EEXIST for an ambiguous prefix.
 */
MUST_CHECK int image_find(const struct store *s, const char *what, struct arena *a,
			  struct image *ret, struct err *e);
/* All, newest first. */
MUST_CHECK int image_list(const struct store *s, struct arena *a, struct image **ret,
			  size_t *ret_n, struct err *e);

/*
 * Note, in the caller's transaction, that user (an instance's ID) stands on image's layers
 * until image_release(): they are not swept, and rmi without force is refused.
 */
MUST_CHECK int image_hold(const struct store *s, const struct image *i, const char *user,
			  struct err *e);
MUST_CHECK int image_unhold(const struct store *s, const char *user, struct err *e);
