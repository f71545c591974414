/* The tar reader and writer: numbers, records, entries fed in pieces, what comes back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "image/tar_impl.h"

static void test_numbers(void **state)
{
	static const struct { const char *text; int64_t want; int r; } cases[] = {
		{ "0000644\0", 0644, 0 }, { "   644 \0", 0644, 0 }, { "\0\0\0\0\0\0\0\0", 0, 0 },
		{ "7777777\0", 07777777, 0 }, { "0000648\0", 0, -EINVAL },
		{ "-000001\0", 0, -EINVAL },
		{ "\x80\0\0\0\0\0\1\2", 258, 0 }, { "\xff\xff\xff\xff\xff\xff\xff\xfe", -2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t v = 0;

		assert_int_equal(tar_number(cases[i].text, 8, &v), cases[i].r);
		if (cases[i].r == 0)
			assert_int_equal(v, cases[i].want);
	}
	int64_t v;
	/* 96 bits that do not fit 63. */
	assert_int_equal(tar_number("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, &v), -EINVAL);
	assert_int_equal(tar_number("\x80\0\0\1\0\0\0\0\0\0\0\0", 12, &v), -EINVAL);
}

static int parse(const char *text, size_t n, struct arena *a, struct tar_pax *p)
{
	struct err e = { 0 };

	*p = (struct tar_pax){ 0 };
	return tar_pax_parse(text, n, a, p, &e);
}
#define PARSE(text) parse(text, sizeof(text) - 1, &a, &p)

static void test_records(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct tar_pax p;

	(void)state;
	assert_int_equal(PARSE("12 path=a/b\n22 mtime=-1.250000000\n11 uid=4242\n"), -EBADMSG);
	assert_int_equal(PARSE("12 path=a/b\n22 mtime=-1.250000000\n12 uid=4242\n"), 0);
	assert_string_equal(p.path, "a/b");
	assert_int_equal(p.mtime.tv_sec, -2);
	assert_int_equal(p.mtime.tv_nsec, 750000000);
	assert_int_equal(p.uid, 4242);
	/* libarchive writes both; the raw one wins in either order. */
	assert_int_equal(PARSE("31 LIBARCHIVE.xattr.user.a=Zg==\n25 SCHILY.xattr.user.a=g\n"),
			 -EBADMSG);
	assert_int_equal(PARSE("32 LIBARCHIVE.xattr.user.a=Zg==\n25 SCHILY.xattr.user.a=g\n"), 0);
	assert_int_equal(p.n_xattrs, 1);
	assert_memory_equal(p.xattrs[0].value, "g", 1);
	assert_int_equal(PARSE("34 LIBARCHIVE.xattr.user.a%3Db=Zg\n"), 0);
	assert_string_equal(p.xattrs[0].name, "user.a=b");
	assert_memory_equal(p.xattrs[0].value, "f", 1);
	assert_int_equal(PARSE("12 path=a\0b\n"), -EBADMSG);
	assert_int_equal(PARSE("99 path=a\n"), -EBADMSG);
	assert_int_equal(PARSE("10 path=ab"), -EBADMSG);
	assert_int_equal(PARSE("24 GNU.sparse.map=0,1,2\n"), -EBADMSG);
}

/* ---- entries ---------------------------------------------------------------- */

struct got {
	struct buf names, data;
	uint64_t size;
	struct timespec mtime;
	size_t n_xattrs;
	unsigned ends;
};

static int on_entry(void *ctx, const struct tar_entry *t, struct err *e)
{
	struct got *g = ctx;

	(void)e;
	buf_printf(&g->names, "%c %s %s;", t->type, t->name, t->link);
	g->size = t->size_bytes;
	g->mtime = t->mtime;
	g->n_xattrs = t->n_xattrs;
	return 0;
}

static int on_data(void *ctx, uint64_t offset, const void *p, size_t n, struct err *e)
{
	struct got *g = ctx;

	(void)e;
	assert_int_equal(offset, g->data.len);
	buf_add(&g->data, p, n);
	return 0;
}

static int on_end(void *ctx, struct err *e)
{
	(void)e;
	((struct got *)ctx)->ends++;
	return 0;
}

static const struct tar_ops ops = { on_entry, on_data, on_end };

static int add(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(ctx, p, n);
	return 0;
}

static int read_all(const struct buf *b, size_t step, struct got *g, struct err *e)
{
	struct tar_reader *r = tar_reader_new(&ops, g);
	int k = 0;

	*g = (struct got){ .names = BUF_INIT(1 << 16), .data = BUF_INIT(1 << 16) };
	for (size_t at = 0; k == 0 && at < b->len; at += step)
		k = tar_reader_feed(r, b->data + at, b->len - at < step ? b->len - at : step, e);
	if (k == 0)
		k = tar_reader_finish(r, e);
	tar_reader_free(r);
	return k;
}

static void release(struct got *g)
{
	buf_release(&g->names);
	buf_release(&g->data);
}

static void test_what_is_written_is_read(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	struct tar_xattr x = { "user.a", "v\0w", 3 };
	struct tar_writer w = { .write = add, .ctx = &b };
	struct err e = { 0 };
	struct got g;
	char name[200] = { 0 }, want[512];
	struct tar_entry t = { .type = TAR_LINK, .name = "l", .link = name };

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(tar_write_entry(&w, &t, &e), 0);
	t = (struct tar_entry){ .type = TAR_FILE, .name = name, .link = "", .size_bytes = 700,
				.uid = 1u << 30, .mtime = { -2, 750000000 }, .xattrs = &x,
				.n_xattrs = 1 };
	assert_int_equal(tar_write_entry(&w, &t, &e), 0);
	assert_int_equal(tar_write_data(&w, NULL, 650, &e), 0);
	assert_int_equal(tar_write_data(&w, "0123456789", 10, &e), 0);
	assert_int_equal(tar_write_data(&w, NULL, 40, &e), 0);
	assert_int_equal(tar_write_end(&w, &e), 0);
	assert_int_equal(b.len % TAR_BLOCK, 0);
	snprintf(want, sizeof(want), "1 l %s;0 %s ;", name, name);
	for (size_t step = 1; step < 2000; step = step * 3 + 1) {
		assert_int_equal(read_all(&b, step, &g, &e), 0);
		assert_string_equal(g.names.data, want);
		assert_int_equal(g.data.len, 700);
		assert_memory_equal(g.data.data + 650, "0123456789", 10);
		assert_int_equal(g.mtime.tv_sec, -2);
		assert_int_equal(g.mtime.tv_nsec, 750000000);
		assert_int_equal(g.n_xattrs, 1);
		assert_int_equal(g.ends, 2);
		release(&g);
	}
	/* Cut inside the file's data, and anywhere after one zero block. */
	b.len -= 3 * TAR_BLOCK;
	assert_int_equal(read_all(&b, 4096, &g, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "ends in the middle"));
	release(&g);
}

static void test_data_after_the_end(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	struct tar_writer w = { .write = add, .ctx = &b };
	const struct tar_entry t = { .type = TAR_DIR, .name = "d/", .link = "" };
	static const char zeros[TAR_BLOCK];
	struct err e = { 0 };
	struct got g;

	(void)state;
	assert_int_equal(tar_write_entry(&w, &t, &e), 0);
	buf_add(&b, zeros, TAR_BLOCK);
	assert_int_equal(read_all(&b, 512, &g, &e), 0);
	release(&g);
	assert_int_equal(tar_write_entry(&w, &t, &e), 0);
	assert_int_equal(read_all(&b, 512, &g, &e), -EBADMSG);
	release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_data_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
