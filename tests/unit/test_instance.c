/* test_instance.c - isle.conf, names, an instance's configuration as JSON, the table */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/instance_impl.h"
#include "engine/names.h"
#include "image/tree.h"

struct fixture {
	struct engine eng;
	char dir[64];
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err e;

	snprintf(f->dir, sizeof(f->dir), "/tmp/isle-test-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->eng.root = xstrdup(f->dir);
	f->eng.run_root = xstrdup(f->dir);
	CLEANUP_FREE char *path = xasprintf("%s/instances", f->dir);
	CLEANUP_FREE char *db = xasprintf("%s/isle.db", f->dir);
	if (engine_mkdir_all(path, 0700, &e) < 0)
		return -1;
	f->eng.rootfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->eng.instancesfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return db_open(db, &instance_schema, 1, 1, &f->eng.db, &e);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct err e;

	engine_close(&f->eng);
	(void)!tree_remove_at(AT_FDCWD, f->dir, &e);
	free(f);
	return 0;
}

/* --- isle.conf -------------------------------------------------------------------------- */

static int load(struct fixture *f, const char *text, struct engine_config *c, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/isle.conf", f->dir);

	assert_int_equal(file_replace_at(f->eng.rootfd, "isle.conf", text, strlen(text), 0600), 0);
	return engine_config_load(path, c, e);
}

static void config_values(void **state)
{
	struct engine_config c;
	struct err e;

	assert_int_equal(load(*state, "# comment\n\n bridge = br7 \nlog-max-file=5\n"
			      "cgroup-manager = systemd", &c, &e), 0);
	assert_string_equal(c.bridge, "br7");
	assert_int_equal(c.log_max_file, 5);
	assert_string_equal(c.cgroup_manager, "systemd");
	assert_string_equal(c.log_driver, "json-file");
	assert_int_equal(c.stop_timeout_s, 10);
	engine_config_release(&c);
}

static void config_mistakes(void **state)
{
	static const struct { const char *text, *said; } cases[] = {
		{ "bridge = a\nbrigde = b\n",
		  "isle.conf:2: no key \"brigde\": did you mean \"bridge\"?" },
		{ "zzzzzzzz = b\n", "known are bridge" },
		{ "stop-timeout = soon\n", "stop-timeout = soon: expected seconds" },
		{ "stop-timeout = -1\n", "expected seconds" },
		{ "log-driver = syslog\n", "expected json-file|journald|none" },
		{ "bridge\n", "expected \"key = value\"" },
	};
	struct engine_config c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(load(*state, cases[i].text, &c, &e), -EINVAL);
		if (!strstr(e.msg, cases[i].said))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].said, e.msg);
	}
	assert_int_equal(engine_config_load("/no/such/file", &c, &e), -ENOENT);
}

/* --- names ------------------------------------------------------------------------------ */

static void names(void **state)
{
	static const char *const good[] = { "ab", "web-1", "A.b_c", "0x" };
	static const char *const bad[] = { "", "a", "-ab", "_x", "a b", "a/b", "\303\244bc" };
	struct arena a = { 0 };
	char id[ID_HEX + 1];
	const char *name;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(name_check(good[i], &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(name_check(bad[i], &e), -EINVAL);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(name_make(i % 4, &a, &name, &e), 0);
		assert_int_equal(name_check(name, &e), 0);
		assert_int_equal(name_make_id(id, &e), 0);
		assert_int_equal(strspn(id, "0123456789abcdef"), ID_HEX);
		assert_true(strspn(id, "0123456789") < 12);
	}
	arena_release(&a);
}

/* --- configuration ------------------------------------------------------------------------- */

static void round_trip(void **state)
{
	const char *env[] = { "A=1", "B=", NULL }, *layers[] = { "layers/x", NULL };
	struct oci_kv labels[] = { { "k", "v" } };
	struct instance_mount mount = { .type = "bind", .source = "/s", .target = "/t",
					.read_only = true, .tmpfs_mode = 01777 };
	struct net_port port = { .host_ip = "127.0.0.1", .host_port = 8080, .port = 80,
				 .protocol = "tcp" };
	struct instance_throttle bps = { "/dev/sda", 1 << 20 };
	struct instance_config c = {
		.image = "img", .env = { env, 2 }, .labels = { labels, 1 }, .memory = 1LL << 33,
		.mounts = &mount, .n_mounts = 1, .ports = &port, .n_ports = 1,
		.read_bps = &bps, .n_read_bps = 1, .restart = RESTART_ON_FAILURE, .restart_max = 3,
		.stop_timeout_s = -1, .layers = { layers, 1 }, .oom_score_adj = -500, .tty = true,
		.health = { .set = true, .retries = 4, .interval_ns = 5000000000 },
	}, back;
	struct arena a = { 0 };
	struct err e;

	(void)state;
	CLEANUP_JSON json_t *j = instance_config_to_json(&c);
	assert_int_equal(instance_config_from_json(j, &a, &back, &e), 0);
	CLEANUP_JSON json_t *again = instance_config_to_json(&back);
	assert_true(json_equal(j, again));
	assert_string_equal(back.env.v[1], "B=");
	assert_null(back.env.v[2]);
	assert_int_equal(back.memory, 1LL << 33);
	assert_true(back.mounts[0].read_only);
	assert_int_equal(back.ports[0].host_port, 8080);
	assert_int_equal(back.read_bps[0].rate, 1 << 20);
	assert_int_equal(back.restart, RESTART_ON_FAILURE);
	assert_int_equal(back.health.interval_ns, 5000000000);
	assert_null(back.user);
	/* Docker's names, for who reads inspect. */
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(
		json_object_get(json_object_get(j, "HostConfig"), "PortBindings"), "80/tcp"), 0),
		"HostPort")), "8080");
	json_object_set_new(json_object_get(j, "Config"), "Env", json_integer(1));
	assert_int_equal(instance_config_from_json(j, &a, &back, &e), -EINVAL);
	arena_release(&a);
}

/* --- the table ----------------------------------------------------------------------------- */

static void make(struct fixture *f, const char *name, char *ret_id)
{
	struct instance in CLEANUP_INSTANCE;
	struct err e;

	assert_int_equal(instance_new(&f->eng, name, &in, &e), 0);
	in.config.wall = "container";
	in.config.image = "i";
	assert_int_equal(instance_insert(&f->eng, &in, &e), 0);
	snprintf(ret_id, ID_HEX + 1, "%s", in.id);
}

static void table(void **state)
{
	struct fixture *f = *state;
	struct instance in, *list;
	char id[ID_HEX + 1], other[ID_HEX + 1];
	size_t n;
	struct err e;

	make(f, "web", id);
	make(f, NULL, other);
	assert_int_equal(instance_find(&f->eng, "web", false, &in, &e), 0);
	assert_string_equal(in.id, id);
	assert_int_equal(in.status.state, INSTANCE_CREATED);
	instance_release(&in);
	id[20] = 0;
	assert_int_equal(instance_find(&f->eng, id, true, &in, &e), 0);
	assert_true(in.lockfd >= 0);
	assert_string_equal(in.name, "web");
	/* Under the lock another may not have it, and does not wait. */
	struct instance second;
	assert_int_equal(instance_find_unlocked(&f->eng, in.id, &second, &e), -EWOULDBLOCK);
	in.name = "www";
	assert_int_equal(instance_save(&f->eng, &in, &e), 0);
	instance_release(&in);
	assert_int_equal(instance_find(&f->eng, "/www", false, &in, &e), 0);
	instance_release(&in);
	assert_int_equal(instance_find(&f->eng, "web", false, &in, &e), -ENOENT);
	assert_string_equal(e.msg, "no such instance: web");
	assert_int_equal(instance_find(&f->eng, "", false, &in, &e), -ENOENT);
	assert_int_equal(instance_new(&f->eng, "www", &in, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "the name \"www\" is in use by instance"));
	assert_int_equal(instance_list(&f->eng, &list, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].name, "www");
	instance_list_free(list, n);
}

/* A status that says "running" with nobody holding keeper.lock: it is lost, not running. */
static void dead_keeper(void **state)
{
	static const char text[] = "{\"status\":\"running\",\"pid\":7,\"keeperPid\":6,"
		"\"startedAt\":1700000000000000001}";
	struct fixture *f = *state;
	struct instance in;
	char id[ID_HEX + 1];
	struct err e;

	make(f, "dead", id);
	assert_int_equal(instance_find(&f->eng, "dead", true, &in, &e), 0);
	assert_int_equal(instance_write_file(&f->eng, id, "status.json", text, strlen(text), 0600,
					     &e), 0);
	assert_int_equal(instance_read_status(&f->eng, &in, &e), 0);
	assert_true(in.lost);
	assert_int_equal(in.status.started_ns, 1700000000000000001);
	in.status.state = INSTANCE_EXITED;
	in.status.exit_code = 137;
	assert_int_equal(instance_write_status(&f->eng, &in, &e), 0);
	assert_int_equal(instance_read_status(&f->eng, &in, &e), 0);
	assert_false(in.lost);
	assert_int_equal(in.status.exit_code, 137);
	assert_int_equal(in.status.pid, 0);
	instance_release(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_values),
		cmocka_unit_test(config_mistakes),
		cmocka_unit_test(names),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(table),
		cmocka_unit_test(dead_keeper),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
