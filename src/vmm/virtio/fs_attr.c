/* vmm/virtio/fs_attr.c - attributes of files and of the file system.  See fs_impl.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/virtio/fs_impl.h"

#define FOREVER_SECS (24 * 3600)
#define NAME_BYTES_MAX 255

uint64_t fs_valid_secs(const struct fs *fs)
{
	switch (fs->cache) {
	case FS_CACHE_ALWAYS:
		return FOREVER_SECS;
	case FS_CACHE_AUTO:
		return 1;
	default:
		return 0;
	}
}

/* The encoding of device numbers on the wire: include/linux/kdev_t.h, new_encode_dev(). */
static uint32_t encode_dev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

void fs_attr_fill(const struct fs *fs, const struct statx *st, bool root, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){
		.ino = st->stx_ino, .size = st->stx_size, .blocks = st->stx_blocks,
		.atime = (uint64_t)st->stx_atime.tv_sec, .atimensec = st->stx_atime.tv_nsec,
		.mtime = (uint64_t)st->stx_mtime.tv_sec, .mtimensec = st->stx_mtime.tv_nsec,
		.ctime = (uint64_t)st->stx_ctime.tv_sec, .ctimensec = st->stx_ctime.tv_nsec,
		.mode = st->stx_mode, .nlink = st->stx_nlink,
		.uid = st->stx_uid, .gid = st->stx_gid,
		.rdev = encode_dev(st->stx_rdev_major, st->stx_rdev_minor),
		.blksize = st->stx_blksize,
	};
	/*
	 * Another file system is mounted here.  The guest gives it a device number of its own,
	 * for inode numbers are unique in one file system only.
	 */
	if (fs->submounts && !root && S_ISDIR(st->stx_mode) &&
	    (st->stx_attributes & STATX_ATTR_MOUNT_ROOT))
		ret->flags |= FUSE_ATTR_SUBMOUNT;
}

static int fill_attr_out(struct fs_call *c)
{
	struct fuse_attr_out *out = c->out;
	int fd = fs_inode_fd(c->fs, c->node);
	struct statx st;

	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, FS_STATX_MASK, &st) < 0)
		return -errno;
	*out = (struct fuse_attr_out){ .attr_valid = fs_valid_secs(c->fs) };
	fs_attr_fill(c->fs, &st, c->h.nodeid == FUSE_ROOT_ID, &out->attr);
	return sizeof(*out);
}

int fs_do_getattr(struct fs_call *c)
{
	return fill_attr_out(c);
}

static int set_size(struct fs_call *c, const struct fuse_setattr_in *in, const char *path)
{
	struct fs_file *f = NULL;

	if (in->size > INT64_MAX)
		return -EFBIG;
	if (c->node->type != S_IFREG)
		return c->node->type == S_IFDIR ? -EISDIR : -EINVAL;
	if (in->valid & FATTR_FH) {
		f = fs_file_find(c->fs, in->fh, false);
		if (!f)
			return -EBADF;
	}
	fs_ident_fsetid(!(in->valid & FATTR_KILL_SUIDGID));
	int r = f ? ftruncate(f->fd, (off_t)in->size) : truncate(path, (off_t)in->size);

	return r < 0 ? -errno : 0;
}

static int set_times(const struct fuse_setattr_in *in, int fd, const char *path)
{
	struct timespec t[2] = {
		{ .tv_sec = (time_t)in->atime, .tv_nsec = in->atimensec },
		{ .tv_sec = (time_t)in->mtime, .tv_nsec = in->mtimensec },
	};

	if (!(in->valid & FATTR_ATIME))
		t[0].tv_nsec = UTIME_OMIT;
	else if (in->valid & FATTR_ATIME_NOW)
		t[0].tv_nsec = UTIME_NOW;
	if (!(in->valid & FATTR_MTIME))
		t[1].tv_nsec = UTIME_OMIT;
	else if (in->valid & FATTR_MTIME_NOW)
		t[1].tv_nsec = UTIME_NOW;
	if (utimensat(fd, "", t, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Before Linux 5.8 there was no AT_EMPTY_PATH. */
	return utimensat(AT_FDCWD, path, t, 0) < 0 ? -errno : 0;
}

int fs_do_setattr(struct fs_call *c)
{
	const struct fuse_setattr_in *in = c->arg;
	char path[FS_FD_PATH_MAX];
	int fd = fs_inode_fd(c->fs, c->node), r = 0;

	if (fd < 0)
		return fd;
	fs_fd_path(fd, path);
	/* The owner first: chown(2) clears set-id bits that the new mode may have. */
	if (in->valid & (FATTR_UID | FATTR_GID)) {
		uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
		gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

		if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	if (in->valid & FATTR_SIZE)
		r = set_size(c, in, path);
	if (r == 0 && (in->valid & FATTR_MODE)) {
		/* The guest has decided about the set-group-id bit: as root, ours keeps it. */
		fs_ident_fsetid(true);
		r = chmod(path, in->mode & 07777) < 0 ? -errno : 0;
	}
	if (r == 0 && (in->valid & (FATTR_ATIME | FATTR_MTIME)))
		r = set_times(in, fd, path);
	return r < 0 ? r : fill_attr_out(c);
}

int fs_do_statfs(struct fs_call *c)
{
	struct fuse_statfs_out *out = c->out;
	int fd = fs_inode_fd(c->fs, c->node);
	struct statfs s;

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &s) < 0)
		return -errno;
	*out = (struct fuse_statfs_out){ .st = {
		.blocks = s.f_blocks, .bfree = s.f_bfree, .bavail = s.f_bavail,
		.files = s.f_files, .ffree = s.f_ffree,
		.bsize = (uint32_t)s.f_bsize, .frsize = (uint32_t)s.f_frsize,
		.namelen = s.f_namelen > 0 ? (uint32_t)s.f_namelen : NAME_BYTES_MAX,
	} };
	return sizeof(*out);
}
