/* Unit tests of proto/agent.h: frames there and back, bounds, streams cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "proto/agent.h"

#define TEXT(s) { s, sizeof(s) - 1 }

/* One of each kind, with every field that it has. */
static const struct agent_message samples[] = {
	{ .kind = AGENT_HELLO, .version = AGENT_VERSION },
	{ .kind = AGENT_CONFIGURE, .time_ns = 1764000000123456789, .name = TEXT("host"),
	  .data = TEXT("\0\1\2\3"), .extra = TEXT("{}") },
	{ .kind = AGENT_CREATE, .name = TEXT("id"), .data = TEXT("{\"ociVersion\":\"1.2.0\"}"),
	  .extra = TEXT("root") },
	{ .kind = AGENT_START },
	{ .kind = AGENT_EXEC, .rows = 24, .columns = 80, .all = true, .data = TEXT("{}") },
	{ .kind = AGENT_KILL, .signal = 64, .all = true },
	{ .kind = AGENT_PAUSE }, { .kind = AGENT_RESUME },
	{ .kind = AGENT_DELETE, .all = true },
	{ .kind = AGENT_UPDATE, .data = TEXT("{}") },
	{ .kind = AGENT_STATUS }, { .kind = AGENT_STATS }, { .kind = AGENT_PIDS },
	{ .kind = AGENT_OOM }, { .kind = AGENT_SHUTDOWN },
	{ .kind = AGENT_WELCOME, .version = UINT32_MAX, .name = TEXT("1"), .data = TEXT("6.1"),
	  .extra = TEXT("b") },
	{ .kind = AGENT_DONE },
	{ .kind = AGENT_CREATED, .pid = 1 }, { .kind = AGENT_STARTED, .pid = INT32_MAX },
	{ .kind = AGENT_JSON, .data = TEXT("[]") },
	{ .kind = AGENT_OOM_COUNT, .count = UINT64_MAX },
	{ .kind = AGENT_ERROR, .code = ENOENT, .exit_code = 127, .name = TEXT("no such file") },
	{ .kind = AGENT_STDIN, .data = TEXT("x") }, { .kind = AGENT_STDIN_EOF },
	{ .kind = AGENT_SIGNAL, .signal = 1 },
	{ .kind = AGENT_RESIZE, .rows = UINT16_MAX, .columns = UINT16_MAX },
	{ .kind = AGENT_STDOUT, .data = TEXT("o") }, { .kind = AGENT_STDERR, .data = TEXT("e") },
	{ .kind = AGENT_EXIT, .exit_code = 255, .oom = true },
};

static void same_bytes(struct agent_bytes a, struct agent_bytes b)
{
	assert_int_equal(a.n, b.n);
	if (a.n)
		assert_memory_equal(a.p, b.p, a.n);
}

static void same(const struct agent_message *a, const struct agent_message *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->exit_code, b->exit_code);
	assert_int_equal(a->signal, b->signal);
	assert_int_equal(a->all, b->all);
	assert_int_equal(a->oom, b->oom);
	assert_int_equal(a->rows, b->rows);
	assert_int_equal(a->columns, b->columns);
	assert_true(a->time_ns == b->time_ns && a->count == b->count);
	same_bytes(a->name, b->name);
	same_bytes(a->data, b->data);
	same_bytes(a->extra, b->extra);
}

static void test_there_and_back(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(samples), AGENT_KINDS - 1);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		CLEANUP(buf_release) struct buf b = BUF_INIT(AGENT_FRAME_MAX);
		enum agent_side from = agent_kind_side(samples[i].kind);
		struct agent_message m;

		assert_int_equal(samples[i].kind, i + 1);
		assert_int_equal(agent_encode(&samples[i], &b), 0);
		assert_int_equal(agent_decode((uint8_t *)b.data, b.len, from, &m), b.len);
		same(&m, &samples[i]);
		/* Not for the other direction; nothing before the last byte. */
		assert_int_equal(agent_decode((uint8_t *)b.data, b.len, !from, &m), -EPROTO);
		for (size_t n = 0; n < b.len; n++)
			assert_int_equal(agent_decode((uint8_t *)b.data, n, from, &m), 0);
		/* A byte too many, or too few, within the frame. */
		b.data[0]++;
		buf_add(&b, "", 1);
		assert_int_equal(agent_decode((uint8_t *)b.data, b.len, from, &m), -EPROTO);
		if (b.len > AGENT_HEADER + 1) {
			b.data[0] = (char)(b.data[0] - 2);
			assert_int_equal(agent_decode((uint8_t *)b.data, b.len, from, &m), -EPROTO);
		}
	}
}

/* The format itself: a change of it is a new version. */
static void test_bytes(void **state)
{
	static const uint8_t want[] = {
		25, 0, 0, 0, AGENT_ERROR, 0, 2, 0, 0, 0, 127, 0, 0, 0, 11, 0, 0, 0,
		'n', 'o', ' ', 's', 'u', 'c', 'h', ' ', 'o', 'n', 'e',
	};
	const struct agent_message m = { .kind = AGENT_ERROR, .code = 2, .exit_code = 127,
					 .name = TEXT("no such one") };
	CLEANUP(buf_release) struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(AGENT_VERSION, 1);
	assert_int_equal(AGENT_HELLO, 1);
	assert_int_equal(AGENT_WELCOME, 16);
	assert_int_equal(AGENT_STDIN, 23);
	assert_int_equal(AGENT_EXIT, 29);
	assert_int_equal(agent_encode(&m, &b), 0);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
}

static void test_bounds(void **state)
{
	static const struct agent_message wrong[] = {
		{ .kind = 0 }, { .kind = AGENT_KINDS },
		{ .kind = AGENT_HELLO }, { .kind = AGENT_KILL },
		{ .kind = AGENT_KILL, .signal = 65 }, { .kind = AGENT_KILL, .signal = -1 },
		{ .kind = AGENT_EXIT, .exit_code = 256 }, { .kind = AGENT_EXIT, .exit_code = -1 },
		{ .kind = AGENT_RESIZE, .rows = 65536 }, { .kind = AGENT_STARTED },
		{ .kind = AGENT_STDOUT, .data = { "", AGENT_DATA_MAX + 1 } },
		{ .kind = AGENT_UPDATE, .data = { "", AGENT_DOCUMENT_MAX + 1 } },
	};
	CLEANUP(buf_release) struct buf b = BUF_INIT(AGENT_FRAME_MAX);
	struct buf small = BUF_INIT(AGENT_HEADER - 1);
	const uint8_t long_one[] = { 0, 0, 65, 0 }, short_one[] = { 1, 0, 0, 0 };
	const uint8_t unknown[] = { 2, 0, 0, 0, AGENT_KINDS, 0 };
	const uint8_t range[] = { 10, 0, 0, 0, AGENT_KILL, 0, 9, 0, 0, 0, 2, 0, 0, 0 };
	struct agent_message m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(agent_encode(&wrong[i], &b), -EINVAL);
	assert_int_equal(b.len, 0);
	m = (struct agent_message){ .kind = AGENT_DONE };
	assert_int_equal(agent_encode(&m, &small), -EINVAL);
	assert_int_equal(agent_decode(long_one, 4, AGENT_FROM_GUEST, &m), -EPROTO);
	assert_int_equal(agent_decode(short_one, 4, AGENT_FROM_GUEST, &m), -EPROTO);
	assert_int_equal(agent_decode(unknown, 6, AGENT_FROM_GUEST, &m), -EPROTO);
	assert_int_equal(agent_decode(range, sizeof(range), AGENT_FROM_HOST, &m), -EPROTO);
}

/* All samples of the guest, arriving in pieces of n bytes. */
static void test_stream(void **state)
{
	CLEANUP(buf_release) struct buf all = BUF_INIT(1 << 20);
	const struct err why = { .code = EPERM, .msg = "denied" };
	struct agent_message m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		if (agent_kind_side(samples[i].kind) == AGENT_FROM_GUEST)
			assert_int_equal(agent_encode(&samples[i], &all), 0);
	for (size_t piece = 1; piece <= all.len; piece += 3) {
		CLEANUP(agent_reader_release) struct agent_reader r = { .from = AGENT_FROM_GUEST };
		size_t sent = 0, i = 0;
		int pair[2], got;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		while ((got = agent_read(&r, pair[0], &m)) != 0) {
			size_t n = all.len - sent < piece ? all.len - sent : piece;

			if (got > 0) {
				while (agent_kind_side(samples[i].kind) != AGENT_FROM_GUEST)
					i++;
				same(&m, &samples[i++]);
				continue;
			}
			assert_int_equal(got, -EAGAIN);
			assert_false(agent_reader_has(&r));
			if (n == 0)
				assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
			else
				assert_int_equal(write(pair[1], all.data + sent, n), n);
			sent += n;
		}
		assert_int_equal(i, ARRAY_LEN(samples));
		close(pair[0]);
		close(pair[1]);
	}

	/* Cut short; and what the short forms write. */
	CLEANUP(agent_reader_release) struct agent_reader r = { .from = AGENT_FROM_GUEST };
	int p[2];
	assert_int_equal(pipe(p), 0);
	assert_int_equal(agent_write_kind(p[1], AGENT_DONE), 0);
	assert_int_equal(agent_write_error(p[1], &why, 126), 0);
	assert_int_equal(write(p[1], all.data, 5), 5);
	close(p[1]);
	assert_int_equal(agent_read(&r, p[0], &m), 1);
	assert_int_equal(m.kind, AGENT_DONE);
	assert_true(agent_reader_has(&r));
	assert_int_equal(agent_read(&r, p[0], &m), 1);
	assert_int_equal(m.kind, AGENT_ERROR);
	assert_int_equal(m.code, EPERM);
	assert_int_equal(m.exit_code, 126);
	same_bytes(m.name, (struct agent_bytes)TEXT("denied"));
	assert_int_equal(agent_read(&r, p[0], &m), -EPROTO);
	close(p[0]);
}

/* A document larger than the reader's first memory, whole and intact. */
static void test_large(void **state)
{
	CLEANUP(agent_reader_release) struct agent_reader r = { .from = AGENT_FROM_HOST };
	CLEANUP_FREE char *doc = xmalloc(AGENT_DOCUMENT_MAX);
	CLEANUP_FD int fd = memfd_create("frames", MFD_CLOEXEC);
	struct agent_message m = { .kind = AGENT_UPDATE, .data = { doc, AGENT_DOCUMENT_MAX } };

	(void)state;
	for (size_t i = 0; i < AGENT_DOCUMENT_MAX; i++)
		doc[i] = (char)(i * 7 >> 3);
	assert_int_equal(agent_write_kind(fd, AGENT_START), 0);
	assert_int_equal(agent_write(fd, &m), 0);
	assert_int_equal(agent_write_kind(fd, AGENT_START), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(agent_read(&r, fd, &m), 1);
	assert_int_equal(agent_read(&r, fd, &m), 1);
	same_bytes(m.data, (struct agent_bytes){ doc, AGENT_DOCUMENT_MAX });
	assert_int_equal(agent_read(&r, fd, &m), 1);
	assert_int_equal(m.kind, AGENT_START);
	assert_int_equal(agent_read(&r, fd, &m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
