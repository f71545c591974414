/*
 * container/device_nodes.c - the nodes of devices for a container in a user namespace.
 *
 * mknod(2) of a device takes CAP_MKNOD in the initial user namespace, and opening one a
 * mount whose superblock belongs to that namespace too.  So the runtime, where it has the
 * privilege, makes the nodes with the owner and mode that config.json wants, on a tmpfs
 * that nothing else is on, and the child binds them one by one.  Where the runtime lacks it,
 * or an owner is not mapped, the child binds the host's node instead (devices.c).
 *
 *      nodes_prepare   runtime   tmpfs, detached; mknod "0", "1", ...; owners as mapped
 *      nodes_take      child     tmpfs over the new root, a copy of each, unmounted again
 *
 * Spec: config-linux.md#devices, #default-devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

#define NODE_NAME_MAX 24

static const char *node_name(char *buf, size_t i)
{
	snprintf(buf, NODE_NAME_MAX, "%zu", i);
	return buf;
}

/* The host's number of an id of the container; false: it has none. */
static bool id_outside(const struct oci_idmaps *m, uint32_t id, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++)
		if (id >= m->v[i].container_id && id - m->v[i].container_id < m->v[i].size) {
			*ret = m->v[i].host_id + (id - m->v[i].container_id);
			return true;
		}
	return false;
}

/* 1: made, 0: not for this one (its owner is not mapped), -errno. */
static int make_node(const struct rootfs *r, const struct oci_device *d, int dir,
		     const char *name)
{
	const struct oci_linux *l = &r->o.spec->os;
	uint32_t uid = d->uid.set ? (uint32_t)d->uid.v : 0;
	uint32_t gid = d->gid.set ? (uint32_t)d->gid.v : 0;
	mode_t mode = device_mode(d);

	/* A joined namespace maps the whole mount. */
	if (r->o.userns_fd < 0 && (!id_outside(&l->uid_maps, uid, &uid) ||
				   !id_outside(&l->gid_maps, gid, &gid))) {
		log_debug("device %s: its owner is not mapped, so the host's node is bound",
			  d->path);
		return 0;
	}
	if (mknodat(dir, name, device_type(d) | mode, device_number(d)) < 0)
		return -errno;
	if (fchownat(dir, name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* What a change of owner takes away. */
	if ((mode & (S_ISUID | S_ISGID)) && fchmodat(dir, name, mode, 0) < 0)
		return -errno;
	return 1;
}

static int make_nodes(struct rootfs *r, int tree)
{
	char name[NODE_NAME_MAX];
	int n = 0;

	for (size_t i = 0; n >= 0 && i < r->n_devices; i++) {
		struct rootfs_device *d = &r->devices[i];

		if (d->d->type == 'p')
			continue;
		n = make_node(r, d->d, tree, node_name(name, i));
		d->made = n > 0;
	}
	if (n >= 0 && r->o.userns_fd >= 0) {
		struct mount_attr attr = {
			.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)r->o.userns_fd,
		};

		/* tmpfs can be idmapped since Linux 6.3. */
		n = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	}
	return n < 0 ? n : 0;
}

void nodes_prepare(struct rootfs *r)
{
	const struct mount_options none = { 0 };
	const struct fs_request rq = {
		.type = "tmpfs", .source = "devices", .opt = &none, .mode = "0755",
		.label = r->o.spec->os.mount_label,
		.attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	};

	/* Without a mount namespace there is no place to copy them from. */
	if (!r->o.new_userns || r->o.detached)
		return;
	CLEANUP_FD int tree = fs_new(&rq, NULL);
	mode_t mask = umask(0);
	int n = tree < 0 ? tree : make_nodes(r, tree);

	umask(mask);
	if (n < 0)
		log_debug("device nodes are the host's: %s", err_text(-n));
	else
		r->nodes = take_fd(tree);
}

void nodes_take(struct rootfs *r)
{
	char name[NODE_NAME_MAX];

	if (r->nodes < 0)
		return;
	/* A mount can be copied only where it is attached (before Linux 6.15, and after it in
	 * the mount namespace of its maker).  The new root is ours alone until the pivot. */
	int n = tree_attach(r->nodes, r->root, "");
	for (size_t i = 0; n >= 0 && i < r->n_devices; i++)
		if (r->devices[i].made)
			n = r->devices[i].tree = tree_clone(r->nodes, node_name(name, i), false,
							    false);
	if (n < 0)
		log_debug("device nodes are the host's: %s", err_text(-n));
	if (fchdir(r->nodes) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		log_debug("unmount the device nodes: %s", err_text(errno));
	fd_close(&r->nodes);
}
