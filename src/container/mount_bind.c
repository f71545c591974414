/*
 * container/mount_bind.c - the sources of bind mounts.
 *
 * A source is a path of the host and trusted as config.json is.  It is cloned where
 * it can be read: by the runtime in the host's mount namespace, or, where that may not
 * copy mounts (an ordinary user), by the child in its copy of that namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "container/rootfs_parts.h"

/* crun's copy-symlink: a source that is a symlink becomes the same link inside. */
static int read_link(struct rootfs *r, struct rootfs_mount *rm, struct err *e)
{
	char text[PATH_MAX];
	ssize_t k = readlink(rm->source, text, sizeof(text));

	if (k < 0 && errno == EINVAL)
		return 0;
	if (k < 0)
		return err_sys(e, errno, "mount %s at %s", rm->source, rm->dest);
	if (k == sizeof(text))
		return err_sys(e, ENAMETOOLONG, "mount %s at %s", rm->source, rm->dest);
	rm->link = arena_strndup(&r->arena, text, (size_t)k);
	return 1;
}

static int explain(const struct rootfs_mount *rm, int code, struct err *e)
{
	if (code == EPERM)
		return err_set(e, code, "error mounting %s at %s: options that clear nosuid, "
			       "nodev, noexec, ro or the access time mode of the source are not "
			       "allowed in a user namespace: operation not permitted",
			       rm->source, rm->dest);
	return err_sys(e, code, "mount %s at %s: set its options", rm->source, rm->dest);
}

/*
 * Attributes the options do not name stay as the source has them; so a source that is
 * nosuid stays so, and in a user namespace only an explicit "suid" fails.
 */
static int set_attributes(const struct rootfs *r, const struct rootfs_mount *rm, int tree,
			  struct err *e)
{
	const struct mount_options *o = &rm->opt;
	int n = 0;

	/* The copy of a shared mount is its peer: what the container mounts must not
	 * reach the host unless rootfsPropagation is shared. */
	if (r->propagation)
		n = tree_propagation(tree, r->propagation | MS_REC);
	if (n == 0)
		n = tree_setattr(tree, true, o->rec_set, o->rec_clear);
	if (n == 0)
		n = tree_setattr(tree, false, o->attr_set, o->attr_clear);
	for (size_t i = 0; n == 0 && i < o->n_propagation; i++)
		n = tree_propagation(tree, o->propagation[i]);
	return n < 0 ? explain(rm, -n, e) : 0;
}

int bind_open(struct rootfs *r, struct rootfs_mount *rm, bool may_defer, struct err *e)
{
	const struct mount_options *o = &rm->opt;

	if (o->copy_symlink) {
		int n = read_link(r, rm, e);

		if (n != 0)
			return n < 0 ? n : 0;
	}

	CLEANUP_FD int tree = tree_clone(AT_FDCWD, rm->source, o->flags & MS_REC, !o->src_nofollow);
	if (tree == -EPERM && may_defer)
		return 0;
	if (tree < 0)
		return err_sys(e, -tree, "mount %s at %s", rm->source, rm->dest);
	int n = set_attributes(r, rm, tree, e);
	if (n == 0)
		n = idmap_apply(r, rm, tree, e);
	if (n < 0)
		return n;
	rm->tree = take_fd(tree);
	return 0;
}
