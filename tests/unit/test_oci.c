/* oci/spec: the tables.  The rules between objects are in test_oci_rules.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/default.h"
#include "oci/spec.h"
#include "oci/table.h"

#define CORPUS SOURCE_ROOT "/tests/fuzz/corpus/oci_spec"

/* One document with every property there is; see every_property_is_tested. */
struct fixture {
	struct buf text;
	struct oci_spec spec;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err e = { 0 };

	f->text.max = 1u << 20;
	*state = f;
	if (file_read_at(AT_FDCWD, CORPUS "/full.json", &f->text) < 0)
		return -1;
	if (oci_spec_parse("full.json", f->text.data, f->text.len, &f->spec, &e) < 0) {
		print_error("%s\n", e.msg);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	oci_spec_release(&f->spec);
	buf_release(&f->text);
	free(f);
	return 0;
}

static const struct oci_spec *full(void **state)
{
	return &((struct fixture *)*state)->spec;
}

static void reads_the_top(void **state)
{
	const struct oci_spec *s = full(state);

	assert_string_equal(s->oci_version, "1.3.0");
	assert_string_equal(s->root_path, "rootfs");
	assert_true(s->root_readonly);
	assert_string_equal(s->hostname, "host");
	assert_string_equal(s->domainname, "domain");
	assert_string_equal(oci_kvs_get(&s->annotations, "org.example.a"), "one");
	assert_string_equal(oci_kvs_get(&s->annotations, "org.example.b"), "");
	assert_string_equal(oci_kvs_get(&s->annotations, "org.example.c"), "\xc3\xa9\n");
	assert_null(oci_kvs_get(&s->annotations, "org.example"));
	assert_true(s->os_set);
}

static void reads_mounts(void **state)
{
	const struct oci_spec *s = full(state);

	assert_int_equal(s->n_mounts, 2);
	assert_string_equal(s->mounts[0].destination, "/proc");
	assert_string_equal(s->mounts[0].type, "proc");
	assert_int_equal(s->mounts[0].options.n, 0);
	const struct oci_mount *m = &s->mounts[1];
	assert_string_equal(m->source, "data");
	assert_int_equal(m->options.n, 3);
	assert_string_equal(m->options.v[2], "idmap");
	assert_null(m->options.v[3]);
	assert_int_equal(m->uid_maps.n, 1);
	assert_int_equal(m->uid_maps.v[0].container_id, 1);
	assert_int_equal(m->uid_maps.v[0].host_id, 2);
	assert_int_equal(m->uid_maps.v[0].size, 3);
	assert_int_equal(m->gid_maps.v[0].size, UINT32_MAX);
}

static void reads_process(void **state)
{
	const struct oci_process *p = full(state)->process;

	assert_true(p->terminal);
	assert_int_equal(p->console_height, 25);
	assert_int_equal(p->console_width, 65535);
	assert_string_equal(p->cwd, "/work");
	assert_int_equal(p->env.n, 2);
	assert_int_equal(p->args.n, 3);
	assert_string_equal(p->args.v[2], "exit 3");
	assert_null(p->args.v[3]);
	assert_int_equal(p->n_rlimits, 2);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_string_equal(p->rlimits[0].type, "RLIMIT_NOFILE");
	assert_int_equal(p->rlimits[0].soft, 1024);
	assert_true(p->rlimits[0].hard == UINT64_MAX);
	assert_int_equal(p->rlimits[1].resource, RLIMIT_CORE);
	assert_string_equal(p->apparmor_profile, "isle-default");
	assert_true(p->no_new_privileges);
	assert_true(p->oom_score_adj.set);
	assert_int_equal(p->oom_score_adj.v, -1000);
	assert_string_equal(p->selinux_label, "system_u:system_r:container_t:s0");
	assert_true(p->io_priority_set);
	assert_int_equal(p->io_priority_class, 3);
	assert_int_equal(p->io_priority, 7);
	assert_string_equal(p->cpu_affinity_initial, "0-1");
	assert_string_equal(p->cpu_affinity_final, "1");
	assert_int_equal(p->user.uid, 1000);
	assert_int_equal(p->user.gid, UINT32_MAX);
	assert_int_equal(p->user.umask.v, 022);
	assert_int_equal(p->user.n_additional_gids, 2);
	assert_int_equal(p->user.additional_gids[1], 6);
}

static void reads_capabilities(void **state)
{
	const struct oci_caps *c = &full(state)->process->caps;

	assert_true(c->set);
	assert_true(c->bounding == (1ull << 0 | 1ull << 40));
	assert_true(c->effective == 1ull << 5);
	assert_true(c->inheritable == 1ull << 7);
	assert_true(c->permitted == 1ull << 6);
	assert_true(c->ambient == 1ull << 13);
	assert_int_equal(c->unknown.n, 1);
	assert_string_equal(c->unknown.v[0], "CAP_OF_TOMORROW");
}

static void reads_scheduler(void **state)
{
	const struct oci_scheduler *s = full(state)->process->scheduler;

	assert_string_equal(s->policy, "SCHED_DEADLINE");
	assert_int_equal(s->policy_nr, 6);
	assert_int_equal(s->nice, -20);
	assert_int_equal(s->flags, 0x01 | 0x04);
	assert_int_equal(s->runtime, 1000000);
	assert_int_equal(s->deadline, 2000000);
	assert_int_equal(s->period, 3000000);
}

static void reads_hooks(void **state)
{
	const struct oci_spec *s = full(state);
	static const size_t n[OCI_HOOK_COUNT] = { 1, 2, 1, 1, 1, 1 };

	for (int kind = 0; kind < OCI_HOOK_COUNT; kind++) {
		assert_int_equal(s->hooks[kind].n, n[kind]);
		assert_int_equal(s->hooks[kind].v[0].path[2], '0' + kind);
	}
	const struct oci_hook *h = &s->hooks[OCI_HOOK_POSTSTOP].v[0];
	assert_int_equal(h->args.n, 2);
	assert_string_equal(h->env.v[0], "K=v");
	assert_int_equal(h->timeout.v, 30);
	assert_false(s->hooks[OCI_HOOK_CREATE_RUNTIME].v[1].timeout.set);
}

static void reads_namespaces(void **state)
{
	const struct oci_spec *s = full(state);

	assert_int_equal(s->os.n_namespaces, OCI_NS_COUNT);
	for (int type = 0; type < OCI_NS_COUNT; type++) {
		assert_non_null(oci_ns_find(s, (enum oci_ns)type));
		assert_non_null(oci_ns_name((enum oci_ns)type));
	}
	assert_string_equal(oci_ns_find(s, OCI_NS_NETWORK)->path, "/run/netns/x");
	assert_null(oci_ns_find(s, OCI_NS_PID)->path);
	assert_string_equal(oci_ns_name(OCI_NS_MOUNT), "mount");
	assert_int_equal(s->os.uid_maps.v[0].host_id, 1000);
	assert_int_equal(s->os.gid_maps.v[0].size, 2);
	assert_true(s->os.time_monotonic.set);
	assert_int_equal(s->os.time_monotonic.secs, -5);
	assert_int_equal(s->os.time_monotonic.nanosecs, 999999999);
	assert_true(s->os.time_boottime.secs == INT64_MAX);
}

static void reads_devices(void **state)
{
	const struct oci_linux *l = &full(state)->os;

	assert_int_equal(l->n_devices, 3);
	assert_int_equal(l->devices[0].type, 'c');
	assert_string_equal(l->devices[0].path, "/dev/fuse");
	assert_int_equal(l->devices[0].major, 10);
	assert_int_equal(l->devices[0].minor, 229);
	assert_int_equal(l->devices[0].file_mode.v, 0666);
	assert_true(l->devices[0].uid.set);
	assert_int_equal(l->devices[0].gid.v, 7);
	assert_int_equal(l->devices[1].type, 'p');
	assert_false(l->devices[1].uid.set);
	assert_int_equal(l->devices[2].type, 'c');
	assert_int_equal(l->n_net_devices, 2);
	assert_string_equal(l->net_devices[0].host_name, "eth0");
	assert_string_equal(l->net_devices[0].name, "container0");
	assert_string_equal(l->net_devices[1].host_name, "eth1");
	assert_null(l->net_devices[1].name);
}

static void reads_resources(void **state)
{
	const struct oci_resources *r = full(state)->os.resources;

	assert_int_equal(r->n_devices, 2);
	assert_int_equal(r->devices[0].type, 'a');
	assert_false(r->devices[0].allow);
	assert_false(r->devices[0].major.set);
	assert_int_equal(r->devices[1].type, 'c');
	assert_int_equal(r->devices[1].minor.v, -1);
	assert_string_equal(r->devices[1].access, "r");
	assert_int_equal(r->memory->limit.v, 1048576);
	assert_int_equal(r->memory->swap.v, -1);
	assert_true(r->memory->kernel.set);
	assert_int_equal(r->memory->kernel_tcp.v, 4096);
	assert_int_equal(r->memory->swappiness.v, 100);
	assert_true(r->memory->disable_oom_killer.v);
	assert_true(r->memory->use_hierarchy.set);
	assert_false(r->memory->use_hierarchy.v);
	assert_true(r->memory->check_before_update.v);
	assert_int_equal(r->cpu->shares.v, 1024);
	assert_int_equal(r->cpu->quota.v, -1);
	assert_int_equal(r->cpu->burst.v, 1000);
	assert_int_equal(r->cpu->period.v, 100000);
	assert_int_equal(r->cpu->realtime_runtime.v, 950000);
	assert_int_equal(r->cpu->realtime_period.v, 1000000);
	assert_string_equal(r->cpu->cpus, "0-3");
	assert_string_equal(r->cpu->mems, "0");
	assert_int_equal(r->cpu->idle.v, 1);
	assert_int_equal(r->pids_limit.v, 32771);
}

static void reads_io_resources(void **state)
{
	const struct oci_resources *r = full(state)->os.resources;
	const struct oci_blkio *b = r->block_io;

	assert_int_equal(b->weight.v, 10);
	assert_int_equal(b->leaf_weight.v, 65535);
	assert_int_equal(b->weight_devices[0].major, 8);
	assert_int_equal(b->weight_devices[0].leaf_weight.v, 300);
	for (int i = 0; i < OCI_THROTTLE_COUNT; i++)
		assert_int_equal(b->throttle[i].n, 1);
	assert_int_equal(b->throttle[OCI_THROTTLE_READ_BPS].v[0].rate, 600);
	assert_int_equal(b->throttle[OCI_THROTTLE_WRITE_BPS].v[0].rate, 601);
	assert_int_equal(b->throttle[OCI_THROTTLE_READ_IOPS].v[0].rate, 602);
	assert_true(b->throttle[OCI_THROTTLE_WRITE_IOPS].v[0].rate == UINT64_MAX);
	assert_string_equal(r->hugepages[0].page_size, "2MB");
	assert_int_equal(r->net_class_id.v, 1048577);
	assert_string_equal(r->net_prios[0].name, "eth0");
	assert_int_equal(r->net_prios[0].priority, 500);
	assert_int_equal(r->n_rdma, 2);
	assert_string_equal(r->rdma[0].device, "mlx5_1");
	assert_int_equal(r->rdma[0].hca_handles.v, 3);
	assert_false(r->rdma[1].hca_handles.set);
	assert_string_equal(oci_kvs_get(&r->unified, "memory.high"), "max");
}

static void reads_seccomp(void **state)
{
	const struct oci_seccomp *s = full(state)->os.seccomp;

	assert_string_equal(s->default_action, "SCMP_ACT_ERRNO");
	assert_int_equal(s->default_errno_ret.v, 38);
	assert_int_equal(s->architectures.n, 2);
	assert_string_equal(s->flags.v[0], "SECCOMP_FILTER_FLAG_LOG");
	assert_string_equal(s->listener_path, "/run/agent.sock");
	assert_string_equal(s->listener_metadata, "opaque");
	assert_int_equal(s->n_syscalls, 2);
	assert_string_equal(s->syscalls[0].names.v[1], "write");
	assert_string_equal(s->syscalls[1].action, "SCMP_ACT_NOTIFY");
	assert_int_equal(s->syscalls[1].errno_ret.v, 1);
	const struct oci_seccomp_arg *a = &s->syscalls[1].args[0];
	assert_int_equal(a->index, 5);
	assert_true(a->value == UINT64_MAX);
	assert_true(a->value_two == 1ull << 63);
	assert_int_equal(a->op, 7);
}

static void reads_the_rest_of_linux(void **state)
{
	const struct oci_linux *l = &full(state)->os;

	assert_string_equal(l->cgroups_path, "/isle/one");
	assert_string_equal(l->intel_rdt->clos_id, "guaranteed");
	assert_string_equal(l->intel_rdt->schemata.v[0], "L3:0=ff");
	assert_string_equal(l->intel_rdt->l3_schema, "L3:0=7f0");
	assert_string_equal(l->intel_rdt->mb_schema, "MB:0=20");
	assert_true(l->intel_rdt->enable_cmt);
	assert_true(l->intel_rdt->enable_mbm);
	assert_true(l->intel_rdt->enable_monitoring);
	assert_true(l->memory_policy.set);
	assert_int_equal(l->memory_policy.mode_nr, 2);
	assert_string_equal(l->memory_policy.mode, "MPOL_BIND");
	assert_string_equal(l->memory_policy.nodes, "0-1,3");
	assert_int_equal(l->memory_policy.flags, 1u << 15 | 1u << 13);
	assert_string_equal(oci_kvs_get(&l->sysctl, "kernel.shmmax"), "65536");
	assert_string_equal(l->rootfs_propagation, "rslave");
	assert_string_equal(l->masked_paths.v[0], "/proc/kcore");
	assert_int_equal(l->readonly_paths.n, 2);
	assert_string_equal(l->mount_label, "system_u:object_r:container_file_t:s0");
	assert_true(l->personality_set);
	assert_int_equal(l->personality, PER_LINUX32);
}

static void reads_vm(void **state)
{
	const struct oci_vm *v = full(state)->vm;

	assert_string_equal(v->hypervisor_path, "/usr/bin/vmm");
	assert_string_equal(v->hypervisor_parameters.v[0], "a=b");
	assert_string_equal(v->kernel_path, "/k/vmlinuz");
	assert_string_equal(v->kernel_initrd, "/k/initrd");
	assert_string_equal(v->kernel_parameters.v[0], "quiet");
	assert_string_equal(v->image_path, "/i/root.qcow2");
	assert_string_equal(v->image_format, "qcow2");
	assert_int_equal(v->hw_vcpus.v, 2);
	assert_int_equal(v->hw_memory.v, 536870912);
}

/* Every field of every table must stand in one of the objects at nodes. */
static void check_all_present(const struct oci_table *t, const struct json_node **nodes,
			      size_t n, const char *path)
{
	for (const struct oci_field *f = t->fields; f->key; f++) {
		const struct json_node *found[8];
		size_t n_found = 0;
		char at[256];

		snprintf(at, sizeof(at), "%s.%s", path, f->key);
		for (size_t i = 0; i < n; i++) {
			const struct json_node *v = json_tree_member(nodes[i], f->key);

			if (v && (f->type == OCI_OBJECTS || f->type == OCI_MAP))
				for (v = v->first; v && n_found < 8; v = v->next)
					found[n_found++] = v;
			else if (v && n_found < 8)
				found[n_found++] = v;
		}
		if (n_found == 0)
			fail_msg("full.json has no %s", at);
		if (f->sub)
			check_all_present(f->sub, found, n_found, at);
	}
}

static void every_property_is_tested(void **state)
{
	check_all_present(&oci_table_spec, (const struct json_node *[]){ full(state)->doc }, 1, "");
}

#define DOC(inside) "{\n\"ociVersion\": \"1.0.2\",\n" inside "}"
#define PROCESS(inside) DOC("\"process\": {\n\"cwd\": \"/\", \"args\": [\"x\"],\n" inside "}")
#define LINUX(inside) DOC("\"linux\": {\n" inside "}")
#define RESOURCES(inside) LINUX("\"resources\": {\n" inside "}")
#define SECCOMP(inside) LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\",\n" inside "}")

static const struct {
	const char *text, *message;
} bad[] = {
	/* kinds, one a type of field */
	{ "[]", "c:1: expected an object, found a list" },
	{ DOC("\"root\": 1"), "c:3: root: expected an object, found an integer" },
	{ DOC("\"root\": {\"path\": 1}"), "c:3: root.path: expected a string, found an integer" },
	{ PROCESS("\"terminal\": 0"),
	  "c:5: process.terminal: expected a boolean, found an integer" },
	{ PROCESS("\"env\": {}"), "c:5: process.env: expected a list, found an object" },
	{ PROCESS("\"env\": [\"a\",\n null]"),
	  "c:6: process.env[1]: expected a string, found null" },
	{ PROCESS("\"oomScoreAdj\": 1.0"),
	  "c:5: process.oomScoreAdj: expected an integer, found a real number" },
	{ PROCESS("\"user\": {\"additionalGids\": [1, \"2\"]}"),
	  "c:5: process.user.additionalGids[1]: expected an integer, found a string" },
	{ PROCESS("\"rlimits\": [7]"),
	  "c:5: process.rlimits[0]: expected an object, found an integer" },
	{ PROCESS("\"capabilities\": {\"bounding\": [true]}"),
	  "c:5: process.capabilities.bounding[0]: expected a string, found a boolean" },
	{ PROCESS("\"scheduler\": {\"policy\": 1}"),
	  "c:5: process.scheduler.policy: expected a string, found an integer" },
	{ PROCESS("\"scheduler\": {\"policy\": \"SCHED_RR\", \"flags\": \"x\"}"),
	  "c:5: process.scheduler.flags: expected a list, found a string" },
	{ DOC("\"annotations\": {\"a.b\": 1}"),
	  "c:3: annotations[\"a.b\"]: expected a string, found an integer" },
	{ LINUX("\"netDevices\": []"),
	  "c:4: linux.netDevices: expected an object, found a list" },
	{ LINUX("\"netDevices\": {\"eth0\": 1}"),
	  "c:4: linux.netDevices.eth0: expected an object, found an integer" },
	{ RESOURCES("\"pids\": {\"limit\": \"many\"}"),
	  "c:5: linux.resources.pids.limit: expected an integer, found a string" },
	{ RESOURCES("\"memory\": {\"disableOOMKiller\": 1}"),
	  "c:5: linux.resources.memory.disableOOMKiller: expected a boolean, found an integer" },
	/* ranges */
	{ PROCESS("\"consoleSize\": {\"height\": 65536, \"width\": 1}"),
	  "c:5: process.consoleSize.height: expected an integer from 0 to 65535, found 65536" },
	{ PROCESS("\"user\": {\"uid\": -1}"),
	  "c:5: process.user.uid: expected an integer from 0 to 4294967295, found -1" },
	{ PROCESS("\"user\": {\"gid\": 4294967296}"),
	  "c:5: process.user.gid: expected an integer from 0 to 4294967295, found 4294967296" },
	{ PROCESS("\"oomScoreAdj\": -1001"),
	  "c:5: process.oomScoreAdj: expected an integer from -1000 to 1000, found -1001" },
	{ PROCESS("\"oomScoreAdj\": 1001"),
	  "c:5: process.oomScoreAdj: expected an integer from -1000 to 1000, found 1001" },
	{ PROCESS("\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 8}"),
	  "c:5: process.ioPriority.priority: expected an integer from 0 to 7, found 8" },
	{ PROCESS("\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": 20}"),
	  "c:5: process.scheduler.nice: expected an integer from -20 to 19, found 20" },
	{ RESOURCES("\"memory\": {\"limit\": 9223372036854775808}"),
	  "c:5: linux.resources.memory.limit: expected an integer from -9223372036854775808 to "
	  "9223372036854775807, found 9223372036854775808" },
	{ RESOURCES("\"memory\": {\"limit\": -9223372036854775809}"),
	  "c:5: linux.resources.memory.limit: expected an integer from -9223372036854775808 to "
	  "9223372036854775807, found -9223372036854775809" },
	{ RESOURCES("\"cpu\": {\"shares\": 18446744073709551616}"),
	  "c:5: linux.resources.cpu.shares: expected an integer from 0 to 18446744073709551615, "
	  "found one past 64 bits" },
	{ RESOURCES("\"blockIO\": {\"weight\": 70000}"),
	  "c:5: linux.resources.blockIO.weight: expected an integer from 0 to 65535, found 70000" },
	{ RESOURCES("\"memory\": {\"swappiness\": 101}"),
	  "c:5: linux.resources.memory.swappiness: expected an integer from 0 to 100" },
	{ LINUX("\"uidMappings\": [{\"size\": 0}]"),
	  "c:4: linux.uidMappings[0].size: expected an integer from 1 to 4294967295, found 0" },
	{ LINUX("\"timeOffsets\": {\"boottime\": {\"nanosecs\": 1000000000}}"),
	  "c:4: linux.timeOffsets.boottime.nanosecs: expected an integer from 0 to 999999999, "
	  "found 1000000000" },
	{ SECCOMP("\"syscalls\": [{\"names\": [\"a\"], \"action\": \"SCMP_ACT_LOG\",\n"
		  "\"args\": [{\"index\": 6, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]}]"),
	  "c:6: linux.seccomp.syscalls[0].args[0].index: "
	  "expected an integer from 0 to 5, found 6" },
	{ DOC("\"hooks\": {\"poststop\": [{\"path\": \"/x\", \"timeout\": 0}]}"),
	  "c:3: hooks.poststop[0].timeout: expected an integer from 1 to 2147483647, found 0" },
	/* names */
	{ PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_X\"}]"), "c:5: process.rlimits[0].type: "
	  "expected one of RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, "
	  "RLIMIT_LOCKS, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, "
	  "RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_SIGPENDING, "
	  "RLIMIT_STACK, found \"RLIMIT_X\"" },
	{ PROCESS("\"ioPriority\": {\"class\": \"BE\"}"), "c:5: process.ioPriority.class: expected "
	  "one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE, found \"BE\"" },
	{ LINUX("\"namespaces\": [{\"type\": \"net\"}]"), "c:4: linux.namespaces[0].type: expected "
	  "one of pid, network, mount, ipc, uts, user, cgroup, time, found \"net\"" },
	{ LINUX("\"devices\": [{\"type\": \"z\"}]"),
	  "c:4: linux.devices[0].type: expected one of c, b, u, p, found \"z\"" },
	{ RESOURCES("\"devices\": [{\"type\": \"p\"}]"),
	  "c:5: linux.resources.devices[0].type: expected one of a, c, b, found \"p\"" },
	{ LINUX("\"rootfsPropagation\": \"rsomething\""), "c:4: linux.rootfsPropagation: expected "
	  "one of shared, slave, private, unbindable, rshared, rslave, rprivate, runbindable, "
	  "found \"rsomething\"" },
	{ LINUX("\"personality\": {\"domain\": \"SOLARIS\"}"), "c:4: linux.personality.domain: "
	  "expected one of LINUX, LINUX32, found \"SOLARIS\"" },
	{ LINUX("\"personality\": {\"domain\": \"LINUX\", \"flags\": [\"x\"]}"),
	  "c:4: linux.personality.flags[0]: no value is defined for it, found \"x\"" },
	{ SECCOMP("\"syscalls\": [{\"names\": [\"a\"], \"action\": \"ALLOW\"}]"),
	  "c:5: linux.seccomp.syscalls[0].action: expected one of SCMP_ACT_KILL, "
	  "SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, "
	  "SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, found \"ALLOW\"" },
	{ LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"0\", "
		"\"flags\": [\"MPOL_F_X\"]}"),
	  "c:4: linux.memoryPolicy.flags[0]: invalid memory policy flag: expected one of "
	  "MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING, "
	  "found \"MPOL_F_X\"" },
	{ DOC("\"vm\": {\"kernel\": {\"path\": \"/k\"}, \"image\": {\"path\": \"/i\", "
	      "\"format\": \"zip\"}}"),
	  "c:3: vm.image.format: expected one of raw, qcow2, vdi, vmdk, vhd, found \"zip\"" },
	{ LINUX("\"timeOffsets\": {\"realtime\": {}}"), "c:4: linux.timeOffsets.realtime: not a "
	  "property of config-linux.md#offset-for-time-namespace" },
	/* what must be there; "" and null are not */
	{ "{}", "c:1: ociVersion: required, but missing" },
	{ "{\"ociVersion\": null}", "c:1: ociVersion: required, but missing" },
	{ "{\"ociVersion\": \"\"}", "c:1: ociVersion: required, but missing" },
	{ DOC("\"root\": {}"), "c:3: root.path: required, but missing" },
	{ DOC("\"process\": {\"args\": [\"x\"]}"), "c:3: process.cwd: required, but missing" },
	{ DOC("\"mounts\": [{\"destination\": \"/a\"},\n{}]"),
	  "c:4: mounts[1].destination: required, but missing" },
	{ DOC("\"hooks\": {\"prestart\": [{}]}"),
	  "c:3: hooks.prestart[0].path: required, but missing" },
	{ DOC("\"vm\": {}"), "c:3: vm.kernel: required, but missing" },
	{ LINUX("\"namespaces\": [{}]"), "c:4: linux.namespaces[0].type: required, but missing" },
	{ LINUX("\"seccomp\": {}"), "c:4: linux.seccomp.defaultAction: required, but missing" },
	{ LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"/dev/x\", \"major\": 1}]"),
	  "c:4: linux.devices[0]: major and minor are required for type c" },
	{ RESOURCES("\"blockIO\": {\"weightDevice\": [{\"major\": 1}]}"),
	  "c:5: linux.resources.blockIO.weightDevice[0].minor: required, but missing" },
	{ RESOURCES("\"blockIO\": {\"throttleReadIOPSDevice\": [{\"major\": 1, \"minor\": 1}]}"),
	  "c:5: linux.resources.blockIO.throttleReadIOPSDevice[0].rate: required, but missing" },
	{ RESOURCES("\"hugepageLimits\": [{\"pageSize\": \"2MB\"}]"),
	  "c:5: linux.resources.hugepageLimits[0].limit: required, but missing" },
	{ RESOURCES("\"network\": {\"priorities\": [{\"priority\": 1}]}"),
	  "c:5: linux.resources.network.priorities[0].name: required, but missing" },
	/* absolute paths */
	{ DOC("\"process\": {\"cwd\": \"a/b\", \"args\": [\"x\"]}"),
	  "c:3: process.cwd: expected an absolute path, found \"a/b\"" },
	{ DOC("\"hooks\": {\"poststop\": [{\"path\": \"x\"}]}"),
	  "c:3: hooks.poststop[0].path: expected an absolute path, found \"x\"" },
	{ LINUX("\"maskedPaths\": [\"/a\", \"b\"]"),
	  "c:4: linux.maskedPaths[1]: expected an absolute path, found \"b\"" },
	{ LINUX("\"readonlyPaths\": [\"b\"]"),
	  "c:4: linux.readonlyPaths[0]: expected an absolute path, found \"b\"" },
	{ LINUX("\"namespaces\": [{\"type\": \"pid\", \"path\": \"x\"}]"),
	  "c:4: linux.namespaces[0].path: expected an absolute path, found \"x\"" },
	/* checks of one object */
	{ DOC("\"process\": {\"cwd\": \"/\"}"), "c:3: process.args: args must not be empty" },
	{ PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_AS\", \"soft\": 2, \"hard\": 1}]"),
	  "c:5: process.rlimits[0].soft: larger than hard" },
	{ PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_AS\", \"soft\": 1, \"hard\": 1},"
		  "{\"type\": \"RLIMIT_AS\", \"soft\": 1, \"hard\": 1}]"),
	  "c:3: process.rlimits: RLIMIT_AS stands there twice" },
	{ PROCESS("\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"priority\": 1}"),
	  "c:5: process.scheduler.priority: only SCHED_FIFO and SCHED_RR take a priority" },
	{ PROCESS("\"scheduler\": {\"policy\": \"SCHED_FIFO\", \"period\": 1}"),
	  "c:5: process.scheduler: only SCHED_DEADLINE takes a runtime, deadline and period" },
	{ RESOURCES("\"devices\": [{\"access\": \"rx\"}]"),
	  "c:5: linux.resources.devices[0].access: "
	  "expected some of the letters r, w and m, found \"rx\"" },
	{ RESOURCES("\"hugepageLimits\": [{\"pageSize\": \"64kB\", \"limit\": 1}]"),
	  "c:5: linux.resources.hugepageLimits[0].pageSize: expected a size like 64KB, 2MB or 1GB, "
	  "found \"64kB\"" },
	{ RESOURCES("\"hugepageLimits\": [{\"pageSize\": \"../MB\", \"limit\": 1}]"),
	  "c:5: linux.resources.hugepageLimits[0].pageSize: expected a size like 64KB, 2MB or 1GB, "
	  "found \"../MB\"" },
	{ RESOURCES("\"unified\": {\"../memory.max\": \"1\"}"), "c:5: linux.resources.unified: "
	  "expected file names like memory.high, found \"../memory.max\"" },
	{ LINUX("\"intelRdt\": {\"closID\": \"..\"}"), "c:4: linux.intelRdt.closID: expected the "
	  "name of a directory, found \"..\"" },
	{ LINUX("\"intelRdt\": {\"closID\": \"a/b\"}"), "c:4: linux.intelRdt.closID: expected the "
	  "name of a directory, found \"a/b\"" },
	{ LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_LOCAL\", \"nodes\": \"0\"}"),
	  "c:4: linux.memoryPolicy: set_mempolicy(MPOL_LOCAL): invalid argument: the mode takes "
	  "no nodes" },
	{ LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_INTERLEAVE\"}"),
	  "c:4: linux.memoryPolicy: set_mempolicy(MPOL_INTERLEAVE): invalid argument: the mode "
	  "needs at least one node" },
	{ LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"0\", \"flags\": "
		"[\"MPOL_F_STATIC_NODES\", \"MPOL_F_RELATIVE_NODES\"]}"),
	  "c:4: linux.memoryPolicy: set_mempolicy(MPOL_BIND): invalid argument: "
	  "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other" },
	{ LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_PREFERRED\", \"nodes\": \"0\", \"flags\": "
		"[\"MPOL_F_NUMA_BALANCING\"]}"),
	  "c:4: linux.memoryPolicy: set_mempolicy(MPOL_PREFERRED): invalid argument: "
	  "MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY" },
	{ LINUX("\"memoryPolicy\": {\"nodes\": \"0-7\"}"),
	  "c:4: linux.memoryPolicy.mode: invalid memory policy mode: required, but missing" },
	{ LINUX("\"memoryPolicy\": {\"mode\": \"INTERLEAVE\"}"),
	  "c:4: linux.memoryPolicy.mode: invalid memory policy mode: expected one of "
	  "MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, "
	  "MPOL_PREFERRED_MANY, MPOL_WEIGHTED_INTERLEAVE, found \"INTERLEAVE\"" },
#define NODES(list) { LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", " \
			    "\"nodes\": \"" list "\"}"), \
	"c:4: linux.memoryPolicy.nodes: invalid memory policy node: expected a list like " \
	"0-1,3, found \"" list "\"" }
	NODES("0-9876543210"), NODES("1024"), NODES("99999999999999999999"), NODES("1,"),
	NODES(",1"), NODES("1-"), NODES("-1"), NODES("2-1"), NODES("x"), NODES("0 1"),
	{ SECCOMP("\"syscalls\": [{\"names\": [], \"action\": \"SCMP_ACT_LOG\"}]"),
	  "c:5: linux.seccomp.syscalls[0].names: expected at least one name" },
	{ SECCOMP("\"syscalls\": [{\"names\": [\"a\"], \"action\": \"SCMP_ACT_NOTIFY\"}]"),
	  "c:4: linux.seccomp.listenerPath: required with SCMP_ACT_NOTIFY, but missing" },
	{ SECCOMP("\"listenerPath\": \"/a\", \"syscalls\": [{\"names\": [\"read\", \"write\"], "
		  "\"action\": \"SCMP_ACT_NOTIFY\"}]"),
	  "c:5: linux.seccomp.syscalls[0].names: SCMP_ACT_NOTIFY cannot be used for the write "
	  "syscall" },
	{ SECCOMP("\"listenerMetadata\": \"x\""),
	  "c:4: linux.seccomp.listenerMetadata: needs a listenerPath" },
	/* versions */
	{ "{\"ociVersion\": \"2.0.0\"}", "c:1: ociVersion: version 2.0.0 is not supported, only "
	  "1.x is" },
	{ "{\"ociVersion\": \"0.9.0\"}", "c:1: ociVersion: version 0.9.0 is not supported, only "
	  "1.x is" },
	{ "{\"ociVersion\": \"1.0\"}", "c:1: ociVersion: expected a version like 1.2.0, found "
	  "\"1.0\"" },
	{ "{\"ociVersion\": \"01.0.0\"}", "c:1: ociVersion: expected a version like 1.2.0, found "
	  "\"01.0.0\"" },
	{ "{\"ociVersion\": \"1.0.0 \"}", "c:1: ociVersion: expected a version like 1.2.0, found "
	  "\"1.0.0 \"" },
	{ "{\"ociVersion\": 1}", "c:1: ociVersion: expected a string, found an integer" },
	/* syntax */
	{ "{\"ociVersion\": \"1.0.0\",\n}", "c:2:1: expected a property name in quotes" },
};

static void bad_values_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct oci_spec s;
		struct err e = { 0 };
		int r = oci_spec_parse("c", bad[i].text, strlen(bad[i].text), &s, &e);

		if (r != -EINVAL)
			fail_msg("accepted: %s", bad[i].text);
		if (strcmp(e.msg, bad[i].message) != 0)
			fail_msg("%s\ngives    %s\nnot      %s", bad[i].text, e.msg,
				 bad[i].message);
		assert_null(s.arena.head);
	}
}

static void good_edges(void **state)
{
	static const char *const texts[] = {
		"{\"ociVersion\": \"1.0.2-dev\"}", "{\"ociVersion\": \"1.1.0+dev\"}",
		"{\"ociVersion\": \"1.0.0-rc5\"}", "{\"ociVersion\": \"1.99.0-rc.1+x.y-z\"}",
		DOC("\"process\": null, \"root\": null, \"mounts\": null, \"linux\": null"),
		DOC("\"unknown\": {\"deep\": [1.5, {}]}"),
		LINUX("\"resources\": null, \"seccomp\": null, \"devices\": null"),
		LINUX("\"cgroupsPath\": \"\", \"rootfsPropagation\": \"\""),
		LINUX("\"netDevices\": {\"a\": null}"),
		RESOURCES("\"pids\": {}, \"devices\": [{\"allow\": true, \"type\": \"\"}]"),
		LINUX("\"devices\": []"),
		LINUX("\"memoryPolicy\": {}"),
		LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_DEFAULT\"}"),
		LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"0-1,3,1023\"}"),
		SECCOMP("\"listenerPath\": \"/a\", \"listenerMetadata\": \"x\""),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct oci_spec s;
		struct err e = { 0 };

		if (oci_spec_parse("c", texts[i], strlen(texts[i]), &s, &e) < 0)
			fail_msg("%s: %s", texts[i], e.msg);
		oci_spec_release(&s);
	}
}

static void absent_values(void **state)
{
	static const char text[] = PROCESS("\"apparmorProfile\": \"\"");
	struct oci_spec s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(oci_spec_parse("c", text, strlen(text), &s, &e), 0);
	assert_null(s.process->apparmor_profile);
	assert_non_null(s.process->env.v);
	assert_null(s.process->env.v[0]);
	assert_false(s.process->caps.set);
	assert_false(s.process->user.umask.set);
	assert_null(s.root_path);
	assert_false(s.os_set);
	oci_spec_release(&s);
	oci_spec_release(&s);
	oci_spec_release(NULL);
}

/* Docker encodes a swappiness of -1, "not set", as an unsigned number. */
static void swappiness_of_docker(void **state)
{
	static const char text[] = "{\"memory\": {\"swappiness\": 18446744073709551615}}";
	CLEANUP(arena_release) struct arena a = { 0 };
	struct oci_resources *r = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(oci_resources_parse("r", text, strlen(text), &a, &r, &e), 0);
	assert_false(r->memory->swappiness.set);
}

static void lone_objects(void **state)
{
	static const char good[] = "{\"cwd\": \"/\", \"args\": [\"ls\"], \"terminal\": true}";
	static const char bad_process[] = "{\"cwd\": \"/\",\n\"args\": []}";
	static const char bad_resources[] = "{\n\"pids\": {\"limit\": 1.5}}";
	CLEANUP(arena_release) struct arena a = { 0 };
	struct oci_process *p = NULL;
	struct oci_resources *r = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(oci_process_parse("p", good, strlen(good), &a, &p, &e), 0);
	assert_true(p->terminal);
	assert_string_equal(p->args.v[0], "ls");
	assert_int_equal(oci_process_parse("p", bad_process, strlen(bad_process), &a, &p, &e),
			 -EINVAL);
	assert_string_equal(e.msg, "p:1: args: args must not be empty");
	assert_int_equal(oci_resources_parse("r", bad_resources, strlen(bad_resources), &a, &r, &e),
			 -EINVAL);
	assert_string_equal(e.msg,
			    "r:2: pids.limit: expected an integer, found a real number");
	assert_null(r);
}

static void names_of_things(void **state)
{
	(void)state;
	assert_int_equal(oci_cap_from_name("CAP_CHOWN"), 0);
	assert_int_equal(oci_cap_from_name("sys_admin"), 21);
	assert_int_equal(oci_cap_from_name("cap_bpf"), 39);
	assert_int_equal(oci_cap_from_name("CAP_"), -1);
	assert_int_equal(oci_cap_from_name("CAP_X"), -1);
	for (int cap = 0; oci_cap_name(cap); cap++)
		assert_int_equal(oci_cap_from_name(oci_cap_name(cap)), cap);
	assert_string_equal(oci_cap_name(40), "CAP_CHECKPOINT_RESTORE");
	assert_null(oci_cap_name(41));
	assert_null(oci_cap_name(-1));
	assert_int_equal(oci_rlimit_from_name("RLIMIT_NPROC"), RLIMIT_NPROC);
	assert_int_equal(oci_rlimit_from_name("NPROC"), -1);
}

static void default_documents(void **state)
{
	(void)state;
	for (int rootless = 0; rootless < 2; rootless++) {
		json_t *j = oci_default_spec(rootless, 1000, 1001);
		CLEANUP_FREE char *text = json_dumps(j, JSON_INDENT(4));
		struct oci_spec s;
		struct err e = { 0 };

		json_decref(j);
		if (oci_spec_parse("default", text, strlen(text), &s, &e) < 0 ||
		    oci_spec_validate(&s, &e) < 0)
			fail_msg("%s", e.msg);
		assert_int_equal(s.n_mounts, 7);
		assert_string_equal(s.process->args.v[0], "sh");
		assert_int_equal(s.os.uid_maps.n, rootless);
		assert_int_equal(oci_ns_find(&s, OCI_NS_NETWORK) == NULL, rootless);
		if (rootless)
			assert_int_equal(s.os.gid_maps.v[0].host_id, 1001);
		oci_spec_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_top),
		cmocka_unit_test(reads_mounts),
		cmocka_unit_test(reads_process),
		cmocka_unit_test(reads_capabilities),
		cmocka_unit_test(reads_scheduler),
		cmocka_unit_test(reads_hooks),
		cmocka_unit_test(reads_namespaces),
		cmocka_unit_test(reads_devices),
		cmocka_unit_test(reads_resources),
		cmocka_unit_test(reads_io_resources),
		cmocka_unit_test(reads_seccomp),
		cmocka_unit_test(reads_the_rest_of_linux),
		cmocka_unit_test(reads_vm),
		cmocka_unit_test(every_property_is_tested),
		cmocka_unit_test(bad_values_are_named),
		cmocka_unit_test(good_edges),
		cmocka_unit_test(absent_values),
		cmocka_unit_test(swappiness_of_docker),
		cmocka_unit_test(lone_objects),
		cmocka_unit_test(names_of_things),
		cmocka_unit_test(default_documents),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
