#pragma once
/*
 * image/ingest.h - how images come into the store: pull, load, import, commit.
 * Layer: image.
 *
 *	ingest_begin                            shared lock: nothing is swept meanwhile
 *	  for each layer, in any thread:
 *	    ingest_blob_open    -> write, verify -> ingest_blob_commit
 *	    ingest_layer_open   -> unpack        -> ingest_layer_commit
 *	  image_commit                          one durable transaction
 *	ingest_end
 *
 * What is being written has a name in <root>/tmp and is locked by flock on itself: two
 * processes (or threads) that want the same blob or layer get it one after the other, and
 * the second finds it done.  Always open a blob before the layer that is made of it, and
 * at most one of each a thread: then nobody waits in a circle.
 *
 *   tmp/sha256-<hex>.blob      a download; outlives its process, so that it can be resumed
 *   tmp/<hex of DiffID>.layer  a layer being unpacked; worth nothing when its process died
 *   tmp/<random>.work          what has no digest yet, file or directory
 *
 * Files and directories only: every function but image_commit() may be called by several
 * threads of one ingest.  Callers verify digests; the store checks names and sizes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/store.h"

#define INGEST_NAME_MAX 160             /* of a file in tmp */

struct ingest {
	const struct store *store;
	int blobs, layers, tmp, lock;   /* descriptors */
};

/*
 * Take the store's lock, shared; waits while another process sweeps.  The directories are
 * made where they lack.
 */
MUST_CHECK int ingest_begin(const struct store *s, struct ingest *ret, struct err *e);
void ingest_end(struct ingest *g);
#define CLEANUP_INGEST __attribute__((cleanup(ingest_end)))
#define INGEST_INIT { .blobs = -1, .layers = -1, .tmp = -1, .lock = -1 }

/* ---- blobs ------------------------------------------------------------------ */

struct ingest_blob {
	const struct ingest *in;
	int fd;                         /* O_RDWR, at its end; -1 when not open */
	uint64_t have_bytes;            /* left by an earlier process: hash, then resume */
	char name[INGEST_NAME_MAX];     /* in tmp */
	bool keep;                      /* close keeps the file: named by a digest */
};
#define INGEST_BLOB_INIT { .fd = -1 }

/*
 * Open the partial file of digest, locked.  Returns 1 when the store has the blob already
 * (ret is not open), 0 when it is open.  Where another writes it: waits, or with !wait
 * -EAGAIN.  A partial file longer than size_bytes is emptied.  Only the size of a blob that
 * is there is compared: -EINVAL, with both sizes.
 */
MUST_CHECK int ingest_blob_open(const struct ingest *g, const char *digest,
				uint64_t size_bytes, bool wait, struct ingest_blob *ret,
				struct err *e);
/* An empty file for bytes whose digest will be known at the end. */
MUST_CHECK int ingest_blob_new(const struct ingest *g, struct ingest_blob *ret, struct err *e);
/* Start again from nothing (the server ignored Range, the prefix was wrong). */
MUST_CHECK int ingest_blob_restart(struct ingest_blob *b, struct err *e);
/* The bytes are verified: fsync, rename to blobs/.  Closes b. */
MUST_CHECK int ingest_blob_commit(struct ingest_blob *b, const char *digest, struct err *e);
/* What was written is wrong: remove it.  Closes b. */
void ingest_blob_discard(struct ingest_blob *b);
/* Unlock; a named partial file stays for the next attempt.  For CLEANUP. */
void ingest_blob_close(struct ingest_blob *b);
#define CLEANUP_INGEST_BLOB __attribute__((cleanup(ingest_blob_close)))

/* Bytes at hand (a manifest, a config) as a blob, in one step; fine when it is there. */
MUST_CHECK int ingest_bytes(const struct ingest *g, const char *digest, const void *p,
			    size_t n, struct err *e);

/* ---- layers ----------------------------------------------------------------- */

struct ingest_layer {
	const struct ingest *in;
	int dirfd;                      /* empty directory to unpack into; -1 when not open */
	char name[INGEST_NAME_MAX];     /* in tmp */
};
#define INGEST_LAYER_INIT { .dirfd = -1 }

/*
 * An empty directory for the layer of diff_id (NULL: known at the end), locked.  Returns 1
 * when the store has that layer (ret is not open), 0 when it is open; waits while another
 * makes it, or with !wait -EAGAIN.
 */
MUST_CHECK int ingest_layer_open(const struct ingest *g, const char *diff_id, bool wait,
				 struct ingest_layer *ret, struct err *e);
/*
 * The DiffID is verified: syncfs, rename to layers/.  Closes l.
 * Another's layer of that DiffID is as good: ours is then removed.
 */
MUST_CHECK int ingest_layer_commit(struct ingest_layer *l, const char *diff_id, struct err *e);
/* Remove what is not committed.  For CLEANUP. */
void ingest_layer_close(struct ingest_layer *l);
#define CLEANUP_INGEST_LAYER __attribute__((cleanup(ingest_layer_close)))

/* ---- images ----------------------------------------------------------------- */

struct ingest_image {
	const char *manifest;           /* bytes; their digest is computed here */
	size_t manifest_len;
	const char *config;             /* bytes; must have the digest that the manifest says */
	size_t config_len;
	/*
	 * Full names the image gets, taken from whatever had them: "host/x:tag" and what was
	 * asked of the registry, "host/x@sha256:..." (of the index, where there was one).
	 */
	const char *const *names;
	size_t n_names;
	/* Unpacked bytes of each layer where just unpacked, else 0 (they are then counted). */
	const uint64_t *layer_bytes;    /* as many as layers, or NULL */
	/* Digest by which it was asked for, checked against the bytes; NULL: sha256 of them. */
	const char *manifest_digest;
};

/*
 * Note the image in the tables, durably: once this returned 0, it is there after a kill or
 * a power cut.  Everything it needs must have been committed: a missing blob or layer is
 * -ENOENT and says which.  *ret_id (a's) is the image's ID.  One thread.
 */
MUST_CHECK int image_commit(const struct ingest *g, const struct ingest_image *i,
			    struct arena *a, const char **ret_id, struct err *e);

/* ---- reading ---------------------------------------------------------------- */

/* Open a blob for reading; -ENOENT "blob X is missing". */
MUST_CHECK int store_blob_open(const struct store *s, const char *digest,
			       uint64_t *ret_size_bytes, struct err *e);
/* Append a small blob (manifest, config), its digest checked; -EFBIG past b->max. */
MUST_CHECK int store_blob_read(const struct store *s, const char *digest, struct buf *b,
			       struct err *e);
/* The manifest of an image in the store, parsed. */
MUST_CHECK int image_manifest_load(const struct store *s, const struct image *i,
				   struct arena *a, struct image_manifest *ret, struct err *e);
/* Is the layer there?  For callers that want to know before they ask for its blob. */
bool store_layer_has(const struct store *s, const char *diff_id);
