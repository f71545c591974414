#pragma once
/*
 * image/unpack_dirs.h - the directories of a tree being unpacked: open parents, and what is
 * to be set on each at the end.  Layer: image; no library.
 *
 * Paths are normal: no slash at either end, no "." or "..", "" is the root.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "image/tar.h"

#define DIRS_OPEN_MAX 32

struct dir_record {
	struct dir_record *next;        /* of its hash chain */
	char *path;
	bool set;                       /* an entry said the following */
	bool opaque;
	bool whiteouts;                 /* it may hold some */
	mode_t mode;
	uint32_t uid, gid;
	struct timespec times[2];       /* as utimensat(2) wants them */
	struct tar_xattr *xattrs;
	size_t n_xattrs;
};

struct dirs {
	int rootfd;                     /* borrowed */
	bool layer;
	struct { char *path; int fd; } open[DIRS_OPEN_MAX];
	struct arena arena;
	struct dir_record **chains;
	size_t n_chains, n_records;
};

void dirs_init(struct dirs *d, int rootfd, bool layer);
void dirs_release(struct dirs *d);

/*
 * An O_PATH descriptor of the directory path[0..len), d's own, good until the next call.
 * What is missing is made with make (mode 0755), else -ENOENT.  Errors say what is wrong
 * with the parent, without the entry's name.
 */
MUST_CHECK int dirs_parent(struct dirs *d, const char *path, size_t len, bool make,
			   struct err *e);
/* Something that could be on the way to a parent was replaced. */
void dirs_forget(struct dirs *d);
/* The record of a directory, added where there is none. */
struct dir_record *dirs_record(struct dirs *d, const char *path, size_t len);
/* A directory was made anew: what was noted of another in its place is void. */
void dirs_reset(struct dirs *d, const char *path, size_t len, bool opaque);
