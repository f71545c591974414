/* test_ps_text.c - the words of isle ps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/ps_text.h"
#include "cli/isle/time_value.h"

#define S 1000000000LL
#define NOW (1700000000 * S)

static void check(char *got, const char *want)
{
	assert_string_equal(got, want);
	free(got);
}

static void test_status(void **state)
{
	static const struct { struct instance_status s; const char *text; } cases[] = {
		{ { .state = INSTANCE_CREATED }, "Created" },
		{ { .state = INSTANCE_RUNNING, .started_ns = NOW - 5 * S }, "Up 5 seconds" },
		{ { .state = INSTANCE_RUNNING, .started_ns = NOW - 180 * S, .health = "healthy" },
		  "Up 3 minutes (healthy)" },
		{ { .state = INSTANCE_RUNNING, .started_ns = NOW - S, .health = "starting" },
		  "Up 1 second (health: starting)" },
		{ { .state = INSTANCE_RUNNING, .started_ns = NOW - 90 * S, .health = "unhealthy" },
		  "Up About a minute (unhealthy)" },
		{ { .state = INSTANCE_PAUSED, .started_ns = NOW - 5 * S },
		  "Up 5 seconds (Paused)" },
		{ { .state = INSTANCE_RESTARTING, .exit_code = 1, .finished_ns = NOW - 3 * S },
		  "Restarting (1) 3 seconds ago" },
		{ { .state = INSTANCE_EXITED, .finished_ns = NOW - 7200 * S },
		  "Exited (0) 2 hours ago" },
		{ { .state = INSTANCE_EXITED, .exit_code = 137, .finished_ns = NOW },
		  "Exited (137) Less than a second ago" },
		{ { .state = INSTANCE_DEAD }, "Dead" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(ps_status_text(&cases[i].s, NOW), cases[i].text);
}

static void test_command(void **state)
{
	const char *entry[] = { "/entry", NULL }, *cmd[] = { "say \"it\"", "and more words", NULL };
	struct instance_config c = { .entrypoint = { entry, 1 }, .cmd = { cmd, 2 } };

	(void)state;
	check(ps_command_text(&c, false), "\"/entry say \\\"it\\\" and more words\"");
	check(ps_command_text(&c, true), "\"/entry say \\\"it\\\" and…\"");
	check(ps_ellipsis("äöü", 3), "äöü");
	check(ps_ellipsis("äöüß", 3), "äö…");
}

static void test_ports(void **state)
{
	struct net_port ports[] = {
		{ "", 8081, 81, "tcp" }, { "", 8080, 80, "tcp" }, { "127.0.0.1", 53, 53, "udp" },
		{ "", 9000, 82, "tcp" },
	};
	const char *expose[] = { "80/tcp", "443/tcp", NULL };
	struct instance_config c = { .ports = ports, .n_ports = 4, .expose = { expose, 2 } };

	(void)state;
	check(ps_ports_text(&c, true), "0.0.0.0:8080-8081->80-81/tcp, :::8080-8081->80-81/tcp, "
	      "0.0.0.0:9000->82/tcp, :::9000->82/tcp, 127.0.0.1:53->53/udp, 443/tcp");
	check(ps_ports_text(&c, false), "");
}

static void test_times(void **state)
{
	static const struct { const char *text; int64_t ns; } cases[] = {
		{ "1700000000", NOW }, { "1700000000.5", NOW + S / 2 }, { "0", 0 },
		{ "2023-11-14T22:13:20Z", NOW }, { "2023-11-15T00:13:20+02:00", NOW },
		{ "2023-11-14T22:13:20.25Z", NOW + S / 4 },
	};
	static const char *const bad[] = { "", "x", "10q", "2023-13-01", "2023-11-14T22:13:20X" };
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(time_value_parse(cases[i].text, &ns, NULL), 0);
		assert_int_equal(ns, cases[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(time_value_parse(bad[i], &ns, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
