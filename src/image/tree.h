#pragma once
/*
 * image/tree.h - copying trees of files between directories that nobody trusts.
 * Layer: image; no library.
 *
 * `isle cp`, the copy-up of a volume, and the removal of trees.  Both ends are walked by
 * descriptor below a root: a symlink inside a container, or one put there while the copy
 * runs, cannot lead it out (the class of CVE-2018-15664 and CVE-2019-14271).  Owners,
 * modes, times, xattrs, hard links, holes, devices and fifos are kept; sockets are left out
 * with a debug line.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tree_options {
	bool own;               /* files belong to uid:gid below instead of the source's owner */
	uint32_t uid, gid;
	bool one_level;         /* the source directory itself, without what it holds */
	bool keep_top;          /* tree_copy_dir(): dst's own owner, mode, times stay */
};

/*
 * Copy what the directory src holds into the directory dst, which exists; dst gets src's
 * owner, mode, times and xattrs.  What is there already: directories are merged, other
 * things replaced; a directory in the place of a file, or the reverse, is -EEXIST.
 */
MUST_CHECK int tree_copy_dir(int src, int dst, const struct tree_options *o, struct err *e);
/* As above for one thing of any kind, name in the directory srcdir, to dstname in dstdir. */
MUST_CHECK int tree_copy_at(int srcdir, const char *name, int dstdir, const char *dstname,
			    const struct tree_options *o, struct err *e);
/* Remove name in dirfd and all below; fine when it is not there. */
MUST_CHECK int tree_remove_at(int dirfd, const char *name, struct err *e);

/*
 * Bytes on disk of all below dirfd.  What goes away meanwhile, or cannot be read, is not
 * counted: the sum is of a moment anyway.
 */
uint64_t tree_usage(int dirfd);

/* ---- docker cp --------------------------------------------------------------- */

struct tree_place {
	int rootfd;             /* the path is resolved inside; AT_FDCWD: the host's, by openat */
	const char *path;       /* as typed: a trailing "/" or "/." has its meaning */
	const char *label;      /* what messages call this end, "container:/x"; NULL: path */
};

struct tree_cp_options {
	bool follow;            /* -L: a symlink as source is followed */
	bool archive;           /* -a: keep uid and gid; else uid:gid below own what is copied */
	uint32_t uid, gid;      /* docker: 0:0 into an instance, the caller's on the host */
};

/*
 * docker cp SRC DST:
 *   file -> missing name     the file, under that name; "missing/" is an error
 *   file -> file, directory  replaced; placed inside
 *   dir  -> missing name     made, with the contents of dir
 *   dir  -> file             error
 *   dir  -> directory        placed inside; with "SRC/." only the contents
 */
MUST_CHECK int tree_cp(const struct tree_place *src, const struct tree_place *dst,
		       const struct tree_cp_options *o, struct err *e);
/* docker cp SRC -: a tar stream of src on fd, names starting with its last component. */
MUST_CHECK int tree_cp_to_tar(const struct tree_place *src, int fd,
			      const struct tree_cp_options *o, struct err *e);
/* docker cp - DST: dst must be a directory; the tar stream fd (plain) goes into it. */
MUST_CHECK int tree_cp_from_tar(int fd, const struct tree_place *dst,
				const struct tree_cp_options *o, struct err *e);
