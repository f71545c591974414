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
 *   <root>/tmp/lock                    flock: shared to bring in, exclusive to sweep
 *
 * A blob or a layer appears by rename after fsync, so that what has its final name is
 * whole.  An image is in the tables only when all its blobs and layers are there, and
 * that commit is durable (image/ingest.h).  What no image refers to is swept by
 * image_prune() under the store's lock, never while an instance stands on it.
 *
 * An image is known by the digest of its config.  Its names are full references,
 * "host/path:tag" and "host/path@digest"; a name that a user gave without a host, while no
 * default registry is configured, has none ("busybox:latest").
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/db.h"
#include "base/err.h"
#include "oci/image.h"

extern const struct db_schema image_schema;             /* this area's tables */

struct store {
	struct db *db;
	const char *root;               /* absolute */
	int rootfd;
	bool rootless;                  /* whiteout xattrs in user. */
};

/*
 * db (image_schema in it) and root stay the caller's and must outlive the store.  Makes
 * nothing: folders appear when something is first written.
 */
MUST_CHECK int store_open(struct db *db, const char *root, bool rootless, struct store *ret,
			  struct err *e);
void store_close(struct store *s);

/* One image as the tables have it.  Strings hang in the arena given. */
struct image {
	const char *id;                 /* digest of its config: "sha256:..." */
	const char *manifest;           /* digest of its manifest: of the name it was found by */
	const char *const *names;       /* full references, tags first */
	size_t n_names;
	size_t n_tags;                  /* of names; 0: dangling */
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
 * or a unique prefix of one (at least 4 hex digits).  A short name is looked for as it is
 * ("nginx:latest"), then by registries.conf.  -ENOENT "no such image: X"; -EEXIST for an
 * ambiguous prefix.  A config blob that is gone or torn is -EUCLEAN and says what to do.
 */
MUST_CHECK int image_find(const struct store *s, const char *what, struct arena *a,
			  struct image *ret, struct err *e);
/* All, newest first.  Torn ones are left out with a warning in the log. */
MUST_CHECK int image_list(const struct store *s, struct arena *a, struct image **ret,
			  size_t *ret_n, struct err *e);
/* The image that has exactly this full name; -ENOENT. */
MUST_CHECK int image_find_name(const struct store *s, const char *name, struct arena *a,
			       struct image *ret, struct err *e);

/* Unpacked bytes of each layer; an array in a, as many as layers. */
MUST_CHECK int image_layer_sizes(const struct store *s, const struct image *i, struct arena *a,
				 uint64_t **ret, struct err *e);

/*
 * Note, in the caller's transaction, that user (an instance's ID) stands on image's layers
 * until image_unhold(): they are not swept, and removal without force is refused.
 * -ENOENT when the image was removed since it was found.
 */
MUST_CHECK int image_hold(const struct store *s, const struct image *i, const char *user,
			  struct err *e);
MUST_CHECK int image_unhold(const struct store *s, const char *user, struct err *e);
/* Who stands on the image: IDs in a. */
MUST_CHECK int image_users(const struct store *s, const char *id, struct arena *a,
			   struct oci_strv *ret, struct err *e);
/* The ID and the layers (bottom first) user stands on, also of an image since removed. */
MUST_CHECK int image_held(const struct store *s, const char *user, struct arena *a,
			  const char **ret_id, struct oci_strv *ret_layers, struct err *e);

/* Give image one more full name, taken from the image that had it.  Durable. */
MUST_CHECK int image_tag(const struct store *s, const struct image *i, const char *name,
			 struct err *e);
/* Take a name away; the image stays.  -ENOENT. */
MUST_CHECK int image_untag(const struct store *s, const char *name, struct err *e);
/*
 * Remove the image and all its names from the tables; files go with image_prune().  While
 * instances stand on it: -EBUSY names one, or with force their layers stay until they go.
 */
MUST_CHECK int image_remove(const struct store *s, const char *id, bool force, struct err *e);

struct image_prune_report {
	uint64_t freed_bytes;           /* of blobs, partial downloads and layers */
	size_t blobs, layers, leftovers;
	bool busy;                      /* somebody pulls or loads: nothing was swept */
};
/*
 * Remove the blobs and layers that no image and no instance needs, and what killed commands
 * left.  What came for an image that is not complete, an interrupted pull, stays a day, so
 * that it can be resumed, unless downloads is set.  Never waits.
 */
MUST_CHECK int image_prune(const struct store *s, bool downloads,
			   struct image_prune_report *ret, struct err *e);

/*
 * Compare tables and files.  content: read every blob and compare its digest (slow), else
 * presence and sizes.  What can be mended is (a layer directory is made again by the next
 * pull or load once its torn one is removed; leftovers go).  tell is called with one line a
 * finding: what is wrong, whose image it is, what was done and what to do.  Returns the
 * number of findings that are left to the user.
 */
typedef void image_check_tell(void *arg, bool mended, const char *line);
MUST_CHECK int image_check(const struct store *s, bool content, image_check_tell *tell,
			   void *arg, struct err *e);
