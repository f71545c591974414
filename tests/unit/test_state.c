/* container/state, container/exec_process, container/hooks */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "container/exec_process.h"
#include "container/hooks.h"
#include "container/state.h"

static char root[] = "/tmp/isle-unit-XXXXXX";
static struct runtime rt = { .root = root, .cgroup_manager = CGROUP_DISABLED };

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	return rmdir(root);
}

static void ids(void **state)
{
	static const char *const good[] = { "a", "A-b_c.d+9", "x.", "x.." };
	static const char *const bad[] = { "", ".", "..", ".x", "a/b", "../x", "a b", "a\n",
					    "@cache" };
	char longest[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(state_check_id(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(state_check_id(bad[i], NULL), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[255] = '\0';
	assert_int_equal(state_check_id(longest, NULL), 0);
	longest[255] = 'x';
	longest[256] = '\0';
	assert_int_equal(state_check_id(longest, NULL), -EINVAL);
}

/* A state as create saves it; the process is ourselves, so it is alive. */
static void fill(struct state *st)
{
	char s;

	st->bundle = xstrdup("/b");
	st->rootfs = xstrdup("/b/rootfs");
	st->created = xstrdup("2024-01-01T00:00:00Z");
	st->oci_version = xstrdup("1.1.0");
	st->pid = getpid();
	assert_int_equal(proc_stat_read(st->pid, &s, &st->pid_start), 0);
	assert_int_equal(s, 'R');
	st->ns_flags = 0x20000;
	st->annotations = json_pack("{s:s}", "k", "v");
}

static void round_trip(void **state)
{
	struct state st, got;
	enum container_status s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(state_new(&rt, "c1", &st, &e), 0);
	fill(&st);
	assert_int_equal(state_save(&st, &e), 0);
	assert_int_equal(state_load(&rt, "c1", false, &got, &e), 0);
	assert_string_equal(got.bundle, "/b");
	assert_int_equal(got.pid, getpid());
	assert_int_equal(got.ns_flags, 0x20000);
	assert_int_equal(state_status(&got, &s, &e), 0);
	assert_int_equal(s, STATUS_CREATED);

	CLEANUP_JSON json_t *j = state_to_oci(&got, s, false);
	assert_string_equal(json_string_value(json_object_get(j, "status")), "created");
	const json_t *annotations = json_object_get(j, "annotations");
	assert_string_equal(json_string_value(json_object_get(annotations, "k")), "v");

	/* Another process under the same number is not the container's. */
	got.pid_start++;
	assert_int_equal(state_status(&got, &s, &e), 0);
	assert_int_equal(s, STATUS_STOPPED);
	assert_int_equal(state_pidfd(&got), -ESRCH);
	state_release(&got);
	assert_int_equal(state_remove(&rt, &st, &e), 0);
	state_release(&st);
	assert_int_equal(state_load(&rt, "c1", false, &got, &e), -ENOENT);
	assert_string_equal(e.msg, "container does not exist: c1");
}

static void same_id_twice(void **state)
{
	struct state st, again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(state_new(&rt, "c2", &st, &e), 0);
	fill(&st);
	assert_int_equal(state_save(&st, &e), 0);
	state_unlock(&st);
	assert_int_equal(state_new(&rt, "c2", &again, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "container with given ID already exists"));
	assert_int_equal(state_relock(&rt, &st, &e), 0);
	assert_int_equal(state_new(&rt, "c2", &again, &e), -EEXIST);
	assert_int_equal(state_remove(&rt, &st, &e), 0);
	state_release(&st);
}

/* A create that was killed leaves a directory, and maybe a state that says creating. */
static void torn_is_taken_over(void **state)
{
	struct state st;
	struct err e = { 0 };
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/c3", root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(state_new(&rt, "c3", &st, &e), 0);
	fill(&st);
	st.creating = true;
	st.pid = 0;
	assert_int_equal(state_save(&st, &e), 0);
	state_release(&st);
	assert_int_equal(state_new(&rt, "c3", &st, &e), 0);
	assert_null(st.bundle);
	assert_int_equal(state_remove(&rt, &st, &e), 0);
	state_release(&st);
}

static void damaged_state_is_an_error(void **state)
{
	struct state st, got;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(state_new(&rt, "c4", &st, &e), 0);
	assert_int_equal(file_replace_at(st.dirfd, "state.json", "{\"id\":", 6, 0600), 0);
	assert_int_equal(state_load(&rt, "c4", false, &got, &e), -EINVAL);
	state_release(&got);
	assert_int_equal(file_replace_at(st.dirfd, "state.json", "{}", 2, 0600), 0);
	assert_int_equal(state_load(&rt, "c4", false, &got, &e), -EINVAL);
	assert_string_equal(e.msg, "state of container c4 is damaged");
	state_release(&got);
	assert_int_equal(state_remove(&rt, &st, &e), 0);
	state_release(&st);
}

static void exec_process_layers(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const char *own_env[] = { "A=1", "B=2", NULL }, *add[] = { "B=3", "BB=4", NULL };
	const char *args[] = { "true", NULL }, *caps[] = { "CAP_NET_RAW", NULL };
	struct oci_process own = {
		.terminal = true, .cwd = "/", .env = { own_env, 2 },
		.caps = { .set = true, .bounding = 1, .inheritable = 0 },
	};
	struct exec_opts o = {
		.args = { args, 1 }, .env = { add, 2 }, .caps = { caps, 1 },
		.user_set = true, .uid = 5, .gid = 6,
	};
	struct oci_process *p;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(exec_process_build(&o, &own, &a, &p, &e), 0);
	assert_int_equal(p->env.n, 3);
	assert_string_equal(p->env.v[1], "B=3");
	assert_string_equal(p->env.v[2], "BB=4");
	assert_null(p->env.v[3]);
	assert_false(p->terminal);
	assert_int_equal(p->user.uid, 5);
	assert_int_equal(p->caps.bounding, 1 | 1 << 13);
	assert_int_equal(p->caps.inheritable, 0);
	assert_int_equal(own.caps.bounding, 1);

	o.cwd = "relative";
	assert_int_equal(exec_process_build(&o, &own, &a, &p, &e), -EINVAL);
	/* As those of config.json: ignored. */
	caps[0] = "CAP_NONSENSE";
	o.cwd = "/";
	own.no_new_privileges = true;
	assert_int_equal(exec_process_build(&o, &own, &a, &p, &e), 0);
	assert_int_equal(p->caps.bounding, 1);
	/* By hand it is --no-new-privs that counts; of an engine's process the stricter. */
	assert_false(p->no_new_privileges);
	o.process = &(struct oci_process){ .cwd = "/", .args = { args, 1 } };
	assert_int_equal(exec_process_build(&o, &own, &a, &p, &e), 0);
	assert_true(p->no_new_privileges);
}

static struct oci_hook shell(const char **argv, const char *script)
{
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = script;
	argv[3] = NULL;
	return (struct oci_hook){ .path = "/bin/sh", .args = { argv, 3 } };
}

static void hooks_say_why_they_failed(void **state)
{
	const char *argv[4];
	struct oci_hook h = shell(argv, "read s; [ \"$s\" = '{\"id\":1}' ] || exit 9");
	struct oci_hooks hs = { &h, 1 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(hooks_run(OCI_HOOK_PRESTART, &hs, "{\"id\":1}", &e), 0);
	h = shell(argv, "exit 4");
	assert_int_equal(hooks_run(OCI_HOOK_POSTSTOP, &hs, "{}", &e), -ECHILD);
	assert_string_equal(e.msg, "poststop hook failed with exit code 4: hook #0, /bin/sh");
	/* Without env the caller's, with an empty one none. */
	const char *no_env[] = { NULL };
	setenv("ISLE_TEST_ENV", "x", 1);
	h = shell(argv, "[ \"$ISLE_TEST_ENV\" = x ]");
	assert_int_equal(hooks_run(OCI_HOOK_PRESTART, &hs, "{}", &e), 0);
	h.env.v = no_env;
	assert_int_equal(hooks_run(OCI_HOOK_PRESTART, &hs, "{}", &e), -ECHILD);
	h = shell(argv, "sleep 100 & sleep 100");
	h.timeout = (struct opt_i64){ true, 1 };
	assert_int_equal(hooks_run(OCI_HOOK_CREATE_RUNTIME, &hs, "{}", &e), -ETIMEDOUT);
	assert_non_null(strstr(e.msg, "timeout of 1 s"));
	h = (struct oci_hook){ .path = "/nonexistent" };
	assert_int_equal(hooks_run(OCI_HOOK_PRESTART, &hs, "{}", &e), -ECHILD);
	assert_non_null(strstr(e.msg, "/nonexistent: no such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(same_id_twice),
		cmocka_unit_test(torn_is_taken_over),
		cmocka_unit_test(damaged_state_is_an_error),
		cmocka_unit_test(exec_process_layers),
		cmocka_unit_test(hooks_say_why_they_failed),
	};

	return cmocka_run_group_tests_name("state", tests, make_root, remove_root);
}
