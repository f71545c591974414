#pragma once
/*
 * image/tar.h - tar streams: a reader fed with bytes, a writer.  Layer: image; no library.
 *
 * A layer is a tar stream (image-spec layer.md): 512-byte blocks, a header for each entry,
 * its data padded to a block, two zero blocks at the end.
 *
 *	[x: pax records] [L: long name] [header] [sparse map] [data, padded] ... [0] [0]
 *
 * Read are V7, ustar, pax (POSIX.1-2017, pax "ustar Interchange Format") and GNU (GNU tar
 * manual, "Basic Tar Format"), sparse files in the old GNU form and pax 0.0, 0.1, 1.0,
 * xattrs as SCHILY.xattr and LIBARCHIVE.xattr.  Where the formats leave a choice it is what
 * Go's archive/tar does, since the engines that make layers and hash them are
 * written in Go: two readers that see different files in one layer are a hole.
 *
 * libarchive, the house's tar library elsewhere, is not used for layers: it brings names of pax
 * records into normal form C and into the locale's charset, cuts them at a NUL, and
 * `isle` itself, which is static, copies tar streams, too.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define TAR_BLOCK 512
#define TAR_META_MAX (1u << 20)         /* pax records and long names of one entry */
#define TAR_EXTENTS_MAX (1u << 20)      /* of one sparse file */

enum tar_type {                         /* the type flags that come out of the reader */
	TAR_FILE = '0', TAR_LINK = '1', TAR_SYMLINK = '2', TAR_CHAR = '3', TAR_BLOCK_DEV = '4',
	TAR_DIR = '5', TAR_FIFO = '6'
};

struct tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};

struct tar_extent {                     /* a run of data in a sparse file */
	uint64_t offset, len;
};

struct tar_entry {
	enum tar_type type;
	const char *name;               /* as it stands there, not empty, no NUL inside */
	const char *link;               /* target of links, else "" */
	mode_t mode;                    /* 07777 */
	uint64_t uid, gid;
	struct timespec mtime, atime;
	bool has_atime;
	uint64_t size_bytes;            /* apparent size of a file; else 0 */
	uint32_t major, minor;
	struct tar_xattr *xattrs;
	size_t n_xattrs;
	struct tar_extent *extents;     /* of a sparse file, ascending, not overlapping */
	size_t n_extents;
	bool sparse;
};

/* ---- reading ---------------------------------------------------------------- */

struct tar_ops {
	/* An entry begins; its strings live until end.  A failure ends the reading. */
	int (*entry)(void *ctx, const struct tar_entry *t, struct err *e);
	/* Bytes of a file, offsets ascending; holes are left out. */
	int (*data)(void *ctx, uint64_t offset, const void *p, size_t n, struct err *e);
	int (*end)(void *ctx, struct err *e);
};

struct tar_reader;

struct tar_reader *tar_reader_new(const struct tar_ops *ops, void *ctx);
void tar_reader_free(struct tar_reader *r);
/* The next n bytes.  What follows the end of the archive is taken and ignored. */
MUST_CHECK int tar_reader_feed(struct tar_reader *r, const void *p, size_t n, struct err *e);
/* No more bytes: -EBADMSG inside an entry; a missing end of archive is accepted. */
MUST_CHECK int tar_reader_finish(const struct tar_reader *r, struct err *e);

/* ---- writing ---------------------------------------------------------------- */

struct tar_writer {
	int (*write)(void *ctx, const void *p, size_t n, struct err *e);
	void *ctx;
	uint64_t left_bytes;            /* data the entry still lacks */
	unsigned pad_bytes;             /* after its data */
};

/* A header, after pax records for what ustar cannot hold.  Files are written dense. */
MUST_CHECK int tar_write_entry(struct tar_writer *w, const struct tar_entry *t,
			       struct err *e);
/* Data of the file; all size_bytes of it must come.  p NULL: zeros. */
MUST_CHECK int tar_write_data(struct tar_writer *w, const void *p, size_t n, struct err *e);
MUST_CHECK int tar_write_end(struct tar_writer *w, struct err *e);
