#pragma once
/*
 * vmm/virtio/fs.h - virtio-fs: a directory of the host as a file system.  Layer: vmm.
 *
 * VIRTIO 1.2, 5.11: each request in a queue is a FUSE message (linux/fuse.h, 7.31 and
 * later), answered in this process:
 *
 *      guest VFS -> fuse -> queue -> fs.c      checks sizes and names, finds the handler
 *                                     |
 *                fs_inode.c  node ids <-> files, lookup, forget
 *                fs_name.c   mkdir mknod symlink link unlink rename
 *                fs_attr.c   getattr setattr statfs          fs_xattr.c  xattrs, ACLs
 *                fs_file.c   open create read write ...      fs_dir.c    readdir(plus)
 *                fs_ident.c  whose files new ones are
 *
 * Who is trusted: nothing in a request.  The guest names files by node ids that we gave out
 * and by single path components, so it cannot leave the directory, whose mounts and files it
 * may otherwise use without limit: what its users may do is checked by its own kernel, from
 * the owners and modes that we report.  The one limit is --read-only.
 *
 * Requests are worked one after the other on the loop's thread, which blocks in the host's
 * file system meanwhile.  That thread gets a working directory (/proc/self/fd), a umask and
 * file system ids of its own; several devices may share it, but nothing that minds those.
 */
#include <stdbool.h>

#include "base/err.h"
#include "vmm/virtio/device.h"

#define FS_TAG_MAX 36                   /* bytes; not terminated when all are used */

/* How long the guest may believe what it has seen (FUSE's timeouts). */
enum fs_cache {
	FS_CACHE_ALWAYS,                /* the guest owns the tree: as long as it likes */
	FS_CACHE_AUTO,                  /* others change it at times: a second */
	FS_CACHE_NONE,                  /* ask each time */
};

struct fs_options {
	const char *dir;                /* the host's directory */
	const char *tag;                /* what the guest mounts it by */
	enum fs_cache cache;
	bool writeback;                 /* the guest may collect writes: FUSE_WRITEBACK_CACHE */
	bool read_only;
};

struct fs;

/* Opens the directory; nothing else of *o is kept but its values and the tag. */
MUST_CHECK int fs_new(const struct fs_options *o, struct fs **ret, struct err *e);
struct vdev *fs_device(struct fs *fs);
/* After its transport was released.  NULL is fine. */
void fs_free(struct fs *fs);
