#pragma once
/*
 * sys/inroot.h - opening paths inside a directory that an untrusted image
 * controls.  Layer: sys.
 *
 * Every path of a root file system is walked here, never as a string: with
 * openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), or, where openat2 is refused
 * (ENOSYS, EPERM from a seccomp filter), component by component.  That walk holds a
 * stack of O_PATH directory descriptors: symlinks are read and walked anew below the
 * root, ".." takes one descriptor off the stack and is never given to the kernel, so
 * a directory moved away under the walk cannot lead it out; at most 40 links.
 * Whatever must be created is created by that walk, in either mode.  Both give the
 * same answers; tests run both.
 *
 * The path may start with '/', which means the root.  Symlinks of procfs that jump
 * (/proc/PID/root, exe, fd/N) are -ELOOP when followed.
 */
#include <sys/types.h>

#include "base/err.h"

/* open(2) flags; O_CLOEXEC is implied.  Returns a descriptor or -errno. */
MUST_CHECK int inroot_open(int rootfd, const char *path, int flags, mode_t mode);
/*
 * Make the directory path and the parents it lacks (mode), symlinks inside the
 * root followed, dangling ones too; an existing directory is fine.  Returns an
 * O_PATH|O_DIRECTORY descriptor.
 */
MUST_CHECK int inroot_mkdir_all(int rootfd, const char *path, mode_t mode);
/*
 * Open (O_PATH) the file at path, making it empty (and its parents, mode 0755)
 * if nothing is there.  Never truncates, never follows out of the root.
 */
MUST_CHECK int inroot_touch(int rootfd, const char *path, mode_t mode);
/*
 * Open the parent directory of path (O_PATH), made as needed; *ret_base points
 * into path at the last component, whose symlinks are the caller's to refuse.
 * A path without a last name ("/", "a/..", a trailing slash) is -EINVAL.
 */
MUST_CHECK int inroot_parent(int rootfd, const char *path, mode_t mode,
			     const char **ret_base);
