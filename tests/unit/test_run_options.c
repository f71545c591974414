/* test_run_options.c - what users type after "isle run", and what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/isle/run_options.h"
#include "cli/isle/run_values.h"

/* A command line, split at blanks, '~' standing for one inside a word. */
struct line {
	struct run_options o;
	struct arena arena;
	char text[1024], *argv[64];
	int argc, r;
	size_t n;
	struct err e;
};

static void parse(struct line *l, const char *text)
{
	static const struct option_set set = { run_option_table, RUN_OPTIONS_COUNT };
	char *rest = l->text, *word;

	memset(l, 0, sizeof(*l));
	snprintf(l->text, sizeof(l->text), "%s", text);
	while ((word = strsep(&rest, " "))) {
		for (char *p = word; *p; p++)
			*p = *p == '~' ? ' ' : *p;
		l->argv[l->argc++] = word;
	}
	l->r = options_parse(&set, l->argc, l->argv, 1, &l->o, &l->n, &l->e);
	if (l->r == 0)
		l->r = run_options_finish(&l->o, &l->arena, &l->e);
}

static void done(struct line *l)
{
	static const struct option_set set = { run_option_table, RUN_OPTIONS_COUNT };

	options_release(&set, &l->o);
	arena_release(&l->arena);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < RUN_OPTIONS_COUNT; i++) {
		const struct option *o = &run_option_table[i];

		assert_non_null(o->name);
		assert_true(o->kind != OPT_PARSED || o->parse);
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(o->name, run_option_table[k].name);
			assert_true(!o->letter || o->letter != run_option_table[k].letter);
		}
	}
	assert_string_equal(run_option_table[RUN_OPTIONS_OWN].name, "add-host");
	assert_string_equal(run_option_table[RUN_OPTIONS_COUNT - RUN_OPTIONS_LIMITS].name,
			    "blkio-weight");
}

static void test_refused(void **state)
{
	static const struct { const char *line, *message; } cases[] = {
		{ "--gpus all i", "unknown option --gpus" },
		{ "--memroy 1g i", "did you mean --memory?" },
		{ "-m 1m i", "option --memory: the least is 6m" },
		{ "-m 64m --memory-swap 32m i", "option --memory-swap" },
		{ "--memory-swap 1g i", "needs --memory" },
		{ "--memory-reservation 1g -m 64m i", "option --memory-reservation" },
		{ "--cpus x i", "option --cpus: \"x\" is not a number of processors" },
		{ "--cpus 1 --cpu-quota 5000 i", "option --cpus" },
		{ "--blkio-weight 5 i", "option --blkio-weight" },
		{ "--pids-limit -2 i", "option --pids-limit" },
		{ "-p 80:70000 i", "option --publish: \"70000\" is not a port" },
		{ "-p 80-90:80-85 i", "not of the same length" },
		{ "-p 90-80 i", "not a range of ports" },
		{ "-p 80/sctp i", "\"sctp\" is not a protocol" },
		{ "-p ::1:80:80 i", "stands in brackets" },
		{ "-p [::g]:80:80 i", "is not an IPv6 address" },
		{ "-p 256.0.0.1:80:80 i", "is not an IP address" },
		{ "-p 0 i", "is not a port from 1" },
		{ "-v a:b i", "the target \"b\" is not an absolute path" },
		{ "-v /:/ i", "the target cannot be \"/\"" },
		{ "-v a/b:/c i", "is not a volume's name" },
		{ "-v vol:/c:rshared i", "not for volumes" },
		{ "-v vol:/c:x i", "\"x\" is not one of ro, rw" },
		{ "-v one:/c -v two:/c/. i", "two mounts have the target /c" },
		{ "-v a:/b:ro:c i", "is not [SOURCE:]TARGET[:OPTIONS]" },
		{ "--mount type=bind,src=/nowhere/x,dst=/c i",
		  "option --mount: the source /nowhere/x" },
		{ "--mount type=bind,dst=/c i", "\"source\" is missing" },
		{ "--mount type=npipe,dst=/c i", "not bind, volume or tmpfs" },
		{ "--mount dst=/c,tmpfs-size=1m i", "is for type=tmpfs, not type=volume" },
		{ "--mount src=x i", "\"target\" is missing" },
		{ "--mount dst=/c,colour=red i", "unknown field \"colour\"" },
		{ "--tmpfs /c:colour=red i", "not an option of tmpfs" },
		{ "--ulimit nofiles=1 i", "there is no limit \"nofiles\"" },
		{ "--ulimit nofile=3:2 i", "the soft limit 3 is above" },
		{ "--ulimit nofile i", "is not NAME=SOFT[:HARD]" },
		{ "--device tty i", "is not /HOST/DEVICE" },
		{ "--device /dev/tty:rx i", "the permissions \"rx\"" },
		{ "--device-read-bps sda:1m i", "is not /dev/NAME:RATE" },
		{ "--restart sometimes i", "is not one of no" },
		{ "--restart always:3 i", "goes with on-failure" },
		{ "--rm --restart always i", "option --rm" },
		{ "--env-file /nowhere/x i", "option --env-file: read /nowhere/x" },
		{ "-e =x i", "is not NAME=VALUE" },
		{ "--health-interval 1us i", "less than 1ms" },
		{ "--no-healthcheck --health-cmd x i", "--no-healthcheck" },
		{ "--log-opt color=red i", "is not one of max-size" },
		{ "--log-driver syslog i", "option --log-driver" },
		{ "--network none --network a i", "cannot be one of several" },
		{ "--network container:x -p 80 i", "option --publish" },
		{ "--network host --ip 10.0.0.1 i", "do not go with --network host" },
		{ "--ip 10.0.0.1 i", "option --ip" },
		{ "--network a --ip ten i", "\"ten\" is not an IPv4 address" },
		{ "--network name=a,ip=::1 i", "\"::1\" is not an IPv4 address" },
		{ "--network-alias x i", "option --network-alias" },
		{ "--network a --mac-address 02:42 i", "option --mac-address" },
		{ "--add-host a i", "is not NAME:IP" },
		{ "--add-host a:b i", "is not an IP address" },
		{ "--dns a i", "is not an IP address" },
		{ "--security-opt x i", "is not one of apparmor=" },
		{ "--security-opt seccomp=/nowhere/x i", "read the seccomp profile" },
		{ "--pid there i", "option --pid" },
		{ "--uts host -h x i", "does not go with --uts host" },
		{ "-h a/b i", "is not a host name" },
		{ "-d -a stdout i", "does not go with --detach" },
		{ "-a stdlog i", "is not stdin, stdout or stderr" },
		{ "--stop-signal NONE i", "option --stop-signal" },
		{ "--stop-timeout x i", "option --stop-timeout" },
		{ "--oom-score-adj 1001 i", "option --oom-score-adj" },
		{ "--pull sometimes i", "option --pull" },
		{ "-w here i", "option --workdir" },
	};
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		parse(&l, cases[i].line);
		if (l.r >= 0 || !strstr(l.e.msg, cases[i].message))
			fail_msg("%s: %d \"%s\", not \"%s\"", cases[i].line, l.r, l.e.msg,
				 cases[i].message);
		done(&l);
	}
}

static void test_ports(void **state)
{
	static const struct { const char *text; struct net_port port; size_t n; } cases[] = {
		{ "80", { "", 0, 80, "tcp" }, 1 },
		{ "8080:80", { "", 8080, 80, "tcp" }, 1 },
		{ "0:80", { "", 0, 80, "tcp" }, 1 },
		{ "8080:80/UDP", { "", 8080, 80, "udp" }, 1 },
		{ "127.0.0.1:8080:80", { "127.0.0.1", 8080, 80, "tcp" }, 1 },
		{ "127.0.0.1::80/udp", { "127.0.0.1", 0, 80, "udp" }, 1 },
		{ "[::1]:8080:80", { "::1", 8080, 80, "tcp" }, 1 },
		{ "[::]::80", { "::", 0, 80, "tcp" }, 1 },
		{ "8000-8010:80-90", { "", 8000, 80, "tcp" }, 11 },
		{ "80-81", { "", 0, 80, "tcp" }, 2 },
	};
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_port *v = NULL;
		size_t n = 0;
		struct err e = { 0 };

		if (port_parse(cases[i].text, &a, &v, &n, &e) < 0)
			fail_msg("%s: %s", cases[i].text, e.msg);
		assert_int_equal(n, cases[i].n);
		assert_string_equal(v[0].host_ip, cases[i].port.host_ip);
		assert_int_equal(v[0].host_port, cases[i].port.host_port);
		assert_int_equal(v[0].port, cases[i].port.port);
		assert_string_equal(v[0].protocol, cases[i].port.protocol);
		assert_int_equal(v[n - 1].port, cases[i].port.port + n - 1);
	}
	arena_release(&a);
}

static void test_mounts(void **state)
{
	char dir[] = "/tmp/isle-test-XXXXXX";
	struct line l;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	parse(&l, "-v ./new/../made:/a:ro,rshared -v vol:/b:nocopy -v /c/ --tmpfs "
		  "/d:size=1m,mode=700,noexec --mount type=bind,src=.,dst=/e,readonly "
		  "--mount type=tmpfs,dst=/f,tmpfs-size=2m --mount src=vol2,target=/g i");
	assert_string_equal(l.e.msg, "");
	assert_int_equal(l.o.config.n_mounts, 7);

	const struct instance_mount *m = l.o.config.mounts;
	char made[64];
	snprintf(made, sizeof(made), "%s/made", dir);
	assert_string_equal(m[0].type, "bind");
	assert_string_equal(m[0].source, made);
	assert_true(m[0].read_only);
	assert_string_equal(m[0].propagation, "rshared");
	assert_int_equal(access(made, F_OK), 0);
	assert_string_equal(m[1].source, "vol");
	assert_true(m[1].no_copy);
	assert_string_equal(m[2].type, "volume");
	assert_null(m[2].source);
	assert_true(m[2].anonymous);
	assert_string_equal(m[2].target, "/c");
	assert_string_equal(m[3].source, dir);
	assert_true(m[3].read_only);
	assert_int_equal(m[4].tmpfs_size_bytes, 2 << 20);
	assert_string_equal(m[5].source, "vol2");
	assert_false(m[5].anonymous);
	assert_string_equal(m[6].target, "/d");
	assert_int_equal(m[6].tmpfs_size_bytes, 1 << 20);
	assert_int_equal(m[6].tmpfs_mode, 0700);
	assert_int_equal(m[6].options.n, 1);
	done(&l);
	assert_int_equal(rmdir(made), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_words(void **state)
{
	struct line l;

	(void)state;
	setenv("ISLE_TEST_SET", "here", 1);
	unsetenv("ISLE_TEST_UNSET");
	parse(&l, "-e A=1 -e ISLE_TEST_SET -e ISLE_TEST_UNSET -l a -l b=1 -l b=2 --ulimit "
		  "nofile=10:20 --ulimit core=-1 --device /dev/null:/dev/x:r --device /dev/zero:rw "
		  "--device-read-bps /dev/sda:1mb --cpus 1.5 -m 64m --memory-swap -1 --restart "
		  "on-failure:3 --health-cmd a~b --health-interval 5s --entrypoint  -h name "
		  "--add-host a:::1 --add-host b=host-gateway --network n1 --network "
		  "name=n2,alias=x,ip=10.1.1.1 --network-alias y --stop-timeout 0 --security-opt "
		  "no-new-privileges --security-opt apparmor:unconfined image -x");
	assert_string_equal(l.e.msg, "");
	const struct instance_config *c = &l.o.config;
	assert_int_equal(l.n, 2);
	assert_string_equal(l.argv[1], "-x");
	assert_int_equal(c->env.n, 3);
	assert_string_equal(c->env.v[1], "ISLE_TEST_SET=here");
	assert_string_equal(c->env.v[2], "ISLE_TEST_UNSET");
	assert_int_equal(c->labels.n, 2);
	assert_string_equal(c->labels.v[1].value, "2");
	assert_int_equal(c->ulimits[0].soft, 10);
	assert_int_equal(c->ulimits[0].hard, 20);
	assert_int_equal(c->ulimits[1].hard, -1);
	assert_string_equal(c->devices[0].path, "/dev/x");
	assert_string_equal(c->devices[0].permissions, "r");
	assert_string_equal(c->devices[1].path, "/dev/zero");
	assert_int_equal(c->read_bps[0].rate, 1 << 20);
	assert_int_equal(c->nano_cpus, 1500000000);
	assert_int_equal(c->memory, 64 << 20);
	assert_int_equal(c->memory_swap, -1);
	assert_int_equal(c->restart, RESTART_ON_FAILURE);
	assert_int_equal(c->restart_max, 3);
	assert_true(c->health.set);
	assert_string_equal(c->health.test.v[1], "a b");
	assert_int_equal(c->health.interval_ns, 5000000000);
	assert_true(c->entrypoint_set);
	assert_int_equal(c->entrypoint.n, 0);
	assert_string_equal(c->hostname, "name");
	assert_string_equal(c->extra_hosts.v[0], "a:::1");
	assert_string_equal(c->extra_hosts.v[1], "b:host-gateway");
	assert_string_equal(c->network_mode, "n1");
	assert_int_equal(c->n_networks, 2);
	assert_string_equal(c->networks[0].aliases.v[0], "y");
	assert_string_equal(c->networks[1].ip4, "10.1.1.1");
	assert_int_equal(c->stop_timeout_s, 0);
	assert_true(c->no_new_privileges);
	assert_string_equal(c->security_options.v[0], "apparmor=unconfined");
	done(&l);
}

static void test_defaults(void **state)
{
	struct line l;

	(void)state;
	parse(&l, "--sig-proxy=false -dit image");
	assert_string_equal(l.e.msg, "");
	assert_true(l.o.no_sig_proxy && l.o.detach && l.o.config.tty && l.o.config.open_stdin);
	assert_string_equal(l.o.config.network_mode, "bridge");
	assert_int_equal(l.o.config.n_networks, 1);
	assert_int_equal(l.o.config.stop_timeout_s, -1);
	assert_false(l.o.config.health.set || l.o.config.entrypoint_set);
	done(&l);
	parse(&l, "--network host image");
	assert_int_equal(l.o.config.n_networks, 0);
	done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
