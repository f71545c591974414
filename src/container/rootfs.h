#pragma once
/*
 * container/rootfs.h - the container's file system: root, mounts, devices, masks.
 * Layer: container.
 *
 * Two processes work on it.  The runtime, in the host's mount namespace, prepares
 * what only it may open: sources of bind mounts as detached trees (open_tree),
 * idmapped where asked.  The child, in the new namespaces, puts everything in place.
 * The child is forked from the runtime, so descriptors are simply there.
 *
 * Order in the child: rootfs_setup, (createRuntime and createContainer hooks),
 * rootfs_pivot, rootfs_seal.  The source of truth is runtime-spec config.md#root,
 * #mounts and config-linux.md#default-devices, #masked-paths, #readonly-paths,
 * #rootfs-propagation; where it is silent, what runc does.
 *
 * Threat: everything inside the root is hostile, and may change while we walk it
 * (shared volumes).  All walks go through sys/inroot.h.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "container/cgroup.h"
#include "oci/spec.h"

struct rootfs;          /* prepared mounts and descriptors */

struct rootfs_opts {
	const struct oci_spec *spec;
	const char *bundle;             /* absolute: relative sources and root.path start here */
	const struct cgroup *cgroup;    /* for mounts of type cgroup; not yet made is fine */
	bool new_userns;                /* a user namespace of our own or joined: no mknod */
	bool new_netns, new_cgroupns;   /* sysfs and cgroup mounts depend on them */
	int userns_fd;                  /* -1, or for idmaps without maps of their own */
	/* Called in the child before a mount of type cgroup; NULL when the group is there. */
	int (*cgroup_wait)(void *arg, struct err *e);
	void *cgroup_wait_arg;
	/* No mount namespace of its own: the root and its mounts are a detached tree, which the
	 * host's mount table never shows and which ends with its last process.  Linux 6.15. */
	bool detached;
	bool no_pivot;
	bool rootless;
};

/* In the runtime, before clone. *ret is allocated; rootfs_free() accepts NULL. */
MUST_CHECK int rootfs_prepare(const struct rootfs_opts *o, struct rootfs **ret,
			      struct err *e);
void rootfs_free(struct rootfs *r);

/* In the child: propagation of the old root, the new root attached, mounts, devices, default
 * symlinks (/dev/fd, stdin, stdout, stderr, ptmx, core where the host has it). */
MUST_CHECK int rootfs_setup(struct rootfs *r, struct err *e);
/* The descriptor of the new root (O_PATH), owned by r; after rootfs_setup(). */
int rootfs_fd(const struct rootfs *r);
/* Bind the pty slave at /dev/console (created if missing). */
MUST_CHECK int rootfs_bind_console(struct rootfs *r, int slave_fd, struct err *e);
/* pivot_root, or MS_MOVE + chroot with no_pivot; the cwd is the new "/". */
MUST_CHECK int rootfs_pivot(struct rootfs *r, struct err *e);
/* Read-only root, propagation of "/", sysctls, readonly and masked paths. */
MUST_CHECK int rootfs_seal(struct rootfs *r, struct err *e);

/* Mount options, sorted into what the mount calls take (the table of
 * config.md#linux-mount-options), also listed by "features". */
struct mount_options {
	uint64_t attr_set, attr_clear;          /* MOUNT_ATTR_*, this mount */
	uint64_t rec_set, rec_clear;            /* the r* forms: whole tree */
	unsigned long flags;                    /* MS_BIND, MS_REC, MS_REMOUNT ... */
	unsigned long flags_clear;              /* "async", "nolazytime" ... */
	unsigned propagation[4];                /* MS_SHARED ... [| MS_REC], in order */
	size_t n_propagation;
	bool tmpcopyup, idmap, ridmap;
	/* runc's and crun's names for the ends of the paths */
	bool copy_symlink, dest_nofollow, src_nofollow;
	const char **data;                      /* file system options, fsconfig() each; arena */
	size_t n_data;
};
MUST_CHECK int mount_options_parse(const struct oci_mount *m, struct arena *a,
				   struct mount_options *ret, struct err *e);
/* NULL-terminated list of every option name understood, for "features". */
const char *const *mount_option_names(void);

/*
 * A descriptor of this process's own, untouched procfs: a fresh detached procfs of
 * the current pid namespace where the kernel lets us, else /proc verified
 * (fstatfs PROC_SUPER_MAGIC, root inode).  Nothing in it can be overmounted by the image
 * (CVE-2025-52881).  path is relative ("sys/net/..", "self/attr/exec").
 */
MUST_CHECK int procfs_open(struct err *e);
MUST_CHECK int procfs_write(int procfd, const char *path, const char *value,
			    struct err *e);
