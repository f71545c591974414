/* container/cgroup*: conversions, paths, device rules; and real groups where root is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "container/cgroup_impl.h"
#include "sys/calls.h"

static struct err e;

/* --- conversions -------------------------------------------------------------- */

static void shares(void **state)
{
	static const struct { uint64_t shares, weight; } t[] = {
		{ 0, 0 }, { 1, 1 }, { 2, 1 }, { 1024, 100 }, { 262144, 10000 },
		{ 1000000, 10000 }, { 512, 59 }, { 2048, 174 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(cgroup_shares_to_weight(t[i].shares), t[i].weight);
	for (uint64_t s = 2; s < 262144; s += 97)
		assert_true(cgroup_shares_to_weight(s) <= cgroup_shares_to_weight(s + 97));
}

static void io_weight(void **state)
{
	(void)state;
	assert_int_equal(cgroup_blkio_to_io_weight(0), 0);
	assert_int_equal(cgroup_blkio_to_io_weight(10), 1);
	assert_int_equal(cgroup_blkio_to_io_weight(1000), 10000);
	assert_int_equal(cgroup_blkio_to_io_weight(500), 4950);
	assert_int_equal(cgroup_blkio_to_io_weight(3), 1);
}

static void swap(void **state)
{
	int64_t v;

	(void)state;
	assert_int_equal(cgroup_swap_to_v2(0, 100, &v, &e), 0);
	assert_int_equal(cgroup_swap_to_v2(0, -1, &v, &e), 1);
	assert_int_equal(v, -1);
	assert_int_equal(cgroup_swap_to_v2(-1, 100, &v, &e), 1);
	assert_int_equal(v, -1);
	assert_int_equal(cgroup_swap_to_v2(300, 100, &v, &e), 1);
	assert_int_equal(v, 200);
	assert_int_equal(cgroup_swap_to_v2(100, 100, &v, &e), 1);
	assert_int_equal(v, 0);
	assert_int_equal(cgroup_swap_to_v2(99, 100, &v, &e), -EINVAL);
	assert_int_equal(cgroup_swap_to_v2(99, 0, &v, &e), -EINVAL);
	assert_int_equal(cgroup_swap_to_v2(99, -1, &v, &e), -EINVAL);
	assert_int_equal(cgroup_swap_to_v2(-2, 100, &v, &e), -EINVAL);
}

static void pids(void **state)
{
	char v[24];

	(void)state;
	cgroup_pids_limit(-1, v);
	assert_string_equal(v, "max");
	cgroup_pids_limit(0, v);
	assert_string_equal(v, "1");
	cgroup_pids_limit(20, v);
	assert_string_equal(v, "20");
}

/* --- paths ----------------------------------------------------------------------- */

static void clean(void **state)
{
	static const struct { const char *in, *out; } t[] = {
		{ "", "" }, { "/", "" }, { "a", "a" }, { "/a/b/", "a/b" }, { "a//b/./c", "a/b/c" },
		{ "../../x", "x" }, { "/a/../../../b", "b" }, { "a/b/../c", "a/c" }, { "a/..", "" },
		{ "..a/b..", "..a/b.." }, { "...", "..." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		CLEANUP_FREE char *s = cgroup_clean_path(t[i].in);

		assert_string_equal(s, t[i].out);
	}
}

static void lists(void **state)
{
	(void)state;
	assert_true(cgroup_list_has("cpu,cpuacct", "cpu"));
	assert_true(cgroup_list_has("cpuset cpu io", "cpu"));
	assert_false(cgroup_list_has("cpuset,cpuacct", "cpu"));
	assert_false(cgroup_list_has("", "cpu"));
}

static const char own_text[] =
	"9:name=systemd:/user.slice\n"
	"7:cpu,cpuacct:/user.slice\n"
	"5:memory:/user.slice/session-1.scope\n"
	"4:pids:/docker/xyz/inner\n"
	"3:hugetlb:/\n"
	"nonsense\n"
	"0::/user.slice/u\n";

static const char mounts_text[] =
	"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
	"32 31 0:29 / /elsewhere/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	"33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:1 - cgroup c rw,cpu,cpuacct\n"
	"34 31 0:30 / /sys/fs/cgroup/memory\\040x rw - cgroup cgroup rw,memory\n"
	"35 31 0:31 /docker/xyz /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	"36 31 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	"37 31 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"broken line\n";

static void check_h(const struct cgroup *cg, const char *controller, const char *mount,
		    const char *path)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, controller);

	assert_non_null(h);
	assert_string_equal(h->mount, mount);
	assert_string_equal(h->path, path);
	assert_int_equal(h->join_fd, -1);
}

static void plan_relative(void **state)
{
	struct cgroup cg = { .mode = CGROUP_MODE_V1 };

	(void)state;
	assert_int_equal(cgroup_plan_v1(&cg, own_text, mounts_text, "id/../c1", false, &e), 0);
	/* hugetlb is mounted nowhere. */
	assert_int_equal(cg.n, 4);
	check_h(&cg, "cpu", "/sys/fs/cgroup/cpu,cpuacct", "/user.slice/c1");
	check_h(&cg, "cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/user.slice/c1");
	check_h(&cg, "memory", "/sys/fs/cgroup/memory x", "/user.slice/session-1.scope/c1");
	/* The mount shows a part of the tree. */
	check_h(&cg, "pids", "/sys/fs/cgroup/pids", "/inner/c1");
	check_h(&cg, "name=systemd", "/sys/fs/cgroup/systemd", "/user.slice/c1");
	assert_null(cgroup_find(&cg, "hugetlb"));
	assert_null(cgroup_unified(&cg));
	cgroup_release(&cg);
}

static void plan_absolute(void **state)
{
	struct cgroup cg = { .mode = CGROUP_MODE_V1 };

	(void)state;
	assert_int_equal(cgroup_plan_v1(&cg, own_text, mounts_text, "/docker/../d/c1", true, &e),
			 0);
	assert_int_equal(cg.n, 5);
	check_h(&cg, "memory", "/sys/fs/cgroup/memory x", "/d/c1");
	check_h(&cg, "pids", "/sys/fs/cgroup/pids", "/d/c1");
	check_h(&cg, "", "/sys/fs/cgroup/unified", "/d/c1");
	cgroup_release(&cg);
}

static void plan_refuses(void **state)
{
	struct cgroup_request rq = { .id = "x", .path = "/../" };
	struct cgroup cg;

	(void)state;
	assert_int_equal(cgroup_plan(&rq, &cg, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "cgroupsPath"));
	cgroup_release(&cg);
	rq = (struct cgroup_request){ .id = "x", .manager = CGROUP_DISABLED };
	assert_int_equal(cgroup_plan(&rq, &cg, &e), 0);
	assert_int_equal(cg.mode, CGROUP_MODE_NONE);
	struct oci_resources r = { .pids_limit = { true, 3 } };
	assert_int_equal(cgroup_set(&cg, &r, &e), -EPERM);
	r = (struct oci_resources){ 0 };
	assert_int_equal(cgroup_set(&cg, &r, &e), 0);
	cgroup_release(&cg);
}

static void own_v2(void **state)
{
	CLEANUP_FREE char *own = cgroup_own_v2(own_text);

	(void)state;
	assert_string_equal(own, "/user.slice/u");
	assert_null(cgroup_own_v2("1:cpu:/\n"));
}

static void save_load(void **state)
{
	struct cgroup cg = { .mode = CGROUP_MODE_V1, .manager = CGROUP_SYSTEMD, .rootless = true };
	struct cgroup back;

	(void)state;
	assert_int_equal(cgroup_plan_v1(&cg, own_text, mounts_text, "/a/c1", false, &e), 0);
	cg.unit = xstrdup("isle-c1.scope");
	CLEANUP_JSON json_t *j = cgroup_save(&cg);
	assert_int_equal(cgroup_load(j, &back, &e), 0);
	assert_int_equal(back.mode, cg.mode);
	assert_int_equal(back.manager, cg.manager);
	assert_true(back.rootless);
	assert_int_equal(back.n, cg.n);
	assert_string_equal(back.unit, cg.unit);
	assert_null(back.slice);
	check_h(&back, "memory", "/sys/fs/cgroup/memory x", "/a/c1");
	cgroup_release(&back);
	/* A root is never loaded: it would be signalled and removed. */
	json_t *first = json_array_get(json_object_get(j, "hierarchies"), 0);
	json_object_set_new(first, "path", json_string("/"));
	assert_int_equal(cgroup_load(j, &back, &e), -EINVAL);
	json_object_set_new(j, "mode", json_string("v3"));
	assert_int_equal(cgroup_load(j, &back, &e), -EINVAL);
	cgroup_release(&cg);
}

/* --- systemd ------------------------------------------------------------------------ */

static void slices(void **state)
{
	static const struct { const char *in, *out; } t[] = {
		{ "system.slice", "/system.slice" }, { "-.slice", "" },
		{ "a-b.slice", "/a.slice/a-b.slice" },
		{ "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice" },
		{ "a", NULL }, { ".slice", NULL }, { "-a.slice", NULL }, { "a-.slice", NULL },
		{ "a--b.slice", NULL }, { "a/b.slice", NULL }, { "../x.slice", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		CLEANUP_FREE char *s = cgroup_slice_expand(t[i].in);

		if (t[i].out)
			assert_string_equal(s, t[i].out);
		else
			assert_null(s);
	}
}

static void systemd_names(void **state)
{
	static const struct { const char *path, *unit, *slice, *result; } t[] = {
		{ NULL, "isle-c1.scope", "system.slice", "/system.slice/isle-c1.scope" },
		{ "machine.slice:libpod:abc", "libpod-abc.scope", "machine.slice",
		  "/machine.slice/libpod-abc.scope" },
		{ ":docker:abc", "docker-abc.scope", "system.slice",
		  "/system.slice/docker-abc.scope" },
		{ "a-b.slice::abc", "abc.scope", "a-b.slice", "/a.slice/a-b.slice/abc.scope" },
		{ "/docker/abc", NULL, NULL, NULL }, { "a:b", NULL, NULL, NULL },
		{ "x.slice:p:", NULL, NULL, NULL }, { "x:p:n", NULL, NULL, NULL },
		{ "x.slice:p:n/m", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct cgroup_request rq = { .id = "c1", .path = t[i].path };
		struct cgroup cg = { 0 };
		CLEANUP_FREE char *path = NULL;
		int r = cgroup_systemd_plan(&rq, &cg, &path, &e);

		assert_int_equal(r, t[i].unit ? 0 : -EINVAL);
		if (t[i].unit) {
			assert_string_equal(cg.unit, t[i].unit);
			assert_string_equal(cg.slice, t[i].slice);
			assert_string_equal(path, t[i].result);
		}
		cgroup_release(&cg);
	}
}

static void systemd_properties(void **state)
{
	static const struct { const char *name, *value, *out; } t[] = {
		{ "CollectMode", "'inactive-or-failed'", "CollectMode=s:inactive-or-failed" },
		{ "Description", "\"a 'b' \\\"c\\\"\"", "Description=s:a 'b' \"c\"" },
		{ "SendSIGHUP", "true", "SendSIGHUP=b:true" },
		{ "TimeoutStopUSec", "uint64 123456789", "TimeoutStopUSec=t:123456789" },
		{ "TimeoutStopSec", "uint64 12", "TimeoutStopUSec=t:12000000" },
		{ "TimeoutStopSec", "1.5", "TimeoutStopUSec=t:1500000" },
		{ "Foo", "-7", "Foo=i:-7" }, { "Foo", "uint32 7", "Foo=u:7" },
		{ "After", "['a.service', \"b\"]", "After=as:a.service\x1f" "b" },
		{ "After", "[]", "After=as:" },
		{ "Foo", "bare", NULL }, { "Foo", "'open", NULL }, { "Foo", "['a' 'b']", NULL },
		{ "Foo", "'a' b", NULL }, { "Foo", "12x", NULL }, { "Foo", "", NULL },
		{ "F=o", "12", NULL }, { "TimeoutStopSec", "'x'", NULL }, { "Foo", "['a']x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		CLEANUP_FREE char *s = NULL;
		int r = cgroup_systemd_property(t[i].name, t[i].value, &s, &e);

		assert_int_equal(r, t[i].out ? 0 : -EINVAL);
		if (t[i].out)
			assert_string_equal(s, t[i].out);
	}
}

static void masks(void **state)
{
	static const struct { const char *in, *out; } t[] = {
		{ "0", "01" }, { "0-2,7", "87" }, { "8", "0001" }, { "1,64", "020000000000000001" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		CLEANUP_FREE char *s = cgroup_list_to_mask("cpus", t[i].in, &e);

		assert_string_equal(s, t[i].out);
	}
	assert_null(cgroup_list_to_mask("cpus", "1-", &e));
}

/* --- device rules ----------------------------------------------------------------------- */

#define ANY { false, 0 }
#define NR(n) { true, n }

static bool fold_has(const struct dev_fold *f, const char *rule)
{
	for (size_t i = 0; i < f->except.n; i++) {
		char text[80];

		dev_rule_print(&f->except.v[i], text);
		if (strcmp(text, rule) == 0)
			return true;
	}
	return false;
}

static int fold_of(struct oci_device_rule *v, size_t n, struct dev_fold *f)
{
	struct oci_resources r = { .devices = v, .n_devices = n };
	struct dev_rules l;

	assert_int_equal(dev_rules_make(&r, &l, &e), 0);
	int rc = dev_fold(&l, f, &e);
	dev_rules_release(&l);
	return rc;
}

static void fold(void **state)
{
	struct oci_device_rule deny_then[] = {
		{ true, 'c', NR(7), NR(7), "rw" },      /* undone by the next */
		{ false, 'a', ANY, ANY, "rwm" },
		{ true, 'c', NR(10), NR(229), "r" }, { true, 'c', NR(10), NR(229), "w" },
		{ true, 'b', NR(8), NR(-1), "rwm" }, { false, 'c', NR(4), NR(1), "rwm" },
	};
	struct oci_device_rule hole[] = {
		{ true, 'c', NR(4), ANY, "rw" }, { false, 'c', NR(4), NR(1), "w" },
	};
	struct oci_device_rule undone[] = {
		{ true, 'c', NR(4), NR(1), "rw" }, { true, 'c', NR(4), NR(2), "rw" },
		{ false, 'c', NR(4), ANY, "w" },
	};
	struct oci_device_rule open[] = {
		{ true, 'a', ANY, ANY, NULL }, { false, 'c', NR(10), ANY, "rwm" },
	};
	struct oci_device_rule wrong = { true, 'c', NR(1), NR(1), "rx" };
	struct oci_resources r = { .devices = &wrong, .n_devices = 1 };
	struct dev_rules l;
	struct dev_fold f;

	(void)state;
	assert_int_equal(fold_of(deny_then, ARRAY_LEN(deny_then), &f), 0);
	assert_false(f.allow);
	assert_true(fold_has(&f, "c 10:229 rw"));
	assert_true(fold_has(&f, "b 8:* rwm"));
	assert_true(fold_has(&f, "c 1:3 rwm"));
	assert_true(fold_has(&f, "c *:* m"));
	assert_false(fold_has(&f, "c 7:7 rw"));
	dev_rules_release(&f.except);

	assert_int_equal(fold_of(hole, ARRAY_LEN(hole), &f), -EINVAL);
	assert_non_null(strstr(e.msg, "c 4:1 w"));

	assert_int_equal(fold_of(undone, ARRAY_LEN(undone), &f), 0);
	assert_true(fold_has(&f, "c 4:1 r"));
	assert_true(fold_has(&f, "c 4:2 r"));
	dev_rules_release(&f.except);

	/* What every container gets does not fail on the document's wider rule. */
	assert_int_equal(fold_of(open, ARRAY_LEN(open), &f), 0);
	assert_true(f.allow);
	assert_true(fold_has(&f, "c 10:* rw"));         /* mknod is always allowed */
	dev_rules_release(&f.except);

	assert_int_equal(dev_rules_make(&r, &l, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "devices[0].access"));
}

/* Enough of an interpreter for the instructions that dev_program() emits. */
static int run_program(const struct bpf_insn *p, int n, char type, uint32_t access,
		       uint32_t major, uint32_t minor)
{
	struct bpf_cgroup_dev_ctx ctx = {
		access << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		major, minor };
	uint64_t reg[11] = { 0 };

	for (int pc = 0; pc < n; pc++) {
		uint64_t *d = &reg[p[pc].dst_reg], imm = (uint64_t)(int64_t)p[pc].imm;

		switch (p[pc].code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			*d = *(uint32_t *)((char *)&ctx + p[pc].off);
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			*d = (uint32_t)reg[p[pc].src_reg];
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			*d = (uint32_t)imm;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			*d = (uint32_t)(*d & imm);
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			*d = (uint32_t)*d >> imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += *d != imm ? p[pc].off : 0;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += *d == imm ? p[pc].off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)reg[0];
		default:
			fail_msg("instruction %#x", p[pc].code);
		}
	}
	fail_msg("the program runs off its end");
	return -1;
}

static void program(void **state)
{
	const uint32_t r = BPF_DEVCG_ACC_READ, w = BPF_DEVCG_ACC_WRITE, m = BPF_DEVCG_ACC_MKNOD;
	struct dev_rule v[] = {
		{ 1, 1, DEV_ALL, 'b', true, false },    /* before "all": has no say */
		{ -1, -1, DEV_ALL, 'a', false, false },
		{ 4, -1, DEV_READ | DEV_WRITE, 'c', true, false },
		{ 4, 64, DEV_WRITE, 'c', false, false },
		{ -1, -1, DEV_MKNOD, 'b', true, false },
	};
	struct dev_rules l = { v, ARRAY_LEN(v), 0 };
	struct bpf_insn p[128];
	int n = dev_program(&l, p, ARRAY_LEN(p));

	(void)state;
	assert_in_range(n, 10, 60);
	assert_int_equal(run_program(p, n, 'c', r, 4, 1), 1);
	assert_int_equal(run_program(p, n, 'c', r | w, 4, 1), 1);
	assert_int_equal(run_program(p, n, 'c', m, 4, 1), 0);
	assert_int_equal(run_program(p, n, 'c', r, 4, 64), 1);
	assert_int_equal(run_program(p, n, 'c', w, 4, 64), 0);
	assert_int_equal(run_program(p, n, 'c', r | w, 4, 64), 0);
	assert_int_equal(run_program(p, n, 'b', r, 4, 1), 0);
	assert_int_equal(run_program(p, n, 'b', m, 9, 9), 1);
	assert_int_equal(run_program(p, n, 'b', r, 1, 1), 0);
	assert_int_equal(dev_program(&l, p, 12), -E2BIG);
}

/* The kernel's own check of a program made of real rules. */
static void program_loads(void **state)
{
	struct oci_device_rule deny = { false, 'a', ANY, ANY, "rwm" };
	struct oci_resources res = { .devices = &deny, .n_devices = 1 };
	CLEANUP_FREE struct bpf_insn *p = xcalloc(DEV_PROGRAM_MAX, sizeof(*p));
	struct dev_rules l;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(dev_rules_make(&res, &l, &e), 0);
	int n = dev_program(&l, p, DEV_PROGRAM_MAX);
	dev_rules_release(&l);
	assert_true(n > 0);
	assert_int_equal(run_program(p, n, 'c', BPF_DEVCG_ACC_READ, 1, 3), 1);
	assert_int_equal(run_program(p, n, 'c', BPF_DEVCG_ACC_READ, 1, 1), 0);
	CLEANUP_FD int fd = dev_program_load(p, (size_t)n);
	if (fd == -ENOSYS || fd == -EPERM || (fd == -EINVAL && access("/sys/fs/bpf", F_OK) < 0)) {
		print_message("the kernel takes no device programs here (%s)\n", err_text(-fd));
		fd = -1;
		skip();
	}
	assert_true(fd >= 0);
}

/* --- a group that is a plain directory ---------------------------------------------------- */

static char fake[] = "/tmp/isle-cgroup-XXXXXX";

static int make_fake(void **state)
{
	char path[64];

	(void)state;
	if (!mkdtemp(fake))
		return -1;
	snprintf(path, sizeof(path), "%s/g", fake);
	return mkdir(path, 0755);
}

static int remove_fake(void **state)
{
	CLEANUP_FREE char *cmd = xasprintf("rm -rf '%s'", fake);

	(void)state;
	return system(cmd);
}

static void fake_file(const char *name, const char *text)
{
	CLEANUP_FREE char *path = xasprintf("%s/g/%s", fake, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void fake_is(const char *name, const char *text)
{
	CLEANUP_FREE char *dir = xasprintf("%s/g", fake);
	char got[256];

	assert_int_equal(cgd_read(dir, name, got, sizeof(got)), 0);
	assert_string_equal(got, text);
}

static struct cgroup fake_group(enum cgroup_mode mode, const char *controllers)
{
	struct cgroup cg = { .mode = mode, .n = 1 };

	cg.h[0] = (struct cgroup_hierarchy){ xstrdup(controllers), xstrdup(fake), xstrdup("/g"),
					     -1, false };
	return cg;
}

static void set_v2(void **state)
{
	static const char *const files[] = {
		"memory.max", "memory.swap.max", "memory.low", "cpu.weight", "cpu.max.burst",
		"cpuset.cpus", "cpuset.mems", "io.weight", "io.max", "hugetlb.2MB.max", "rdma.max",
		"pids.max", "memory.high", "hugetlb.2MB.rsvd.max",
	};
	struct cgroup cg = fake_group(CGROUP_MODE_V2, "");
	struct oci_memory m = { .limit = NR(1000), .swap = NR(3000), .reservation = NR(500) };
	struct oci_cpu c = { .shares = NR(1024), .period = NR(50000), .burst = NR(10),
			     .cpus = "0-1", .mems = "0" };
	struct oci_blkio_throttle t = { 8, 16, 4096 };
	struct oci_blkio b = { .weight = NR(500), .throttle[OCI_THROTTLE_WRITE_BPS] = { &t, 1 } };
	struct oci_hugepage_limit huge = { "2MB", 4096 };
	struct oci_rdma rdma = { "mlx5", NR(3), NR(4) };
	struct oci_kv kv[] = { { "memory.high", "900" }, { "pids.max", "7" } };
	struct oci_resources r = {
		.memory = &m, .cpu = &c, .block_io = &b, .hugepages = &huge, .n_hugepages = 1,
		.rdma = &rdma, .n_rdma = 1, .pids_limit = NR(-1), .unified = { kv, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		fake_file(files[i], "");
	fake_file("cpu.max", "20000 10000");
	fake_file("cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma\n");
	if (cgroup_set(&cg, &r, &e) < 0)
		fail_msg("%s", e.msg);
	fake_is("memory.max", "1000");
	fake_is("memory.swap.max", "2000");
	fake_is("memory.low", "500");
	fake_is("memory.high", "900");
	fake_is("cpu.weight", "100");
	fake_is("cpu.max", "20000 50000");      /* the quota in force is kept */
	fake_is("cpu.max.burst", "10");
	fake_is("cpuset.cpus", "0-1");
	fake_is("cpuset.mems", "0");
	fake_is("io.weight", "4950");
	fake_is("io.max", "8:16 wbps=4096");
	fake_is("hugetlb.2MB.max", "4096");
	fake_is("hugetlb.2MB.rsvd.max", "4096");
	fake_is("rdma.max", "mlx5 hca_handle=3 hca_object=4");
	fake_is("pids.max", "7ax");             /* "max", and then unified's "7" */
	cgroup_release(&cg);
}

static void refused_v2(struct oci_resources r, const char *word)
{
	struct cgroup cg = fake_group(CGROUP_MODE_V2, "");

	assert_true(cgroup_set(&cg, &r, &e) < 0);
	if (!strstr(e.msg, word))
		fail_msg("\"%s\" is not in \"%s\"", word, e.msg);
	cgroup_release(&cg);
}

static void set_v2_refused(void **state)
{
	struct oci_kv slash = { "../x/memory.max", "1" }, bare = { "memory", "1" },
		      absent = { "memory.nosuch", "1" }, off = { "misc.max", "1" };
	struct oci_memory swappy = { .swappiness = NR(1) }, oom = { .disable_oom_killer = NR(1) },
			  swap_only = { .swap = NR(5), .limit = NR(-1) },
			  check = { .limit = NR(10), .check_before_update = NR(1) };
	struct oci_cpu rt = { .realtime_runtime = NR(1000) };

	(void)state;
	fake_file("memory.current", "4096\n");
	refused_v2((struct oci_resources){ .unified = { &slash, 1 } }, "no slashes");
	refused_v2((struct oci_resources){ .unified = { &bare, 1 } }, "CONTROLLER.FILE");
	refused_v2((struct oci_resources){ .unified = { &absent, 1 } }, "unknown to this kernel");
	refused_v2((struct oci_resources){ .unified = { &off, 1 } },
		   "misc controller is not available");
	refused_v2((struct oci_resources){ .memory = &swappy }, "swappiness");
	refused_v2((struct oci_resources){ .memory = &oom }, "disableOOMKiller");
	refused_v2((struct oci_resources){ .memory = &swap_only }, "without memory limit");
	refused_v2((struct oci_resources){ .memory = &check },
		   "rejecting memory limit 10 < usage 4096");
	refused_v2((struct oci_resources){ .cpu = &rt }, "realtime");
	refused_v2((struct oci_resources){ .net_class_id = NR(1) }, "net_cls");
}

static void set_v1(void **state)
{
	struct cgroup cg = fake_group(CGROUP_MODE_V1, "cpu,memory,blkio");
	struct oci_cpu c = { .shares = NR(512), .quota = NR(-1), .idle = NR(0) };
	struct oci_blkio b = { .weight = NR(300) };
	struct oci_resources r = { .cpu = &c, .block_io = &b };
	struct oci_kv kv = { "memory.max", "1" };

	(void)state;
	fake_file("cpu.shares", "");
	fake_file("cpu.cfs_quota_us", "");
	fake_file("cpu.idle", "");
	fake_file("blkio.bfq.weight", "");
	if (cgroup_set(&cg, &r, &e) < 0)
		fail_msg("%s", e.msg);
	fake_is("cpu.shares", "512");
	fake_is("cpu.cfs_quota_us", "-1");
	fake_is("blkio.bfq.weight", "300");

	r = (struct oci_resources){ .pids_limit = NR(3) };
	assert_true(cgroup_set(&cg, &r, &e) < 0);
	assert_non_null(strstr(e.msg, "pids.max"));
	assert_non_null(strstr(e.msg, "pids controller is not available"));
	r = (struct oci_resources){ .unified = { &kv, 1 } };
	assert_true(cgroup_set(&cg, &r, &e) < 0);
	assert_non_null(strstr(e.msg, "v1"));
	cgroup_release(&cg);
}

/* --- real groups ------------------------------------------------------------------------------ */

/* Skip, unless the environment says that it must be here. */
static void lacking(const char *word, const char *why)
{
	const char *require = getenv("ISLE_REQUIRE");

	if (require && cgroup_list_has(require, word))
		fail_msg("%s is required: %s", word, why);
	print_message("skipped: %s\n", why);
	skip();
}

struct real {
	struct cgroup cg;
	char path[64];
};

#define LIMIT (24 << 20)
#define PIDS 8

static struct oci_device_rule deny_all = { false, 'a', ANY, ANY, "rwm" };
static struct oci_memory memory = { .limit = NR(LIMIT), .swap = NR(LIMIT) };
static struct oci_cpu cpu = { .quota = NR(10000), .period = NR(100000), .shares = NR(512) };
static struct oci_resources resources = {
	.devices = &deny_all, .n_devices = 1, .memory = &memory, .cpu = &cpu,
	.pids_limit = NR(PIDS),
};

static int real_teardown(void **state)
{
	struct real *t = *state;

	if (t && t->cg.n > 0) {
		/* Failures are only printed: the test has its result. */
		if (cgroup_kill_all(&t->cg, SIGKILL, &e) < 0)
			print_message("%s\n", e.msg);
		while (waitpid(-1, NULL, 0) > 0)
			;
		if (cgroup_remove(&t->cg, &e) < 0)
			print_message("%s\n", e.msg);
		for (size_t i = 0; i < t->cg.n; i++) {
			CLEANUP_FREE char *dir = cgroup_dir(&t->cg.h[i]);

			*strrchr(dir, '/') = '\0';
			rmdir(dir);
		}
	}
	if (t)
		cgroup_release(&t->cg);
	free(t);
	return 0;
}

static struct cgroup_request request(struct real *t)
{
	snprintf(t->path, sizeof(t->path), "/isle-unit-%d/c", getpid());
	return (struct cgroup_request){ .id = "c", .path = t->path, .resources = &resources };
}

/* A group with limits.  state owns it from the start, so that failures clean up. */
static struct real *real_make(void **state)
{
	struct real *t = xcalloc(1, sizeof(*t));
	struct cgroup_request rq = request(t);

	*state = t;
	if (geteuid() != 0)
		lacking("root", "real control groups need root");
	if (cgroup_plan(&rq, &t->cg, &e) < 0)
		lacking("cgroup", e.msg);
	if (cgroup_make(&t->cg, &rq, &e) < 0)
		fail_msg("%s", e.msg);
	if (cgroup_set(&t->cg, &resources, &e) < 0)
		fail_msg("%s", e.msg);
	return t;
}

/* fork, join, fn; the exit status is what fn returns, 99 a failed join. */
static pid_t inside(const struct real *t, int (*fn)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (cgroup_join_self(&t->cg, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		_exit(99);
	}
	_exit(fn());
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int eat_memory(void)
{
	size_t n = 4 * (size_t)LIMIT;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < n; i += 4096)
		p[i] = 1;
	return 0;
}

static int fork_bomb(void)
{
	for (int n = 1; n < 10 * PIDS; n++) {
		pid_t pid = fork();

		if (pid < 0)
			return errno == EAGAIN ? n : 98;
		if (pid == 0) {
			pause();
			_exit(0);
		}
	}
	return 97;
}

static int spin(void)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 350);
	return 0;
}

static int open_devices(void)
{
	char path[64];
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		return 1;
	snprintf(path, sizeof(path), "/dev/isle-unit-%d", getpid());
	if (mknod(path, S_IFCHR | 0600, makedev(1, 1)) < 0)     /* mem */
		return 2;
	fd = open(path, O_RDONLY);
	int r = fd < 0 && errno == EPERM ? 0 : 3;
	unlink(path);
	return r;
}

static int wait_for_signal(void)
{
	pause();
	return 0;
}

static void real_limits(void **state)
{
	struct real *t = real_make(state);
	uint64_t kills = 0;
	char buf[8];

	assert_int_equal(cgroup_oom_count(&t->cg, &kills), 0);
	assert_int_equal(kills, 0);
	CLEANUP_FD int oom = cgroup_oom_fd(&t->cg, &e);
	assert_true(oom >= 0);
	assert_int_equal(read(oom, buf, sizeof(buf)), -1);

	int status = status_of(inside(t, eat_memory));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgroup_oom_drain(oom), 0);
	assert_int_equal(cgroup_oom_count(&t->cg, &kills), 0);
	assert_int_equal(kills, 1);

	status = status_of(inside(t, open_devices));
	assert_int_equal(WEXITSTATUS(status), 0);
	status = status_of(inside(t, fork_bomb));
	assert_in_range(WEXITSTATUS(status), 2, PIDS);
	if (cgroup_kill_all(&t->cg, SIGKILL, &e) < 0)
		fail_msg("%s", e.msg);

	status = status_of(inside(t, spin));
	assert_int_equal(WEXITSTATUS(status), 0);
	CLEANUP_JSON json_t *stats = NULL;
	assert_int_equal(cgroup_stats(&t->cg, &stats, &e), 0);
	const json_t *cpu_stats = json_object_get(stats, "cpu");
	assert_true(json_integer_value(json_object_get(json_object_get(cpu_stats, "throttling"),
						       "throttledPeriods")) > 0);
	assert_true(json_integer_value(json_object_get(json_object_get(cpu_stats, "usage"),
						       "total")) > 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "pids"),
							    "limit")), PIDS);
}

static void wait_until(const struct real *t, size_t want)
{
	for (int i = 0; i < 2000; i++) {
		pid_t *v;
		size_t n;

		assert_int_equal(cgroup_pids(&t->cg, &v, &n, &e), 0);
		free(v);
		if (n == want)
			return;
		usleep(1000);
	}
	fail_msg("the group never held %zu processes", want);
}

static void expect_refusal(struct real *t, const char *word)
{
	struct cgroup_request rq = request(t);
	struct cgroup cg;

	assert_int_equal(cgroup_plan(&rq, &cg, &e), -EBUSY);
	assert_non_null(strstr(e.msg, word));
	cgroup_release(&cg);
}

static void real_life(void **state)
{
	struct real *t = real_make(state);
	struct cgroup loaded;

	/* Frozen and empty: refused, as whoever joins would stop for ever. */
	assert_int_equal(cgroup_freeze(&t->cg, true, &e), 0);
	expect_refusal(t, "container's cgroup unexpectedly frozen");
	assert_int_equal(cgroup_freeze(&t->cg, false, &e), 0);

	pid_t first = inside(t, wait_for_signal), second = inside(t, wait_for_signal);
	wait_until(t, 2);
	expect_refusal(t, "container's cgroup is not empty: ");

	assert_int_equal(cgroup_is_frozen(&t->cg), 0);
	assert_int_equal(cgroup_freeze(&t->cg, true, &e), 0);
	assert_int_equal(cgroup_is_frozen(&t->cg), 1);
	assert_int_equal(cgroup_freeze(&t->cg, false, &e), 0);
	assert_int_equal(cgroup_is_frozen(&t->cg), 0);

	/* As another command sees it, from the state; a process more by way of exec. */
	CLEANUP_JSON json_t *j = cgroup_save(&t->cg);
	assert_int_equal(cgroup_load(j, &loaded, &e), 0);
	assert_int_equal(cgroup_open_join(&loaded, &(struct oci_strv){ 0 }, first, &e), 0);
	struct real by_state = { .cg = loaded };
	pid_t third = inside(&by_state, wait_for_signal);
	wait_until(t, 3);

	/* Limits may be changed in both directions while it runs. */
	struct oci_memory m = { .limit = NR(2 * LIMIT), .swap = NR(3 * LIMIT) };
	struct oci_resources r = { .memory = &m };
	if (cgroup_set(&loaded, &r, &e) < 0)
		fail_msg("%s", e.msg);
	m = (struct oci_memory){ .limit = NR(LIMIT), .swap = NR(LIMIT) };
	if (cgroup_set(&loaded, &r, &e) < 0)
		fail_msg("%s", e.msg);
	m = (struct oci_memory){ .limit = NR(-1) };
	if (cgroup_set(&loaded, &r, &e) < 0)
		fail_msg("%s", e.msg);

	assert_int_equal(cgroup_kill_all(&loaded, SIGTERM, &e), 0);
	assert_true(WIFSIGNALED(status_of(first)));
	assert_true(WIFSIGNALED(status_of(second)));
	assert_true(WIFSIGNALED(status_of(third)));
	wait_until(t, 0);

	/* Groups that a payload made below go, too. */
	CLEANUP_FREE char *dir = cgroup_dir(&loaded.h[0]);
	CLEANUP_FREE char *below = xasprintf("%s/a", dir), *deeper = xasprintf("%s/a/b", dir);
	assert_int_equal(mkdir(below, 0755), 0);
	assert_int_equal(mkdir(deeper, 0755), 0);
	assert_int_equal(cgroup_remove(&loaded, &e), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(cgroup_remove(&loaded, &e), 0);
	cgroup_release(&loaded);
}

/* A paused container is killed, and stays paused for any other signal. */
static void real_kill_frozen(void **state)
{
	struct real *t = real_make(state);
	pid_t pid = inside(t, wait_for_signal);

	wait_until(t, 1);
	assert_int_equal(cgroup_freeze(&t->cg, true, &e), 0);
	/* v2's freezer lets any fatal signal through (cgroup-v2.rst, cgroup.freeze). */
	int sig = t->cg.mode == CGROUP_MODE_V2 ? SIGWINCH : SIGTERM;
	assert_int_equal(cgroup_kill_all(&t->cg, sig, &e), 0);
	assert_int_equal(cgroup_is_frozen(&t->cg), 1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	if (cgroup_kill_all(&t->cg, SIGKILL, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(WIFSIGNALED(status_of(pid)));
}

/* What only v2 has: birth inside the group, and a group that hands controllers down. */
static void real_v2(void **state)
{
	struct real *t = real_make(state);

	if (t->cg.mode != CGROUP_MODE_V2)
		lacking("cgroup2", "this host has cgroup v1");
	CLEANUP_FD int fd = cgroup_birth(&t->cg);
	assert_true(fd >= 0);
	struct clone_args a = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD,
				.cgroup = (uint64_t)fd };
	pid_t pid = sys_clone3(&a);
	assert_true(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	wait_until(t, 1);

	/* The payload moves below and makes the group an inner one, as systemd does. */
	CLEANUP_FREE char *dir = cgroup_dir(&t->cg.h[0]);
	CLEANUP_FREE char *below = xasprintf("%s/init", dir);
	char text[16];
	snprintf(text, sizeof(text), "%d", pid);
	assert_int_equal(mkdir(below, 0755), 0);
	assert_int_equal(cgd_write(below, "cgroup.procs", text), 0);
	assert_int_equal(cgd_write(dir, "cgroup.subtree_control", "+pids"), 0);
	/* "/" means the group itself, which cannot hold processes any more. */
	const char *itself[] = { "/", NULL };
	assert_int_equal(cgroup_open_join(&t->cg, &(struct oci_strv){ itself, 1 }, pid, &e), 0);
	pid_t failed = inside(t, wait_for_signal);
	assert_int_equal(WEXITSTATUS(status_of(failed)), 99);
	assert_int_equal(cgroup_open_join(&t->cg, &(struct oci_strv){ 0 }, pid, &e), 0);
	inside(t, wait_for_signal);
	wait_until(t, 2);
}

#define REAL(fn) cmocka_unit_test_teardown(fn, real_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares), cmocka_unit_test(io_weight), cmocka_unit_test(swap),
		cmocka_unit_test(pids), cmocka_unit_test(clean), cmocka_unit_test(lists),
		cmocka_unit_test(plan_relative), cmocka_unit_test(plan_absolute),
		cmocka_unit_test(plan_refuses), cmocka_unit_test(own_v2),
		cmocka_unit_test(save_load), cmocka_unit_test(slices),
		cmocka_unit_test(systemd_names), cmocka_unit_test(systemd_properties),
		cmocka_unit_test(masks), cmocka_unit_test(fold), cmocka_unit_test(program),
		cmocka_unit_test(program_loads), cmocka_unit_test(set_v2),
		cmocka_unit_test(set_v2_refused), cmocka_unit_test(set_v1),
		REAL(real_limits), REAL(real_life), REAL(real_kill_frozen), REAL(real_v2),
	};

	return cmocka_run_group_tests(tests, make_fake, remove_fake);
}
