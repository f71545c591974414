/* Unit tests of vmm/virtio/fs.h: a FUSE client in this process, a directory in /tmp. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fuse_drive.h"
#include "base/fd.h"

#define ROOT FUSE_ROOT_ID
#define HEAD sizeof(struct fuse_in_header)

static struct drive v;
static char dir[64];

/* ---- the client ------------------------------------------------------------------------- */

/* The reply's payload. */
static void *reply(void)
{
	return (char *)drive_at(&v, DRIVE_IN) + sizeof(struct fuse_out_header);
}

/* A request of parts laid end to end; bytes of payload in the reply, or its -errno. */
static int call2(uint32_t op, uint64_t node, const void *arg, size_t n, const void *tail,
		 size_t n_tail)
{
	struct fuse_in_header h = { .len = (uint32_t)(HEAD + n + n_tail), .opcode = op,
				    .nodeid = node, .unique = ++v.unique };
	char *p = drive_at(&v, DRIVE_OUT);
	struct fuse_out_header out;

	memcpy(p, &h, HEAD);
	if (n)
		memcpy(p + HEAD, arg, n);
	if (n_tail)
		memcpy(p + HEAD + n, tail, n_tail);
	int r = drive_raw(&v, h.len, 0x20000);

	assert_true(r >= (int)sizeof(out));
	memcpy(&out, drive_at(&v, DRIVE_IN), sizeof(out));
	assert_int_equal(out.len, r);
	assert_int_equal(out.unique, h.unique);
	return out.error ? out.error : r - (int)sizeof(out);
}

static int call(uint32_t op, uint64_t node, const void *arg, size_t n)
{
	return call2(op, node, arg, n, NULL, 0);
}

static int named(uint32_t op, uint64_t node, const char *name)
{
	return call(op, node, name, strlen(name) + 1);
}

static uint64_t lookup(uint64_t parent, const char *name)
{
	const struct fuse_entry_out *e = reply();

	assert_int_equal(named(FUSE_LOOKUP, parent, name), sizeof(*e));
	return e->nodeid;
}

static void forget(uint64_t node, uint64_t n)
{
	struct {
		struct fuse_in_header h;
		struct fuse_forget_in in;
	} *q = drive_at(&v, DRIVE_OUT);

	q->h = (struct fuse_in_header){ .len = sizeof(*q), .opcode = FUSE_FORGET, .nodeid = node };
	q->in.nlookup = n;
	assert_int_equal(drive_raw(&v, sizeof(*q), 0), 0);
}

static int getattr(uint64_t node)
{
	struct fuse_getattr_in in = { 0 };

	return call(FUSE_GETATTR, node, &in, sizeof(in));
}

static int init(uint32_t major, uint32_t minor)
{
	struct fuse_init_in in = { .major = major, .minor = minor, .flags = ~0U,
				   .max_readahead = 1 << 20 };

	return call(FUSE_INIT, 0, &in, sizeof(in));
}

static uint64_t open_fh(uint64_t node, uint32_t flags)
{
	struct fuse_open_in in = { .flags = flags };

	assert_int_equal(call(FUSE_OPEN, node, &in, sizeof(in)), sizeof(struct fuse_open_out));
	return ((struct fuse_open_out *)reply())->fh;
}

static int open_error(uint64_t node, uint32_t flags)
{
	struct fuse_open_in in = { .flags = flags };

	return call(FUSE_OPEN, node, &in, sizeof(in));
}

static int create(uint64_t parent, const char *name, uint32_t flags)
{
	struct fuse_create_in in = { .flags = flags | O_CREAT, .mode = S_IFREG | 0644 };

	return call2(FUSE_CREATE, parent, &in, sizeof(in), name, strlen(name) + 1);
}

static void release(uint32_t op, uint64_t fh)
{
	struct fuse_release_in in = { .fh = fh };

	assert_int_equal(call(op, 0, &in, sizeof(in)), 0);
}

/* ---- the directory ----------------------------------------------------------------------- */

static void path_of(char *p, size_t n, const char *name)
{
	snprintf(p, n, "%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	char p[128];

	path_of(p, sizeof(p), name);
	CLEANUP_FD int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static void start(const struct fs_options *more)
{
	struct fs_options o = more ? *more : (struct fs_options){ .cache = FS_CACHE_ALWAYS };
	struct err e = { 0 };

	o.dir = dir;
	o.tag = "root";
	assert_int_equal(drive_init(&v, &o, &e), 0);
	assert_int_equal(init(7, 38), sizeof(struct fuse_init_out));
}

static int make(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/isle-fs-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	drive_release(&v);
	memset(&v, 0, sizeof(v));
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- the protocol ------------------------------------------------------------------------- */

static void test_init(void **state)
{
	const struct fs_options o = { .dir = dir, .tag = "root" };
	const struct fuse_init_out *out;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(drive_init(&v, &o, &e), 0);
	out = reply();
	assert_int_equal(getattr(ROOT), -EIO);
	assert_int_equal(init(7, 30), -EPROTO);
	assert_int_equal(init(6, 38), -EPROTO);
	assert_int_equal(getattr(ROOT), -EIO);
	assert_int_equal(init(8, 0), sizeof(*out));
	assert_int_equal(out->major, 7);
	assert_int_equal(init(7, 31), sizeof(*out));
	assert_int_equal(out->minor, 31);
	assert_true(out->flags & FUSE_DO_READDIRPLUS);
	assert_false(out->flags & (FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS));
	assert_int_equal(getattr(ROOT), sizeof(struct fuse_attr_out));
	assert_int_equal(call(FUSE_BMAP, ROOT, NULL, 0), -ENOSYS);
	assert_int_equal(call(9999, ROOT, NULL, 0), -ENOSYS);
	assert_int_equal(call(FUSE_DESTROY, 0, NULL, 0), 0);
	assert_int_equal(getattr(ROOT), -EIO);
}

static void test_config(void **state)
{
	const struct vdev_ops *ops;
	uint8_t c[40];

	(void)state;
	start(NULL);
	ops = v.dev->ops;
	assert_int_equal(ops->config_bytes, sizeof(c));
	ops->config_read(v.dev, 0, c, sizeof(c));
	assert_memory_equal(c, "root\0\0\0", 7);
	assert_memory_equal(c + 36, "\1\0\0\0", 4);
}

/* Each breaks the queue, which the guest has to reset. */
static void test_no_message(void **state)
{
	struct err e = { 0 };

	(void)state;
	start(NULL);
	memset(drive_at(&v, DRIVE_OUT), 0, 256);
	assert_int_equal(drive_raw(&v, HEAD - 1, 256), -1);
	assert_true(v.dev->vq[1].broken);
	assert_int_equal(drive_raw(&v, HEAD, 256), -1);
	assert_int_equal(drive_use(&v, 1, &e), 0);
	assert_int_equal(drive_raw(&v, HEAD, sizeof(struct fuse_out_header) - 1), -1);
	assert_int_equal(drive_use(&v, 1, &e), 0);
	assert_int_equal(getattr(ROOT), sizeof(struct fuse_attr_out));
}

static void test_lengths(void **state)
{
	struct fuse_in_header *h = drive_at(&v, DRIVE_OUT);
	const struct fuse_out_header *out;
	struct fuse_setxattr_in x = { .size = 100 };
	struct fuse_write_in w = { .size = 1 << 30 };
	struct fuse_read_in r = { .size = 1 << 30 };

	(void)state;
	start(NULL);
	put("f", "text");
	h = drive_at(&v, DRIVE_OUT);
	out = drive_at(&v, DRIVE_IN);
	/* len longer than what is there, and shorter than the opcode needs. */
	*h = (struct fuse_in_header){ .len = 4096, .opcode = FUSE_GETATTR, .nodeid = ROOT };
	assert_int_equal(drive_raw(&v, HEAD + 16, 256), sizeof(*out));
	assert_int_equal(out->error, -EINVAL);
	h->len = HEAD + 15;
	assert_int_equal(drive_raw(&v, HEAD + 16, 256), sizeof(*out));
	assert_int_equal(out->error, -EINVAL);
	/* No room for the attributes. */
	h->len = HEAD + 16;
	assert_int_equal(drive_raw(&v, HEAD + 16, 32), sizeof(*out));
	assert_int_equal(out->error, -EINVAL);
	/* Names without an end. */
	assert_int_equal(call(FUSE_LOOKUP, ROOT, "f", 1), -EINVAL);
	assert_int_equal(call(FUSE_LOOKUP, ROOT, NULL, 0), -EINVAL);
	assert_int_equal(call2(FUSE_SYMLINK, ROOT, "l\0target", 8, NULL, 0), -EINVAL);
	uint64_t node = lookup(ROOT, "f"), fh = open_fh(node, O_RDWR);

	assert_int_equal(call2(FUSE_SETXATTR, node, &x, sizeof(x), "user.x\0abc", 10), -EINVAL);
	assert_int_equal(call2(FUSE_SETXATTR, node, &x, sizeof(x), "user.x", 6), -EINVAL);
	w.fh = r.fh = fh;
	assert_int_equal(call(FUSE_WRITE, node, &w, sizeof(w)), -EINVAL);
	assert_int_equal(call(FUSE_READ, node, &r, sizeof(r)), -EINVAL);
	r.size = 1;
	r.offset = UINT64_MAX;
	assert_int_equal(call(FUSE_READ, node, &r, sizeof(r)), -EINVAL);
	assert_int_equal(call(FUSE_SETXATTR, node, drive_at(&v, DRIVE_IN), 100000), -E2BIG);
}

static void test_names(void **state)
{
	char name[258] = "";

	(void)state;
	start(NULL);
	assert_int_equal(named(FUSE_LOOKUP, ROOT, ".."), -EINVAL);
	assert_int_equal(named(FUSE_LOOKUP, ROOT, "."), -EINVAL);
	assert_int_equal(named(FUSE_LOOKUP, ROOT, ""), -EINVAL);
	assert_int_equal(named(FUSE_LOOKUP, ROOT, "/etc"), -EINVAL);
	assert_int_equal(named(FUSE_UNLINK, ROOT, "a/b"), -EINVAL);
	assert_int_equal(named(FUSE_RMDIR, ROOT, ".."), -EINVAL);
	assert_int_equal(create(ROOT, "../x", O_RDWR), -EINVAL);
	memset(name, 'n', 256);
	assert_int_equal(named(FUSE_LOOKUP, ROOT, name), -ENAMETOOLONG);
	name[255] = '\0';
	assert_int_equal(named(FUSE_UNLINK, ROOT, name), -ENOENT);
	/* One that is not there may be remembered. */
	assert_int_equal(lookup(ROOT, name), 0);
}

static void test_ids(void **state)
{
	struct fuse_link_in l = { .oldnodeid = 99 };
	struct fuse_read_in r = { .fh = 1 };

	(void)state;
	start(NULL);
	put("f", "text");
	assert_int_equal(getattr(0), -ESTALE);
	assert_int_equal(getattr(2), -ESTALE);
	assert_int_equal(getattr(UINT64_MAX), -ESTALE);
	uint64_t node = lookup(ROOT, "f");

	assert_int_equal(getattr(node), sizeof(struct fuse_attr_out));
	assert_int_equal(getattr(node | 1ULL << 32), -ESTALE);
	assert_int_equal(call2(FUSE_LINK, ROOT, &l, sizeof(l), "g", 2), -EINVAL);
	assert_int_equal(call(FUSE_READ, node, &r, sizeof(r)), -EBADF);
	r.fh = UINT64_MAX;
	assert_int_equal(call(FUSE_READ, node, &r, sizeof(r)), -EBADF);
	/* Told twice of it, it is known until it was forgotten twice. */
	assert_int_equal(lookup(ROOT, "f"), node);
	forget(node, 1);
	assert_int_equal(getattr(node), sizeof(struct fuse_attr_out));
	forget(node, UINT64_MAX);
	assert_int_equal(getattr(node), -ESTALE);
	forget(node, 1);
	assert_int_not_equal(lookup(ROOT, "f"), node);
	forget(ROOT, UINT64_MAX);
	assert_int_equal(getattr(ROOT), sizeof(struct fuse_attr_out));
}

static void test_batch_forget(void **state)
{
	struct {
		struct fuse_in_header h;
		struct fuse_batch_forget_in in;
		struct fuse_forget_one one[2];
	} *q;

	(void)state;
	start(NULL);
	put("a", "");
	put("b", "");
	uint64_t a = lookup(ROOT, "a"), b = lookup(ROOT, "b");

	q = drive_at(&v, DRIVE_OUT);
	q->h = (struct fuse_in_header){ .len = sizeof(*q), .opcode = FUSE_BATCH_FORGET };
	q->in = (struct fuse_batch_forget_in){ .count = 3 };
	q->one[0] = (struct fuse_forget_one){ a, 1 };
	q->one[1] = (struct fuse_forget_one){ b, 1 };
	assert_int_equal(drive_raw(&v, sizeof(*q), 0), 0);
	assert_int_equal(getattr(a), sizeof(struct fuse_attr_out));
	q->h = (struct fuse_in_header){ .len = sizeof(*q), .opcode = FUSE_BATCH_FORGET };
	q->in = (struct fuse_batch_forget_in){ .count = 2 };
	q->one[0] = (struct fuse_forget_one){ a, 1 };
	q->one[1] = (struct fuse_forget_one){ b, 1 };
	assert_int_equal(drive_raw(&v, sizeof(*q), 0), 0);
	assert_int_equal(getattr(a), -ESTALE);
	assert_int_equal(getattr(b), -ESTALE);
}

/* ---- files -------------------------------------------------------------------------------- */

static void test_data(void **state)
{
	static char text[50000];
	struct fuse_write_in w = { .size = sizeof(text) };
	struct fuse_read_in r = { .size = sizeof(text), .offset = 3 };
	const struct fuse_write_out *wo;

	(void)state;
	start(NULL);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7);
	/* In pieces that end at odd places. */
	v.pieces = 5;
	assert_int_equal(create(ROOT, "f", O_RDWR),
			 sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out));
	uint64_t node = ((struct fuse_entry_out *)reply())->nodeid;
	uint64_t fh = ((struct fuse_open_out *)((struct fuse_entry_out *)reply() + 1))->fh;

	w.fh = r.fh = fh;
	wo = reply();
	assert_int_equal(call2(FUSE_WRITE, node, &w, sizeof(w), text, sizeof(text)), sizeof(*wo));
	assert_int_equal(wo->size, sizeof(text));
	assert_int_equal(call(FUSE_READ, node, &r, sizeof(r)), sizeof(text) - 3);
	assert_memory_equal(reply(), text + 3, sizeof(text) - 3);
	r.offset = sizeof(text);
	assert_int_equal(call(FUSE_READ, node, &r, sizeof(r)), 0);
	release(FUSE_RELEASE, fh);
	assert_int_equal(call(FUSE_READ, node, &r, sizeof(r)), -EBADF);
	/* A file handle is not one of a directory. */
	assert_int_equal(call(FUSE_READDIR, ROOT, &r, sizeof(r)), -EBADF);
}

static void test_hard_links(void **state)
{
	struct fuse_link_in l;
	const struct fuse_entry_out *e;

	(void)state;
	start(NULL);
	put("a", "");
	l.oldnodeid = lookup(ROOT, "a");
	e = reply();
	assert_int_equal(call2(FUSE_LINK, ROOT, &l, sizeof(l), "b", 2), sizeof(*e));
	assert_int_equal(e->nodeid, l.oldnodeid);
	assert_int_equal(e->attr.nlink, 2);
	assert_int_equal(named(FUSE_UNLINK, ROOT, "a"), 0);
	assert_int_equal(named(FUSE_UNLINK, ROOT, "b"), 0);
	assert_int_equal(getattr(l.oldnodeid), sizeof(struct fuse_attr_out));
	assert_int_equal(((struct fuse_attr_out *)reply())->attr.nlink, 0);
}

/* Neither blocks, nor leads out of the directory. */
static void test_other_kinds_are_not_opened(void **state)
{
	struct fuse_mknod_in p = { .mode = S_IFIFO | 0666 };

	(void)state;
	start(NULL);
	assert_int_equal(call2(FUSE_MKNOD, ROOT, &p, sizeof(p), "p", 2),
			 sizeof(struct fuse_entry_out));
	assert_int_equal(open_error(lookup(ROOT, "p"), O_RDONLY), -ENXIO);
	assert_int_equal(open_error(lookup(ROOT, "p"), O_WRONLY), -ENXIO);
	assert_int_equal(create(ROOT, "p", O_WRONLY), -ENXIO);
	assert_int_equal(call(FUSE_SYMLINK, ROOT, "l\0/etc/passwd", 14),
			 sizeof(struct fuse_entry_out));
	uint64_t l = lookup(ROOT, "l");

	assert_int_equal(open_error(l, O_RDONLY), -ENXIO);
	assert_int_equal(named(FUSE_LOOKUP, l, "x"), -ENOTDIR);
	assert_int_equal(create(ROOT, "l", O_WRONLY), -ENXIO);
	assert_int_equal(create(ROOT, "l", O_WRONLY | O_EXCL), -EEXIST);
	assert_int_equal(call(FUSE_READLINK, l, NULL, 0), 11);
	assert_memory_equal(reply(), "/etc/passwd", 11);
	assert_int_equal(open_error(ROOT, O_RDONLY), -EISDIR);
}

static void test_read_only(void **state)
{
	const struct fs_options o = { .read_only = true, .cache = FS_CACHE_AUTO };
	struct fuse_setattr_in s = { .valid = FATTR_MODE, .mode = 0777 };
	struct fuse_mkdir_in m = { .mode = 0755 };

	(void)state;
	start(&o);
	put("f", "text");
	uint64_t node = lookup(ROOT, "f");

	assert_int_equal(open_error(node, O_RDWR), -EROFS);
	assert_int_equal(open_error(node, O_WRONLY), -EROFS);
	assert_int_equal(open_error(node, O_RDONLY | O_TRUNC), -EROFS);
	assert_int_equal(create(ROOT, "g", O_RDWR), -EROFS);
	assert_int_equal(call(FUSE_SETATTR, node, &s, sizeof(s)), -EROFS);
	assert_int_equal(call2(FUSE_MKDIR, ROOT, &m, sizeof(m), "d", 2), -EROFS);
	assert_int_equal(named(FUSE_UNLINK, ROOT, "f"), -EROFS);
	assert_int_equal(named(FUSE_REMOVEXATTR, node, "user.x"), -EROFS);
	release(FUSE_RELEASE, open_fh(node, O_RDONLY));
	/* Not kept: others may make it. */
	assert_int_equal(named(FUSE_LOOKUP, ROOT, "none"), -ENOENT);
}

/* ---- directories -------------------------------------------------------------------------- */

static uint64_t opendir_fh(uint64_t node)
{
	struct fuse_open_in in = { 0 };

	assert_int_equal(call(FUSE_OPENDIR, node, &in, sizeof(in)), sizeof(struct fuse_open_out));
	return ((struct fuse_open_out *)reply())->fh;
}

/* Entries of the directory, read size bytes at a time; the sum of node ids in *ret_nodes. */
static int count(uint64_t fh, uint32_t op, uint32_t size, int *ret_nodes)
{
	struct fuse_read_in in = { .fh = fh, .size = size };
	size_t head = op == FUSE_READDIRPLUS ? sizeof(struct fuse_entry_out) : 0;
	int n = 0, got;

	*ret_nodes = 0;
	while ((got = call(op, ROOT, &in, sizeof(in))) > 0) {
		const char *p = reply();

		assert_true((uint32_t)got <= size);
		for (const char *end = p + got; p < end; n++) {
			const struct fuse_dirent *d = (const void *)(p + head);

			const struct fuse_entry_out *e = (const void *)p;

			*ret_nodes += head && e->nodeid;
			in.offset = d->off;
			p += head + FUSE_DIRENT_SIZE(d);
		}
	}
	assert_int_equal(got, 0);
	return n;
}

static void test_reading_directories(void **state)
{
	struct fuse_read_in in = { .size = 16 };
	char name[16];
	int nodes;

	(void)state;
	start(NULL);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		put(name, "");
	}
	uint64_t a = opendir_fh(ROOT), b = opendir_fh(ROOT);

	assert_int_equal(count(a, FUSE_READDIR, 100, &nodes), 102);
	assert_int_equal(count(b, FUSE_READDIR, 4096, &nodes), 102);
	assert_int_equal(count(a, FUSE_READDIRPLUS, 400, &nodes), 102);
	assert_int_equal(nodes, 100);
	assert_int_equal(count(b, FUSE_READDIRPLUS, 65536, &nodes), 102);
	assert_int_equal(nodes, 100);
	in.fh = a;
	assert_int_equal(call(FUSE_READDIR, ROOT, &in, sizeof(in)), -EINVAL);
	in.offset = UINT64_MAX;
	assert_int_equal(call(FUSE_READDIR, ROOT, &in, sizeof(in)), -EINVAL);
	/* Both readings told of each file. */
	uint64_t node = lookup(ROOT, "file7");

	forget(node, 2);
	assert_int_equal(getattr(node), sizeof(struct fuse_attr_out));
	forget(node, 1);
	assert_int_equal(getattr(node), -ESTALE);
	release(FUSE_RELEASEDIR, a);
	assert_int_equal(call(FUSE_READDIR, ROOT, &in, sizeof(in)), -EBADF);
	release(FUSE_RELEASEDIR, b);
}

/* ---- limits ------------------------------------------------------------------------------- */

static void limited(void (*fn)(void), rlim_t n)
{
	struct rlimit was, l;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	l = (struct rlimit){ n, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
	start(NULL);
	fn();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

/* More files known than there may be descriptors: by handles, or an error that is one. */
static void many_nodes(void)
{
	uint64_t node[300];
	char name[16];
	int known = 0;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put(name, "");
		int r = named(FUSE_LOOKUP, ROOT, name);

		if (r == -ENFILE)
			break;
		assert_int_equal(r, sizeof(struct fuse_entry_out));
		node[known++] = ((struct fuse_entry_out *)reply())->nodeid;
	}
	assert_true(known >= 64);
	for (int i = 0; i < known; i++)
		assert_int_equal(getattr(node[i]), sizeof(struct fuse_attr_out));
	for (int i = 0; i < known; i++)
		forget(node[i], 1);
	assert_int_not_equal(lookup(ROOT, "0"), 0);
}

static void test_many_nodes(void **state)
{
	(void)state;
	limited(many_nodes, 256);
}

static void many_handles(void)
{
	struct fuse_open_in in = { .flags = O_RDONLY };
	uint64_t first = 0;
	int n = 0, r;

	put("f", "text");
	uint64_t node = lookup(ROOT, "f");

	while ((r = call(FUSE_OPEN, node, &in, sizeof(in))) > 0 && n < 1000)
		if (n++ == 0)
			first = ((struct fuse_open_out *)reply())->fh;
	assert_int_equal(r, -ENFILE);
	assert_true(n >= 32 && n < 256);
	release(FUSE_RELEASE, first);
	open_fh(node, O_RDONLY);
}

static void test_many_handles(void **state)
{
	(void)state;
	limited(many_handles, 256);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_init), CASE(test_config), CASE(test_no_message), CASE(test_lengths),
		CASE(test_names), CASE(test_ids), CASE(test_batch_forget), CASE(test_data),
		CASE(test_hard_links), CASE(test_other_kinds_are_not_opened), CASE(test_read_only),
		CASE(test_reading_directories), CASE(test_many_nodes), CASE(test_many_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
