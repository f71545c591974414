/*
 * vmm/virtio/fs_dir.c - reading directories.  See fs_impl.h.
 *
 * The offset that the guest sends back to go on is the host's d_off, so a directory that
 * changes meanwhile is read as the host's file system promises.  The host gives more entries
 * in a call than the guest takes in one: the rest is kept, for the last directory read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/virtio/fs_impl.h"

int fs_do_opendir(struct fs_call *c)
{
	struct fuse_open_out *out = c->out;
	int fd = fs_inode_fd(c->fs, c->node);

	if (fd < 0)
		return fd;
	if (c->node->type != S_IFDIR)
		return -ENOTDIR;
	fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*out = (struct fuse_open_out){
		.open_flags = c->fs->cache == FS_CACHE_ALWAYS ?
			      FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR : 0,
	};
	int r = fs_file_add(c->fs, fd, true, &out->fh);

	return r < 0 ? r : (int)sizeof(*out);
}

int fs_do_releasedir(struct fs_call *c)
{
	const struct fuse_release_in *in = c->arg;

	fs_file_close(c->fs, in->fh, true);
	return 0;
}

int fs_do_fsyncdir(struct fs_call *c)
{
	const struct fuse_fsync_in *in = c->arg;
	const struct fs_file *f = fs_file_find(c->fs, in->fh, true);

	if (!f)
		return -EBADF;
	int r = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(f->fd) : fsync(f->fd);

	return r < 0 ? -errno : 0;
}

int fs_do_syncfs(struct fs_call *c)
{
	return syncfs(c->fs->root_fd) < 0 ? -errno : 0;
}

/* Have fs->dents stand at off of fh's directory; it may be used up there. */
static int seek(struct fs *fs, uint64_t fh, struct fs_file *f, uint64_t off)
{
	struct fs_dents *d = &fs->dents;

	/* At 0 the directory is read afresh: rewinddir(3). */
	if (d->fh == fh && d->off == off && off != 0)
		return 0;
	d->fh = fh;
	d->off = off;
	d->at = d->n = 0;
	if (f->pos == off && off != 0)
		return 0;
	if (off > INT64_MAX || lseek(f->fd, (off_t)off, SEEK_SET) < 0) {
		d->fh = 0;
		return off > INT64_MAX ? -EINVAL : -errno;
	}
	f->pos = off;
	return 0;
}

/* The entry that stands at the buffer's place, read anew when it is used up; NULL at the end. */
static int next(struct fs *fs, struct fs_file *f, const struct dirent64 **ret)
{
	struct fs_dents *d = &fs->dents;

	if (d->at >= d->n) {
		ssize_t n = getdents64(f->fd, d->bytes, sizeof(d->bytes));

		d->at = 0;
		d->n = n < 0 ? 0 : (size_t)n;
		if (n < 0)
			return -errno;
		if (n == 0) {
			*ret = NULL;
			return 0;
		}
		/* The last one says where the descriptor stands now. */
		for (size_t at = 0; at < d->n;) {
			const struct dirent64 *e = (const void *)(d->bytes + at);

			f->pos = (uint64_t)e->d_off;
			at += e->d_reclen;
		}
	}
	*ret = (const void *)(d->bytes + d->at);
	return 0;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void put_dirent(const struct dirent64 *e, size_t len, struct fuse_dirent *ret)
{
	*ret = (struct fuse_dirent){
		.ino = e->d_ino, .off = (uint64_t)e->d_off,
		.namelen = (uint32_t)len, .type = e->d_type,
	};
	memcpy((char *)ret + FUSE_NAME_OFFSET, e->d_name, len);
	memset((char *)ret + FUSE_NAME_OFFSET + len, 0,
	       FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len) - FUSE_NAME_OFFSET - len);
}

/* Names with what LOOKUP would have answered; none for the dots and for what has gone. */
static void put_entry(struct fs_call *c, const struct dirent64 *e, struct fuse_entry_out *ret)
{
	if (is_dots(e->d_name) || fs_entry(c->fs, c->node, e->d_name, ret) < 0)
		*ret = (struct fuse_entry_out){ .nodeid = 0 };
}

static int read_dir(struct fs_call *c, bool plus)
{
	const struct fuse_read_in *in = c->arg;
	struct fs *fs = c->fs;
	struct fs_file *f = fs_file_find(fs, in->fh, true);
	const size_t head = plus ? sizeof(struct fuse_entry_out) : 0;
	const size_t room = in->size < c->room ? in->size : c->room;
	const struct dirent64 *e = NULL;
	size_t used = 0;

	if (!f)
		return -EBADF;
	int r = seek(fs, in->fh, f, in->offset);

	while (r == 0 && (r = next(fs, f, &e)) == 0 && e) {
		size_t len = strlen(e->d_name);
		size_t need = head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len);
		uint8_t *at = (uint8_t *)c->out + used;

		if (need > room - used) {
			r = used ? 0 : -EINVAL;
			break;
		}
		if (plus)
			put_entry(c, e, (struct fuse_entry_out *)at);
		put_dirent(e, len, (struct fuse_dirent *)(at + head));
		used += need;
		fs->dents.off = (uint64_t)e->d_off;
		fs->dents.at += e->d_reclen;
	}
	/* What was taken before an error counts: the guest must forget it. */
	return used ? (int)used : r;
}

int fs_do_readdir(struct fs_call *c)
{
	return read_dir(c, false);
}

int fs_do_readdirplus(struct fs_call *c)
{
	return read_dir(c, true);
}
