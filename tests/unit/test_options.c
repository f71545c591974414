/* test_options.c - command line options and the values they take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/options.h"
#include "cli/values.h"
#include "oci/spec.h"

struct target {
	bool detach, tty;
	const char *bundle, *pid_file;
	struct oci_strv env;
	unsigned fds;
	int64_t memory;
};

static int parse_memory(const char *s, void *target, struct err *e)
{
	return value_bytes(s, target, e);
}

static const struct option table[] = {
	{ "detach", 'd', OPT_FLAG, offsetof(struct target, detach), NULL, "d", NULL },
	{ "tty", 't', OPT_FLAG, offsetof(struct target, tty), NULL, "t", NULL },
	{ "bundle", 'b', OPT_STRING, offsetof(struct target, bundle), "DIR", "b", NULL },
	{ "pid-file", 0, OPT_STRING, offsetof(struct target, pid_file), "FILE", "p", NULL },
	{ "env", 'e', OPT_STRINGS, offsetof(struct target, env), "KEY=VALUE", "e", NULL },
	{ "preserve-fds", 0, OPT_UINT, offsetof(struct target, fds), "N", "f", NULL },
	{ "memory", 'm', OPT_PARSED, offsetof(struct target, memory), "BYTES", "m",
	  parse_memory },
	OPTION_HELP,
};

static const struct option_set set = { table, ARRAY_LEN(table) };

/* The command line of one test: split at blanks into argv. */
struct line {
	char text[256], *argv[32];
	int argc;
	size_t n;               /* positional arguments */
	struct target t;
	struct err e;
	int r;
};

static void parse(struct line *l, size_t stop_after, const char *text)
{
	char *rest = l->text, *word;

	memset(l, 0, sizeof(*l));
	strcpy(l->text, text);
	while ((word = strsep(&rest, " ")))
		l->argv[l->argc++] = word;
	l->r = options_parse(&set, l->argc, l->argv, stop_after, &l->t, &l->n, &l->e);
}

static void done(struct line *l)
{
	options_release(&set, &l->t);
}

static void test_string_forms(void **state)
{
	static const char *const forms[] = {
		"--bundle /b id", "--bundle=/b id", "-bundle /b id", "-bundle=/b id",
		"-b /b id", "-b/b id", "-b=/b id", "id --bundle /b", "id -b /b",
	};
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		parse(&l, 0, forms[i]);
		assert_int_equal(l.r, 0);
		assert_string_equal(l.t.bundle, "/b");
		assert_int_equal(l.n, 1);
		assert_string_equal(l.argv[0], "id");
		done(&l);
	}
}

static void test_flag_forms(void **state)
{
	static const struct { const char *text; bool detach, tty; } forms[] = {
		{ "--detach", true, false }, { "-detach", true, false }, { "-d", true, false },
		{ "-dt", true, true }, { "-td", true, true }, { "--detach=true", true, false },
		{ "--detach=1", true, false }, { "--detach --detach=false", false, false },
		{ "-d=false -t", false, true }, { "--detach=F --tty=T", false, true },
	};
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		parse(&l, 0, forms[i].text);
		assert_int_equal(l.r, 0);
		assert_int_equal(l.t.detach, forms[i].detach);
		assert_int_equal(l.t.tty, forms[i].tty);
		assert_int_equal(l.n, 0);
	}
}

static void test_values(void **state)
{
	struct line l;

	(void)state;
	parse(&l, 0, "-e A=1 --env B=--x --env=C= --preserve-fds 3 --memory -1 -dte D=4");
	assert_int_equal(l.r, 0);
	assert_int_equal(l.t.env.n, 4);
	assert_string_equal(l.t.env.v[0], "A=1");
	assert_string_equal(l.t.env.v[1], "B=--x");
	assert_string_equal(l.t.env.v[2], "C=");
	assert_string_equal(l.t.env.v[3], "D=4");
	assert_null(l.t.env.v[4]);
	assert_int_equal(l.t.fds, 3);
	assert_int_equal(l.t.memory, -1);
	assert_true(l.t.detach && l.t.tty);
	done(&l);
}

static void test_end_of_options(void **state)
{
	struct line l;

	(void)state;
	/* exec: options between ID and command are ours, later ones the command's. */
	parse(&l, 2, "-d id -t sh -c --bundle");
	assert_int_equal(l.r, 0);
	assert_true(l.t.detach && l.t.tty);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.argv[1], "sh");
	assert_string_equal(l.argv[3], "--bundle");

	parse(&l, 2, "id -- -t sh");
	assert_int_equal(l.r, 0);
	assert_false(l.t.tty);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.argv[1], "-t");

	/* A second "--" is the command's own, and "-" is a name like others. */
	parse(&l, 2, "-- id sh -- -");
	assert_int_equal(l.n, 4);
	assert_string_equal(l.argv[2], "--");
	assert_string_equal(l.argv[3], "-");
}

static void test_help(void **state)
{
	struct line l;

	(void)state;
	parse(&l, 0, "id -h");
	assert_int_equal(l.r, 1);
	parse(&l, 0, "--help");
	assert_int_equal(l.r, 1);
	/* The command's, not ours. */
	parse(&l, 2, "id ls --help");
	assert_int_equal(l.r, 0);
}

static void test_errors(void **state)
{
	static const struct { const char *text, *msg; } cases[] = {
		{ "--bundel x", "unknown option --bundel; did you mean --bundle?" },
		{ "--bund=x", "unknown option --bund; did you mean --bundle?" },
		{ "--pidfile x", "unknown option --pidfile; did you mean --pid-file?" },
		{ "-pidfile x", "unknown option -pidfile; did you mean --pid-file?" },
		{ "--zzzzzz", "unknown option --zzzzzz" },
		{ "-z", "unknown option -z" },
		{ "-dz", "unknown option -z in -dz" },
		{ "--bundle", "option --bundle needs a value: --bundle DIR" },
		{ "-b", "option --bundle needs a value: --bundle DIR" },
		{ "--detach=maybe", "option --detach: \"maybe\" is not true or false" },
		{ "--preserve-fds -1",
		  "option --preserve-fds: \"-1\" is not a number from 0 to 4294967295" },
		{ "--preserve-fds 4294967296",
		  "option --preserve-fds: \"4294967296\" is not a number from 0 to 4294967295" },
		{ "--memory 5x",
		  "option --memory: \"5x\" is not a size such as 512m, 1g or -1" },
	};
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		parse(&l, 0, cases[i].text);
		assert_int_equal(l.r, -EINVAL);
		assert_string_equal(l.e.msg, cases[i].msg);
		done(&l);
	}
}

static void test_signals(void **state)
{
	static const struct { const char *text; int nr; } cases[] = {
		{ "9", 9 }, { "0", 0 }, { "64", 64 }, { "KILL", SIGKILL }, { "SIGKILL", SIGKILL },
		{ "sigterm", SIGTERM }, { "hup", SIGHUP }, { "WINCH", SIGWINCH },
		{ "SIGRTMIN", 34 }, { "RTMIN+3", 37 }, { "sigrtmin+30", 64 }, { "RTMAX", 64 },
		{ "SIGRTMAX-1", 63 }, { "CLD", SIGCHLD },
	};
	static const char *const bad[] = {
		"", "65", "-9", "9x", "KILLL", "SIG", "RTMIN+31", "RTMIN-1", "RTMIN+", "RTMAX+1",
		"999999999999999999999",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(value_signal(cases[i].text, &e), cases[i].nr);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(value_signal(bad[i], &e), -EINVAL);
		assert_non_null(strstr(e.msg, "unknown signal"));
	}
}

static void test_durations(void **state)
{
	static const struct { const char *text; uint64_t ns; } cases[] = {
		{ "5s", 5000000000 }, { "100ms", 100000000 }, { "1h2m0.5s", 3720500000000 },
		{ "0", 0 }, { "1.5h", 5400000000000 }, { ".5s", 500000000 }, { "7ns", 7 },
		{ "3us", 3000 }, { "3\302\265s", 3000 }, { "2m3ms", 120003000000 },
		{ "1.s", 1000000000 },
	};
	static const char *const bad[] = {
		"", "5", "s", "-1s", "5 s", "1d", ".s", "1s5", "9999999999h", "1sx",
		"99999999999999999999999999s",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t ns = 1;

		assert_int_equal(value_duration_ns(cases[i].text, &ns, &e), 0);
		assert_int_equal(ns, cases[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t ns;

		assert_int_equal(value_duration_ns(bad[i], &ns, &e), -EINVAL);
	}
}

static void test_sizes(void **state)
{
	static const struct { const char *text; int64_t bytes; } cases[] = {
		{ "0", 0 }, { "1048576", 1048576 }, { "512m", 512 << 20 }, { "1k", 1024 },
		{ "1K", 1024 }, { "1kb", 1024 }, { "1KiB", 1024 }, { "10b", 10 },
		{ "1.5g", 3ll << 29 }, { "2 GB", 2ll << 30 }, { "1t", 1ll << 40 }, { "-1", -1 },
		{ "7e", 7ll << 60 }, { "0.5", 0 }, { "9223372036854775807", INT64_MAX },
	};
	static const char *const bad[] = {
		"", "m", "-2", "5x", "5mm", "1 0", "8e", "9223372036854775808", "1mib2", " 5",
		"16777216e", "340282366920938463463374607431768211456",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t bytes = 1;

		assert_int_equal(value_bytes(cases[i].text, &bytes, &e), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t bytes;

		assert_int_equal(value_bytes(bad[i], &bytes, &e), -EINVAL);
	}
}

static void test_users(void **state)
{
	uid_t uid;
	gid_t gid;
	struct err e;

	(void)state;
	assert_int_equal(value_user("1000", &uid, &gid, &e), 0);
	assert_int_equal(uid, 1000);
	assert_int_equal(gid, 0);
	assert_int_equal(value_user("1000:5", &uid, &gid, &e), 0);
	assert_int_equal(gid, 5);
	assert_int_equal(value_user("root", &uid, &gid, &e), -EINVAL);
	assert_int_equal(value_user("1:", &uid, &gid, &e), -EINVAL);
	assert_int_equal(value_user(":1", &uid, &gid, &e), -EINVAL);
	/* (uid_t)-1 means "leave it" to the kernel. */
	assert_int_equal(value_user("4294967295", &uid, &gid, &e), -EINVAL);
}

static void test_choice(void **state)
{
	static const char *const names[] = { "text", "json", "none" };
	struct err e;

	(void)state;
	assert_int_equal(value_choice("json", names, 3, &e), 1);
	assert_int_equal(value_choice("xml", names, 3, &e), -EINVAL);
	assert_string_equal(e.msg, "\"xml\" is not text, json or none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_string_forms),
		cmocka_unit_test(test_flag_forms),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_end_of_options),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
