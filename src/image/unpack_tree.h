#pragma once
/*
 * image/unpack_tree.h - entries of a tar stream become files below a directory.
 * Layer: image; no library.
 *
 * The place of each entry is found by descriptor: openat2(RESOLVE_BENEATH), so that a parent
 * that is a symlink is followed while it stays below the directory and refused when it leads
 * out.  A few parents are kept open, since entries of one directory come together.
 *
 * In a layer (image-spec layer.md, "Whiteouts") an entry ".wh.NAME" hides NAME of the
 * layers below and ".wh..wh..opq" all of them in its directory, whatever the order of
 * entries; both become what overlayfs knows.  Directories are completed at the end: a mode without
 * write permission, a default ACL or a set-group-ID bit must not reach what is put into them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/tar.h"

struct unpack_options {
	bool layer;             /* whiteouts; else ".wh." names are ordinary ones */
	bool rootless;          /* user.overlay, devices that cannot be made are empty files */
	bool keep_kind;         /* docker cp: no directory over a file, nor the reverse */
	bool own;               /* files belong to uid:gid instead of the entry's owner */
	uint32_t uid, gid;
	uint64_t entries_max, file_bytes_max;   /* 0: none */
};

struct unpack;

/* dirfd is borrowed.  The umask of the calling thread is 0 until unpack_free(). */
struct unpack *unpack_new(int dirfd, const struct unpack_options *o);
extern const struct tar_ops unpack_ops;         /* ctx: struct unpack */
/* All entries came: complete the directories. */
MUST_CHECK int unpack_finish(struct unpack *u, struct err *e);
void unpack_free(struct unpack *u);
uint64_t unpack_entries(const struct unpack *u);
uint64_t unpack_file_bytes(const struct unpack *u);
