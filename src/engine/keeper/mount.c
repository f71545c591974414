/*
 * engine/keeper/mount.c - the instance's root, mounted where only the keeper sees it.
 *
 * The keeper is born in a mount namespace that is a copy of the host's, where shared
 * mounts are peers of the host's: without care its overlay would appear there as well.
 * Making all of them slaves lets what the host mounts later come in and nothing go out.
 * Sources of "rshared" binds are the exception that was asked for: they are cloned while
 * they are peers, and laid over themselves afterwards.
 *
 * overlayfs.rst: with fsconfig(2) each lower directory is a "lowerdir+" of its own, from
 * Linux 6.5, without the limit of mount(2)'s one page; before, they are given by numbers
 * of descriptors, which are short.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/parts.h"
#include "sys/calls.h"

#define OPTIONS_MAX 4096                /* one page, mount(2) */
#define SHARED_MAX 64
#define VOLATILE "volatile"

static int set(int fs, const char *key, const char *value, struct err *e)
{
	int r = value ? sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0)
		      : sys_fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);

	return r < 0 ? err_sys(e, -r, "overlay option %s%s%s", key, value ? "=" : "",
			       value ? value : "") : 0;
}

/* "a,b=c": each by itself. */
static int set_options(int fs, const char *options, struct err *e)
{
	CLEANUP_FREE char *copy = xstrdup(options ? options : "");
	char *rest = copy;
	int r = 0;

	for (char *one; r == 0 && (one = strsep(&rest, ",")); ) {
		char *value = strchr(one, '=');

		if (value)
			*value++ = '\0';
		if (*one)
			r = set(fs, one, value, e);
	}
	return r;
}

static int set_overlay(int fs, const struct overlay_config *o, struct err *e)
{
	int r = 0;

	for (size_t i = o->lower.n; r == 0 && i-- > 0; )        /* the top one first */
		r = set(fs, "lowerdir+", o->lower.v[i], e);
	if (r == 0)
		r = set(fs, "upperdir", o->upper, e);
	if (r == 0)
		r = set(fs, "workdir", o->work, e);
	return r == 0 ? set_options(fs, o->options, e) : r;
}

/* -EINVAL from the first lowerdir+: this kernel does not know it. */
static int mount_by_context(const struct overlay_config *o, struct err *e)
{
	CLEANUP_FD int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs < 0)
		return err_sys(e, -fs, "open the overlay file system");
	int r = set_overlay(fs, o, e);
	if (r < 0)
		return r;
	r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0)
		return err_sys(e, -r, "make the overlay of %s (dmesg says more)", o->target);
	CLEANUP_FD int mnt = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		return err_sys(e, -mnt, "make the overlay of %s", o->target);
	r = sys_move_mount(mnt, "", AT_FDCWD, o->target, MOVE_MOUNT_F_EMPTY_PATH);
	return r < 0 ? err_sys(e, -r, "mount the overlay at %s", o->target) : 0;
}

static int mount_by_string(const struct overlay_config *o, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(OPTIONS_MAX - 1);
	CLEANUP_FREE int *fd = xcalloc(o->lower.n, sizeof(*fd));
	size_t n = 0;
	int r = 0;

	for (size_t i = o->lower.n; i-- > 0; n++) {
		fd[n] = open(o->lower.v[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd[n] < 0) {
			r = err_sys(e, errno, "open layer %s", o->lower.v[i]);
			goto out;
		}
		buf_printf(&b, "%s/proc/self/fd/%d", n ? ":" : "lowerdir=", fd[n]);
	}
	buf_printf(&b, ",upperdir=%s,workdir=%s", o->upper, o->work);
	if (o->options && *o->options)
		buf_printf(&b, ",%s", o->options);
	if (b.overflow)
		r = err_set(e, E2BIG, "the image has %zu layers, more than this kernel's overlay "
			    "takes at once; Linux 6.5 takes 500", o->lower.n);
	else if (mount("overlay", o->target, "overlay", 0, b.data) < 0)
		r = err_sys(e, errno, "mount the overlay at %s", o->target);
out:
	while (n-- > 0)
		close(fd[n]);
	return r;
}

static int mount_once(const struct overlay_config *o, struct err *e)
{
	struct err first = { 0 };
	int r = mount_by_context(o, &first);

	if (r == -EINVAL && strstr(first.msg, "lowerdir+"))
		return mount_by_string(o, e);
	if (r < 0)
		*e = first;
	return r;
}

/* overlayfs.rst, "Volatile mount": the mark it left keeps a second start from mounting. */
static void forget_volatile(const struct overlay_config *o)
{
	CLEANUP_FREE char *mark = xasprintf("%s/work/incompat/volatile", o->work);
	CLEANUP_FREE char *dir = xasprintf("%s/work/incompat", o->work);

	if (unlink(mark) == 0)
		(void)rmdir(dir);
}

static int mount_overlay(const struct overlay_config *o, struct err *e)
{
	size_t n = strlen(VOLATILE);

	if (!o->options || strncmp(o->options, VOLATILE, n) != 0)
		return mount_once(o, e);
	forget_volatile(o);
	int r = mount_once(o, e);
	if (r != -EINVAL)
		return r;
	/* Before Linux 5.10 there is none. */
	struct overlay_config plain = *o;
	plain.options += n + (plain.options[n] == ',');
	return mount_once(&plain, e);
}

int keeper_mount(const struct keeper_config *c, struct err *e)
{
	int tree[SHARED_MAX];
	size_t n = 0;
	int r = 0;

	if (c->shared_sources.n > SHARED_MAX)
		return err_set(e, E2BIG, "more than %d bind mounts with shared propagation",
			       SHARED_MAX);
	for (; n < c->shared_sources.n; n++) {
		tree[n] = sys_open_tree(AT_FDCWD, c->shared_sources.v[n], OPEN_TREE_CLONE |
					OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (tree[n] < 0) {
			r = err_sys(e, -tree[n], "clone the mount at %s", c->shared_sources.v[n]);
			goto out;
		}
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) {
		r = err_sys(e, errno, "make the keeper's mounts slaves of the host's");
		goto out;
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = sys_move_mount(tree[i], "", AT_FDCWD, c->shared_sources.v[i],
				   MOVE_MOUNT_F_EMPTY_PATH);
		if (r < 0)
			err_sys(e, -r, "lay the mount at %s over itself", c->shared_sources.v[i]);
	}
	if (r == 0 && c->overlay.set)
		r = mount_overlay(&c->overlay, e);
out:
	while (n-- > 0)
		close(tree[n]);
	return r;
}

void keeper_unmount(const struct keeper_config *c)
{
	if (c->overlay.set)
		umount2(c->overlay.target, MNT_DETACH);
}
