/*
 * image/unpack_entry.c - see unpack_tree.h
 *
 * A plain file of root's costs four system calls: openat, write, utimensat, close.  The
 * umask is 0, so that openat sets the mode; chown only where the owner is another.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/tree.h"
#include "image/unpack_dirs.h"
#include "image/unpack_tree.h"

#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."        /* aufs' own: only the opaque mark means something */
#define OPAQUE ".wh..wh..opq"
#define LABEL_MAX 256
#define NOTED_MAX (64u << 20)           /* bytes of directories' xattrs held until the end */

struct unpack {
	struct unpack_options o;
	struct dirs dirs;
	mode_t old_umask;
	uid_t fsuid;
	gid_t fsgid;
	bool inherits_gid;              /* the root is set-group-ID: always chown */
	uint64_t entries, file_bytes, noted_bytes;

	/* The entry being unpacked. */
	const struct tar_entry *t;
	char label[LABEL_MAX];          /* its name in messages: the beginning of a long one */
	char path[PATH_MAX];            /* normal form */
	size_t parent_len;              /* of path, the parent's */
	const char *base;               /* in path */
	int parent;                     /* the cache's */
	int fd;                         /* of a file being written, or -1 */
	uint64_t end_bytes;             /* of what was written */
};

struct unpack *unpack_new(int dirfd, const struct unpack_options *o)
{
	struct unpack *u = xcalloc(1, sizeof(*u));
	struct stat st;

	u->o = *o;
	u->fd = -1;
	u->fsuid = geteuid();
	u->fsgid = getegid();
	u->inherits_gid = fstat(dirfd, &st) < 0 || (st.st_mode & S_ISGID);
	u->old_umask = umask(0);
	dirs_init(&u->dirs, dirfd, o->layer);
	return u;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	fd_close(&u->fd);
	dirs_release(&u->dirs);
	umask(u->old_umask);
	free(u);
}

uint64_t unpack_entries(const struct unpack *u)
{
	return u->entries;
}

uint64_t unpack_file_bytes(const struct unpack *u)
{
	return u->file_bytes;
}

/* Every refusal names the entry. */
static int named(const struct unpack *u, struct err *e)
{
	return err_prefix(e, "entry \"%s\"", u->label);
}

static int failed(const struct unpack *u, int code, const char *what, struct err *e)
{
	return err_sys(e, code, "entry \"%s\": %s", u->label, what);
}

/* ---- names ------------------------------------------------------------------------- */

/*
 * Take the name apart: no "..", no "." and no empty component; a leading slash is
 * dropped, as Docker does.  u->path is "" for the root itself.
 */
static int normalize(struct unpack *u, const char *name, struct err *e)
{
	size_t n = 0;

	u->parent_len = 0;
	u->base = u->path;
	for (const char *p = name; *p; ) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return err_set(e, EPERM, "a name with \"..\" is refused");
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (n + len + 2 > sizeof(u->path))
				return err_set(e, ENAMETOOLONG, "its name is too long");
			u->parent_len = n;
			if (n > 0)
				u->path[n++] = '/';
			u->base = u->path + n;
			memcpy(u->path + n, p, len);
			n += len;
		}
		p += len;
		p += *p == '/';
	}
	u->path[n] = '\0';
	return 0;
}

/* ---- metadata -------------------------------------------------------------------------- */

static uint32_t uid_of(const struct unpack *u)
{
	return u->o.own ? u->o.uid : (uint32_t)u->t->uid;
}

static uint32_t gid_of(const struct unpack *u)
{
	return u->o.own ? u->o.gid : (uint32_t)u->t->gid;
}

static bool must_chown(const struct unpack *u)
{
	return u->inherits_gid || uid_of(u) != u->fsuid || gid_of(u) != u->fsgid;
}

/* An id that the user namespace has not got. */
static int no_such_owner(uint32_t uid, uint32_t gid, struct err *e)
{
	return err_set(e, EINVAL, "its owner %" PRIu32 ":%" PRIu32 " is not among this user's ids; "
		       "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
		       "USER", uid, gid);
}

static int chown_failed(const struct unpack *u, int code, struct err *e)
{
	if (code != EINVAL)
		return failed(u, code, "set its owner", e);
	(void)!no_such_owner(uid_of(u), gid_of(u), e);
	return err_prefix(e, "entry \"%s\"", u->t->name);
}

static void times_of(const struct tar_entry *t, struct timespec times[2])
{
	times[0] = t->has_atime ? t->atime : t->mtime;
	times[1] = t->mtime;
}

/* overlayfs' own xattrs are ours to set: an image's could redirect or fake a merge. */
static bool xattr_refused(const struct unpack *u, const char *name)
{
	return u->o.layer && (strncmp(name, "trusted.overlay.", 16) == 0 ||
			      strncmp(name, "user.overlay.", 13) == 0);
}

/* What this file system or an ordinary user cannot hold is left out, as engines do. */
static bool xattr_lost(const struct unpack *u, const char *name, bool plain, int code)
{
	return code == EOPNOTSUPP ||
	       (code == EPERM && (u->o.rootless || u->fsuid != 0 ||
				  (!plain && strncmp(name, "user.", 5) == 0)));
}

static int xattr_result(const struct unpack *u, const char *path, const char *name, bool plain,
			int code, struct err *e)
{
	if (!xattr_lost(u, name, plain, code))
		return err_sys(e, code, "entry \"%s\": set its xattr \"%s\"", path, name);
	log_debug("%s: xattr %s is left out: %s", path, name, err_text(code));
	return 0;
}

/* By descriptor where there is one, else by name in the parent, which is never followed. */
static int set_xattrs(const struct unpack *u, int fd, const char *path,
		      const struct tar_xattr *v, size_t n, struct err *e)
{
	CLEANUP_FREE char *by_name = NULL;

	if (n && fd < 0)
		by_name = xasprintf("/proc/self/fd/%d/%s", u->parent, u->base);
	for (size_t i = 0; i < n; i++) {
		int r;

		if (xattr_refused(u, v[i].name)) {
			log_debug("%s: xattr %s is left out", path, v[i].name);
			continue;
		}
		r = fd >= 0 ? fsetxattr(fd, v[i].name, v[i].value, v[i].len, 0)
			    : lsetxattr(by_name, v[i].name, v[i].value, v[i].len, 0);
		if (r < 0 && xattr_result(u, path, v[i].name, fd >= 0, errno, e) < 0)
			return -e->code;
	}
	return 0;
}

/* Owner, mode, xattrs, times of what has no descriptor: links, devices, fifos. */
static int set_by_name(struct unpack *u, bool symlink, struct err *e)
{
	struct timespec times[2];
	int r;

	if (must_chown(u) && fchownat(u->parent, u->base, uid_of(u), gid_of(u),
				      AT_SYMLINK_NOFOLLOW) < 0)
		return chown_failed(u, errno, e);
	/* mknod gave the mode; an owner's change may have taken bits away. */
	if (!symlink && (u->t->mode & 07000) && fchmodat(u->parent, u->base, u->t->mode, 0) < 0)
		return failed(u, errno, "set its mode", e);
	r = set_xattrs(u, -1, u->label, u->t->xattrs, u->t->n_xattrs, e);
	if (r < 0)
		return r;
	times_of(u->t, times);
	if (utimensat(u->parent, u->base, times, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(u, errno, "set its times", e);
	return 0;
}

/* ---- what stands in the way ------------------------------------------------------------- */

/* Remove what has this entry's name, so that it can be made. */
static int remove_old(struct unpack *u, struct err *e)
{
	struct stat st;

	if (fstatat(u->parent, u->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failed(u, errno, "stat", e);
	if (!S_ISDIR(st.st_mode) && unlinkat(u->parent, u->base, 0) < 0)
		return failed(u, errno, "replace what was there", e);
	if (S_ISDIR(st.st_mode)) {
		if (u->o.keep_kind)
			return err_set(e, EISDIR, "cannot overwrite directory \"%s\" with a "
				       "non-directory", u->label);
		if (tree_remove_at(u->parent, u->base, e) < 0)
			return named(u, e);
	}
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)) {
		/* Parents found through it are no longer what their paths say. */
		dirs_forget(&u->dirs);
		u->parent = dirs_parent(&u->dirs, u->path, u->parent_len, true, e);
		if (u->parent < 0)
			return named(u, e);
	}
	return 0;
}

/* ---- kinds of entries ------------------------------------------------------------------ */

static int unpack_file(struct unpack *u, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	const struct tar_entry *t = u->t;

	if (u->o.file_bytes_max && t->size_bytes > u->o.file_bytes_max)
		return err_set(e, EFBIG, "entry \"%s\": %" PRIu64 " bytes, past the limit of %"
			       PRIu64 " for one file", u->label, t->size_bytes,
			       u->o.file_bytes_max);
	u->end_bytes = 0;
	u->fd = openat(u->parent, u->base, flags, t->mode & 0777);
	if (u->fd < 0 && errno == EEXIST) {
		if (remove_old(u, e) < 0)
			return -e->code;
		u->fd = openat(u->parent, u->base, flags, t->mode & 0777);
	}
	return u->fd < 0 ? failed(u, errno, "create", e) : 0;
}

static int file_data(void *ctx, uint64_t offset, const void *bytes, size_t n, struct err *e)
{
	struct unpack *u = ctx;
	const char *p = bytes;

	if (u->fd < 0)          /* the data of a whiteout means nothing */
		return 0;
	u->file_bytes += n;
	while (n > 0) {
		ssize_t k = pwrite(u->fd, p, n, (off_t)offset);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return failed(u, k < 0 ? errno : EIO, "write", e);
		p += k;
		offset += (uint64_t)k;
		n -= (size_t)k;
	}
	u->end_bytes = offset;
	return 0;
}

/* A write or a chown takes set-ID bits and security.capability away: those come last. */
static int end_entry(void *ctx, struct err *e)
{
	struct unpack *u = ctx;
	const struct tar_entry *t = u->t;
	struct timespec times[2];
	int r;

	if (u->fd < 0)
		return 0;
	if (u->end_bytes < t->size_bytes && ftruncate(u->fd, (off_t)t->size_bytes) < 0)
		return failed(u, errno, "set its size", e);
	if (must_chown(u) && fchown(u->fd, uid_of(u), gid_of(u)) < 0)
		return chown_failed(u, errno, e);
	if ((t->mode & 07000) && fchmod(u->fd, t->mode) < 0)
		return failed(u, errno, "set its mode", e);
	r = set_xattrs(u, u->fd, u->label, t->xattrs, t->n_xattrs, e);
	if (r < 0)
		return r;
	times_of(t, times);
	if (futimens(u->fd, times) < 0)
		return failed(u, errno, "set its times", e);
	r = close(u->fd);
	u->fd = -1;
	return r < 0 ? failed(u, errno, "close", e) : 0;
}

static int note_dir(struct unpack *u, struct err *e)
{
	const struct tar_entry *t = u->t;
	struct dir_record *d = dirs_record(&u->dirs, u->path, strlen(u->path));
	struct arena *a = &u->dirs.arena;

	d->set = true;
	d->mode = t->mode;
	d->uid = uid_of(u);
	d->gid = gid_of(u);
	times_of(t, d->times);
	d->n_xattrs = t->n_xattrs;
	d->xattrs = t->n_xattrs ? arena_calloc(a, t->n_xattrs, sizeof(*d->xattrs)) : NULL;
	for (size_t i = 0; i < t->n_xattrs; i++) {
		const struct tar_xattr *x = &t->xattrs[i];

		u->noted_bytes += x->len;
		if (u->noted_bytes > NOTED_MAX)
			return err_set(e, E2BIG, "entry \"%s\": more than 64 MiB of xattrs of "
				       "directories", u->label);
		d->xattrs[i] = (struct tar_xattr){
			.name = arena_strdup(a, x->name),
			.value = memcpy(arena_alloc(a, x->len + 1), x->value, x->len),
			.len = x->len,
		};
	}
	return 0;
}

/*
 * A directory there already is merged.  One in the place of something else that this layer
 * had there, a whiteout too, hides what the layers below have under its name.
 */
static int unpack_dir(struct unpack *u, struct err *e)
{
	struct stat st;
	bool opaque = false;

	if (*u->path && mkdirat(u->parent, u->base, 0755) < 0) {
		if (errno != EEXIST)
			return failed(u, errno, "make directory", e);
		if (fstatat(u->parent, u->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return failed(u, errno, "stat", e);
		if (!S_ISDIR(st.st_mode)) {
			if (u->o.keep_kind)
				return err_set(e, ENOTDIR, "cannot overwrite non-directory "
					       "\"%s\" with a directory", u->label);
			if (remove_old(u, e) < 0)
				return -e->code;
			if (mkdirat(u->parent, u->base, 0755) < 0)
				return failed(u, errno, "make directory", e);
			opaque = u->o.layer;
			dirs_reset(&u->dirs, u->path, strlen(u->path), opaque);
		}
	} else if (*u->path) {
		dirs_reset(&u->dirs, u->path, strlen(u->path), false);
	}
	return note_dir(u, e);
}

static int unpack_symlink(struct unpack *u, struct err *e)
{
	int r = symlinkat(u->t->link, u->parent, u->base);

	if (r < 0 && errno == EEXIST) {
		if (remove_old(u, e) < 0)
			return -e->code;
		r = symlinkat(u->t->link, u->parent, u->base);
	}
	return r < 0 ? failed(u, errno, "make symlink", e) : set_by_name(u, true, e);
}

/*
 * Owner and times are those of the file linked to, whatever the entry says.  A target in a
 * lower layer cannot be reached: layers are shared by images, whatever lies below them.
 */
static int unpack_link(struct unpack *u, struct err *e)
{
	char path[PATH_MAX], target[PATH_MAX];
	size_t base_at = (size_t)(u->base - u->path), parent_len = u->parent_len, to_at;
	CLEANUP_FD int from = -1;
	int r;

	/* The target is a name as any other: take it apart in u->path, then put ours back. */
	memcpy(path, u->path, sizeof(path));
	r = normalize(u, u->t->link, e);
	if (r == 0 && !*u->path)
		r = err_set(e, EPERM, "a hard link to the root");
	if (r == 0) {
		r = dirs_parent(&u->dirs, u->path, u->parent_len, false, e);
		from = r < 0 ? -1 : fcntl(r, F_DUPFD_CLOEXEC, 0);
	}
	memcpy(target, u->path, sizeof(target));
	to_at = (size_t)(u->base - u->path);
	memcpy(u->path, path, sizeof(path));
	u->base = u->path + base_at;
	u->parent_len = parent_len;
	if (r < 0) {
		err_prefix(e, "hard link to \"%s\"", u->t->link);
		return named(u, e);
	}
	if (!strcmp(target, u->path))
		return err_set(e, EPERM, "entry \"%s\": a hard link to itself", u->label);
	/* The cache may have closed our parent for the target's. */
	u->parent = dirs_parent(&u->dirs, u->path, u->parent_len, true, e);
	if (u->parent < 0)
		return named(u, e);
	r = linkat(from, target + to_at, u->parent, u->base, 0);
	if (r < 0 && errno == EEXIST) {
		if (remove_old(u, e) < 0)
			return -e->code;
		r = linkat(from, target + to_at, u->parent, u->base, 0);
	}
	if (r < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "entry \"%s\": a hard link to \"%s\", which this "
			       "layer does not have", u->label, u->t->link);
	return r < 0 ? err_sys(e, errno, "entry \"%s\": hard link to \"%s\"", u->t->name,
			       u->t->link) : 0;
}

static int unpack_node(struct unpack *u, struct err *e)
{
	const struct tar_entry *t = u->t;
	mode_t type = t->type == TAR_CHAR ? S_IFCHR : t->type == TAR_FIFO ? S_IFIFO : S_IFBLK;
	dev_t dev = t->type == TAR_FIFO ? 0 : makedev(t->major, t->minor);
	int r = mknodat(u->parent, u->base, type | (t->mode & 0777), dev);

	if (r < 0 && errno == EEXIST) {
		if (remove_old(u, e) < 0)
			return -e->code;
		r = mknodat(u->parent, u->base, type | (t->mode & 0777), dev);
	}
	if (r < 0 && errno == EPERM && (u->o.rootless || u->fsuid != 0)) {
		/* As umoci does: an empty file, which hides what a lower layer has there. */
		log_debug("%s: an ordinary user cannot make devices; an empty file instead",
			  t->name);
		r = mknodat(u->parent, u->base, S_IFREG | (t->mode & 0777), 0);
	}
	return r < 0 ? failed(u, errno, "make device or fifo", e) : set_by_name(u, false, e);
}

/* ---- whiteouts ---------------------------------------------------------------------------- */

/*
 * ".wh.NAME": a 0:0 character device called NAME, which needs no privilege.  Where
 * this layer has NAME itself, only what lower layers have is hidden: a directory becomes opaque,
 * anything else hides it by being there.
 */
static int unpack_whiteout(struct unpack *u, struct err *e)
{
	char *name = u->path + (u->base - u->path);
	size_t n = strlen(name) - strlen(WHITEOUT);
	struct stat st;

	memmove(name, name + strlen(WHITEOUT), n + 1);
	if (n == 0 || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_set(e, EPERM, "entry \"%s\": a whiteout of no name", u->label);
	if (mknodat(u->parent, name, S_IFCHR, 0) == 0) {
		dirs_record(&u->dirs, u->path, u->parent_len)->whiteouts = true;
		return 0;
	}
	if (errno != EEXIST)
		return failed(u, errno, "make whiteout", e);
	if (fstatat(u->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(u, errno, "stat", e);
	if (S_ISDIR(st.st_mode))
		dirs_record(&u->dirs, u->path, strlen(u->path))->opaque = true;
	return 0;
}

/* Is a component of path[0..len) aufs' bookkeeping (".wh..wh.plnk" and the like)? */
static bool is_aufs(const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((i == 0 || path[i - 1] == '/') &&
		    strncmp(path + i, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
			return true;
	return false;
}

/* Returns 1 where the entry was a mark of the layer's, not a file. */
static int marks(struct unpack *u, struct err *e)
{
	bool opaque;
	int r;

	if (!u->o.layer)
		return 0;
	opaque = !strcmp(u->base, OPAQUE);
	if (is_aufs(u->path, opaque ? u->parent_len : strlen(u->path)))
		return 1;
	if (!opaque && strncmp(u->base, WHITEOUT, strlen(WHITEOUT)) != 0)
		return 0;
	u->parent = dirs_parent(&u->dirs, u->path, u->parent_len, true, e);
	if (u->parent < 0)
		return named(u, e);
	if (opaque) {
		dirs_record(&u->dirs, u->path, u->parent_len)->opaque = true;
		return 1;
	}
	r = unpack_whiteout(u, e);
	return r < 0 ? r : 1;
}

/* ---- the reader's calls --------------------------------------------------------------------- */

static int unpack_kind(struct unpack *u, struct err *e)
{
	switch (u->t->type) {
	case TAR_FILE:
		return unpack_file(u, e);
	case TAR_DIR:
		return unpack_dir(u, e);
	case TAR_SYMLINK:
		return unpack_symlink(u, e);
	case TAR_LINK:
		return unpack_link(u, e);
	case TAR_CHAR:
	case TAR_BLOCK_DEV:
	case TAR_FIFO:
		return unpack_node(u, e);
	}
	return err_set(e, EBADMSG, "entry \"%s\": unknown type", u->label);
}

static int begin_entry(void *ctx, const struct tar_entry *t, struct err *e)
{
	struct unpack *u = ctx;
	int r;

	u->t = t;
	snprintf(u->label, sizeof(u->label), "%.*s%s", LABEL_MAX - 4, t->name,
		 strnlen(t->name, LABEL_MAX) > LABEL_MAX - 4 ? "..." : "");
	if (u->o.entries_max && ++u->entries > u->o.entries_max)
		return err_set(e, E2BIG, "entry \"%s\": more than %" PRIu64 " entries",
			       u->label, u->o.entries_max);
	if (normalize(u, t->name, e) < 0)
		return named(u, e);
	if (!*u->path && t->type != TAR_DIR)
		return err_set(e, EPERM, "entry \"%s\": the root can only be a directory",
			       u->label);
	r = marks(u, e);
	if (r != 0)
		return r < 0 ? r : 0;
	u->parent = dirs_parent(&u->dirs, u->path, u->parent_len, true, e);
	if (u->parent < 0)
		return named(u, e);
	return unpack_kind(u, e);
}

const struct tar_ops unpack_ops = {
	.entry = begin_entry,
	.data = file_data,
	.end = end_entry,
};

/* ---- the directories, at the end -------------------------------------------------- */

/*
 * What overlayfs is to know of a directory.  It lists one that merges with no other as it
 * is, whiteouts too, unless an origin says that it was merged once: an empty one says just
 * that (ovl_path_check_origin_xattr() in the kernel's fs/overlayfs).
 */
static int mark_dir(const struct unpack *u, int fd, const struct dir_record *d, struct err *e)
{
	const char *opaque = u->o.rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
	const char *origin = u->o.rootless ? "user.overlay.origin" : "trusted.overlay.origin";

	if (d->opaque && fsetxattr(fd, opaque, "y", 1, 0) < 0)
		return err_sys(e, errno, "set %s; the store's file system must have xattrs",
			       opaque);
	if (d->whiteouts && fsetxattr(fd, origin, "", 0, 0) < 0)
		return err_sys(e, errno, "set %s; the store's file system must have xattrs",
			       origin);
	return 0;
}

static int finish_dir(struct unpack *u, const struct dir_record *d, struct err *e)
{
	CLEANUP_FD int fd = -1;
	int parent = dirs_parent(&u->dirs, d->path, strlen(d->path), false, e);

	if (parent == -ENOENT || parent == -ENOTDIR)
		return 0;       /* an entry that came later replaced it */
	if (parent < 0)
		return parent;
	fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open directory");
	if (mark_dir(u, fd, d, e) < 0)
		return -e->code;
	if (!d->set)
		return 0;
	if (fchown(fd, d->uid, d->gid) < 0)
		return errno == EINVAL ? no_such_owner(d->uid, d->gid, e) :
		       err_sys(e, errno, "set owner %" PRIu32 ":%" PRIu32, d->uid, d->gid);
	if (fchmod(fd, d->mode) < 0)
		return err_sys(e, errno, "set mode");
	if (set_xattrs(u, fd, d->path, d->xattrs, d->n_xattrs, e) < 0)
		return -e->code;
	return futimens(fd, d->times) < 0 ? err_sys(e, errno, "set times") : 0;
}

int unpack_finish(struct unpack *u, struct err *e)
{
	for (size_t i = 0; i < u->dirs.n_chains; i++)
		for (const struct dir_record *d = u->dirs.chains[i]; d; d = d->next) {
			/* A record with nothing to say was only looked up. */
			if (!d->set && !d->opaque && !d->whiteouts)
				continue;
			if (finish_dir(u, d, e) < 0)
				return err_prefix(e, "entry \"%s\"", *d->path ? d->path : "/");
		}
	return 0;
}
