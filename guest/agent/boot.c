/* guest/agent/boot.c - see parts.h: what the first process of a machine does first. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/module.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/netlink.h"

#define MODULES_BYTES_MAX 65536
#define OPEN_FILES_SOFT 1024
#define OPEN_FILES_HARD 524288          /* as systemd has it for what it starts */

static const struct early_mount {
	const char *type, *at;
	unsigned long flags;
	const char *options;
	bool optional;                  /* a kernel may be built without it */
} early_mounts[] = {
	{ "devtmpfs", "/dev", MS_NOSUID, "mode=0755", false },
	{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
	{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
	{ "tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755", false },
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666,gid=5", false },
	{ "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", false },
	/* nsdelegate: what a container makes below its group cannot raise its own limits. */
	{ "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate", true },
};

/*
 * pivot_root(2) refuses to leave the initramfs, whose mount has no parent.  So the same
 * tree is put on top of it once more, and that is the root from now on.
 */
static int move_root(struct err *e)
{
	if (mkdir("/new", 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make directory /new");
	if (mount("/", "/new", NULL, MS_BIND, NULL) < 0 || chdir("/new") < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_sys(e, errno, "put the initramfs on top of itself");
	rmdir("/new");
	return 0;
}

static int mount_all(struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(early_mounts); i++) {
		const struct early_mount *m = &early_mounts[i];

		if (mkdir(m->at, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make directory %s", m->at);
		if (mount(m->type, m->at, m->type, m->flags, m->options) == 0)
			continue;
		/* CONFIG_DEVTMPFS_MOUNT may have been before us. */
		if (errno == EBUSY)
			continue;
		if (!m->optional)
			return err_sys(e, errno, "mount %s at %s", m->type, m->at);
		log_warn("mount %s at %s: %s", m->type, m->at, err_text(errno));
	}
	/* What shells and programs expect beside the kernel's own nodes. */
	(void)!symlink("/proc/self/fd", "/dev/fd");
	(void)!symlink("/proc/self/fd/0", "/dev/stdin");
	(void)!symlink("/proc/self/fd/1", "/dev/stdout");
	(void)!symlink("/proc/self/fd/2", "/dev/stderr");
	return 0;
}

/* The kernel gives its first process a console only where the initramfs has the node. */
static int open_stdio(struct err *e)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return err_sys(e, errno, "open /dev/null");
	for (int i = 0; i < 3; i++)
		if (fd != i && dup2(fd, i) < 0)
			return err_sys(e, errno, "make stdio");
	if (fd > 2)
		close(fd);
	return 0;
}

static void load_module(const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		log_warn("open module %s: %s", path, err_text(errno));
	else if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		log_warn("load module %s: %s", path, err_text(errno));
	/* The initramfs is memory, and nobody loads it again. */
	unlink(path);
}

/* One absolute path a line, in the order of their dependencies. */
static int load_modules(struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(MODULES_BYTES_MAX);
	char *save;

	int r = file_read_at(AT_FDCWD, AGENT_MODULES, &b);
	if (r == -ENOENT || (r == 0 && b.len == 0))
		return 0;
	if (r < 0)
		return err_sys(e, -r, "read %s", AGENT_MODULES);
	for (char *l = strtok_r(b.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		load_module(l);
	return 0;
}

static void raise_limits(void)
{
	struct rlimit files = { OPEN_FILES_SOFT, OPEN_FILES_HARD };

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_warn("allow more open files: %s", err_text(errno));
}

int boot(struct err *e)
{
	umask(022);
	int r = move_root(e);
	if (r == 0)
		r = mount_all(e);
	if (r == 0)
		r = open_stdio(e);
	if (r < 0)
		return r;
	raise_limits();
	r = load_modules(e);
	if (r < 0)
		return r;
	r = net_loopback_up();
	if (r < 0)
		log_warn("set the loopback device up: %s", err_text(-r));
	return 0;
}

void boot_power_off(void)
{
	sync();
	/*
	 * Without ACPI the kernel can power nothing off and would halt with its CPUs
	 * spinning; a reset ends a virtual machine just as well.
	 */
	bool acpi = access("/sys/firmware/acpi", F_OK) == 0;
	if (reboot(acpi ? RB_POWER_OFF : RB_AUTOBOOT) < 0)
		log_error("power off: %s", err_text(errno));
}
