/*
 * vmm/virtio/fs_xattr.c - extended attributes, security.capability and ACLs too.
 *
 * Names go through as they are: the guest's kernel has checked who may set which.  A file
 * is reached through the magic link of its O_PATH descriptor, which works for every type
 * and, unlike opening it, has no effect of its own.
 */
#include <errno.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

#include "vmm/virtio/fs_impl.h"

static int path_of(struct fs_call *c, char path[FS_FD_PATH_MAX])
{
	int fd = fs_inode_fd(c->fs, c->node);

	if (fd < 0)
		return fd;
	fs_fd_path(fd, path);
	return 0;
}

int fs_do_setxattr(struct fs_call *c)
{
	const struct fuse_setxattr_in *in = c->arg;
	size_t head = c->fs->setxattr_ext ? sizeof(*in) : FUSE_COMPAT_SETXATTR_IN_SIZE;
	char path[FS_FD_PATH_MAX];

	if (c->arg_bytes < head)
		return -EINVAL;
	const char *name = (const char *)c->arg + head;
	size_t n = strnlen(name, c->arg_bytes - head);

	if (n == c->arg_bytes - head || in->size > c->arg_bytes - head - n - 1)
		return -EINVAL;
	if (n == 0 || n > XATTR_NAME_MAX || in->size > XATTR_SIZE_MAX)
		return -ERANGE;
	int r = path_of(c, path);
	if (r < 0)
		return r;
	/*
	 * Setting an ACL may clear the set-group-id bit of a caller outside of the group.
	 * Whether he is, only the guest knows, and says so.
	 */
	bool kill = c->fs->setxattr_ext && (in->setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID);

	if (kill) {
		r = fs_ident_become(c);
		if (r < 0)
			return r;
	}
	fs_ident_fsetid(!kill);
	return setxattr(path, name, name + n + 1, in->size, (int)in->flags) < 0 ? -errno : 0;
}

/* The size alone when the guest asked for none; otherwise r bytes that are in c->out. */
static int xattr_reply(struct fs_call *c, uint32_t size, ssize_t r)
{
	if (r < 0)
		return -errno;
	if (size > 0)
		return (int)r;
	*(struct fuse_getxattr_out *)c->out = (struct fuse_getxattr_out){ .size = (uint32_t)r };
	return sizeof(struct fuse_getxattr_out);
}

int fs_do_getxattr(struct fs_call *c)
{
	const struct fuse_getxattr_in *in = c->arg;
	size_t n = in->size < c->room ? in->size : c->room;
	char path[FS_FD_PATH_MAX];
	int r = path_of(c, path);

	return r < 0 ? r : xattr_reply(c, in->size, getxattr(path, c->name, c->out, n));
}

int fs_do_listxattr(struct fs_call *c)
{
	const struct fuse_getxattr_in *in = c->arg;
	size_t n = in->size < c->room ? in->size : c->room;
	char path[FS_FD_PATH_MAX];
	int r = path_of(c, path);

	return r < 0 ? r : xattr_reply(c, in->size, listxattr(path, c->out, n));
}

int fs_do_removexattr(struct fs_call *c)
{
	char path[FS_FD_PATH_MAX];
	int r = path_of(c, path);

	if (r < 0)
		return r;
	return removexattr(path, c->name) < 0 ? -errno : 0;
}
