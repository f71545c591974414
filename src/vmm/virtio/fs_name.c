/*
 * vmm/virtio/fs_name.c - names: making, linking, moving and removing them.
 *
 * The dispatcher has seen that each name is one component, so that the *at() calls below
 * stay in the directory the guest named by its node id.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/virtio/fs_impl.h"

/* The reply to whatever has just made c->name in c->node. */
static int made(struct fs_call *c)
{
	int r = fs_entry(c->fs, c->node, c->name, c->out);

	return r < 0 ? r : (int)sizeof(struct fuse_entry_out);
}

/* The directory's descriptor, with the caller's ids taken on. */
static int begin(struct fs_call *c)
{
	int r = fs_ident_become(c);

	/* The guest has decided about the set-group-id bit of what it makes. */
	fs_ident_fsetid(true);
	return r < 0 ? r : fs_inode_fd(c->fs, c->node);
}

int fs_do_mkdir(struct fs_call *c)
{
	const struct fuse_mkdir_in *in = c->arg;
	int dir = begin(c);

	if (dir < 0)
		return dir;
	fs_ident_umask(in->umask);
	return mkdirat(dir, c->name, in->mode & 07777) < 0 ? -errno : made(c);
}

int fs_do_mknod(struct fs_call *c)
{
	const struct fuse_mknod_in *in = c->arg;
	/* As new_decode_dev() of the kernel has it. */
	dev_t dev = makedev((in->rdev & 0xfff00) >> 8,
			    (in->rdev & 0xff) | (in->rdev >> 12 & 0xfff00));
	int dir = begin(c);

	if (dir < 0)
		return dir;
	fs_ident_umask(in->umask);
	return mknodat(dir, c->name, in->mode & (S_IFMT | 07777), dev) < 0 ? -errno : made(c);
}

int fs_do_symlink(struct fs_call *c)
{
	int dir = begin(c);

	if (dir < 0)
		return dir;
	return symlinkat(c->name2, dir, c->name) < 0 ? -errno : made(c);
}

int fs_do_readlink(struct fs_call *c)
{
	int fd = fs_inode_fd(c->fs, c->node);

	if (fd < 0)
		return fd;
	if (c->node->type != S_IFLNK)
		return -EINVAL;
	ssize_t n = readlinkat(fd, "", c->out, c->room < PATH_MAX ? c->room : PATH_MAX);

	return n < 0 ? -errno : (int)n;
}

int fs_do_link(struct fs_call *c)
{
	const struct fuse_link_in *in = c->arg;
	struct fs_inode *old = fs_inode_find(c->fs, in->oldnodeid);
	char path[FS_FD_PATH_MAX];

	if (!old)
		return -EINVAL;
	int dir = fs_inode_fd(c->fs, c->node), fd = fs_inode_fd(c->fs, old);

	if (dir < 0 || fd < 0)
		return dir < 0 ? dir : fd;
	/*
	 * By the magic link, which AT_SYMLINK_FOLLOW follows once, to the file itself, and which
	 * gives an unnamed file (O_TMPFILE) its name too.
	 */
	fs_fd_path(fd, path);
	return linkat(AT_FDCWD, path, dir, c->name, AT_SYMLINK_FOLLOW) < 0 ? -errno : made(c);
}

static int remove_name(struct fs_call *c, int flags)
{
	int dir = fs_inode_fd(c->fs, c->node);

	if (dir < 0)
		return dir;
	return unlinkat(dir, c->name, flags) < 0 ? -errno : 0;
}

int fs_do_unlink(struct fs_call *c)
{
	return remove_name(c, 0);
}

int fs_do_rmdir(struct fs_call *c)
{
	return remove_name(c, AT_REMOVEDIR);
}

static int move(struct fs_call *c, uint64_t newdir, unsigned flags)
{
	struct fs_inode *to = fs_inode_find(c->fs, newdir);

	if (!to || (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)))
		return -EINVAL;
	/* A whiteout is made where the name was. */
	int from = flags & RENAME_WHITEOUT ? begin(c) :
					     fs_inode_fd(c->fs, c->node);
	int into = fs_inode_fd(c->fs, to);

	if (from < 0 || into < 0)
		return from < 0 ? from : into;
	return renameat2(from, c->name, into, c->name2, flags) < 0 ? -errno : 0;
}

int fs_do_rename(struct fs_call *c)
{
	const struct fuse_rename_in *in = c->arg;

	return move(c, in->newdir, 0);
}

int fs_do_rename2(struct fs_call *c)
{
	const struct fuse_rename2_in *in = c->arg;

	return move(c, in->newdir, in->flags);
}
