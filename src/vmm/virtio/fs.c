/* vmm/virtio/fs.c - virtio-fs: the device, and which handler answers what.  See fs.h. */
#include "vmm/virtio/fs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vmm/virtio/fs_impl.h"

#define HEAD sizeof(struct fuse_in_header)
#define OUT_HEAD sizeof(struct fuse_out_header)
#define MINOR_MIN 31                    /* the first that Linux spoke over virtio: 5.4 */
/* Interrupt at the latest after so many replies, when more requests are waiting. */
#define BATCH 16

/* ---- INIT, DESTROY ----------------------------------------------------------------------- */

static void end_session(struct fs *fs)
{
	fs_files_reset(fs);
	fs_inodes_reset(fs);
	fs->dents.fh = 0;
	fs->session = false;
}

/* What we would like of what the guest can do. */
static uint32_t wanted_flags(const struct fs *fs)
{
	uint32_t f = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK |
		     FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO |
		     FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_SUBMOUNTS | FUSE_SETXATTR_EXT |
		     FUSE_HANDLE_KILLPRIV_V2 | FUSE_POSIX_ACL;

	/* FUSE_POSIX_LOCKS and FUSE_FLOCK_LOCKS are not: the guest's kernel keeps its locks. */
	if (fs->cache == FS_CACHE_ALWAYS)
		f |= FUSE_CACHE_SYMLINKS;
	else
		f |= FUSE_AUTO_INVAL_DATA;
	if (fs->want_writeback)
		f |= FUSE_WRITEBACK_CACHE;
	return f;
}

static int do_init(struct fs_call *c)
{
	const struct fuse_init_in *in = c->arg;
	struct fuse_init_out *out = c->out;
	struct fs *fs = c->fs;

	end_session(fs);
	*out = (struct fuse_init_out){ .major = FUSE_KERNEL_VERSION,
				       .minor = FUSE_KERNEL_MINOR_VERSION };
	/* A newer major: it reads ours and says INIT again. */
	if (in->major > FUSE_KERNEL_VERSION)
		return sizeof(*out);
	if (in->major < FUSE_KERNEL_VERSION || in->minor < MINOR_MIN)
		return -EPROTO;
	uint32_t flags = in->flags & wanted_flags(fs);

	/* Without it an ACL that is set could leave a set-group-id bit it must not. */
	if (!(flags & FUSE_SETXATTR_EXT))
		flags &= ~(uint32_t)FUSE_POSIX_ACL;
	fs->submounts = flags & FUSE_SUBMOUNTS;
	fs->setxattr_ext = flags & FUSE_SETXATTR_EXT;
	fs->writeback = flags & FUSE_WRITEBACK_CACHE;
	fs->session = true;
	if (in->minor < out->minor)
		out->minor = in->minor;
	out->flags = flags;
	out->max_readahead = in->max_readahead < FS_IO_MAX ? in->max_readahead : FS_IO_MAX;
	out->max_background = 64;
	out->congestion_threshold = 48;
	out->max_write = FS_IO_MAX;
	out->max_pages = FS_IO_PAGES;
	out->time_gran = 1;
	return sizeof(*out);
}

static int do_destroy(struct fs_call *c)
{
	end_session(c->fs);
	return 0;
}

/* ---- the table --------------------------------------------------------------------------- */

enum {
	NODE = 1,                       /* nodeid names a file */
	CHANGES = 2,                    /* refused when the share is read-only */
	SILENT = 4,                     /* never answered */
	BARE = 8,                       /* only the fixed part is copied; data stays in place */
	ANYTIME = 16,                   /* before INIT too */
};

/* How many names follow the fixed part. */
enum { NONE, ONE, TWO, TARGET };        /* TARGET: a name, and any string */

static const struct fs_op {
	fs_handler *fn;                 /* NULL: ENOSYS */
	uint16_t fixed;                 /* bytes after the header that must be there */
	uint8_t names, flags;
} ops_of[] = {
	[FUSE_LOOKUP] = { fs_do_lookup, 0, ONE, NODE },
	[FUSE_FORGET] = { fs_do_forget, sizeof(struct fuse_forget_in), NONE, SILENT },
	[FUSE_GETATTR] = { fs_do_getattr, sizeof(struct fuse_getattr_in), NONE, NODE },
	[FUSE_SETATTR] = { fs_do_setattr, sizeof(struct fuse_setattr_in), NONE, NODE | CHANGES },
	[FUSE_READLINK] = { fs_do_readlink, 0, NONE, NODE },
	[FUSE_SYMLINK] = { fs_do_symlink, 0, TARGET, NODE | CHANGES },
	[FUSE_MKNOD] = { fs_do_mknod, sizeof(struct fuse_mknod_in), ONE, NODE | CHANGES },
	[FUSE_MKDIR] = { fs_do_mkdir, sizeof(struct fuse_mkdir_in), ONE, NODE | CHANGES },
	[FUSE_UNLINK] = { fs_do_unlink, 0, ONE, NODE | CHANGES },
	[FUSE_RMDIR] = { fs_do_rmdir, 0, ONE, NODE | CHANGES },
	[FUSE_RENAME] = { fs_do_rename, sizeof(struct fuse_rename_in), TWO, NODE | CHANGES },
	[FUSE_LINK] = { fs_do_link, sizeof(struct fuse_link_in), ONE, NODE | CHANGES },
	[FUSE_OPEN] = { fs_do_open, sizeof(struct fuse_open_in), NONE, NODE },
	[FUSE_READ] = { fs_do_read, sizeof(struct fuse_read_in), NONE, BARE },
	[FUSE_WRITE] = { fs_do_write, sizeof(struct fuse_write_in), NONE, CHANGES | BARE },
	[FUSE_STATFS] = { fs_do_statfs, 0, NONE, NODE },
	[FUSE_RELEASE] = { fs_do_release, sizeof(struct fuse_release_in), NONE, 0 },
	[FUSE_FSYNC] = { fs_do_fsync, sizeof(struct fuse_fsync_in), NONE, 0 },
	[FUSE_SETXATTR] = { fs_do_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, NONE, NODE | CHANGES },
	[FUSE_GETXATTR] = { fs_do_getxattr, sizeof(struct fuse_getxattr_in), ONE, NODE },
	[FUSE_LISTXATTR] = { fs_do_listxattr, sizeof(struct fuse_getxattr_in), NONE, NODE },
	[FUSE_REMOVEXATTR] = { fs_do_removexattr, 0, ONE, NODE | CHANGES },
	/* What a write did not report, close(2) cannot: nothing to flush. */
	[FUSE_FLUSH] = { NULL, 0, NONE, 0 },
	[FUSE_INIT] = { do_init, offsetof(struct fuse_init_in, flags2), NONE, ANYTIME },
	[FUSE_OPENDIR] = { fs_do_opendir, sizeof(struct fuse_open_in), NONE, NODE },
	[FUSE_READDIR] = { fs_do_readdir, sizeof(struct fuse_read_in), NONE, NODE },
	[FUSE_RELEASEDIR] = { fs_do_releasedir, sizeof(struct fuse_release_in), NONE, 0 },
	[FUSE_FSYNCDIR] = { fs_do_fsyncdir, sizeof(struct fuse_fsync_in), NONE, 0 },
	/* Locks are the guest's; modes are checked there (default_permissions). */
	[FUSE_GETLK] = { NULL, 0, NONE, 0 },
	[FUSE_SETLK] = { NULL, 0, NONE, 0 },
	[FUSE_SETLKW] = { NULL, 0, NONE, 0 },
	[FUSE_ACCESS] = { NULL, 0, NONE, 0 },
	[FUSE_CREATE] = { fs_do_create, sizeof(struct fuse_create_in), ONE, NODE | CHANGES },
	/* Requests are answered in order: none is waiting that could be interrupted. */
	[FUSE_INTERRUPT] = { NULL, 0, NONE, 0 },
	[FUSE_BMAP] = { NULL, 0, NONE, 0 },
	[FUSE_DESTROY] = { do_destroy, 0, NONE, ANYTIME },
	[FUSE_IOCTL] = { NULL, 0, NONE, 0 },
	[FUSE_POLL] = { NULL, 0, NONE, 0 },
	[FUSE_BATCH_FORGET] = { fs_do_batch_forget, sizeof(struct fuse_batch_forget_in), NONE,
				SILENT },
	[FUSE_FALLOCATE] = { fs_do_fallocate, sizeof(struct fuse_fallocate_in), NONE, CHANGES },
	[FUSE_READDIRPLUS] = { fs_do_readdirplus, sizeof(struct fuse_read_in), NONE, NODE },
	[FUSE_RENAME2] = { fs_do_rename2, sizeof(struct fuse_rename2_in), TWO, NODE | CHANGES },
	[FUSE_LSEEK] = { fs_do_lseek, sizeof(struct fuse_lseek_in), NONE, 0 },
	[FUSE_COPY_FILE_RANGE] = { fs_do_copy_file_range, sizeof(struct fuse_copy_file_range_in),
				   NONE, CHANGES },
	/* No DAX window is offered. */
	[FUSE_SETUPMAPPING] = { NULL, 0, NONE, 0 },
	[FUSE_REMOVEMAPPING] = { NULL, 0, NONE, 0 },
	[FUSE_SYNCFS] = { fs_do_syncfs, sizeof(struct fuse_syncfs_in), NONE, NODE },
	[FUSE_TMPFILE] = { fs_do_tmpfile, sizeof(struct fuse_create_in), NONE, NODE | CHANGES },
};

/* ---- one request ------------------------------------------------------------------------- */

/* One path component, and not one that leads elsewhere. */
static int check_component(const char *s, size_t n)
{
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	if (n == 0 || memchr(s, '/', n) || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return -EINVAL;
	return 0;
}

/* The names behind the fixed part, each with its NUL inside the request. */
static int take_names(struct fs_call *c, const struct fs_op *op)
{
	const char *p = (const char *)c->arg + op->fixed;
	size_t left = c->arg_bytes - op->fixed;
	const char **slot[] = { &c->name, &c->name2 };
	unsigned n = op->names == NONE ? 0 : op->names == ONE ? 1 : 2;

	for (unsigned i = 0; i < n; i++) {
		size_t len = strnlen(p, left);

		if (len == left)
			return -EINVAL;
		/* Names of xattrs come the same way, and are not components. */
		bool free_form = (op->names == TARGET && i == 1) || op->fn == fs_do_getxattr ||
				 op->fn == fs_do_removexattr;
		int r = free_form ? (len < PATH_MAX ? 0 : -ENAMETOOLONG) : check_component(p, len);

		if (r < 0)
			return r;
		*slot[i] = p;
		p += len + 1;
		left -= len + 1;
	}
	return 0;
}

/* Check c by its row and have it done: bytes of payload, or -errno. */
static int perform(struct fs_call *c, const struct fs_op *op)
{
	struct fs *fs = c->fs;

	if (!op || !op->fn)
		return -ENOSYS;
	if (!fs->session && !(op->flags & ANYTIME))
		return -EIO;
	if (c->h.len < HEAD + op->fixed || c->h.len > c->req->out_bytes)
		return -EINVAL;
	c->arg_bytes = op->flags & BARE ? op->fixed : c->h.len - HEAD;
	if (c->arg_bytes > sizeof(fs->in))
		return -E2BIG;
	c->arg = fs->in;
	vq_copy_out(c->req, HEAD, fs->in, c->arg_bytes);
	if (fs->read_only && (op->flags & CHANGES))
		return -EROFS;
	if (op->flags & NODE) {
		c->node = fs_inode_find(fs, c->h.nodeid);
		if (!c->node)
			return -ESTALE;
	}
	int r = take_names(c, op);

	if (r == 0)
		r = op->fn(c);
	/* The guest left less room than the reply needs. */
	return r > 0 && !c->direct && (size_t)r > c->room ? -EINVAL : r;
}

/* Returns the bytes written for the guest, or -EPROTO for what is no FUSE message at all. */
static int answer(struct fs *fs, const struct vq_req *req)
{
	struct fs_call c = { .fs = fs, .req = req, .out = fs->out };
	const struct fs_op *op = NULL;

	if (vq_copy_out(req, 0, &c.h, HEAD) < HEAD)
		return -EPROTO;
	if (c.h.opcode < ARRAY_LEN(ops_of))
		op = &ops_of[c.h.opcode];
	bool silent = op && (op->flags & SILENT);

	if (!silent && req->in_bytes < OUT_HEAD)
		return -EPROTO;
	if (!silent)
		c.room = req->in_bytes - OUT_HEAD;
	if (c.room > sizeof(fs->out))
		c.room = sizeof(fs->out);
	int r = perform(&c, op);

	if (silent)
		return 0;
	struct fuse_out_header out = { .len = OUT_HEAD, .unique = c.h.unique };

	if (r < 0)
		out.error = r;
	else
		out.len += (uint32_t)r;
	vq_copy_in(req, 0, &out, OUT_HEAD);
	if (r > 0 && !c.direct)
		vq_copy_in(req, OUT_HEAD, fs->out, (size_t)r);
	return (int)out.len;
}

/* ---- the device -------------------------------------------------------------------------- */

static void kick(struct vdev *d, unsigned q)
{
	struct fs *fs = (struct fs *)d;
	struct vq *vq = &d->vq[q];
	struct vq_req req;
	int r = fs_ident_init(fs);

	if (r < 0) {
		vdev_fail(d, q, "its thread may not enter /proc/self/fd");
		return;
	}
	vq_refuse_kicks(vq);
	do {
		unsigned n = 0;

		while ((r = vq_pop(vq, &req)) > 0) {
			r = answer(fs, &req);
			if (r < 0)
				break;
			vq_put(vq, &req, (uint32_t)r);
			if (++n % BATCH == 0)
				vdev_notify(d, q);
		}
		vdev_notify(d, q);
	} while (r == 0 && vq_want_kicks(vq));
	if (r < 0)
		vdev_fail(d, q, "malformed ring or a request that is no FUSE message");
}

static void config_read(struct vdev *d, uint32_t offset, void *p, uint32_t n)
{
	const struct fs *fs = (const struct fs *)d;
	struct virtio_fs_config c = { .num_request_queues = htole32(FS_QUEUES - 1) };

	memcpy(c.tag, fs->tag, sizeof(c.tag));
	memcpy(p, (const uint8_t *)&c + offset, n);
}

static void reset(struct vdev *d)
{
	end_session((struct fs *)d);
}

static const struct vdev_ops ops = {
	.name = "fs", .id = VIRTIO_ID_FS, .config_bytes = sizeof(struct virtio_fs_config),
	.n_queues = FS_QUEUES, .queue_size = VQ_SIZE_MAX,
	.config_read = config_read, .kick = kick, .reset = reset,
};

static int setup(struct fs *fs, const struct fs_options *o, struct err *e)
{
	size_t n = strlen(o->tag);

	if (n == 0 || n > FS_TAG_MAX)
		return err_set(e, EINVAL, "tag \"%s\": not 1 to %d bytes", o->tag, FS_TAG_MAX);
	memcpy(fs->tag, o->tag, n);
	fs->cache = o->cache;
	fs->want_writeback = o->writeback;
	fs->read_only = o->read_only;
	fs->root_fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs->root_fd < 0)
		return err_sys(e, errno, "open shared directory %s", o->dir);
	/* Now, for later there may be no /proc to be seen. */
	fs->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->proc_fd < 0)
		return err_sys(e, errno, "open /proc/self/fd");
	return fs_inodes_init(fs, e);
}

int fs_new(const struct fs_options *o, struct fs **ret, struct err *e)
{
	struct fs *fs = xcalloc(1, sizeof(*fs));

	vdev_init(&fs->dev, &ops, 0);
	fs->root_fd = fs->proc_fd = -1;
	int r = setup(fs, o, e);

	if (r < 0)
		fs_free(fs);
	else
		*ret = fs;
	return r;
}

struct vdev *fs_device(struct fs *fs)
{
	return &fs->dev;
}

void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	fs_files_reset(fs);
	fs_inodes_release(fs);
	free(fs->file);
	fd_close(&fs->root_fd);
	fd_close(&fs->proc_fd);
	vdev_release(&fs->dev);
	free(fs);
}
