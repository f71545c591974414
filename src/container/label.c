/* container/label.c - see label.h */
#include "container/label.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs.h"

static bool apparmor_enabled(void)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(16);

	return file_read_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", &b) == 0 &&
	       b.data[0] == 'Y';
}

static bool selinux_enabled(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

int label_reserve(struct init_request *rq, int *ret_fd, struct err *e)
{
	const char *profile = rq->process->apparmor_profile;
	const char *label = rq->process->selinux_label;

	rq->procfs_fd = -1;
	if (profile && *profile) {
		if (!apparmor_enabled())
			return err_set(e, ENOTSUP, "process.apparmorProfile is \"%s\", but "
				       "AppArmor is not enabled on this host", profile);
		rq->apparmor = true;
	} else if (label && *label) {
		if (!selinux_enabled())
			return err_set(e, ENOTSUP, "process.selinuxLabel is \"%s\", but SELinux is "
				       "disabled or not supported on this host", label);
		rq->selinux = true;
	} else {
		return 0;
	}
	*ret_fd = open("/", O_PATH | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_sys(e, errno, "reserve a descriptor");
	rq->procfs_fd = *ret_fd;
	return 0;
}

int label_open(int reserved, struct err *e)
{
	if (reserved < 0)
		return 0;
	CLEANUP_FD int fd = procfs_open(e);
	if (fd < 0)
		return fd;
	if (dup3(fd, reserved, O_CLOEXEC) < 0)
		return err_sys(e, errno, "keep procfs for the label");
	return 0;
}
