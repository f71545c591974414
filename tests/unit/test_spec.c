/* test_spec.c - engine/spec*.c: config.json has Docker's defaults, and what is asked for */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/capabilities.h"
#include "engine/seccomp_default.h"
#include "engine/spec_impl.h"
#include "image/tree.h"

static char root[] = "/tmp/isle-spec-XXXXXX";
static int rootfd = -1;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(root) || (rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(rootfd, "real", 0755) < 0 || symlinkat("/real", rootfd, "etc") < 0)
		return -1;
	CLEANUP_FD int etc = openat(rootfd, "real", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nbad line\n#c:x:1:1:::\n"
		"bob:x:1000:100::/home/bob:/bin/sh\n";
	const char group[] = "root:x:0:\nwheel:x:10:al,bob\nusers:x:100:bob\naudio:x:29:bobby\n";
	return file_replace_at(etc, "passwd", passwd, strlen(passwd), 0644) < 0 ||
	       file_replace_at(etc, "group", group, strlen(group), 0644) < 0;
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	fd_close(&rootfd);
	return tree_remove_at(AT_FDCWD, root, &e);
}

static struct engine eng = { .root = root, .run_root = root, .host.state_dir = root };

static void base(struct instance *in)
{
	static const char *cmd[] = { "true", NULL };

	*in = (struct instance){ .id = "0123456789abcdef", .name = "n", .lockfd = -1 };
	in->config = (struct instance_config){
		.cmd = { cmd, 1 }, .hostname = "h", .network_mode = "none", .wall = "container",
	};
}

/* The document as a struct: it has to be one that the runtime takes. */
static int make(const struct instance *in, struct oci_spec *ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 24);
	int r = spec_make(&eng, in, rootfd, &b, e);

	if (r < 0)
		return r;
	r = oci_spec_parse("config.json", b.data, b.len, ret, e);
	if (r < 0)
		fail_msg("%s", e->msg);
	r = oci_spec_validate(ret, e);
	if (r < 0)
		fail_msg("%s", e->msg);
	return 0;
}

static const struct oci_mount *mount_at(const struct oci_spec *s, const char *target)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (strcmp(s->mounts[i].destination, target) == 0)
			return &s->mounts[i];
	return NULL;
}

static bool has(const struct oci_strv *v, const char *word)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->v[i], word) == 0)
			return true;
	return false;
}

/* What this process may give of the 14. */
static uint64_t defaults(void)
{
	uint64_t mask = 0;

	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			mask |= UINT64_C(1) << cap;
	return mask & 0xa80425fb;
}

static void docker_defaults(void **state)
{
	static const char *const targets[] = {
		"/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
		"/etc/resolv.conf", "/etc/hostname", "/etc/hosts",
	};
	struct instance in;
	struct oci_spec s;
	struct err e;

	(void)state;
	base(&in);
	assert_int_equal(make(&in, &s, &e), 0);
	assert_int_equal(s.n_mounts, ARRAY_LEN(targets));
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		assert_string_equal(s.mounts[i].destination, targets[i]);
	assert_true(has(&mount_at(&s, "/dev/shm")->options, "size=67108864"));
	assert_true(has(&mount_at(&s, "/sys")->options, "ro"));
	assert_int_equal(s.process->caps.bounding, defaults());
	assert_int_equal(s.process->caps.effective, defaults());
	assert_int_equal(s.process->caps.inheritable, 0);
	assert_int_equal(s.process->caps.ambient, 0);
	assert_string_equal(s.process->cwd, "/");
	assert_true(has(&s.process->env, "HOME=/root"));
	assert_true(has(&s.process->env, "HOSTNAME=h"));
	assert_false(has(&s.process->env, "TERM=xterm"));
	assert_string_equal(s.os.cgroups_path, "/isle-0123456789abcdef");
	/* The keeper's own, which is the instance's. */
	assert_string_equal(oci_ns_find(&s, OCI_NS_NETWORK)->path, "/proc/self/ns/net");
	assert_non_null(oci_ns_find(&s, OCI_NS_PID));
	assert_non_null(s.os.seccomp);
	assert_string_equal(s.os.seccomp->default_action, "SCMP_ACT_ERRNO");
	assert_true(has(&s.os.masked_paths, "/proc/kcore"));
	assert_int_equal(s.os.resources->n_devices, 8);
	assert_false(s.os.resources->devices[0].allow);
	assert_null(s.os.resources->memory);
	oci_spec_release(&s);
}

static void users(void **state)
{
	static const struct {
		const char *user, *home;
		uint32_t uid, gid;
		size_t groups;
	} cases[] = {
		{ "bob", "HOME=/home/bob", 1000, 100, 2 },
		{ "1000", "HOME=/home/bob", 1000, 100, 2 },
		{ "bob:audio", "HOME=/home/bob", 1000, 29, 1 }, { "7:8", "HOME=/", 7, 8, 1 },
		{ ":10", "HOME=/root", 0, 10, 1 },
	};
	struct instance in;
	struct oci_spec s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		base(&in);
		in.config.user = cases[i].user;
		assert_int_equal(make(&in, &s, &e), 0);
		assert_int_equal(s.process->user.uid, cases[i].uid);
		assert_int_equal(s.process->user.gid, cases[i].gid);
		assert_int_equal(s.process->user.n_additional_gids, cases[i].groups);
		assert_true(has(&s.process->env, cases[i].home));
		if (cases[i].uid)
			assert_int_equal(s.process->caps.effective, 0);
		oci_spec_release(&s);
	}
	base(&in);
	in.config.user = "eve";
	assert_int_equal(make(&in, &s, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "no user eve in the image's /etc/passwd"));
	in.config.user = "bob:eve";
	assert_int_equal(make(&in, &s, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "no group eve"));
}

static void environment(void **state)
{
	const char *env[] = { "PATH=/x", "HOME=/h", "GONE", "A=b=c", NULL };
	struct instance in;
	struct oci_spec s;
	struct err e;

	(void)state;
	base(&in);
	in.config.env = (struct oci_strv){ env, 4 };
	in.config.tty = true;
	assert_int_equal(make(&in, &s, &e), 0);
	assert_int_equal(s.process->env.n, 5);
	assert_true(has(&s.process->env, "PATH=/x"));
	assert_true(has(&s.process->env, "HOME=/h"));
	assert_true(has(&s.process->env, "A=b=c"));
	assert_true(has(&s.process->env, "TERM=xterm"));
	assert_true(has(&s.process->env, "HOSTNAME=h"));
	oci_spec_release(&s);
	in.config.cmd.n = 0;
	assert_int_equal(make(&in, &s, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "no command specified"));
}

static void limits(void **state)
{
	struct instance_ulimit u = { "nofile", 5, -1 };
	const char *rules[] = { "c 10:* rm", NULL };
	struct instance in;
	struct oci_spec s;
	struct err e;

	(void)state;
	base(&in);
	in.config.memory = 1000000;
	in.config.nano_cpus = 1500000000;
	in.config.pids_limit = 9;
	in.config.ulimits = &u;
	in.config.n_ulimits = 1;
	in.config.device_cgroup_rules = (struct oci_strv){ rules, 1 };
	assert_int_equal(make(&in, &s, &e), 0);
	const struct oci_resources *r = s.os.resources;
	assert_int_equal(r->memory->limit.v, 1000000);
	assert_int_equal(r->memory->swap.v, 2000000);
	assert_int_equal(r->cpu->period.v, 100000);
	assert_int_equal(r->cpu->quota.v, 150000);
	assert_int_equal(r->pids_limit.v, 9);
	assert_int_equal(s.process->rlimits[0].soft, 5);
	assert_true(s.process->rlimits[0].hard == UINT64_MAX);
	assert_int_equal(r->devices[r->n_devices - 1].major.v, 10);
	assert_string_equal(r->devices[r->n_devices - 1].access, "rm");
	oci_spec_release(&s);
	in.config.memory_swap = -1;
	assert_int_equal(make(&in, &s, &e), 0);
	assert_int_equal(s.os.resources->memory->swap.v, -1);
	oci_spec_release(&s);
	rules[0] = "x 1:2";
	assert_int_equal(make(&in, &s, &e), -EINVAL);
	u.name = "nosuch";
	assert_int_equal(make(&in, &s, &e), -EINVAL);
}

static void mounts(void **state)
{
	struct instance_mount v[] = {
		{ .type = "bind", .source = "/a", .target = "/x/y/z" },
		{ .type = "volume", .source = "vol", .target = "/x", .read_only = true },
		{ .type = "tmpfs", .target = "/dev/shm", .tmpfs_size_bytes = 4096 },
		{ .type = "bind", .source = "/hosts", .target = "/etc/hosts" },
	};
	struct instance in;
	struct oci_spec s;
	struct err e;

	(void)state;
	base(&in);
	in.config.mounts = v;
	in.config.n_mounts = ARRAY_LEN(v);
	assert_int_equal(make(&in, &s, &e), 0);
	const struct oci_mount *x = mount_at(&s, "/x"), *z = mount_at(&s, "/x/y/z");
	assert_true(x < z);
	assert_true(has(&x->options, "ro"));
	CLEANUP_FREE char *data = xasprintf("%s/volumes/vol/_data", root);
	assert_string_equal(x->source, data);
	/* The user's stand in for the defaults, not beside them. */
	assert_string_equal(mount_at(&s, "/etc/hosts")->source, "/hosts");
	assert_true(has(&mount_at(&s, "/dev/shm")->options, "size=4096"));
	assert_int_equal(s.n_mounts, 10 + 2);
	oci_spec_release(&s);
}

static void privileged(void **state)
{
	struct instance in;
	struct oci_spec s;
	struct err e;

	(void)state;
	base(&in);
	in.config.privileged = true;
	assert_int_equal(make(&in, &s, &e), 0);
	assert_null(s.os.seccomp);
	assert_int_equal(s.os.masked_paths.n, 0);
	assert_true(has(&mount_at(&s, "/sys")->options, "rw"));
	assert_int_equal(s.os.resources->n_devices, 1);
	assert_true(s.os.resources->devices[0].allow);
	oci_spec_release(&s);
}

static void caps(void **state)
{
	const char *all[] = { "all", NULL }, *one[] = { "net_bind_service", NULL };
	const char *typo[] = { "NET_BIN_SERVICE", NULL };
	const struct oci_strv none = { 0 }, v_all = { all, 1 }, v_one = { one, 1 };
	uint64_t mask, bit = UINT64_C(1) << CAP_NET_BIND_SERVICE;
	struct err e;

	(void)state;
	assert_int_equal(capabilities_resolve(false, &v_one, &v_all, &mask, &e), 0);
	assert_int_equal(mask, bit & defaults());
	assert_int_equal(capabilities_resolve(false, &v_all, &v_one, &mask, &e), 0);
	assert_int_equal(mask & bit, 0);
	assert_int_equal(capabilities_resolve(false, &none, &v_one, &mask, &e), 0);
	assert_int_equal(mask, defaults() & ~bit);
	assert_int_equal(capabilities_resolve(false, &(struct oci_strv){ typo, 1 }, &none, &mask,
					      &e), -EINVAL);
	assert_non_null(strstr(e.msg, "did you mean CAP_NET_BIND_SERVICE?"));
}

/* The profile Docker 20.10 sends a runtime, which tests/data has, rule by rule. */
static void seccomp_is_dockers(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20), want_text = BUF_INIT(1 << 20);
	struct json_writer w = { .b = &b };
	struct err e;

	(void)state;
#ifndef __x86_64__
	skip();
#endif
	json_open(&w, NULL, '{');
	seccomp_put_default(&w, 0xa80425fb);
	json_close(&w, '}');
	CLEANUP_JSON json_t *have = NULL, *want = NULL;
	assert_int_equal(json_parse("ours", b.data, b.len, &have, &e), 0);
	assert_int_equal(file_read_at(AT_FDCWD, SOURCE_ROOT "/tests/data/docker-seccomp.json",
				      &want_text), 0);
	assert_int_equal(json_parse("docker's", want_text.data, want_text.len, &want, &e), 0);
	json_t *rules = json_object_get(json_object_get(have, "seccomp"), "syscalls");
	json_t *theirs = json_object_get(want, "syscalls"), *rule;
	size_t i, found = 0;
	json_array_foreach(theirs, i, rule) {
		for (size_t k = 0; k < json_array_size(rules); k++) {
			json_t *mine = json_array_get(rules, k);

			found += json_equal(json_object_get(mine, "names"),
					    json_object_get(rule, "names")) &&
				 json_equal(json_object_get(mine, "action"),
					    json_object_get(rule, "action")) &&
				 (json_object_get(mine, "args") == json_object_get(rule, "args") ||
				  json_equal(json_object_get(mine, "args"),
					     json_object_get(rule, "args")));
		}
	}
	/* arch_prctl and modify_ldt are one rule here, two there. */
	assert_int_equal(found, json_array_size(theirs) - 2);
	assert_int_equal(json_array_size(rules), json_array_size(theirs) - 1);
}

static void seccomp_profiles(void **state)
{
	static const char text[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":["
		"{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]},"
		"{\"architecture\":\"SCMP_ARCH_S390X\"}],\"syscalls\":["
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"caps\":[\"CAP_BPF\"]}},"
		"{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"minKernel\":\"4.8\"}},"
		"{\"names\":[\"tee\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"arches\":[\"s390x\"]}},"
		"{\"name\":\"write\",\"action\":\"SCMP_ACT_ALLOW\","
		"\"excludes\":{\"caps\":[\"CAP_KILL\"]}}]}";
	struct err e;

	(void)state;
	for (int with = 0; with < 2; with++) {
		CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
		struct json_writer w = { .b = &b };
		uint64_t mask = with ? UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_KILL : 0;

		assert_int_equal(seccomp_put_profile(&w, "p", text, mask, &e), 0);
		assert_non_null(strstr(b.data, "\"ptrace\""));
		assert_null(strstr(b.data, "tee"));
		assert_null(strstr(b.data, "S390X"));
		assert_null(strstr(b.data, "includes"));
		assert_int_equal(strstr(b.data, "bpf") != NULL, with);
		assert_int_equal(strstr(b.data, "\"write\"") != NULL, !with);
	}
	struct json_writer w = { .b = &(struct buf){ .max = 4096 } };
	assert_int_equal(seccomp_put_profile(&w, "p", "{}", 0, &e), -EINVAL);
	assert_int_equal(seccomp_put_profile(&w, "p", "{", 0, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_defaults),
		cmocka_unit_test(users),
		cmocka_unit_test(environment),
		cmocka_unit_test(limits),
		cmocka_unit_test(mounts),
		cmocka_unit_test(privileged),
		cmocka_unit_test(caps),
		cmocka_unit_test(seccomp_is_dockers),
		cmocka_unit_test(seccomp_profiles),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
