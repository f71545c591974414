/*
 * cgroup_oom.c - being told that the kernel killed for memory.
 *
 * v1 (cgroup-v1/memory.rst, "OOM Control"): an eventfd registered with the group's
 * memory.oom_control.  v2: memory.events is a file whose changes inotify reports.
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

static int open_v1(const char *dir, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/memory.oom_control", dir);
	CLEANUP_FD int control = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	char line[40];
	int r;

	if (control < 0 || event < 0)
		return err_sys(e, errno, "open %s", path);
	snprintf(line, sizeof(line), "%d %d", event, control);
	r = cgd_write(dir, "cgroup.event_control", line);
	if (r < 0)
		return err_sys(e, -r, "register with %s", path);
	return take_fd(event);
}

static int open_v2(const char *dir, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/memory.events", dir);
	CLEANUP_FD int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY | IN_DELETE_SELF) < 0)
		return err_sys(e, errno, "watch %s", path);
	return take_fd(fd);
}

int cgroup_oom_fd(const struct cgroup *cg, struct err *e)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "memory");

	if (!h)
		return err_set(e, EOPNOTSUPP, "the container has no memory cgroup");
	CLEANUP_FREE char *dir = cgroup_dir(h);
	return cg->mode == CGROUP_MODE_V2 ? open_v2(dir, e) : open_v1(dir, e);
}

int cgroup_oom_drain(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		;
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

int cgroup_oom_count(const struct cgroup *cg, uint64_t *ret)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "memory");

	if (!h)
		return -ENOENT;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	/* "oom_kill" counts kills on both; v1 has it since Linux 4.13. */
	return cgd_read_key(dir, cg->mode == CGROUP_MODE_V2 ? "memory.events"
							    : "memory.oom_control",
			    "oom_kill", ret);
}
