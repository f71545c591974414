#pragma once
/* image/tar_impl.h - what the files of the tar reader share.  Layer: image. */
#include "image/tar.h"

/* Offsets in a header block: POSIX.1-2017 pax; GNU tar manual, "Basic Tar Format". */
struct tar_header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char chksum[8];
	char typeflag;
	char linkname[100];
	char magic[8];                  /* "ustar\0" "00", or GNU's "ustar  \0" */
	char uname[32], gname[32];
	char devmajor[8], devminor[8];
	union {
		char prefix[155];
		struct {                /* GNU, type S */
			char atime[12], ctime[12], offset[12], longnames[4], unused;
			char sp[4][2][12];      /* offset, length */
			char isextended;
			char realsize[12];
		} gnu;
	};
	char pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a header is one block");

/* What the pax records ahead of an entry say. */
struct tar_pax {
	const char *path, *linkpath;            /* NULL: not given */
	const char *sparse_name;
	bool has_uid, has_gid, has_size, has_mtime, has_atime;
	uint64_t uid, gid, size;
	struct timespec mtime, atime;
	struct tar_xattr *xattrs;
	size_t n_xattrs, cap_xattrs;
	bool is_sparse;                         /* any GNU.sparse record */
	unsigned sparse_major, sparse_minor;
	bool has_sparse_version;
	uint64_t sparse_size;                   /* GNU.sparse.size or realsize */
	bool has_sparse_size;
	struct tar_extent *extents;             /* of 0.0 and 0.1 */
	size_t n_extents, cap_extents;
	bool half_extent;                       /* 0.0: an offset without its length */
};

/* n octal digits with blanks around, or base-256.  -EINVAL for other bytes. */
MUST_CHECK int tar_number(const char *p, size_t n, int64_t *ret);
/* Digits only. */
MUST_CHECK int tar_decimal(const char *p, size_t n, uint64_t *ret);
/* Does the checksum hold?  Signed sums of old writers are accepted. */
bool tar_checksum_ok(const struct tar_header *h);
/* Parse the records of an 'x' entry into p; strings are a's. */
MUST_CHECK int tar_pax_parse(const char *text, size_t n, struct arena *a, struct tar_pax *p,
			     struct err *e);
/* Add an extent to an array that grows in a. */
MUST_CHECK int tar_extent_add(struct arena *a, struct tar_extent **v, size_t *n, size_t *cap,
			      uint64_t offset, uint64_t len);
/* Ascending, inside size, and stored bytes in all.  -EINVAL otherwise. */
MUST_CHECK int tar_extents_check(const struct tar_extent *v, size_t n, uint64_t size,
				 uint64_t stored);
