/*
 * cli/runtime/update.c - isle-runtime update: new limits for a container.
 *
 * --resources takes a resources object of config-linux.md#control-groups; the
 * single options are laid over it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/values.h"
#include "cli/runtime/verb.h"
#include "container/container.h"
#include "container/rdt.h"

struct update_args {
	const char *resources;
	struct opt_u64 blkio_weight;
	struct oci_cpu cpu;
	struct oci_memory memory;
	struct opt_i64 pids_limit;
	const char *kernel_memory, *kernel_memory_tcp;
	const char *l3_schema, *mb_schema;
};

static int parse_i64(const char *s, void *target, struct err *e)
{
	struct opt_i64 *o = target;

	o->set = true;
	return value_i64(s, &o->v, e);
}

static int parse_u64(const char *s, void *target, struct err *e)
{
	struct opt_u64 *o = target;

	o->set = true;
	return value_u64(s, &o->v, e);
}

static int parse_bytes(const char *s, void *target, struct err *e)
{
	struct opt_i64 *o = target;

	o->set = true;
	return value_bytes(s, &o->v, e);
}

#define AT(member) offsetof(struct update_args, member)

static const struct option options[] = {
	{ "resources", 'r', OPT_STRING, AT(resources), "FILE",
	  "read a resources object as in config.json; - is standard input", NULL },
	{ "blkio-weight", 0, OPT_PARSED, AT(blkio_weight), "WEIGHT",
	  "share of block I/O, 10 to 1000", parse_u64 },
	{ "cpu-period", 0, OPT_PARSED, AT(cpu.period), "US",
	  "period of the CPU limit in microseconds", parse_u64 },
	{ "cpu-quota", 0, OPT_PARSED, AT(cpu.quota), "US",
	  "CPU time allowed in each period, -1 for no limit", parse_i64 },
	{ "cpu-burst", 0, OPT_PARSED, AT(cpu.burst), "US",
	  "unused CPU time that may be kept for later", parse_u64 },
	{ "cpu-share", 0, OPT_PARSED, AT(cpu.shares), "SHARES",
	  "CPU shares, relative to other containers", parse_u64 },
	{ "cpu-rt-period", 0, OPT_PARSED, AT(cpu.realtime_period), "US",
	  "real-time period in microseconds", parse_u64 },
	{ "cpu-rt-runtime", 0, OPT_PARSED, AT(cpu.realtime_runtime), "US",
	  "real-time CPU time allowed in each period", parse_i64 },
	{ "cpuset-cpus", 0, OPT_STRING, AT(cpu.cpus), "LIST", "CPUs to use, as 0-2,7", NULL },
	{ "cpuset-mems", 0, OPT_STRING, AT(cpu.mems), "LIST",
	  "memory nodes to use, as 0-2,7", NULL },
	{ "cpu-idle", 0, OPT_PARSED, AT(cpu.idle), "0|1",
	  "with 1, run only when nothing else wants the CPU", parse_i64 },
	{ "memory", 0, OPT_PARSED, AT(memory.limit), "BYTES",
	  "memory limit, as 512m, -1 for none", parse_bytes },
	{ "memory-reservation", 0, OPT_PARSED, AT(memory.reservation), "BYTES",
	  "memory kept when memory is short, -1 for none", parse_bytes },
	{ "memory-swap", 0, OPT_PARSED, AT(memory.swap), "BYTES",
	  "limit of memory and swap together, -1 for none", parse_bytes },
	{ "kernel-memory", 0, OPT_STRING, AT(kernel_memory), "BYTES",
	  "accepted with a warning: kernels have no such limit any more", NULL },
	{ "kernel-memory-tcp", 0, OPT_STRING, AT(kernel_memory_tcp), "BYTES",
	  "accepted with a warning: kernels have no such limit any more", NULL },
	{ "pids-limit", 0, OPT_PARSED, AT(pids_limit), "N",
	  "most processes at a time, -1 for no limit", parse_i64 },
	{ "l3-cache-schema", 0, OPT_STRING, AT(l3_schema), "SCHEMA",
	  "Intel RDT: L3 cache schema of the container's group", NULL },
	{ "mem-bw-schema", 0, OPT_STRING, AT(mb_schema), "SCHEMA",
	  "Intel RDT: memory bandwidth schema of the container's group", NULL },
	OPTION_HELP,
};

static int read_resources(const char *path, struct arena *a, struct oci_resources **ret,
			  struct err *e)
{
	bool standard_input = strcmp(path, "-") == 0;
	CLEANUP(buf_release) struct buf b = BUF_INIT(JSON_BYTES_MAX);
	int r = standard_input ? fd_read_buf(STDIN_FILENO, &b)
			       : file_read_at(AT_FDCWD, path, &b);

	if (r < 0)
		return err_sys(e, -r, "read resources from %s",
			       standard_input ? "standard input" : path);
	return oci_resources_parse(standard_input ? "resources" : path, b.data, b.len, a, ret, e);
}

static void lay_i64(struct opt_i64 *to, struct opt_i64 from)
{
	if (from.set)
		*to = from;
}

static void lay_u64(struct opt_u64 *to, struct opt_u64 from)
{
	if (from.set)
		*to = from;
}

/* The objects that the document lacks are made, so that there is one way to lay. */
static void lay_over(struct oci_resources *r, const struct update_args *a, struct arena *arena)
{
	const struct oci_cpu *cpu = &a->cpu;
	const struct oci_memory *mem = &a->memory;

	if (!r->cpu)
		r->cpu = arena_alloc(arena, sizeof(*r->cpu));
	if (!r->memory)
		r->memory = arena_alloc(arena, sizeof(*r->memory));
	if (!r->block_io && a->blkio_weight.set)
		r->block_io = arena_alloc(arena, sizeof(*r->block_io));
	if (r->block_io)
		lay_u64(&r->block_io->weight, a->blkio_weight);
	lay_u64(&r->cpu->period, cpu->period);
	lay_i64(&r->cpu->quota, cpu->quota);
	lay_u64(&r->cpu->burst, cpu->burst);
	lay_u64(&r->cpu->shares, cpu->shares);
	lay_u64(&r->cpu->realtime_period, cpu->realtime_period);
	lay_i64(&r->cpu->realtime_runtime, cpu->realtime_runtime);
	lay_i64(&r->cpu->idle, cpu->idle);
	if (cpu->cpus)
		r->cpu->cpus = cpu->cpus;
	if (cpu->mems)
		r->cpu->mems = cpu->mems;
	lay_i64(&r->memory->limit, mem->limit);
	lay_i64(&r->memory->reservation, mem->reservation);
	lay_i64(&r->memory->swap, mem->swap);
	lay_i64(&r->pids_limit, a->pids_limit);
}

static int update_rdt(const struct call *c, const struct update_args *a, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };

	if (!a->l3_schema && !a->mb_schema)
		return 0;
	int r = state_load(c->rt, c->argv[0], true, &st, e);
	if (r < 0)
		return r;
	if (!st.intel_rdt_group)
		return err_set(e, EINVAL, "the container was created without linux.intelRdt, so it "
			       "has no group whose schema could be changed");
	return rdt_update(st.intel_rdt_group, a->l3_schema, a->mb_schema, e);
}

static int update(struct call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena arena = { 0 };
	const struct update_args *a = c->target;
	struct oci_resources *res = NULL;

	int r = a->resources ? read_resources(a->resources, &arena, &res, e) : 0;
	if (r < 0)
		return r;
	if (!res)
		res = arena_alloc(&arena, sizeof(*res));
	lay_over(res, a, &arena);
	if (a->kernel_memory || a->kernel_memory_tcp)
		log_warn("kernel memory limits are gone from the kernel; the option is ignored");
	r = container_update(c->rt, c->argv[0], res, e);
	return r < 0 ? r : update_rdt(c, a, e);
}

const struct verb verb_update = {
	.name = "update",
	.args = "CONTAINER-ID",
	.summary = "change the resource limits of a container",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct update_args),
	.min_args = 1,
	.max_args = 1,
	.run = update,
};
