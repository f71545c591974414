#pragma once
/*
 * image/store_files.h - the store's files: names, locks, trees removed and counted.
 * Layer: image, inside only.
 */
#include <stdint.h>

#include "image/store.h"

#define STORE_NAME_MAX 160              /* "sha512/" and 128 digits */

extern const char *const store_algorithms[2];           /* "sha256", "sha512" */
/* The one of a valid digest. */
const char *store_algorithm(const char *digest);
/* "sha256:<hex>" as a path below blobs/.  digest is valid. */
void store_blob_name(const char *digest, char ret[STORE_NAME_MAX]);

/*
 * flock the store (tmp/lock): how is LOCK_SH to bring something in, LOCK_EX to sweep,
 * | LOCK_NB not to wait (-EAGAIN).  Returns the descriptor that holds the lock.
 */
MUST_CHECK int store_lock(const struct store *s, int how, struct err *e);
/* fsync the directory (dirfd, path). */
MUST_CHECK int store_sync_dir(int dirfd, const char *path, struct err *e);

/* Remove all below the directory fd, which stays. */
MUST_CHECK int store_empty_dir(int fd, struct err *e);
/* Remove name, file or tree, adding its disk space; not there is fine. */
MUST_CHECK int store_remove(int dirfd, const char *name, uint64_t *ret_freed, struct err *e);
struct store_count {
	uint64_t bytes;                 /* of regular files, one with several names once */
	uint64_t tally;                 /* names, and the bytes behind each: to compare */
};
/* Count what is below (dirfd, name). */
MUST_CHECK int store_tree_count(int dirfd, const char *name, struct store_count *ret,
				struct err *e);
