/*
 * engine/life_mount.c - an instance's files while nothing of it runs; see life.h.
 *
 * A mount made by fsmount(2) and attached nowhere has no path, is seen by no other process
 * and ends with its descriptor, whatever becomes of us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/life_impl.h"
#include "sys/calls.h"

#define LAYERS_MAX 500          /* overlayfs, OVL_MAX_STACK */

int life_lower_dirs(struct engine *eng, const struct instance *in, struct arena *a,
		    struct oci_strv *ret, struct err *e)
{
	const struct oci_strv *l = &in->config.layers;
	size_t n = l->n ? l->n : 1;

	if (n > LAYERS_MAX)
		return err_set(e, E2BIG, "image %s has %zu layers, overlayfs takes %d",
			       in->config.image, n, LAYERS_MAX);
	ret->v = arena_calloc(a, n + 1, sizeof(*ret->v));
	ret->n = n;
	for (size_t i = 0; i < l->n; i++)
		ret->v[i] = l->v[i][0] == '/' ? arena_strdup(a, l->v[i]) :
			    arena_printf(a, "%s/%s", eng->root, l->v[i]);
	/* Nothing below: overlayfs still wants a directory. */
	if (l->n == 0) {
		ret->v[0] = arena_printf(a, "%s/instances/%s/empty", eng->root, in->id);
		if (mkdir(ret->v[0], 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make directory %s", ret->v[0]);
	}
	return 0;
}

int life_make_dirs(struct engine *eng, const struct instance *in, struct err *e)
{
	/* upper's mode is what the instance sees of its root. */
	static const struct { const char *name; mode_t mode; } dirs[] = {
		{ "upper", 0755 }, { "work", 0700 },
	};
	char path[96];

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, sizeof(path), "%.64s/%s", in->id, dirs[i].name);
		if (mkdirat(eng->instancesfd, path, dirs[i].mode) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make directory %s/instances/%s", eng->root, path);
	}
	return 0;
}

static int set(int fs, const char *key, const char *value)
{
	return sys_fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);
}

/* Linux 6.5: a layer at a time, top first. */
static int set_layers(int fs, const struct oci_strv *lower)
{
	int r = 0;

	for (size_t i = lower->n; r == 0 && i-- > 0; )
		r = set(fs, "lowerdir+", lower->v[i]);
	return r;
}

/*
 * Before, all in one value of 255 bytes: numbers of descriptors, seen from the directory of
 * our descriptors, which becomes the working directory for as long.
 */
static int set_layers_by_number(int fs, const struct oci_strv *lower, int *fds, size_t *ret_n)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(255);

	for (size_t i = lower->n; i-- > 0; ) {
		int fd = open(lower->v[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		fds[(*ret_n)++] = fd;
		buf_printf(&b, "%s%d", b.len ? ":" : "", fd);
	}
	return b.overflow ? -E2BIG : set(fs, "lowerdir", b.data);
}

static int create_by_number(int fs, const struct oci_strv *lower)
{
	CLEANUP_FREE int *fds = xcalloc(lower->n, sizeof(*fds));
	CLEANUP_FD int cwd = open(".", O_PATH | O_CLOEXEC);
	size_t n = 0;

	if (cwd < 0 || chdir("/proc/self/fd") < 0)
		return -errno;
	int r = set_layers_by_number(fs, lower, fds, &n);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	while (n > 0)
		close(fds[--n]);
	if (fchdir(cwd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int create(int fs, const struct oci_strv *lower, const char *upper, const char *work,
		  bool rootless)
{
	int r = rootless ? set(fs, "userxattr", NULL) : 0;

	if (r == 0 && upper)
		r = set(fs, "upperdir", upper);
	if (r == 0 && upper)
		r = set(fs, "workdir", work);
	if (r < 0)
		return r;
	r = set_layers(fs, lower);
	if (r == -EINVAL)
		return create_by_number(fs, lower);
	return r < 0 ? r : sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int life_mount(struct engine *eng, const struct instance *in, bool read_only, struct err *e)
{
	CLEANUP_FREE char *upper = instance_path(eng, in->id, "upper");
	CLEANUP_FREE char *work = instance_path(eng, in->id, "work");
	struct arena a = { 0 };
	struct oci_strv lower = { 0 };

	int r = life_make_dirs(eng, in, e);
	if (r == 0)
		r = life_lower_dirs(eng, in, &a, &lower, e);
	if (r < 0 || !lower.v) {
		arena_release(&a);
		return r < 0 ? r : err_set(e, EUCLEAN, "instance %s has no layers", in->name);
	}
	/* The upper directory is the topmost layer then; room for it is there. */
	if (read_only)
		lower.v[lower.n++] = upper;
	CLEANUP_FD int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC);
	r = fs < 0 ? fs : create(fs, &lower, read_only ? NULL : upper, work, eng->rootless);
	arena_release(&a);
	if (r == 0)
		r = sys_fsmount(fs, FSMOUNT_CLOEXEC, read_only ? MOUNT_ATTR_RDONLY : 0);
	if (r < 0)
		return err_sys(e, -r, "mount the files of %s (its %zu layers are below %s/layers; "
			       "`isle system check` looks whether they are whole)", in->name,
			       in->config.layers.n, eng->root);
	return r;
}
