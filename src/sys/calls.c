/* sys/calls.c - see calls.h */
#include "sys/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's sign in one place: -1 with errno becomes -errno. */
#define SYS(...) ({ long sys_r = syscall(__VA_ARGS__); sys_r < 0 ? -errno : (int)sys_r; })

pid_t sys_clone3(struct clone_args *args)
{
	return SYS(SYS_clone3, args, sizeof(*args));
}

int sys_pidfd_open(pid_t pid)
{
	return SYS(SYS_pidfd_open, pid, 0);
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	return SYS(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	return SYS(SYS_pidfd_getfd, pidfd, fd, 0);
}

int sys_setns(int fd, int nstype)
{
	return SYS(SYS_setns, fd, nstype);
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return SYS(SYS_close_range, first, last, flags);
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return SYS(SYS_pivot_root, new_root, put_old);
}

int sys_openat2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve,
	};

	return SYS(SYS_openat2, dirfd, path, &how, sizeof(how));
}

int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
	return SYS(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLOEXEC);
}

int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to,
		   unsigned flags)
{
	return SYS(SYS_move_mount, from_fd, from, to_fd, to, flags);
}

int sys_fsopen(const char *fstype, unsigned flags)
{
	return SYS(SYS_fsopen, fstype, flags | FSOPEN_CLOEXEC);
}

int sys_fsconfig(int fsfd, unsigned cmd, const char *key, const void *value, int aux)
{
	return SYS(SYS_fsconfig, fsfd, cmd, key, value, aux);
}

int sys_fsmount(int fsfd, unsigned flags, unsigned attr_flags)
{
	return SYS(SYS_fsmount, fsfd, flags | FSMOUNT_CLOEXEC, attr_flags);
}

int sys_fspick(int dirfd, const char *path, unsigned flags)
{
	return SYS(SYS_fspick, dirfd, path, flags | FSPICK_CLOEXEC);
}

int sys_mount_setattr(int dirfd, const char *path, unsigned flags, struct mount_attr *attr)
{
	return SYS(SYS_mount_setattr, dirfd, path, flags, attr, sizeof(*attr));
}

int sys_keyctl_join_session(const char *name)
{
	return SYS(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
}

int sys_keyctl_setperm(int key, uint32_t perm)
{
	return SYS(SYS_keyctl, KEYCTL_SETPERM, key, perm);
}

int sys_bpf(int cmd, void *attr, unsigned size)
{
	return SYS(SYS_bpf, cmd, attr, size);
}

int sys_seccomp(unsigned op, unsigned flags, void *args)
{
	return SYS(SYS_seccomp, op, flags, args);
}
