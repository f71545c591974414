/*
 * container/mount_cgroup.c - mounts of type "cgroup" and "cgroup2".
 *
 * The container sees its own group as the top: a bind mount of that directory of the
 * host's hierarchy.  In a cgroup namespace this is what a mount of the file system would
 * give too (same superblock, same root), without depending on whether the process has
 * entered its group yet.
 *
 *      v2   the group itself at the destination
 *      v1   a tmpfs with one directory a hierarchy, and links cpu -> cpu,cpuacct
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

#define HOST_CGROUPS "/sys/fs/cgroup"
#define NAME_BYTES 256

/* Where isle manages no group (rootless, disabled), the host's tree is shown read-only. */
static int host_tree(const struct rootfs_mount *rm, struct err *e)
{
	CLEANUP_FD int tree = tree_clone(AT_FDCWD, HOST_CGROUPS, true, true);
	int n = tree < 0 ? tree : tree_propagation(tree, MS_SLAVE | MS_REC);

	if (n == 0)
		n = tree_setattr(tree, true, rm->opt.attr_set | MOUNT_ATTR_RDONLY, 0);
	if (n < 0)
		return err_sys(e, -n, "mount %s at %s", HOST_CGROUPS, rm->dest);
	return take_fd(tree);
}

static int group_tree(const struct cgroup_hierarchy *h, const struct rootfs_mount *rm,
		      struct err *e)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s", h->mount, h->path) >= (int)sizeof(path))
		return err_sys(e, ENAMETOOLONG, "cgroup %s", h->path);
	int tree = tree_clone(AT_FDCWD, path, false, true);
	return tree < 0 ? err_sys(e, -tree, "mount cgroup %s at %s", path, rm->dest) : tree;
}

int cgroup_tree(const struct rootfs *r, const struct rootfs_mount *rm, struct err *e)
{
	const struct cgroup *cg = r->o.cgroup;

	if (!cg || cg->mode == CGROUP_MODE_NONE || cg->n == 0)
		return host_tree(rm, e);
	if (r->o.cgroup_wait) {
		int n = r->o.cgroup_wait(r->o.cgroup_wait_arg, e);

		if (n < 0)
			return n;
	}
	if (cg->mode == CGROUP_MODE_V1) {
		const struct mount_options opt = { 0 };
		const struct fs_request rq = {
			.type = "tmpfs", .source = "tmpfs", .mode = "755", .opt = &opt,
		};
		int tree = fs_new(&rq, e);

		return tree < 0 ? err_prefix(e, "mount cgroup at %s", rm->dest) : tree;
	}

	CLEANUP_FD int tree = group_tree(&cg->h[0], rm, e);
	if (tree < 0)
		return tree;
	int n = tree_propagation(tree, MS_PRIVATE);
	if (n == 0)
		n = tree_setattr(tree, false, rm->opt.attr_set, rm->opt.attr_clear);
	return n < 0 ? err_sys(e, -n, "mount cgroup at %s", rm->dest) : take_fd(tree);
}

/* "cpu" and "cpuacct" where the directory is "cpu,cpuacct". */
static int link_controllers(int top, const char *controllers, const char *dir, struct err *e)
{
	char list[NAME_BYTES], *save = NULL;

	if (!strchr(controllers, ',') || strlen(controllers) >= sizeof(list))
		return 0;
	memcpy(list, controllers, strlen(controllers) + 1);
	for (char *c = strtok_r(list, ",", &save); c; c = strtok_r(NULL, ",", &save))
		if (strcmp(c, dir) != 0 && symlinkat(dir, top, c) < 0 && errno != EEXIST)
			return err_sys(e, errno, "cgroup link %s", c);
	return 0;
}

int cgroup_fill(const struct rootfs *r, const struct rootfs_mount *rm, int top, struct err *e)
{
	const struct cgroup *cg = r->o.cgroup;

	if (!cg || cg->mode != CGROUP_MODE_V1 || cg->n == 0)
		return 0;
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_hierarchy *h = &cg->h[i];
		const char *slash = strrchr(h->mount, '/');
		const char *dir = slash ? slash + 1 : h->mount;
		CLEANUP_FD int tree = group_tree(h, rm, e);

		if (tree < 0)
			return tree;
		/* top is a tmpfs of ours that nobody else can reach yet: plain names do. */
		if (mkdirat(top, dir, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "mount cgroup at %s/%s", rm->dest, dir);
		int n = tree_attach(tree, top, dir);
		if (n < 0)
			return err_sys(e, -n, "mount cgroup at %s/%s", rm->dest, dir);
		n = link_controllers(top, h->controllers, dir, e);
		if (n < 0)
			return n;
	}

	/* One call for all of them: the copies of shared mounts leave their peers here,
	 * before anything of the container runs. */
	struct mount_attr attr = { .attr_set = rm->opt.attr_set, .propagation = MS_PRIVATE };
	int n = sys_mount_setattr(top, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	return n < 0 ? err_sys(e, -n, "mount cgroup at %s: set its options", rm->dest) : 0;
}
