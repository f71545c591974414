#pragma once
/* image/tree_xattr.h - the xattrs of a file, read or copied.  Layer: image; no library. */
#include "base/arena.h"
#include "base/err.h"
#include "image/tar.h"

/*
 * All xattrs of name in dirfd (never followed), in a; overlayfs' own and the labels of
 * this host's security modules are left out.  A file system without xattrs has none.
 */
MUST_CHECK int tree_xattrs(int dirfd, const char *name, struct arena *a,
			   struct tar_xattr **ret, size_t *ret_n, struct err *e);
/* Set them on the file fd, or with fd -1 on name in dirfd; what cannot be held is left out. */
MUST_CHECK int tree_xattrs_set(int fd, int dirfd, const char *name,
			       const struct tar_xattr *v, size_t n, struct err *e);
/* One xattr of overlayfs, "opaque" say: 1 if it is there with the value, else 0. */
MUST_CHECK int tree_overlay_xattr(int dirfd, const char *name, bool rootless,
				  const char *which, const char *value);
