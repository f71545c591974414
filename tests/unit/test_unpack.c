/* The sink of layers: digests, sizes and limits that are not kept, an end at any point. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/tar.h"
#include "image/tree.h"
#include "image/unpack.h"

static int add(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(ctx, p, n);
	return 0;
}

/* One file "f" of size zeros. */
static struct buf layer(size_t size)
{
	struct buf b = BUF_INIT(64 << 20);
	struct tar_writer w = { .write = add, .ctx = &b };
	struct tar_entry t = { .type = TAR_FILE, .name = "f", .link = "", .mode = 0640,
			       .uid = geteuid(), .gid = getegid(), .size_bytes = size,
			       .mtime = { 1234567890, 987654321 } };
	struct err e = { 0 };

	assert_int_equal(tar_write_entry(&w, &t, &e), 0);
	assert_int_equal(tar_write_data(&w, NULL, size, &e), 0);
	assert_int_equal(tar_write_end(&w, &e), 0);
	return b;
}

static int unpack(const struct buf *b, const struct layer_options *o, struct layer_result *r,
		  struct stat *st, struct err *e)
{
	CLEANUP_LAYER_SINK struct layer_sink *s = NULL;
	char dir[] = "/tmp/isle-unit.XXXXXX";
	CLEANUP_FD int fd = -1;
	struct err e2 = { 0 };
	int k;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	k = layer_sink_new(fd, o, &s, e);
	for (size_t at = 0; k == 0 && at < b->len; at += 100000)
		k = layer_sink_write(s, b->data + at, b->len - at < 100000 ? b->len - at : 100000,
				     e);
	if (k == 0)
		k = layer_sink_finish(s, r, e);
	if (k == 0 && st)
		assert_int_equal(fstatat(fd, "f", st, 0), 0);
	assert_int_equal(tree_remove_at(AT_FDCWD, dir, &e2), 0);
	return k;
}

static void test_a_plain_layer(void **state)
{
	CLEANUP(buf_release) struct buf b = layer(3000000);
	struct layer_options o = { 0 };
	struct layer_result r;
	struct err e = { 0 };
	char want[DIGEST_TEXT_MAX];
	struct stat st;

	(void)state;
	digest_of(b.data, b.len, want);
	assert_int_equal(unpack(&b, &o, &r, &st, &e), 0);
	assert_string_equal(r.digest, want);
	assert_string_equal(r.diff_id, want);
	assert_int_equal(r.size_bytes, b.len);
	assert_int_equal(r.unpacked_bytes, 3000000);
	assert_false(r.compressed);
	assert_int_equal(r.entries, 1);
	assert_int_equal(st.st_size, 3000000);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_mtim.tv_nsec, 987654321);
	o = (struct layer_options){ .digest = want, .diff_id = want, .size_bytes = b.len };
	assert_int_equal(unpack(&b, &o, &r, NULL, &e), 0);
}

static void test_what_is_not_as_promised(void **state)
{
	CLEANUP(buf_release) struct buf b = layer(3000000);
	const char *wrong = "sha256:00000000000000000000000000000000"
			    "00000000000000000000000000000000";
	const struct { struct layer_options o; int r; const char *words; } cases[] = {
		{ { .digest = wrong }, -EBADMSG, "its bytes have the digest" },
		{ { .diff_id = wrong }, -EBADMSG, "DiffID" },
		{ { .size_bytes = 2000000 }, -EBADMSG, "more than the 2000000 bytes" },
		{ { .size_bytes = 9000000 }, -EBADMSG, "but its manifest says 9000000" },
		{ { .limits.unpacked_bytes = 2000000 }, -EFBIG, "more than 2000000 bytes" },
		{ { .limits.file_bytes = 1000 }, -EFBIG, "entry \"f\"" },
		{ { .digest = "md5:00" }, -EINVAL, "md5" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct layer_result r;
		struct err e = { 0 };

		assert_int_equal(unpack(&b, &cases[i].o, &r, NULL, &e), cases[i].r);
		assert_non_null(strstr(e.msg, cases[i].words));
		assert_int_equal(e.code, -cases[i].r);
	}
}

static void test_only_digests(void **state)
{
	CLEANUP(buf_release) struct buf b = layer(1000);
	CLEANUP_LAYER_SINK struct layer_sink *s = NULL;
	const struct layer_options o = { 0 };
	char want[DIGEST_TEXT_MAX];
	struct layer_result r;
	struct err e = { 0 };

	(void)state;
	digest_of(b.data, b.len, want);
	assert_int_equal(layer_sink_new(-1, &o, &s, &e), 0);
	assert_int_equal(layer_sink_write(s, b.data, b.len, &e), 0);
	assert_int_equal(layer_sink_finish(s, &r, &e), 0);
	assert_string_equal(r.diff_id, want);
}

static void test_given_up(void **state)
{
	CLEANUP(buf_release) struct buf b = layer(20000000);
	const struct layer_options o = { 0 };
	struct err e = { 0 };

	(void)state;
	for (size_t n = 0; n < b.len; n += 6000000) {
		CLEANUP_LAYER_SINK struct layer_sink *s = NULL;

		assert_int_equal(layer_sink_new(-1, &o, &s, &e), 0);
		assert_int_equal(layer_sink_write(s, b.data, n, &e), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plain_layer),
		cmocka_unit_test(test_what_is_not_as_promised),
		cmocka_unit_test(test_only_digests),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
