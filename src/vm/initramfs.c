/* vm/initramfs.c - see initramfs.h */
#include "vm/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "proto/agent.h"

#define MAGIC "070701"
#define TRAILER "TRAILER!!!"
#define MODULES_BYTES_MAX 65536         /* what the agent reads of the list */

struct entry {
	const char *path;
	mode_t mode;                    /* type too */
	unsigned major, minor;          /* of a node */
	const void *data;
	size_t n;
};

static bool path_fits(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len > INITRAMFS_NAME_MAX)
		return false;
	for (const char *part = path;; part++) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && memcmp(part, "..", 2) == 0))
			return false;
		part += n;
		if (*part == '\0')
			return true;
	}
}

static void pad(struct buf *b)
{
	static const char zero[3];

	buf_add(b, zero, -b->len & 3);
}

/*
 * The inode's number is where the entry begins: the kernel looks for equal ones (to link
 * files) only where an entry has several links, but other readers may not.
 */
static int add(struct buf *b, const struct entry *t, struct err *e)
{
	if (t->n > UINT32_MAX)
		return err_set(e, EFBIG, "%s: %zu bytes do not fit an initramfs", t->path, t->n);
	buf_printf(b, MAGIC "%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		   (unsigned)(b->len / 4 + 1), (unsigned)t->mode, 0U, 0U, 1U, 0U, (unsigned)t->n,
		   0U, 0U, t->major, t->minor, (unsigned)strlen(t->path) + 1, 0U);
	buf_add(b, t->path, strlen(t->path) + 1);
	pad(b);
	buf_add(b, t->data, t->n);
	pad(b);
	if (b->overflow)
		return err_set(e, EFBIG, "%s: the initramfs has more than %zu bytes", t->path,
			       b->max);
	return 0;
}

static int add_checked(struct buf *b, const struct entry *t, struct err *e)
{
	if (!path_fits(t->path))
		return err_set(e, EINVAL, "\"%s\" is not a path in an initramfs", t->path);
	return add(b, t, e);
}

int initramfs_dir(struct buf *b, const char *path, mode_t mode, struct err *e)
{
	return add_checked(b, &(struct entry){ .path = path, .mode = S_IFDIR | (mode & 07777) }, e);
}

int initramfs_file(struct buf *b, const char *path, mode_t mode, const void *data, size_t n,
		   struct err *e)
{
	return add_checked(b, &(struct entry){ .path = path, .mode = S_IFREG | (mode & 07777),
					       .data = data, .n = n }, e);
}

int initramfs_node(struct buf *b, const char *path, mode_t mode, unsigned major, unsigned minor,
		   struct err *e)
{
	return add_checked(b, &(struct entry){ .path = path, .mode = S_IFCHR | (mode & 07777),
					       .major = major, .minor = minor }, e);
}

int initramfs_end(struct buf *b, struct err *e)
{
	return add(b, &(struct entry){ .path = TRAILER }, e);
}

/* The content of the file at (dirfd, from). */
static int copy(struct buf *b, int dirfd, const char *from, const char *path, mode_t mode,
		struct err *e)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT(INITRAMFS_BYTES_MAX);

	int r = file_read_at(dirfd, from, &content);
	if (r < 0)
		return err_sys(e, -r, "read %s for the guest's initramfs", from);
	return initramfs_file(b, path, mode, content.data, content.len, e);
}

static int add_modules(const struct initramfs_parts *p, struct buf *b, struct err *e)
{
	CLEANUP(buf_release) struct buf list = BUF_INIT(MODULES_BYTES_MAX);
	CLEANUP_FD int dir = open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (dir < 0)
		return err_sys(e, errno, "open the kernel's modules at %s", p->dir);
	for (size_t i = 0; r == 0 && i < p->n_modules; i++) {
		const char *slash = strrchr(p->modules[i], '/');
		const char *name = slash ? slash + 1 : p->modules[i];
		CLEANUP_FREE char *path = xasprintf("modules/%s", name);

		r = copy(b, dir, p->modules[i], path, 0644, e);
		buf_printf(&list, "/%s\n", path);
	}
	if (r < 0)
		return r;
	if (list.overflow)
		return err_set(e, EFBIG, "too many modules for a guest: %zu", p->n_modules);
	return initramfs_file(b, &AGENT_MODULES[1], 0644, list.data, list.len, e);
}

int initramfs_make(const struct initramfs_parts *p, struct buf *b, struct err *e)
{
	static const char *const dirs[] = { "dev", "etc", "etc/isle", "modules" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(dirs); i++)
		r = initramfs_dir(b, dirs[i], 0755, e);
	if (r == 0)
		r = initramfs_node(b, "dev/console", 0600, 5, 1, e);
	if (r == 0)
		r = copy(b, AT_FDCWD, p->program, "init", 0755, e);
	if (r == 0 && p->n_modules > 0)
		r = add_modules(p, b, e);
	return r < 0 ? r : initramfs_end(b, e);
}
