/*
 * cgroup_stats.c - counters of a group as the "data" of runc's "events --stats".
 *
 * The names and units are runc's (types/events.go), as engines read them: times in
 * nanoseconds, sizes in bytes.  A counter whose file is missing is 0, as there.
 */
#include "container/cgroup_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"

#define FILE_MAX (1u << 20)
#define NS_PER_US 1000ull
#define CPUS_MAX 8192

struct group {
	const struct cgroup *cg;
	const char *controller;
	char *dir;              /* NULL: not there */
};

static struct group group_of(const struct cgroup *cg, const char *controller)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, controller);

	return (struct group){ cg, controller, h ? cgroup_dir(h) : NULL };
}

static void group_cleanup(struct group *g)
{
	free(g->dir);
}

static uint64_t number(const struct group *g, const char *file)
{
	uint64_t v;

	return g->dir && cgd_read_u64(g->dir, file, &v) == 0 ? v : 0;
}

/* The whole of a file, "" where it is missing.  Caller frees. */
static char *text_of(const struct group *g, const char *file)
{
	struct buf b = BUF_INIT(FILE_MAX);
	CLEANUP_FREE char *path = g->dir ? xasprintf("%s/%s", g->dir, file) : NULL;

	if (path && file_read_at(AT_FDCWD, path, &b) < 0)
		b.len = 0;
	buf_add(&b, "", 0);
	b.data[b.len] = '\0';
	return b.data;
}

static void put(json_t *o, const char *key, uint64_t v)
{
	/* jansson has signed integers; "no limit" is past them, and JSON readers of
	 * runc's output take the largest they have. */
	json_object_set_new(o, key, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

/* Each "key value" line; a "max" is skipped. */
static json_t *flat_keyed(char *text)
{
	json_t *o = json_object();
	char key[128];
	unsigned long long v;

	for (char *save, *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (sscanf(l, "%127s %llu", key, &v) == 2)
			put(o, key, v);
	return o;
}

static uint64_t field(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* --- cpu ---------------------------------------------------------------------- */

static json_t *number_list(const char *text)
{
	json_t *a = json_array();
	char *end;

	for (unsigned long long v; v = strtoull(text, &end, 10), end != text; text = end)
		json_array_append_new(a, json_integer((json_int_t)v));
	return a;
}

/* cpuacct.stat counts in ticks of USER_HZ; the newer files in nanoseconds. */
static void cpu_v1_modes(const struct group *g, json_t *usage)
{
	uint64_t user = number(g, "cpuacct.usage_user"), sys = number(g, "cpuacct.usage_sys");

	if (!cgd_has(g->dir, "cpuacct.usage_user")) {
		CLEANUP_FREE char *text = text_of(g, "cpuacct.stat");
		CLEANUP_JSON json_t *ticks = flat_keyed(text);
		uint64_t ns = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);

		user = field(ticks, "user") * ns;
		sys = field(ticks, "system") * ns;
	}
	put(usage, "kernel", sys);
	put(usage, "user", user);
}

static void cpu_v1(const struct cgroup *cg, json_t *usage, json_t *throttling)
{
	CLEANUP(group_cleanup) struct group acct = group_of(cg, "cpuacct");
	CLEANUP(group_cleanup) struct group cpu = group_of(cg, "cpu");
	CLEANUP_FREE char *percpu = text_of(&acct, "cpuacct.usage_percpu");
	CLEANUP_FREE char *stat = text_of(&cpu, "cpu.stat");
	CLEANUP_JSON json_t *s = flat_keyed(stat);

	put(usage, "total", number(&acct, "cpuacct.usage"));
	json_object_set_new(usage, "percpu", number_list(percpu));
	if (acct.dir)
		cpu_v1_modes(&acct, usage);
	put(throttling, "periods", field(s, "nr_periods"));
	put(throttling, "throttledPeriods", field(s, "nr_throttled"));
	put(throttling, "throttledTime", field(s, "throttled_time"));
}

static void cpu_v2(const struct cgroup *cg, json_t *usage, json_t *throttling)
{
	CLEANUP(group_cleanup) struct group g = group_of(cg, "cpu");
	CLEANUP_FREE char *stat = text_of(&g, "cpu.stat");
	CLEANUP_JSON json_t *s = flat_keyed(stat);

	put(usage, "total", field(s, "usage_usec") * NS_PER_US);
	put(usage, "kernel", field(s, "system_usec") * NS_PER_US);
	put(usage, "user", field(s, "user_usec") * NS_PER_US);
	put(throttling, "periods", field(s, "nr_periods"));
	put(throttling, "throttledPeriods", field(s, "nr_throttled"));
	put(throttling, "throttledTime", field(s, "throttled_usec") * NS_PER_US);
}

static json_t *cpu_stats(const struct cgroup *cg)
{
	json_t *usage = json_object(), *throttling = json_object();

	if (cg->mode == CGROUP_MODE_V2)
		cpu_v2(cg, usage, throttling);
	else
		cpu_v1(cg, usage, throttling);
	return json_pack("{s:o, s:o}", "usage", usage, "throttling", throttling);
}

/* "0-2,5" -> [0,1,2,5], as runc prints it. */
static json_t *list_expand(const char *text)
{
	json_t *a = json_array();
	unsigned from, to;
	int n;

	for (; sscanf(text, "%u%n", &from, &n) == 1; text += *text == ',') {
		text += n;
		to = from;
		if (*text == '-' && sscanf(text, "-%u%n", &to, &n) == 1)
			text += n;
		for (; from <= to && json_array_size(a) < CPUS_MAX; from++)
			json_array_append_new(a, json_integer(from));
	}
	return a;
}

static void set_list(json_t *o, const char *key, const struct group *g, const char *file)
{
	CLEANUP_FREE char *text = text_of(g, file);

	if (text[0] && text[0] != '\n')
		json_object_set_new(o, key, list_expand(text));
}

static json_t *cpuset_stats(const struct cgroup *cg)
{
	static const struct { const char *key, *file; } files[] = {
		{ "cpu_exclusive", "cpuset.cpu_exclusive" },
		{ "mem_hardwall", "cpuset.mem_hardwall" },
		{ "mem_exclusive", "cpuset.mem_exclusive" },
		{ "memory_migrate", "cpuset.memory_migrate" },
		{ "memory_spread_page", "cpuset.memory_spread_page" },
		{ "memory_spread_slab", "cpuset.memory_spread_slab" },
		{ "memory_pressure", "cpuset.memory_pressure" },
		{ "sched_load_balance", "cpuset.sched_load_balance" },
	};
	CLEANUP(group_cleanup) struct group g = group_of(cg, "cpuset");
	json_t *o = json_object();
	bool v2 = cg->mode == CGROUP_MODE_V2;

	set_list(o, "cpus", &g, v2 ? "cpuset.cpus.effective" : "cpuset.cpus");
	set_list(o, "mems", &g, v2 ? "cpuset.mems.effective" : "cpuset.mems");
	for (size_t i = 0; !v2 && i < ARRAY_LEN(files); i++)
		put(o, files[i].key, number(&g, files[i].file));
	return o;
}

/* --- memory -------------------------------------------------------------------- */

static json_t *memory_v1_entry(const struct group *g, const char *prefix)
{
	static const struct { const char *key, *file; } files[] = {
		{ "limit", "limit_in_bytes" }, { "usage", "usage_in_bytes" },
		{ "max", "max_usage_in_bytes" }, { "failcnt", "failcnt" },
	};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char file[64];

		snprintf(file, sizeof(file), "%s.%s", prefix, files[i].file);
		put(o, files[i].key, number(g, file));
	}
	return o;
}

static json_t *memory_v1(const struct group *g, json_t *raw)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:O}",
			 "cache", (json_int_t)field(raw, "cache"),
			 "usage", memory_v1_entry(g, "memory"),
			 "swap", memory_v1_entry(g, "memory.memsw"),
			 "kernel", memory_v1_entry(g, "memory.kmem"),
			 "kernelTCP", memory_v1_entry(g, "memory.kmem.tcp"),
			 "raw", raw);
}

static json_t *memory_v2(const struct group *g, json_t *raw)
{
	CLEANUP_FREE char *text = text_of(g, "memory.events");
	CLEANUP_JSON json_t *events = flat_keyed(text);
	uint64_t usage = number(g, "memory.current"), limit = number(g, "memory.max");
	uint64_t swap = number(g, "memory.swap.current"), swap_max = number(g, "memory.swap.max");
	json_t *m = json_object(), *s = json_object();

	put(m, "limit", limit);
	put(m, "usage", usage);
	put(m, "max", number(g, "memory.peak"));
	put(m, "failcnt", field(events, "max"));
	/* As v1 has it: memory and swap together. */
	put(s, "limit", limit == UINT64_MAX || swap_max == UINT64_MAX ? UINT64_MAX
								     : limit + swap_max);
	put(s, "usage", usage + swap);
	put(s, "max", number(g, "memory.swap.peak"));
	put(s, "failcnt", 0);
	return json_pack("{s:I, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I}, s:O}",
			 "cache", (json_int_t)field(raw, "file"), "usage", m, "swap", s,
			 "kernel", "usage", (json_int_t)field(raw, "kernel"), "failcnt",
			 (json_int_t)0,
			 "kernelTCP", "usage", (json_int_t)field(raw, "sock"), "failcnt",
			 (json_int_t)0, "raw", raw);
}

static json_t *memory_stats(const struct cgroup *cg)
{
	CLEANUP(group_cleanup) struct group g = group_of(cg, "memory");
	CLEANUP_FREE char *text = text_of(&g, "memory.stat");
	CLEANUP_JSON json_t *raw = flat_keyed(text);

	return cg->mode == CGROUP_MODE_V2 ? memory_v2(&g, raw) : memory_v1(&g, raw);
}

/* --- the rest --------------------------------------------------------------------- */

static json_t *pids_stats(const struct cgroup *cg)
{
	CLEANUP(group_cleanup) struct group g = group_of(cg, "pids");
	uint64_t limit = number(&g, "pids.max");
	json_t *o = json_object();

	put(o, "current", number(&g, "pids.current"));
	put(o, "limit", limit == UINT64_MAX ? 0 : limit);       /* 0: none */
	return o;
}

static void blkio_entry(json_t *a, unsigned major, unsigned minor, const char *op, uint64_t v)
{
	json_array_append_new(a, json_pack("{s:s, s:I, s:I, s:I}", "op", op,
					   "major", (json_int_t)major,
					   "minor", (json_int_t)minor,
					   "value", (json_int_t)v));
}

/* "8:0 Read 4096" a line, and a total without a device. */
static json_t *blkio_v1(const struct group *g, const char *file)
{
	CLEANUP_FREE char *text = text_of(g, file);
	json_t *a = json_array();
	unsigned major, minor;
	unsigned long long v;
	char op[32];

	for (char *save, *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (sscanf(l, "%u:%u %31s %llu", &major, &minor, op, &v) == 4)
			blkio_entry(a, major, minor, op, v);
		else if (sscanf(l, "%u:%u %llu", &major, &minor, &v) == 3)
			blkio_entry(a, major, minor, "", v);
	}
	return a;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
static void blkio_v2(const struct group *g, json_t *bytes, json_t *ios)
{
	static const struct { const char *key, *op; bool is_bytes; } keys[] = {
		{ "rbytes", "Read", true }, { "wbytes", "Write", true },
		{ "dbytes", "Discard", true }, { "rios", "Read", false },
		{ "wios", "Write", false }, { "dios", "Discard", false },
	};
	CLEANUP_FREE char *text = text_of(g, "io.stat");
	unsigned major, minor;

	for (char *save, *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (sscanf(l, "%u:%u", &major, &minor) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			char key[16];
			const char *at;

			snprintf(key, sizeof(key), " %s=", keys[i].key);
			at = strstr(l, key);
			if (at)
				blkio_entry(keys[i].is_bytes ? bytes : ios, major, minor,
					    keys[i].op, strtoull(at + strlen(key), NULL, 10));
		}
	}
}

static json_t *blkio_stats(const struct cgroup *cg)
{
	static const struct { const char *key, *bfq, *throttle; } files[] = {
		{ "ioServiceBytesRecursive", "blkio.bfq.io_service_bytes_recursive",
		  "blkio.throttle.io_service_bytes_recursive" },
		{ "ioServicedRecursive", "blkio.bfq.io_serviced_recursive",
		  "blkio.throttle.io_serviced_recursive" },
	};
	CLEANUP(group_cleanup) struct group g = group_of(cg, cg->mode == CGROUP_MODE_V2
							       ? "io" : "blkio");
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(files) && cg->mode != CGROUP_MODE_V2; i++) {
		json_t *a = blkio_v1(&g, files[i].bfq);

		/* The throttle layer counts whatever the scheduler. */
		if (json_array_size(a) == 0) {
			json_decref(a);
			a = blkio_v1(&g, files[i].throttle);
		}
		json_object_set_new(o, files[i].key, a);
	}
	if (cg->mode == CGROUP_MODE_V2) {
		json_t *bytes = json_array(), *ios = json_array();

		blkio_v2(&g, bytes, ios);
		json_object_set_new(o, files[0].key, bytes);
		json_object_set_new(o, files[1].key, ios);
	}
	return o;
}

/* The page sizes are in the names: "hugetlb.2MB.current", "hugetlb.2MB.usage_in_bytes". */
static void hugetlb_one(const struct group *g, const char *name, bool v2, json_t *o)
{
	const char *dot = strchr(name + 8, '.');
	char size[32], file[96];
	json_t *entry;

	if (!dot || dot - (name + 8) >= (long)sizeof(size) ||
	    strcmp(dot, v2 ? ".current" : ".usage_in_bytes") != 0)
		return;
	snprintf(size, sizeof(size), "%.*s", (int)(dot - (name + 8)), name + 8);
	entry = json_object();
	put(entry, "usage", number(g, name));
	if (!v2) {
		snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", size);
		put(entry, "max", number(g, file));
		snprintf(file, sizeof(file), "hugetlb.%s.failcnt", size);
		put(entry, "failcnt", number(g, file));
	} else {
		uint64_t v = 0;

		snprintf(file, sizeof(file), "hugetlb.%s.events", size);
		if (cgd_read_key(g->dir, file, "max", &v) < 0)
			v = 0;
		put(entry, "failcnt", v);
	}
	json_object_set_new(o, size, entry);
}

static json_t *hugetlb_stats(const struct cgroup *cg)
{
	/* On a hybrid host the unified half may have it. */
	bool v2 = !cgroup_find(cg, "hugetlb") || cg->mode == CGROUP_MODE_V2;
	CLEANUP(group_cleanup) struct group g = group_of(cg, v2 ? "" : "hugetlb");
	json_t *o = json_object();
	DIR *d = g.dir ? opendir(g.dir) : NULL;
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (strncmp(de->d_name, "hugetlb.", 8) == 0)
			hugetlb_one(&g, de->d_name, v2, o);
	if (d)
		closedir(d);
	return o;
}

int cgroup_stats(const struct cgroup *cg, json_t **ret, struct err *e)
{
	if (cg->mode == CGROUP_MODE_NONE)
		return err_set(e, EOPNOTSUPP, "the container has no cgroup to take counters of");
	*ret = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
			 "cpu", cpu_stats(cg), "cpuset", cpuset_stats(cg),
			 "memory", memory_stats(cg), "pids", pids_stats(cg),
			 "blkio", blkio_stats(cg), "hugetlb", hugetlb_stats(cg));
	return 0;
}
