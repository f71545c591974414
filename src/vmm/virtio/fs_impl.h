#pragma once
/*
 * vmm/virtio/fs_impl.h - what the parts of virtio-fs share.  Layer: vmm.
 *
 * A handler gets one request in struct fs_call, sizes and names checked as its row in the
 * table of fs.c says.  It returns the bytes of the reply it put into c->out, or -errno for
 * the guest.  It may block in the host's file system, and allocates nothing by the guest's
 * lengths.
 */
#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/fs.h"
#include "vmm/virtio/vq.h"

#define FS_QUEUES 2                     /* 5.11.2: the one for forgets, and requests */
#define FS_IO_PAGES (VQ_SIZE_MAX - 4)   /* of one READ or WRITE; its headers are chained too */
#define FS_IO_MAX (FS_IO_PAGES * 4096u) /* bytes */
#define FS_PAYLOAD_MAX (64u << 10)      /* of any other reply: XATTR_SIZE_MAX, XATTR_LIST_MAX */
#define FS_IN_MAX (68u << 10)           /* of any other request: SETXATTR with all it may have */
#define FS_DENTS_BYTES (32u << 10)
#define FS_INODES_MAX (1u << 21)
#define FS_INODE_CHUNK 1024

/* One file of the host has one node, whatever names it has: hard links stay links. */
struct fs_key {
	uint64_t ino, mount;            /* mount: one file under two mounts is two nodes */
	uint32_t major, minor;
};

struct fs_inode {
	struct fs_key key;
	uint64_t lookups;               /* how often the guest was told of it; 0: slot is free */
	uint32_t slot, generation;      /* both make up the node id */
	uint32_t next;                  /* slot: of the hash chain, or of the free list */
	uint32_t newer, older;          /* slots: of the list of those with a descriptor */
	int fd;                         /* O_PATH, or -1: to be reopened by handle */
	mode_t type;                    /* S_IFMT of its mode, which never changes */
	struct file_handle *handle;     /* open_by_handle_at(2), while fd is -1 */
};

struct fs_file {
	int fd;                         /* -1: slot is free */
	uint32_t generation, next_free;
	bool dir;
	uint64_t pos;                   /* of a directory: where its descriptor stands */
};

/* The entries read ahead of one directory; the guest takes a page of them at a time. */
struct fs_dents {
	uint64_t fh;                    /* whose; 0: nobody's */
	uint64_t off;                   /* the guest's offset that stands at bytes[at] */
	size_t at, n;
	uint8_t bytes[FS_DENTS_BYTES] __attribute__((aligned(8)));
};

struct fs {
	struct vdev dev;                /* first */
	char tag[FS_TAG_MAX];
	enum fs_cache cache;
	bool want_writeback, read_only;

	int root_fd;                    /* O_RDONLY: what open_by_handle_at() and syncfs() need */
	int proc_fd;                    /* /proc/self/fd */
	uint64_t root_mount;
	bool handles;                   /* the file system has handles and we may use them */

	/* What FUSE_INIT settled. */
	bool session, writeback, submounts, setxattr_ext;

	struct fs_inode *chunk[FS_INODES_MAX / FS_INODE_CHUNK];
	uint32_t n_slots, free_slot;    /* slots ever used, from 1; 0: none free */
	uint32_t n_nodes;
	uint32_t *bucket;               /* slots, by hash of the key */
	uint32_t n_buckets;
	uint32_t newest, oldest, n_fds, fds_max;

	struct fs_file *file;           /* [1..n_files) */
	uint32_t n_files, free_file, files_open, files_max;

	struct fs_dents dents;
	uint8_t in[FS_IN_MAX] __attribute__((aligned(8)));
	uint8_t out[FS_PAYLOAD_MAX] __attribute__((aligned(8)));
};

struct fs_call {
	struct fs *fs;
	struct fuse_in_header h;
	struct fs_inode *node;          /* of h.nodeid; NULL where the row asks for none */
	const void *arg;                /* what follows the header, aligned, in fs->in */
	size_t arg_bytes;
	const char *name, *name2;       /* as the row says */
	void *out;                      /* fs->out */
	size_t room;                    /* the reply's payload may have that many bytes */
	const struct vq_req *req;
	bool direct;                    /* the payload is in the guest's buffer already */
};

/* ---- fs_inode.c -------------------------------------------------------------------------- */

MUST_CHECK int fs_inodes_init(struct fs *fs, struct err *e);
/* All but the root forgotten. */
void fs_inodes_reset(struct fs *fs);
void fs_inodes_release(struct fs *fs);
/* NULL for a node id that we did not give out or that was forgotten. */
struct fs_inode *fs_inode_find(struct fs *fs, uint64_t nodeid);
/* Its O_PATH descriptor, good until the next call of this or fs_entry*(); or -errno. */
MUST_CHECK int fs_inode_fd(struct fs *fs, struct fs_inode *n);
void fs_forget_one(struct fs *fs, uint64_t nodeid, uint64_t lookups);

/* Look name up in parent; one more lookup that the guest has to forget. */
MUST_CHECK int fs_entry(struct fs *fs, struct fs_inode *parent, const char *name,
			struct fuse_entry_out *ret);
/* The same for a file by its O_PATH descriptor, which is taken. */
MUST_CHECK int fs_entry_fd(struct fs *fs, int fd, struct fuse_entry_out *ret);

/* "N" below /proc/self/fd, which is the thread's working directory. */
#define FS_FD_PATH_MAX 12
void fs_fd_path(int fd, char ret[FS_FD_PATH_MAX]);

/* ---- fs_ident.c -------------------------------------------------------------------------- */

/*
 * Once on a thread that works requests; later calls do nothing.  -errno when the thread has
 * no working directory of its own in /proc/self/fd, without which no request may be worked.
 */
MUST_CHECK int fs_ident_init(const struct fs *fs);
/* What is made next belongs to the caller of c: 0 or -errno. */
MUST_CHECK int fs_ident_become(const struct fs_call *c);
void fs_ident_umask(mode_t mask);
/* Whether writing keeps set-user-id and set-group-id bits, as CAP_FSETID has it. */
void fs_ident_fsetid(bool keep);

/* ---- fs_attr.c --------------------------------------------------------------------------- */

struct statx;

#define FS_STATX_MASK (STATX_BASIC_STATS | STATX_MNT_ID)

void fs_attr_fill(const struct fs *fs, const struct statx *st, bool root, struct fuse_attr *ret);
/* Seconds that names and attributes are good for. */
uint64_t fs_valid_secs(const struct fs *fs);

/* ---- fs_file.c --------------------------------------------------------------------------- */

/* A handle for fd, which is taken: 0 or -errno. */
MUST_CHECK int fs_file_add(struct fs *fs, int fd, bool dir, uint64_t *ret_fh);
/* NULL for a handle that is not open, or not one of that kind. */
struct fs_file *fs_file_find(struct fs *fs, uint64_t fh, bool dir);
void fs_file_close(struct fs *fs, uint64_t fh, bool dir);
void fs_files_reset(struct fs *fs);

/* ---- handlers: one an opcode ------------------------------------------------------------- */

typedef int fs_handler(struct fs_call *c);

fs_handler fs_do_lookup, fs_do_forget, fs_do_batch_forget;
fs_handler fs_do_getattr, fs_do_setattr, fs_do_statfs;
fs_handler fs_do_setxattr, fs_do_getxattr, fs_do_listxattr, fs_do_removexattr;
fs_handler fs_do_readlink, fs_do_symlink, fs_do_mknod, fs_do_mkdir, fs_do_unlink, fs_do_rmdir,
	fs_do_rename, fs_do_rename2, fs_do_link;
fs_handler fs_do_open, fs_do_create, fs_do_tmpfile, fs_do_read, fs_do_write, fs_do_release,
	fs_do_fsync, fs_do_fallocate, fs_do_lseek, fs_do_copy_file_range;
fs_handler fs_do_opendir, fs_do_readdir, fs_do_readdirplus, fs_do_releasedir, fs_do_fsyncdir,
	fs_do_syncfs;
