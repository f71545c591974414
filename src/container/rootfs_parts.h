#pragma once
/*
 * container/rootfs_parts.h - what rootfs.c and the files of its topics share.
 * Layer: container, not for others.
 *
 * A "tree" is a descriptor of a mount that is not attached anywhere yet, from
 * open_tree(OPEN_TREE_CLONE) or fsmount; everything is set on it before it is moved
 * to its place, so nothing is ever, say, briefly writable.  After tree_attach() the
 * same descriptor is the root of the mount in its place.
 */
#include "base/arena.h"
#include "container/rootfs.h"

struct rootfs_mount {
	const struct oci_mount *m;
	const char *dest;               /* absolute, lexically clean, arena */
	const char *source;             /* for messages; of a bind mount absolute */
	const char *link;               /* copy-symlink: text of the source, or NULL */
	struct mount_options opt;
	bool bind;
	int tree;                       /* bind: prepared tree, or -1 */
};

/* A device of config.json, or a default one that is not in it. */
struct rootfs_device {
	const struct oci_device *d;
	bool made;                      /* a node of ours is on rootfs.nodes */
	int tree;                       /* and its copy, in the child, or -1 */
};

struct rootfs {
	struct rootfs_opts o;
	struct arena arena;
	const char *path;               /* of the root on the host, absolute */
	struct rootfs_mount *mounts;
	size_t n;
	/* What the copy of the host's mounts, and sources, become: MS_SLAVE, MS_PRIVATE,
	 * or 0 where rootfsPropagation asks to stay shared with the host. */
	uint64_t propagation;
	uint64_t root_propagation;      /* linux.rootfsPropagation for "/" itself, or 0 */
	int root_tree;                  /* prepared, or -1 */
	int root;                       /* attached */
	int dev;                        /* of /dev, for devices and links, or -1 */
	bool dev_fresh;                 /* a tmpfs of ours that nobody else ever saw */
	bool dev_bound;                 /* /dev was brought by a bind mount: hands off */
	struct rootfs_device *devices;
	size_t n_devices;
	int nodes;                      /* tmpfs with nodes for a user namespace, or -1 */
	int null;                       /* tree of the host's /dev/null, for masks, or -1 */
	int *late_ro;                   /* read-only tmpfs: sealed last, others mount in them */
	size_t n_late_ro;
};

/* --- mount_tree.c ------------------------------------------------------- */

/* A copy of the mount at path (relative to dirfd; "" the descriptor itself). */
MUST_CHECK int tree_clone(int dirfd, const char *path, bool recursive, bool follow);
MUST_CHECK int tree_setattr(int tree, bool recursive, uint64_t set, uint64_t clear);
/* MS_SHARED ... with or without MS_REC. */
MUST_CHECK int tree_propagation(int tree, uint64_t propagation);
/*
 * Onto the object that dest is a descriptor of (name ""), or onto a name (not followed if
 * a symlink) in the directory dest, which then must be out of everybody's reach.
 */
MUST_CHECK int tree_attach(int tree, int dest, const char *name);

/* --- mounts.c ------------------------------------------------------------ */

MUST_CHECK int mounts_prepare(struct rootfs *r, struct err *e);
MUST_CHECK int mounts_apply(struct rootfs *r, struct err *e);
MUST_CHECK int mounts_seal(struct rootfs *r, struct err *e);

/* --- mount_bind.c -------------------------------------------------------- */

/*
 * Fill rm->tree or rm->link.  may_defer: where this process has no privilege over
 * mounts, leave both as they are, for the child.
 */
MUST_CHECK int bind_open(struct rootfs *r, struct rootfs_mount *rm, bool may_defer,
			 struct err *e);

/* --- mount_fs.c ---------------------------------------------------------- */

/*
 * A new, detached mount of a file system.  label is linux.mountLabel or NULL, mode
 * (an octal number, or NULL) the default of tmpfs, attr MOUNT_ATTR_*.
 */
struct fs_request {
	const char *type, *source;
	const struct mount_options *opt;
	const char *label, *mode;
	uint64_t attr;
};
/* -E2BIG: an option is longer than fsconfig(2) takes, see fs_new_by_page(). */
MUST_CHECK int fs_new(const struct fs_request *rq, struct err *e);
/* mount_page.c: the same by mount(2), in the child, which must have a mount namespace. */
MUST_CHECK int fs_new_by_page(const struct rootfs *r, const struct fs_request *rq,
			      struct err *e);
/* A plain one without options: "tmpfs", "proc". Returns the tree or -errno. */
MUST_CHECK int fs_new_plain(const char *type, const char *source, uint64_t attr);
/* The "remount" option: new options for the file system mounted at fd. */
MUST_CHECK int fs_reconfigure(int fd, const struct mount_options *opt, struct err *e);

/* --- mount_cgroup.c, tmpcopyup.c, idmap.c -------------------------------- */

/* Returns the tree to attach at the destination of a mount of type cgroup;
 * what goes inside comes after it is attached. */
MUST_CHECK int cgroup_tree(const struct rootfs *r, const struct rootfs_mount *rm,
			   struct err *e);
MUST_CHECK int cgroup_fill(const struct rootfs *r, const struct rootfs_mount *rm, int top,
			   struct err *e);
/* Copy what is in the directory src below dst, an empty tmpfs. */
MUST_CHECK int tmp_copy_up(int src, int dst, struct err *e);
/* Map the ids of rm's detached tree as its maps or "idmap" ask. */
MUST_CHECK int idmap_apply(const struct rootfs *r, const struct rootfs_mount *rm, int tree,
			   struct err *e);

/* --- procfs.c ------------------------------------------------------------ */

/* Whether fd is the root directory of a procfs. */
bool procfs_is_root(int fd);

/* --- devices.c, device_nodes.c, masks.c ----------------------------------- */

/* Fill r->devices. */
void devices_list(struct rootfs *r);
mode_t device_type(const struct oci_device *d);         /* S_IFCHR ... */
mode_t device_mode(const struct oci_device *d);         /* permissions, 0666 if not given */
dev_t device_number(const struct oci_device *d);
/* Failure is no error: then the host's nodes are bound. */
void nodes_prepare(struct rootfs *r);
/* Between the root being attached and anything being mounted on it. */
void nodes_take(struct rootfs *r);
MUST_CHECK int devices_make(struct rootfs *r, struct err *e);
/* Needs the host's /dev/null, so before the pivot. */
MUST_CHECK int masks_prepare(struct rootfs *r, struct err *e);
MUST_CHECK int masks_apply(struct rootfs *r, struct err *e);
