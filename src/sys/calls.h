#pragma once
/*
 * sys/calls.h - system calls that Debian 12's libc has no wrapper for.
 * Layer: sys (thin, no policy).
 *
 * All return >= 0 or -errno and never touch errno for the caller's use.  Each
 * names its manual page or the kernel document it follows.
 */
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* clone3(2), fork-like: returns 0 in the child. */
MUST_CHECK pid_t sys_clone3(struct clone_args *args);
MUST_CHECK int sys_pidfd_open(pid_t pid);
MUST_CHECK int sys_pidfd_send_signal(int pidfd, int sig);
MUST_CHECK int sys_pidfd_getfd(int pidfd, int fd);
MUST_CHECK int sys_setns(int fd, int nstype);
MUST_CHECK int sys_close_range(unsigned first, unsigned last, unsigned flags);
MUST_CHECK int sys_pivot_root(const char *new_root, const char *put_old);
/* openat2(2) */
MUST_CHECK int sys_openat2(int dirfd, const char *path, int flags, mode_t mode,
			   uint64_t resolve);
/* The mount API: open_tree(2) ... Linux 5.2, mount_setattr(2) Linux 5.12. */
MUST_CHECK int sys_open_tree(int dirfd, const char *path, unsigned flags);
MUST_CHECK int sys_move_mount(int from_fd, const char *from, int to_fd,
			      const char *to, unsigned flags);
MUST_CHECK int sys_fsopen(const char *fstype, unsigned flags);
MUST_CHECK int sys_fsconfig(int fsfd, unsigned cmd, const char *key,
			    const void *value, int aux);
MUST_CHECK int sys_fsmount(int fsfd, unsigned flags, unsigned attr_flags);
MUST_CHECK int sys_fspick(int dirfd, const char *path, unsigned flags);
MUST_CHECK int sys_mount_setattr(int dirfd, const char *path, unsigned flags,
				 struct mount_attr *attr);
/* keyctl(2) */
MUST_CHECK int sys_keyctl_join_session(const char *name);
MUST_CHECK int sys_keyctl_setperm(int key, uint32_t perm);
/* bpf(2): attr of size bytes, union bpf_attr of linux/bpf.h */
MUST_CHECK int sys_bpf(int cmd, void *attr, unsigned size);
/* seccomp(2) */
MUST_CHECK int sys_seccomp(unsigned op, unsigned flags, void *args);
