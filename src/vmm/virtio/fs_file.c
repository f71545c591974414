/*
 * vmm/virtio/fs_file.c - open files.  See fs_impl.h.
 *
 * Data goes between the host's file and the guest's own pages: READ and WRITE hand the
 * request's segments to preadv2() and pwritev2().
 *
 * Open flags: those that the guest's kernel acts on itself are not given to the host's open.
 * Appending and synchronous writing are said with each write, for a program may change them
 * later by fcntl().
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vmm/virtio/fs_impl.h"

#define COPY_MAX (16u << 20)            /* of one copy_file_range(): others wait for it */
#define FILES_MIN 64

_Static_assert(VQ_SIZE_MAX <= IOV_MAX, "more segments than preadv2() takes");

/* ---- handles ----------------------------------------------------------------------------- */

int fs_file_add(struct fs *fs, int fd, bool dir, uint64_t *ret_fh)
{
	uint32_t slot = fs->free_file;

	if (fs->files_open >= fs->files_max) {
		fd_close(&fd);
		return -ENFILE;
	}
	if (!slot) {
		uint32_t n = fs->n_files ? 2 * fs->n_files : FILES_MIN;

		fs->file = xreallocarray(fs->file, n, sizeof(*fs->file));
		/* Slot 0 stays unused: no handle is 0. */
		for (uint32_t i = n - 1; i >= fs->n_files && i > 0; i--) {
			fs->file[i] = (struct fs_file){ .fd = -1, .next_free = fs->free_file };
			fs->free_file = i;
		}
		fs->n_files = n;
		slot = fs->free_file;
	}
	struct fs_file *f = &fs->file[slot];

	fs->free_file = f->next_free;
	f->fd = fd;
	f->dir = dir;
	f->pos = 0;
	fs->files_open++;
	*ret_fh = (uint64_t)f->generation << 32 | slot;
	return 0;
}

struct fs_file *fs_file_find(struct fs *fs, uint64_t fh, bool dir)
{
	uint32_t slot = (uint32_t)fh;

	if (slot == 0 || slot >= fs->n_files)
		return NULL;
	struct fs_file *f = &fs->file[slot];

	return f->fd >= 0 && f->generation == fh >> 32 && f->dir == dir ? f : NULL;
}

void fs_file_close(struct fs *fs, uint64_t fh, bool dir)
{
	struct fs_file *f = fs_file_find(fs, fh, dir);

	if (!f)
		return;
	if (fs->dents.fh == fh)
		fs->dents.fh = 0;
	fd_close(&f->fd);
	f->generation++;
	f->next_free = fs->free_file;
	fs->free_file = (uint32_t)fh;
	fs->files_open--;
}

void fs_files_reset(struct fs *fs)
{
	for (uint32_t i = 1; i < fs->n_files; i++)
		if (fs->file[i].fd >= 0)
			fs_file_close(fs, (uint64_t)fs->file[i].generation << 32 | i,
				      fs->file[i].dir);
}

/* ---- opening ----------------------------------------------------------------------------- */

static int host_flags(const struct fs *fs, uint32_t flags)
{
	int f = (int)(flags & (O_ACCMODE | O_TRUNC | O_NOATIME));

	/* Its page cache reads what surrounds a write, whoever opened the file for what. */
	if ((f & O_ACCMODE) != O_RDONLY && fs->writeback)
		f = (f & ~O_ACCMODE) | O_RDWR;
	return f | O_CLOEXEC;
}

static bool writes(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

static int open_reply(struct fs_call *c, int fd, struct fuse_open_out *out)
{
	*out = (struct fuse_open_out){
		.open_flags = c->fs->cache == FS_CACHE_ALWAYS ? FOPEN_KEEP_CACHE : 0,
	};
	return fs_file_add(c->fs, fd, false, &out->fh);
}

/* The descriptor of a node's file: by its magic link, and of regular files only, for
 * opening others can block or act on a device. */
static int open_node(struct fs_call *c, struct fs_inode *n, uint32_t flags, bool kill)
{
	char path[FS_FD_PATH_MAX];
	int fd = fs_inode_fd(c->fs, n);

	if (fd < 0)
		return fd;
	if (n->type != S_IFREG)
		return n->type == S_IFDIR ? -EISDIR : -ENXIO;
	fs_ident_fsetid(!kill);
	fs_fd_path(fd, path);
	fd = open(path, host_flags(c->fs, flags));
	return fd < 0 ? -errno : fd;
}

int fs_do_open(struct fs_call *c)
{
	const struct fuse_open_in *in = c->arg;

	if (c->fs->read_only && writes(in->flags))
		return -EROFS;
	int fd = open_node(c, c->node, in->flags, in->open_flags & FUSE_OPEN_KILL_SUIDGID);

	if (fd < 0)
		return fd;
	int r = open_reply(c, fd, c->out);

	return r < 0 ? r : (int)sizeof(struct fuse_open_out);
}

struct create_out {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

/* Entry and handle of a file just made, by its descriptor: names may have changed since. */
static int created(struct fs_call *c, int fd)
{
	CLEANUP_FD int own = fd;
	struct create_out *out = c->out;
	char path[FS_FD_PATH_MAX];

	fs_fd_path(own, path);
	int node = open(path, O_PATH | O_CLOEXEC);

	if (node < 0)
		return -errno;
	int r = fs_entry_fd(c->fs, node, &out->entry);
	if (r < 0)
		return r;
	r = open_reply(c, take_fd(own), &out->open);
	if (r < 0)
		fs_forget_one(c->fs, out->entry.nodeid, 1);
	return r < 0 ? r : (int)sizeof(*out);
}

/* CREATE without O_EXCL of a name that was made behind the guest's back. */
static int open_existing(struct fs_call *c, const struct fuse_create_in *in)
{
	struct create_out *out = c->out;
	int r = fs_entry(c->fs, c->node, c->name, &out->entry);

	if (r < 0)
		return r;
	int fd = open_node(c, fs_inode_find(c->fs, out->entry.nodeid), in->flags,
			   in->open_flags & FUSE_OPEN_KILL_SUIDGID);

	r = fd < 0 ? fd : open_reply(c, fd, &out->open);
	if (r < 0)
		fs_forget_one(c->fs, out->entry.nodeid, 1);
	return r < 0 ? r : (int)sizeof(*out);
}

int fs_do_create(struct fs_call *c)
{
	const struct fuse_create_in *in = c->arg;
	int flags = host_flags(c->fs, in->flags) | O_CREAT | O_EXCL | O_NOFOLLOW;
	int r = fs_ident_become(c);

	if (r < 0)
		return r;
	fs_ident_umask(in->umask);
	fs_ident_fsetid(true);
	int dir = fs_inode_fd(c->fs, c->node);

	if (dir < 0)
		return dir;
	/* Always O_EXCL: what is there already might be a FIFO, which would block. */
	int fd = openat(dir, c->name, flags, in->mode & 07777);

	if (fd >= 0)
		return created(c, fd);
	return errno == EEXIST && !(in->flags & O_EXCL) ? open_existing(c, in) : -errno;
}

int fs_do_tmpfile(struct fs_call *c)
{
	const struct fuse_create_in *in = c->arg;
	int flags = host_flags(c->fs, in->flags) | O_TMPFILE | (int)(in->flags & O_EXCL);
	int r = fs_ident_become(c);

	if (r < 0)
		return r;
	fs_ident_umask(in->umask);
	fs_ident_fsetid(true);
	int dir = fs_inode_fd(c->fs, c->node);

	if (dir < 0)
		return dir;
	int fd = openat(dir, ".", flags, in->mode & 07777);

	return fd < 0 ? -errno : created(c, fd);
}

int fs_do_release(struct fs_call *c)
{
	const struct fuse_release_in *in = c->arg;

	fs_file_close(c->fs, in->fh, false);
	return 0;
}

/* ---- data -------------------------------------------------------------------------------- */

int fs_do_read(struct fs_call *c)
{
	const struct fuse_read_in *in = c->arg;
	const struct fs_file *f = fs_file_find(c->fs, in->fh, false);
	uint64_t n = c->req->in_bytes - sizeof(struct fuse_out_header);
	struct iovec iov[VQ_SIZE_MAX];

	if (!f)
		return -EBADF;
	if (in->size > n || in->size > FS_IO_MAX || in->offset > INT64_MAX)
		return -EINVAL;
	int n_iov = vq_slice(c->req->iov + c->req->n_out, c->req->n_in,
			     sizeof(struct fuse_out_header), in->size, iov);
	ssize_t got = preadv2(f->fd, iov, n_iov, (off_t)in->offset, 0);

	c->direct = true;
	return got < 0 ? -errno : (int)got;
}

/* What the guest's open flags ask of this one write. */
static int write_flags(const struct fs *fs, const struct fuse_write_in *in)
{
	int rwf = 0;

	if (in->write_flags & FUSE_WRITE_CACHE) /* written back: nobody's flags */
		return 0;
	if (in->flags & O_DSYNC)
		rwf |= (in->flags & O_SYNC) == O_SYNC ? RWF_SYNC : RWF_DSYNC;
	/* The end it knows is the end, unless others write too. */
	if ((in->flags & O_APPEND) && fs->cache != FS_CACHE_ALWAYS && !fs->writeback)
		rwf |= RWF_APPEND;
	return rwf;
}

int fs_do_write(struct fs_call *c)
{
	const struct fuse_write_in *in = c->arg;
	const size_t head = sizeof(struct fuse_in_header) + sizeof(*in);
	const struct fs_file *f = fs_file_find(c->fs, in->fh, false);
	struct fuse_write_out *out = c->out;
	struct iovec iov[VQ_SIZE_MAX];

	if (!f)
		return -EBADF;
	if (in->size > c->h.len - head || in->size > FS_IO_MAX || in->offset > INT64_MAX)
		return -EINVAL;
	fs_ident_fsetid(!(in->write_flags & FUSE_WRITE_KILL_SUIDGID));
	int n_iov = vq_slice(c->req->iov, c->req->n_out, head, in->size, iov);
	ssize_t n = pwritev2(f->fd, iov, n_iov, (off_t)in->offset, write_flags(c->fs, in));

	if (n < 0)
		return -errno;
	*out = (struct fuse_write_out){ .size = (uint32_t)n };
	return sizeof(*out);
}

/* ---- the rest of what a descriptor can do ------------------------------------------------ */

int fs_do_fsync(struct fs_call *c)
{
	const struct fuse_fsync_in *in = c->arg;
	const struct fs_file *f = fs_file_find(c->fs, in->fh, false);

	if (!f)
		return -EBADF;
	int r = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(f->fd) : fsync(f->fd);

	return r < 0 ? -errno : 0;
}

int fs_do_fallocate(struct fs_call *c)
{
	const struct fuse_fallocate_in *in = c->arg;
	const struct fs_file *f = fs_file_find(c->fs, in->fh, false);

	if (!f)
		return -EBADF;
	if (in->offset > INT64_MAX || in->length > INT64_MAX)
		return -EINVAL;
	/* No flag says whether the caller keeps set-id bits; root does. */
	fs_ident_fsetid(c->h.uid == 0);
	return fallocate(f->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0 ?
	       -errno : 0;
}

int fs_do_lseek(struct fs_call *c)
{
	const struct fuse_lseek_in *in = c->arg;
	struct fuse_lseek_out *out = c->out;
	const struct fs_file *f = fs_file_find(c->fs, in->fh, false);

	if (!f)
		return -EBADF;
	/* All others the guest answers itself. */
	if ((in->whence != SEEK_DATA && in->whence != SEEK_HOLE) || in->offset > INT64_MAX)
		return -EINVAL;
	off_t at = lseek(f->fd, (off_t)in->offset, (int)in->whence);

	if (at < 0)
		return -errno;
	*out = (struct fuse_lseek_out){ .offset = (uint64_t)at };
	return sizeof(*out);
}

int fs_do_copy_file_range(struct fs_call *c)
{
	const struct fuse_copy_file_range_in *in = c->arg;
	const struct fs_file *from = fs_file_find(c->fs, in->fh_in, false);
	const struct fs_file *to = fs_file_find(c->fs, in->fh_out, false);
	struct fuse_write_out *out = c->out;
	size_t n = in->len < COPY_MAX ? in->len : COPY_MAX;

	if (!from || !to)
		return -EBADF;
	if (in->flags != 0 || in->off_in > INT64_MAX || in->off_out > INT64_MAX)
		return -EINVAL;
	off_t off_in = (off_t)in->off_in, off_out = (off_t)in->off_out;

	fs_ident_fsetid(c->h.uid == 0);
	ssize_t done = copy_file_range(from->fd, &off_in, to->fd, &off_out, n, 0);

	if (done < 0)
		return -errno;
	*out = (struct fuse_write_out){ .size = (uint32_t)done };
	return sizeof(*out);
}
