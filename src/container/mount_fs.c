/*
 * container/mount_fs.c - new mounts of file systems: fsopen, fsconfig, fsmount.
 *
 * Each option the table of mount_options.c does not know becomes one parameter of the
 * file system; what the file system says about a bad one ("tmpfs: Unknown parameter
 * 'x'") is read from its descriptor and put into the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

#define PARAM_MAX 4096
#define VALUE_MAX 255           /* what fsconfig(2) takes of a string */

/*
 * Of these a superblock may be shared with other mounts, or be written to before it is
 * sealed: "ro" then belongs to the mount alone.  Elsewhere the superblock is told too,
 * or a journal would be replayed on a read-only mount.
 */
static bool ro_is_the_mounts(const char *type)
{
	static const char *const types[] = {
		"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs",
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* The last message the file system left on its descriptor ("e tmpfs: ..."), or "". */
static const char *fs_message(int fs, char *buf, size_t size)
{
	const char *last = "";
	ssize_t k;

	while ((k = read(fs, buf, size - 1)) > 0) {
		while (k > 0 && buf[k - 1] == '\n')
			k--;
		buf[k] = 0;
		last = k > 2 && buf[1] == ' ' ? buf + 2 : buf;
	}
	return last;
}

static int fs_error(int fs, int code, const char *what, struct err *e)
{
	char buf[512];
	const char *said = fs_message(fs, buf, sizeof(buf));

	if (said[0])
		return err_sys(e, code, "%s (%s)", what, said);
	return err_sys(e, code, "%s", what);
}

static int set_string(int fs, const char *key, const char *value)
{
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

static int set_flag(int fs, const char *key)
{
	return sys_fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
}

/*
 * overlay's "lowerdir=a:b::data", longer than one value may be: the same layer by layer
 * (Linux 6.5; Documentation/filesystems/overlayfs.rst).  There a name is literal.
 */
static int set_lowerdirs(int fs, const char *value)
{
	char layer[VALUE_MAX + 1];
	const char *key = "lowerdir+";

	for (const char *p = value; ; p++) {
		size_t n = 0;

		for (; *p && *p != ':'; p++) {
			if (*p == '\\' && p[1])
				p++;
			if (n == VALUE_MAX)
				return -E2BIG;
			layer[n++] = *p;
		}
		layer[n] = 0;
		int r = set_string(fs, key, layer);
		if (r < 0 || !*p)
			return r;
		if (p[1] == ':') {
			key = "datadir+";
			p++;
		}
	}
}

/* "key=value", or "key"; value may stand in double quotes (SELinux contexts). */
static int set_param(int fs, char *param, struct err *e)
{
	char *value = strchr(param, '=');
	int r;

	if (value) {
		*value++ = 0;
		size_t n = strlen(value);

		if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
			value[n - 1] = 0;
			value++;
		}
		if (strlen(value) <= VALUE_MAX)
			r = set_string(fs, param, value);
		else
			r = strcmp(param, "lowerdir") == 0 ? set_lowerdirs(fs, value) : -E2BIG;
		/* EINVAL: a kernel that does not know "lowerdir+". */
		if (r < 0 && strlen(value) > VALUE_MAX)
			return err_set(e, E2BIG, "option %.100s: longer than the %d bytes that "
				       "fsconfig takes", param, VALUE_MAX);
	} else {
		r = set_flag(fs, param);
	}
	if (r < 0) {
		char what[PARAM_MAX];

		snprintf(what, sizeof(what), "option %.200s%s%.200s", param, value ? "=" : "",
			 value ? value : "");
		return fs_error(fs, -r, what, e);
	}
	return 0;
}

/* mount(2) took all options in one string, so one of ours may hold several. */
static int set_params(int fs, const char *option, struct err *e)
{
	char buf[PARAM_MAX];
	bool quoted = false;
	size_t n = 0;

	if (strlen(option) >= sizeof(buf))
		return err_sys(e, ENAMETOOLONG, "option %.40s...", option);
	for (const char *p = option; ; p++) {
		if (*p == '"')
			quoted = !quoted;
		if (*p == '\\' && p[1] == ',') {        /* overlay's way to write a comma */
			buf[n++] = *p++;
			buf[n++] = *p;
			continue;
		}
		if (*p && (*p != ',' || quoted)) {
			buf[n++] = *p;
			continue;
		}
		buf[n] = 0;
		int r = n > 0 ? set_param(fs, buf, e) : 0;
		if (r < 0)
			return r;
		if (!*p)
			return 0;
		n = 0;
	}
}

struct super_flag {
	unsigned long flag;
	const char *on, *off;
	bool soft;              /* some file systems have no word for it: then nothing to do */
};

/* silent and loud are for the kernel log, which fsopen keeps per descriptor: no entry. */
static const struct super_flag super_flags[] = {
	{ MS_SYNCHRONOUS, "sync", "async", false },
	{ MS_DIRSYNC, "dirsync", NULL, false },
	{ MS_MANDLOCK, "mand", "nomand", false },
	{ MS_LAZYTIME, "lazytime", "nolazytime", false },
	{ MS_POSIXACL, "acl", "noacl", true },
	{ MS_I_VERSION, "iversion", NULL, true },       /* since Linux 6.1 kept anyway */
};

static int set_super_flags(int fs, const struct mount_options *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(super_flags); i++) {
		const struct super_flag *f = &super_flags[i];
		const char *word = o->flags & f->flag ? f->on :
				   o->flags_clear & f->flag ? f->off : NULL;
		int r = word ? set_flag(fs, word) : 0;

		if (r < 0 && !(r == -EINVAL && f->soft))
			return fs_error(fs, -r, word, e);
	}
	return 0;
}

static int set_label(int fs, const char *label, struct err *e)
{
	int r = set_string(fs, "context", label);

	/* As runc: a label is for hosts that have SELinux. */
	if (r == -EINVAL && access("/sys/fs/selinux/enforce", F_OK) < 0)
		return 0;
	return r < 0 ? fs_error(fs, -r, "SELinux mount label", e) : 0;
}

static int configure(int fs, const struct fs_request *rq, struct err *e)
{
	const struct mount_options *o = rq->opt;
	int r = 0;

	if (rq->source && strlen(rq->source) > VALUE_MAX)
		return err_set(e, E2BIG, "source: longer than the %d bytes that fsconfig takes",
			       VALUE_MAX);
	if (rq->source && rq->source[0])
		r = set_string(fs, "source", rq->source);
	if (r < 0)
		return fs_error(fs, -r, "source", e);
	if (rq->mode)
		r = set_string(fs, "mode", rq->mode);
	if (r < 0)
		return fs_error(fs, -r, "mode", e);
	if (rq->label)
		r = set_label(fs, rq->label, e);
	if (r == 0 && (rq->attr & MOUNT_ATTR_RDONLY) && !ro_is_the_mounts(rq->type)) {
		r = set_flag(fs, "ro");
		if (r < 0)
			return fs_error(fs, -r, "ro", e);
	}
	if (r == 0)
		r = set_super_flags(fs, o, e);
	for (size_t i = 0; r == 0 && i < o->n_data; i++)
		r = set_params(fs, o->data[i], e);
	return r;
}

int fs_new(const struct fs_request *rq, struct err *e)
{
	CLEANUP_FD int fs = sys_fsopen(rq->type, 0);

	if (fs == -ENODEV)
		return err_set(e, ENODEV, "file system type %s: no such device (not in this "
			       "kernel)", rq->type);
	if (fs < 0)
		return err_sys(e, -fs, "file system type %s", rq->type);

	int r = configure(fs, rq, e);
	if (r < 0)
		return r;
	r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0)
		return fs_error(fs, -r, "create", e);
	r = sys_fsmount(fs, 0, (unsigned)rq->attr);
	return r < 0 ? fs_error(fs, -r, "mount", e) : r;
}

int fs_new_plain(const char *type, const char *source, uint64_t attr)
{
	const struct mount_options none = { 0 };
	const struct fs_request rq = {
		.type = type, .source = source, .opt = &none, .attr = attr,
	};

	return fs_new(&rq, NULL);
}

int fs_reconfigure(int fd, const struct mount_options *o, struct err *e)
{
	CLEANUP_FD int fs = sys_fspick(fd, "", FSPICK_EMPTY_PATH);

	if (fs < 0)
		return err_sys(e, -fs, "remount");

	int r = set_super_flags(fs, o, e);
	if (r == 0 && (o->attr_set & MOUNT_ATTR_RDONLY))
		r = set_flag(fs, "ro");
	else if (r == 0 && (o->attr_clear & MOUNT_ATTR_RDONLY))
		r = set_flag(fs, "rw");
	for (size_t i = 0; r == 0 && i < o->n_data; i++)
		r = set_params(fs, o->data[i], e);
	if (r < 0)
		return r;
	r = sys_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
	return r < 0 ? fs_error(fs, -r, "remount", e) : 0;
}
