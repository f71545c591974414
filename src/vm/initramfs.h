#pragma once
/*
 * vm/initramfs.h - a guest's first file system, as the kernel unpacks it.  Layer: vm.
 *
 * The "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst): one
 * header of text for each entry, its name, its content, each padded to four bytes.  All
 * entries are root's, have one link and no time, so that the same content makes the same
 * bytes.  A name comes after that of its directory.
 */
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define INITRAMFS_BYTES_MAX (256u << 20)
#define INITRAMFS_NAME_MAX 255          /* bytes of a whole path in it */

/*
 * Add to the archive in b (all zero but for max to begin with).  path is relative, without
 * empty parts, "." and "..": -EINVAL.  mode is the permission bits.  -EFBIG past b->max; b is
 * then of no more use.
 */
MUST_CHECK int initramfs_dir(struct buf *b, const char *path, mode_t mode, struct err *e);
MUST_CHECK int initramfs_file(struct buf *b, const char *path, mode_t mode, const void *data,
			      size_t n, struct err *e);
/* A character device: the console, without which the first process has no stdio. */
MUST_CHECK int initramfs_node(struct buf *b, const char *path, mode_t mode, unsigned major,
			      unsigned minor, struct err *e);
/* The trailer.  Nothing comes after it. */
MUST_CHECK int initramfs_end(struct buf *b, struct err *e);

/*
 * The whole of a machine's initramfs: program is /init; modules, files of dir, are loaded by
 * it in this order (AGENT_MODULES).  Blocks while it reads the files.
 */
struct initramfs_parts {
	const char *program;            /* path of the agent, which is static */
	const char *dir;                /* that modules are relative to */
	const char *const *modules;
	size_t n_modules;
};

MUST_CHECK int initramfs_make(const struct initramfs_parts *p, struct buf *b, struct err *e);
