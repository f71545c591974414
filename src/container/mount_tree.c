/* container/mount_tree.c - detached mounts: copy, attributes, place.  See rootfs_parts.h */
#include <fcntl.h>
#include <sys/mount.h>

#include "container/rootfs_parts.h"
#include "sys/calls.h"

int tree_clone(int dirfd, const char *path, bool recursive, bool follow)
{
	unsigned flags = OPEN_TREE_CLONE | AT_NO_AUTOMOUNT;

	if (recursive)
		flags |= AT_RECURSIVE;
	if (!follow)
		flags |= AT_SYMLINK_NOFOLLOW;
	if (!path[0])
		flags |= AT_EMPTY_PATH;
	return sys_open_tree(dirfd, path, flags);
}

int tree_setattr(int tree, bool recursive, uint64_t set, uint64_t clear)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	if (!set && !clear)
		return 0;
	return sys_mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr);
}

int tree_propagation(int tree, uint64_t propagation)
{
	struct mount_attr attr = { .propagation = propagation & ~(uint64_t)MS_REC };

	return sys_mount_setattr(tree, "",
				 AT_EMPTY_PATH | (propagation & MS_REC ? AT_RECURSIVE : 0), &attr);
}

int tree_attach(int tree, int dest, const char *name)
{
	return sys_move_mount(tree, "", dest, name, MOVE_MOUNT_F_EMPTY_PATH |
			      (name[0] ? 0 : MOVE_MOUNT_T_EMPTY_PATH));
}
