/*
 * container/devices.c - device nodes, the links of /dev, and the console.
 * Spec: config-linux.md#devices, #default-devices; config.md#dev-symbolic-links.
 *
 * Nodes are made with mknod; in a user namespace one that the runtime made is bound
 * (device_nodes.c).  Where neither may be, the host's node is bound instead, and then
 * never chowned or chmodded: it is the host's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"
#include "sys/inroot.h"

/* Major numbers of pty slaves: Linux Documentation/admin-guide/devices.txt. */
#define PTY_SLAVE_MAJOR_FIRST 136
#define PTY_SLAVE_MAJOR_LAST 143

#define RWALL { .set = true, .v = 0666 }

static const struct oci_device default_devices[] = {
	{ .type = 'c', .path = "/dev/null", .major = 1, .minor = 3, .file_mode = RWALL },
	{ .type = 'c', .path = "/dev/zero", .major = 1, .minor = 5, .file_mode = RWALL },
	{ .type = 'c', .path = "/dev/full", .major = 1, .minor = 7, .file_mode = RWALL },
	{ .type = 'c', .path = "/dev/random", .major = 1, .minor = 8, .file_mode = RWALL },
	{ .type = 'c', .path = "/dev/urandom", .major = 1, .minor = 9, .file_mode = RWALL },
	{ .type = 'c', .path = "/dev/tty", .major = 5, .minor = 0, .file_mode = RWALL },
};

mode_t device_type(const struct oci_device *d)
{
	return d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
}

dev_t device_number(const struct oci_device *d)
{
	return d->type == 'p' ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
}

mode_t device_mode(const struct oci_device *d)
{
	return d->file_mode.set ? (mode_t)(d->file_mode.v & 07777) : 0666;
}

static bool same_node(const struct oci_device *d, const struct stat *st)
{
	return (st->st_mode & S_IFMT) == device_type(d) &&
	       (d->type == 'p' || st->st_rdev == device_number(d));
}

/* Where a node goes. */
struct node_place {
	int dir;
	const char *name;
	bool fresh;             /* dir is a tmpfs of ours, seen by nobody else */
	int owned;              /* dir where it must be closed, else -1 */
	char path[PATH_MAX];    /* name may be in here */
};

static void node_place_release(struct node_place *p)
{
	fd_close(&p->owned);
}

static int open_place(const struct rootfs *r, const char *path, struct node_place *p)
{
	p->owned = -1;
	if (strncmp(path, "/dev/", 5) == 0 && r->dev >= 0 && path[5] && !strchr(path + 5, '/')) {
		p->dir = r->dev;
		p->name = path + 5;
		p->fresh = r->dev_fresh;
		return 0;
	}
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n >= sizeof(p->path))
		return -ENAMETOOLONG;
	memcpy(p->path, path, n);
	p->path[n] = 0;
	p->fresh = false;
	p->owned = p->dir = inroot_parent(r->root, p->path, 0755, &p->name);
	return p->dir < 0 ? p->dir : 0;
}

/* Put something else's node in place: the host's device, the console's pty. */
static int bind_node(int tree, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd < 0 && errno == EEXIST)
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	CLEANUP_FD int dest = fd;
	struct stat st;
	if (fstat(dest, &st) < 0)
		return -errno;
	/* Mounting follows no link by descriptor, but a link there is a trap. */
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return -EEXIST;
	return tree_attach(tree, dest, "");
}

static int bind_host_node(const struct oci_device *d, int dir, const char *name, struct err *e)
{
	CLEANUP_FD int tree = tree_clone(AT_FDCWD, d->path, false, true);
	struct stat st;

	if (tree < 0)
		return err_sys(e, -tree, "device %s: bind the host's node", d->path);
	if (fstat(tree, &st) < 0)
		return err_sys(e, errno, "device %s", d->path);
	if (!same_node(d, &st))
		return err_set(e, ENODEV, "device %s: the host's node of that name is not %c "
			       "%lld:%lld", d->path, d->type, (long long)d->major,
			       (long long)d->minor);
	int n = bind_node(tree, dir, name);
	return n < 0 ? err_sys(e, -n, "device %s: bind the host's node", d->path) : 0;
}

/* A mount that config.json put over the name counts as wanted, whatever it is. */
static bool is_mounted_over(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH, 0, &stx) == 0 &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/*
 * Owner and mode of the node, set on the descriptor that was checked.  A node we made
 * has them already but for a foreign owner or a directory with a default ACL.
 */
static int finish_node(const struct oci_device *d, int dir, const char *name, bool ours,
		       struct err *e)
{
	CLEANUP_FD int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "device %s", d->path);
	if (!same_node(d, &st)) {
		if (is_mounted_over(fd))
			return 0;
		return err_set(e, EEXIST, "device %s: something else than %c %lld:%lld is there: "
			       "file exists", d->path, d->type, (long long)d->major,
			       (long long)d->minor);
	}
	if (!ours)
		return 0;

	uid_t uid = d->uid.set ? (uid_t)d->uid.v : 0;
	gid_t gid = d->gid.set ? (gid_t)d->gid.v : 0;
	mode_t mode = device_mode(d);
	if ((st.st_uid != uid || st.st_gid != gid) && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_sys(e, errno, "device %s: set its owner", d->path);
	if ((st.st_mode & 07777) != mode) {
		char path[40];

		/* fchmod(2) refuses O_PATH; the host's /proc is still there. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (chmod(path, mode) < 0)
			return err_sys(e, errno, "device %s: set its mode", d->path);
	}
	return 0;
}

static int make_device(const struct rootfs *r, const struct rootfs_device *rd, struct err *e)
{
	const struct oci_device *d = rd->d;
	mode_t mode = device_mode(d);
	bool owned = (d->uid.set && d->uid.v != 0) || (d->gid.set && d->gid.v != 0);
	struct node_place p CLEANUP(node_place_release) = { .owned = -1, .name = "" };
	int n = open_place(r, d->path, &p);

	if (n < 0)
		return err_sys(e, -n, "device %s", d->path);
	if (!r->o.new_userns &&
	    mknodat(p.dir, p.name, device_type(d) | mode, device_number(d)) == 0)
		return p.fresh && !owned ? 0 : finish_node(d, p.dir, p.name, true, e);
	if (!r->o.new_userns && errno == EEXIST)
		return finish_node(d, p.dir, p.name, false, e);
	if (!r->o.new_userns && errno != EPERM)
		return err_sys(e, errno, "device %s", d->path);
	if (rd->tree >= 0) {
		n = bind_node(rd->tree, p.dir, p.name);
		return n < 0 ? err_sys(e, -n, "device %s: bind its node", d->path) : 0;
	}
	if (d->type != 'p')
		return bind_host_node(d, p.dir, p.name, e);
	if (mknodat(p.dir, p.name, S_IFIFO | mode, 0) < 0)
		return err_sys(e, errno, "fifo %s", d->path);
	return finish_node(d, p.dir, p.name, true, e);
}

static bool in_spec(const struct oci_linux *l, const char *path)
{
	for (size_t i = 0; i < l->n_devices; i++)
		if (strcmp(l->devices[i].path, path) == 0)
			return true;
	return false;
}

void devices_list(struct rootfs *r)
{
	const struct oci_linux *l = &r->o.spec->os;

	r->devices = arena_calloc(&r->arena, ARRAY_LEN(default_devices) + l->n_devices,
				  sizeof(*r->devices));
	for (size_t i = 0; i < ARRAY_LEN(default_devices); i++)
		if (!in_spec(l, default_devices[i].path))
			r->devices[r->n_devices++].d = &default_devices[i];
	for (size_t i = 0; i < l->n_devices; i++)
		r->devices[r->n_devices++].d = &l->devices[i];
	for (size_t i = 0; i < r->n_devices; i++)
		r->devices[i].tree = -1;
}

static int make_links(int dev, struct err *e)
{
	static const struct { const char *text, *name; } links[] = {
		{ "/proc/self/fd", "fd" }, { "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
		{ "/proc/kcore", "core" },      /* last: where the host has it */
	};
	size_t n = ARRAY_LEN(links) - (access("/proc/kcore", F_OK) < 0);

	for (size_t i = 0; i < n; i++)
		if (symlinkat(links[i].text, dev, links[i].name) < 0 && errno != EEXIST)
			return err_sys(e, errno, "link /dev/%s", links[i].name);

	/* Always a link: a node of the image would be the host's ptmx. */
	if (symlinkat("pts/ptmx", dev, "ptmx") == 0)
		return 0;
	if (errno != EEXIST || unlinkat(dev, "ptmx", 0) < 0 ||
	    symlinkat("pts/ptmx", dev, "ptmx") < 0)
		return err_sys(e, errno, "link /dev/ptmx");
	return 0;
}

int devices_make(struct rootfs *r, struct err *e)
{
	int n = 0;

	/* A /dev that config.json binds is somebody's own: nothing is made in it. */
	if (r->dev_bound)
		return 0;
	if (r->dev < 0)
		r->dev = inroot_mkdir_all(r->root, "/dev", 0755);
	if (r->dev < 0)
		return err_sys(e, -r->dev, "/dev in the root file system");

	for (size_t i = 0; n == 0 && i < r->n_devices; i++)
		n = make_device(r, &r->devices[i], e);
	return n < 0 ? n : make_links(r->dev, e);
}

int rootfs_bind_console(struct rootfs *r, int slave_fd, struct err *e)
{
	struct stat st;

	if (fstat(slave_fd, &st) < 0)
		return err_sys(e, errno, "/dev/console");
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) < PTY_SLAVE_MAJOR_FIRST ||
	    major(st.st_rdev) > PTY_SLAVE_MAJOR_LAST)
		return err_set(e, ENOTTY, "/dev/console: the console given is not a pty slave");

	struct node_place p CLEANUP(node_place_release) = { .owned = -1, .name = "" };
	int n = open_place(r, "/dev/console", &p);
	if (n < 0)
		return err_sys(e, -n, "/dev/console");
	CLEANUP_FD int tree = tree_clone(slave_fd, "", false, true);
	n = tree < 0 ? tree : bind_node(tree, p.dir, p.name);
	return n < 0 ? err_sys(e, -n, "bind the terminal at /dev/console") : 0;
}
