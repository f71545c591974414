/* base/: err, arena, buf, fd, time */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/time.h"

static void err_words(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_sys(&e, ENOENT, "open %s", "x"), -ENOENT);
	assert_string_equal(e.msg, "open x: no such file or directory");
	assert_int_equal(err_prefix(&e, "mount %d", 3), -ENOENT);
	assert_string_equal(e.msg, "mount 3: open x: no such file or directory");
	assert_string_equal(err_text(EACCES), "permission denied");
	assert_string_equal(err_text(EIO), "input/output error");
	assert_string_equal(err_text(99999), "errno 99999");
}

static void err_hostile_bytes(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, EINVAL, "name %s", "a\nb\033[31mc\x7f");
	assert_string_equal(e.msg, "name a?b?[31mc?");
	assert_int_equal(err_set(NULL, EINVAL, "nobody listens"), -EINVAL);
}

static void err_long_stays_terminated(void **state)
{
	CLEANUP_FREE char *text = xcalloc(1, 3 * ERR_MSG_MAX);
	struct err e = { 0 };

	(void)state;
	memset(text, 'x', 3 * ERR_MSG_MAX - 1);
	err_sys(&e, EINVAL, "%s", text);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	err_prefix(&e, "p");
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	assert_memory_equal(e.msg, "p: xxx", 6);
}

static void arena_is_zeroed_and_aligned(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };

	(void)state;
	for (size_t n = 1; n < 40000; n = n * 3 + 1) {
		char *p = arena_alloc(&a, n);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
	assert_null(arena_strdup(&a, NULL));
}

static void buf_stops_at_its_maximum(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(5);

	(void)state;
	buf_add_str(&b, "abc");
	buf_printf(&b, "%d", 45);
	assert_string_equal(b.data, "abc45");
	assert_false(b.overflow);
	buf_add_str(&b, "x");
	assert_true(b.overflow);
	assert_string_equal(b.data, "abc45");
	buf_add_str(&b, "");
	assert_int_equal(b.len, 5);
}

static void file_round_trip(void **state)
{
	char dir[] = "/tmp/isle-unit-XXXXXX";
	CLEANUP(buf_release) struct buf b = BUF_INIT(100);
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	CLEANUP_FD int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_replace_at(d, "f", "one", 3, 0600), 0);
	assert_int_equal(file_replace_at(d, "f", "three", 5, 0600), 0);
	assert_int_equal(file_read_at(d, "f", &b), 0);
	assert_string_equal(b.data, "three");
	assert_int_equal(fstatat(d, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	struct buf small = BUF_INIT(4);
	assert_int_equal(file_read_at(d, "f", &small), -EFBIG);
	buf_release(&small);
	assert_int_equal(file_read_at(d, "none", &b), -ENOENT);
	/* A symlink under the temporary's name is not followed. */
	char tmp[64];
	snprintf(tmp, sizeof(tmp), ".f.%d", getpid());
	assert_int_equal(symlinkat("/dev/null", d, tmp), 0);
	assert_int_equal(file_replace_at(d, "f", "x", 1, 0600), -ELOOP);
	unlinkat(d, tmp, 0);
	unlinkat(d, "f", 0);
	assert_int_equal(rmdir(dir), 0);
}

static void sealed_cannot_be_written(void **state)
{
	CLEANUP_FD int fd = fd_sealed("t", "abc", 3, 0);
	char got[8];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, got, sizeof(got)), 3);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int count_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void descriptors_pass(void **state)
{
	int pair[2], fds[3], got[2];
	char text[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; i < 3; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_send(pair[0], "hi", 2, fds, 3), 0);
	int before = count_open();
	/* One more than there is room for: closed, not leaked. */
	assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, 2), 2);
	assert_memory_equal(text, "hi", 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(count_open(), before + 2);
	close(pair[0]);
	assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, 2), -EPIPE);
	close(pair[1]);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(got[0]);
	close(got[1]);
}

static void time_is_rfc3339(void **state)
{
	static const struct {
		int64_t secs;
		const char *text;
	} t[] = {
		{ 0, "1970-01-01T00:00:00.000000007Z" },
		{ 951782400, "2000-02-29T00:00:00.000000007Z" },
		{ 951868799, "2000-02-29T23:59:59.000000007Z" },
		{ 1709164800, "2024-02-29T00:00:00.000000007Z" },
		{ 1735689599, "2024-12-31T23:59:59.000000007Z" },
		{ 4107542400, "2100-03-01T00:00:00.000000007Z" },
	};
	char text[TIME_RFC3339_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		time_rfc3339_at(t[i].secs, 7, text);
		assert_string_equal(text, t[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_words),
		cmocka_unit_test(err_hostile_bytes),
		cmocka_unit_test(err_long_stays_terminated),
		cmocka_unit_test(arena_is_zeroed_and_aligned),
		cmocka_unit_test(buf_stops_at_its_maximum),
		cmocka_unit_test(file_round_trip),
		cmocka_unit_test(sealed_cannot_be_written),
		cmocka_unit_test(descriptors_pass),
		cmocka_unit_test(time_is_rfc3339),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
