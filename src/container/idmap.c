/*
 * container/idmap.c - idmapped mounts: uidMappings, gidMappings, idmap, ridmap.
 * Spec: config.md#mounts.  See mount_setattr(2), MOUNT_ATTR_IDMAP.
 *
 * The kernel takes the mapping from a user namespace, so one is made for it: by a child
 * that only waits while its maps are written and its namespace is opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

#define MAP_BYTES_MAX 65536     /* the kernel takes 340 lines */

static int write_map(pid_t pid, const char *file, const struct oci_idmaps *maps, struct err *e)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT(MAP_BYTES_MAX);
	char path[64];

	for (size_t i = 0; i < maps->n; i++)
		buf_printf(&b, "%u %u %u\n", maps->v[i].container_id, maps->v[i].host_id,
			   maps->v[i].size);
	if (b.overflow)
		return err_set(e, EINVAL, "more mappings than the kernel takes");
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	int n = file_write_at(AT_FDCWD, path, b.data);
	return n < 0 ? err_sys(e, -n, "write %s of a user namespace for an idmapped mount",
			       file) : 0;
}

static int open_userns(pid_t pid, const struct oci_idmaps *uids, const struct oci_idmaps *gids,
		       struct err *e)
{
	char path[64];
	int n = write_map(pid, "uid_map", uids, e);

	if (n == 0)
		n = write_map(pid, "gid_map", gids, e);
	if (n < 0)
		return n;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

static int new_userns(const struct oci_idmaps *uids, const struct oci_idmaps *gids,
		      struct err *e)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");

	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		char c;

		close(ends[1]);
		/* Until the runtime closes its end, or dies. */
		_exit(read(ends[0], &c, 1) < 0);
	}
	close(ends[0]);
	int n = pid < 0 ? err_sys(e, -pid, "new user namespace for an idmapped mount") :
		open_userns(pid, uids, gids, e);
	close(ends[1]);
	if (pid > 0)
		TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
	return n;
}

/* The namespace whose maps the mount takes: its own maps, else the container's. */
static int pick_userns(const struct rootfs *r, const struct rootfs_mount *rm, struct err *e)
{
	const struct oci_mount *m = rm->m;
	const struct oci_linux *l = &r->o.spec->os;

	if (m->uid_maps.n > 0 && m->gid_maps.n > 0)
		return new_userns(&m->uid_maps, &m->gid_maps, e);
	if (m->uid_maps.n > 0 || m->gid_maps.n > 0)
		return err_set(e, EINVAL, "uidMappings and gidMappings must be given together");
	if (r->o.userns_fd >= 0) {
		int fd = fcntl(r->o.userns_fd, F_DUPFD_CLOEXEC, 3);

		return fd < 0 ? err_sys(e, errno, "user namespace") : fd;
	}
	if (l->uid_maps.n > 0 && l->gid_maps.n > 0)
		return new_userns(&l->uid_maps, &l->gid_maps, e);
	return err_set(e, EINVAL, "idmap needs mappings: the mount has none and the container has "
		       "no user namespace");
}

int idmap_apply(const struct rootfs *r, const struct rootfs_mount *rm, int tree, struct err *e)
{
	const struct mount_options *o = &rm->opt;

	if (!o->idmap && !o->ridmap && rm->m->uid_maps.n == 0 && rm->m->gid_maps.n == 0)
		return 0;

	CLEANUP_FD int userns = pick_userns(r, rm, e);
	if (userns < 0)
		return err_prefix(e, "mount %s at %s", rm->source, rm->dest);
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns,
	};
	int n = sys_mount_setattr(tree, "", AT_EMPTY_PATH | (o->ridmap ? AT_RECURSIVE : 0), &attr);

	if (n == -EINVAL)
		return err_set(e, EINVAL, "idmapped mount %s at %s: the kernel cannot map the ids "
			       "of this file system: invalid argument", rm->source, rm->dest);
	return n < 0 ? err_sys(e, -n, "idmapped mount %s at %s", rm->source, rm->dest) : 0;
}
