/* test_keeper.c - the keeper's messages, rules and log, and isle's side of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/attach.h"
#include "engine/keeper/parts.h"
#include "engine/log.h"
#include "proto/keeper.h"

static void in_fresh_dir(char dir[64])
{
	snprintf(dir, 64, "/tmp/isle-keeper.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = { "log", "log.1", "log.2", "log.3", "s", NULL };

	for (size_t i = 0; names[i]; i++)
		unlink(names[i]);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- messages ------------------------------------------------------------------------- */

static void messages_come_back_as_they_were(void **state)
{
	static const struct keeper_message all[] = {
		{ .kind = KEEPER_GO }, { .kind = KEEPER_DETACH }, { .kind = KEEPER_TAKEN },
		{ .kind = KEEPER_CREATED, .pid = 7 }, { .kind = KEEPER_STARTED, .pid = 70000 },
		{ .kind = KEEPER_FAILED, .code = ENOENT, .exit_code = 127, .data = "no", .n = 2 },
		{ .kind = KEEPER_ATTACH, .flags = 15 },
		{ .kind = KEEPER_STDIN, .data = "a\0b\n", .n = 4 }, { .kind = KEEPER_STDIN },
		{ .kind = KEEPER_RESIZE, .rows = 24, .columns = 65535 },
		{ .kind = KEEPER_SIGNAL, .signal = 64 },
		{ .kind = KEEPER_STOP, .signal = 0, .timeout_ms = -1 },
		{ .kind = KEEPER_POLICY, .restart = KEEPER_RESTART_ALWAYS, .max_retries = 3 },
		{ .kind = KEEPER_PAUSED, .on = true },
		{ .kind = KEEPER_STDOUT, .data = "x", .n = 1 },
		{ .kind = KEEPER_STDERR, .data = "y", .n = 1 },
		{ .kind = KEEPER_EXIT, .exit_code = 255, .oom = true },
		{ .kind = KEEPER_RESTART, .exit_code = 1, .delay_ms = 60000 },
		{ .kind = KEEPER_ERROR, .code = 5, .data = "why", .n = 3 },
	};
	unsigned char p[KEEPER_PACKET_MAX + 1];
	struct keeper_message m;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_int_equal(keeper_send(pair[0], &all[i], 0), 0);
		assert_int_equal(keeper_recv(pair[1], p, &m, 0), 1);
		assert_int_equal(m.n, all[i].n);
		assert_memory_equal(m.data, all[i].data ? all[i].data : "", m.n);
		m.data = all[i].data;
		assert_memory_equal(&m, &all[i], sizeof(m));
	}
	assert_int_equal(keeper_recv(pair[1], p, &m, MSG_DONTWAIT), -EAGAIN);
	close(pair[0]);
	assert_int_equal(keeper_recv(pair[1], p, &m, 0), 0);
	close(pair[1]);
}

static int decode(int32_t kind, int32_t a, int32_t b, int32_t c, const char *tail,
		  struct keeper_message *m)
{
	static unsigned char p[KEEPER_PACKET_MAX + 1];
	int32_t h[4] = { kind, a, b, c };

	memcpy(p, h, sizeof(h));
	memcpy(p + sizeof(h), tail, strlen(tail));
	return keeper_decode(p, sizeof(h) + strlen(tail), m);
}

static void what_is_no_message_is_refused(void **state)
{
	unsigned char p[KEEPER_PACKET_MAX + 2] = { KEEPER_GO };
	struct keeper_message m;

	(void)state;
	assert_int_equal(keeper_decode(p, KEEPER_HEADER, &m), 0);
	assert_int_equal(keeper_decode(p, KEEPER_HEADER - 1, &m), -EPROTO);
	assert_int_equal(keeper_decode(p, KEEPER_PACKET_MAX + 1, &m), -EPROTO);
	assert_int_equal(decode(0, 0, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_KINDS, 0, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(-1, 0, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_GO, 1, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_GO, 0, 0, 0, "x", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_SIGNAL, 0, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_SIGNAL, 65, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_ATTACH, 16, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_RESIZE, 65536, 1, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_STOP, 0, -2, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_POLICY, 4, 0, 0, "", &m), -EPROTO);
	assert_int_equal(decode(KEEPER_ERROR, 1, 0, 0, "a\033[2J\nb", &m), 0);
	assert_string_equal(m.data, "a?[2J?b");
	assert_int_equal(keeper_send(-1, &(struct keeper_message){
		.kind = KEEPER_SIGNAL, .signal = 99 }, 0), -EINVAL);
}

static void sockets_have_long_names(void **state)
{
	struct err e = { 0 };
	char dir[64], path[200];
	struct stat sb;

	(void)state;
	in_fresh_dir(dir);
	/* Longer than sun_path, by going in and out of "." */
	int n = snprintf(path, sizeof(path), "%s", dir);
	while (n < 150)
		n += snprintf(path + n, sizeof(path) - (size_t)n, "/.");
	snprintf(path + n, sizeof(path) - (size_t)n, "/s");
	assert_int_equal(keeper_connect(path, &e), -ENOENT);
	int l = keeper_listen(path, &e);
	assert_true(l >= 0);
	assert_int_equal(stat("s", &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	int c = keeper_connect(path, &e);
	assert_true(c >= 0);
	close(c);
	close(l);
	assert_int_equal(keeper_connect(path, &e), -ECONNREFUSED);
	l = keeper_listen(path, &e);    /* in place of the dead one's */
	assert_true(l >= 0);
	close(l);
	remove_dir(dir);
}

/* ---- rules ------------------------------------------------------------------------------ */

static void restarts_back_off_as_docker_does(void **state)
{
	struct restart r = { 0 };
	uint64_t ms, want = 100;

	(void)state;
	for (int i = 0; i < 12; i++) {
		assert_true(restart_decide(&r, KEEPER_RESTART_ALWAYS, 0, 0, 10, &ms));
		assert_int_equal(ms, want);
		want = want * 2 > 60000 ? 60000 : want * 2;
	}
	assert_int_equal(ms, 60000);
	assert_int_equal(r.count, 12);
	assert_true(restart_decide(&r, KEEPER_RESTART_ALWAYS, 0, 0, 10000, &ms));
	assert_int_equal(ms, 100);
}

static void restart_policies(void **state)
{
	struct restart r = { 0 };
	uint64_t ms;

	(void)state;
	assert_false(restart_decide(&r, KEEPER_RESTART_NO, 0, 1, 10, &ms));
	assert_false(restart_decide(&r, KEEPER_RESTART_ON_FAILURE, 0, 0, 10, &ms));
	assert_true(restart_decide(&r, KEEPER_RESTART_ON_FAILURE, 2, 1, 10, &ms));
	assert_true(restart_decide(&r, KEEPER_RESTART_ON_FAILURE, 2, 1, 10, &ms));
	assert_false(restart_decide(&r, KEEPER_RESTART_ON_FAILURE, 2, 1, 10, &ms));
	assert_int_equal(r.count, 2);
	assert_true(restart_decide(&r, KEEPER_RESTART_UNLESS_STOPPED, 0, 0, 10, &ms));
}

#define NEEDED "\"id\":\"i\",\"name\":\"n\",\"wall\":\"container\",\"stateDir\":\"/s\"," \
	"\"bundle\":\"/b\",\"socket\":\"/x\""

static int parse(const char *text, struct keeper_config *c, struct err *e)
{
	return keeper_config_parse(text, strlen(text), c, e);
}

static void keeper_json_is_read(void **state)
{
	struct keeper_config c;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse("{" NEEDED "}", &c, &e), 0);
	assert_int_equal(c.stop_signal, 15);
	assert_int_equal(c.stop_timeout_ms, 10000);
	assert_int_equal(c.log.driver, LOG_DRIVER_NONE);
	assert_false(c.health.set || c.overlay.set || c.tty);
	arena_release(&c.arena);

	assert_int_equal(parse("{" NEEDED ",\"tty\":true,\"stop\":{\"timeoutMs\":-1},"
		"\"health\":{\"test\":[\"CMD-SHELL\",\"true\"],\"retries\":0},"
		"\"restart\":{\"policy\":\"on-failure\",\"max\":3},"
		"\"log\":{\"driver\":\"json-file\",\"path\":\"/l\",\"maxSize\":5}}", &c, &e), 0);
	assert_true(c.tty && c.health.set && c.health.shell);
	assert_int_equal(c.health.retries, 3);
	assert_int_equal(c.health.interval_ms, 30000);
	assert_int_equal(c.stop_timeout_ms, -1);
	assert_int_equal(c.restart, KEEPER_RESTART_ON_FAILURE);
	assert_int_equal(c.restart_max, 3);
	assert_int_equal(c.log.max_file, 1);
	arena_release(&c.arena);
}

static void keeper_json_that_is_wrong_says_where(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{ "{}", "id is missing" },
		{ "[]", "id is missing" },
		{ "{" NEEDED ",\"tty\":1}", "tty is an integer, not a boolean" },
		{ "{" NEEDED ",\"log\":{\"driver\":\"syslog\"}}", "log.driver is \"syslog\"" },
		{ "{" NEEDED ",\"log\":{\"driver\":\"json-file\"}}", "log.path is missing" },
		{ "{" NEEDED ",\"stop\":{\"signal\":65}}", "stop.signal is out of range" },
		{ "{" NEEDED ",\"mount\":{\"lower\":[]}}", "mount.upper is missing" },
		{ "{" NEEDED ",\"health\":{\"test\":[\"RUN\",\"x\"]}}", "begins with \"RUN\"" },
	};
	struct keeper_config c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };

		assert_int_equal(parse(bad[i].text, &c, &e), -EINVAL);
		if (!strstr(e.msg, bad[i].says))
			fail_msg("\"%s\" is not in \"%s\"", bad[i].says, e.msg);
	}
}

/* ---- detach keys ---------------------------------------------------------------------------- */

#define SCAN(text) \
	detach_keys_scan(&k, &matched, (const unsigned char *)(text), strlen(text), out, &n)

static void detach_keys(void **state)
{
	struct detach_keys k;
	struct err e = { 0 };
	unsigned char out[64];
	size_t matched = 0, n;

	(void)state;
	assert_int_equal(detach_keys_parse(DETACH_KEYS_DEFAULT, &k, &e), 0);
	assert_int_equal(k.n, 2);
	assert_int_equal(k.key[0], 16);
	assert_int_equal(k.key[1], 17);
	assert_false(SCAN("a\020"));
	assert_int_equal(n, 1);
	/* Held back, then known not to be meant. */
	assert_false(SCAN("\020b"));
	assert_int_equal(n, 3);
	assert_memory_equal(out, "\020\020b", 3);
	assert_true(SCAN("c\020\021d"));
	assert_int_equal(n, 1);

	assert_int_equal(detach_keys_parse("ctrl-@,a,ctrl-_", &k, &e), 0);
	assert_int_equal(k.n, 3);
	assert_int_equal(k.key[0], 0);
	assert_int_equal(k.key[2], 31);
	assert_int_equal(detach_keys_parse("", &k, &e), 0);
	assert_false(SCAN("\020\021"));
	assert_int_equal(n, 2);
	assert_int_equal(detach_keys_parse("ctrl-A", &k, &e), -EINVAL);
	assert_int_equal(detach_keys_parse("ab", &k, &e), -EINVAL);
	assert_int_equal(detach_keys_parse("a,,b", &k, &e), -EINVAL);
}

/* ---- the log ------------------------------------------------------------------ */

static struct log *open_log(struct keeper_config *c, uint64_t max_size, unsigned max_file)
{
	struct log *l;
	struct err e = { 0 };

	c->log = (struct log_config){
		.driver = LOG_DRIVER_JSON_FILE, .path = "log", .max_size = max_size,
		.max_file = max_file,
	};
	assert_int_equal(log_sink_open(c, &l, &e), 0);
	return l;
}

static int collect(void *arg, bool is_stderr, const char *p, size_t n, struct err *e)
{
	(void)e;
	buf_add_str(arg, is_stderr ? "E:" : "O:");
	buf_add(arg, p, n);
	return 0;
}

static struct buf read_log(const struct logs_options *o)
{
	struct buf b = BUF_INIT(1u << 22);
	struct err e = { 0 };

	buf_add(&b, "", 0);
	assert_int_equal(logs_read("log", o, collect, &b, &e), 0);
	return b;
}

static const struct logs_options all = { .tail = -1, .end_fd = -1 };

static void lines_are_logged_whole(void **state)
{
	CLEANUP_FREE char *lng = xmalloc(40001);
	struct keeper_config c = { 0 };
	char dir[64];

	(void)state;
	in_fresh_dir(dir);
	struct log *l = open_log(&c, 0, 1);
	log_sink_add(l, KEEPER_STDOUT, "one\ntw", 6);
	log_sink_add(l, KEEPER_STDERR, "oops\n", 5);
	log_sink_add(l, KEEPER_STDOUT, "o\n\nbin\0\377\n", 9);
	memset(lng, 'x', 40000);
	lng[40000] = '\n';
	log_sink_add(l, KEEPER_STDOUT, lng, 40001);
	log_sink_add(l, KEEPER_STDOUT, "end", 3);
	log_sink_flush(l);
	log_sink_close(l);
	CLEANUP(buf_release) struct buf b = read_log(&all);
	static const char want[] = "O:one\nE:oops\nO:two\nO:\nO:bin\0\357\277\275\nO:xxx";
	assert_memory_equal(b.data, want, sizeof(want) - 1);
	/* In pieces of 16 KiB, of which the last alone has the newline. */
	assert_int_equal(b.len, 32 + 40001 + 2 * 3 + strlen("O:end"));
	assert_string_equal(b.data + b.len - 8, "xx\nO:end");
	remove_dir(dir);
}

static void old_logs_are_rotated_away(void **state)
{
	struct keeper_config c = { 0 };
	struct stat sb;
	char dir[64], line[32];

	(void)state;
	in_fresh_dir(dir);
	struct log *l = open_log(&c, 400, 3);
	for (int i = 0; i < 40; i++) {
		int n = snprintf(line, sizeof(line), "line %d\n", i);

		log_sink_add(l, KEEPER_STDOUT, line, (size_t)n);
	}
	log_sink_close(l);
	for (int i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), i ? "log.%d" : "log", i);
		assert_int_equal(stat(line, &sb), 0);
		assert_true(sb.st_size > 0 && sb.st_size <= 400);
	}
	assert_int_equal(stat("log.3", &sb), -1);
	CLEANUP(buf_release) struct buf b = read_log(&all);
	assert_non_null(strstr(b.data, "O:line 30\nO:line 31\n"));
	assert_string_equal(b.data + b.len - 10, "O:line 39\n");
	assert_null(strstr(b.data, "line 20\n"));

	/* The last lines, over the borders of files. */
	struct logs_options o = all;
	for (int64_t tail = 0; tail < 12; tail++) {
		o.tail = tail;
		CLEANUP(buf_release) struct buf t = read_log(&o);
		size_t lines = 0;

		for (size_t i = 0; i < t.len; i++)
			lines += t.data[i] == '\n';
		assert_int_equal(lines, tail);
	}
	remove_dir(dir);
}

static void one_file_is_begun_anew(void **state)
{
	struct keeper_config c = { 0 };
	struct stat sb;
	char dir[64];

	(void)state;
	in_fresh_dir(dir);
	struct log *l = open_log(&c, 200, 1);
	for (int i = 0; i < 9; i++)
		log_sink_add(l, KEEPER_STDOUT, "again\n", 6);
	log_sink_close(l);
	assert_int_equal(stat("log", &sb), 0);
	assert_true(sb.st_size <= 200);
	assert_int_equal(stat("log.1", &sb), -1);
	remove_dir(dir);
}

#define RECORD(text, stream, second) \
	"{\"log\":\"" text "\\n\",\"stream\":\"" stream "\"," \
	"\"time\":\"2024-05-01T10:00:0" second ".000000000Z\"}\n"

static void logs_are_chosen_by_time_and_stream(void **state)
{
	static const char text[] =
		RECORD("a", "stdout", "0")
		"torn\n"
		RECORD("b", "stderr", "1")
		RECORD("c", "stdout", "2");
	int64_t base = INT64_C(1714557600) * 1000000000;
	struct logs_options o = all;
	struct err e = { 0 };
	char dir[64];

	(void)state;
	in_fresh_dir(dir);
	CLEANUP(buf_release) struct buf none = read_log(&o);
	assert_string_equal(none.data, "");
	int d = open(".", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_replace_at(d, "log", text, sizeof(text) - 1, 0600), 0);
	close(d);
	o.since_ns = base + 1000000000;
	CLEANUP(buf_release) struct buf since = read_log(&o);
	assert_string_equal(since.data, "E:b\nO:c\n");
	o.until_ns = base + 1500000000;
	CLEANUP(buf_release) struct buf until = read_log(&o);
	assert_string_equal(until.data, "E:b\n");
	o = all;
	o.no_stderr = o.timestamps = true;
	o.details = "k=v";
	CLEANUP(buf_release) struct buf out = read_log(&o);
	assert_string_equal(out.data, "O:2024-05-01T10:00:00.000000000Z k=v a\n"
				      "O:2024-05-01T10:00:02.000000000Z k=v c\n");
	(void)e;
	remove_dir(dir);
}

/* A reader that follows, and a writer that rotates meanwhile: nothing is lost or doubled. */
static void following_survives_rotation(void **state)
{
	struct logs_options o = all;
	struct keeper_config c = { 0 };
	CLEANUP(buf_release) struct buf got = BUF_INIT(1u << 20);
	CLEANUP(buf_release) struct buf want = BUF_INIT(1u << 20);
	struct err e = { 0 };
	char dir[64], line[32];
	int end[2];

	(void)state;
	in_fresh_dir(dir);
	assert_int_equal(pipe(end), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct log *l = open_log(&c, 2000, 4);

		for (int i = 0; i < 60; i++) {
			int n = snprintf(line, sizeof(line), "line %d\n", i);

			log_sink_add(l, KEEPER_STDOUT, line, (size_t)n);
			poll(NULL, 0, 1);
		}
		log_sink_close(l);
		_exit(0);
	}
	close(end[1]);
	o.follow = true;
	o.end_fd = end[0];
	assert_int_equal(logs_read("log", &o, collect, &got, &e), 0);
	for (int i = 0; i < 60; i++)
		buf_printf(&want, "O:line %d\n", i);
	assert_string_equal(got.data, want.data);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(end[0]);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_back_as_they_were),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(sockets_have_long_names),
		cmocka_unit_test(restarts_back_off_as_docker_does),
		cmocka_unit_test(restart_policies),
		cmocka_unit_test(keeper_json_is_read),
		cmocka_unit_test(keeper_json_that_is_wrong_says_where),
		cmocka_unit_test(detach_keys),
		cmocka_unit_test(lines_are_logged_whole),
		cmocka_unit_test(old_logs_are_rotated_away),
		cmocka_unit_test(one_file_is_begun_anew),
		cmocka_unit_test(logs_are_chosen_by_time_and_stream),
		cmocka_unit_test(following_survives_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
