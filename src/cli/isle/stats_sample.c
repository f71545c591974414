/* cli/isle/stats_sample.c - see stats_sample.h */
#include "cli/isle/stats_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/isle/output.h"

#define NET_BYTES_MAX (1u << 20)

/* The number at a path of names; 0 where it is not there. */
static uint64_t number(const json_t *j, const char *a, const char *b, const char *c)
{
	j = json_object_get(j, a);
	j = b ? json_object_get(j, b) : j;
	j = c ? json_object_get(j, c) : j;
	return json_is_integer(j) && json_integer_value(j) > 0 ? (uint64_t)json_integer_value(j)
							       : 0;
}

/* Files that can be dropped at once are not counted, as Docker does. */
static void memory(const json_t *data, struct stats_sample *s)
{
	const json_t *raw = json_object_get(json_object_get(data, "memory"), "raw");
	uint64_t idle = number(raw, "total_inactive_file", NULL, NULL);
	struct sysinfo host;

	if (!idle)
		idle = number(raw, "inactive_file", NULL, NULL);
	s->memory = number(data, "memory", "usage", "usage");
	s->memory -= idle < s->memory ? idle : 0;
	s->memory_limit = number(data, "memory", "usage", "limit");
	if (sysinfo(&host) < 0)
		return;
	uint64_t all = (uint64_t)host.totalram * host.mem_unit;
	if (!s->memory_limit || s->memory_limit > all)
		s->memory_limit = all;
}

static void block_io(const json_t *data, struct stats_sample *s)
{
	const json_t *list = json_object_get(json_object_get(data, "blkio"),
					     "ioServiceBytesRecursive");
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		const char *op = json_string_value(json_object_get(entry, "op"));

		if (op && strcasecmp(op, "read") == 0)
			s->read += number(entry, "value", NULL, NULL);
		else if (op && strcasecmp(op, "write") == 0)
			s->written += number(entry, "value", NULL, NULL);
	}
}

/* /proc/PID/net/dev: two lines of heading, then "eth0: received ... sent ...", but not lo. */
static void network(pid_t pid, struct stats_sample *s)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(NET_BYTES_MAX);
	CLEANUP_FREE char *path = xasprintf("/proc/%d/net/dev", pid);
	unsigned long long in, out;
	char name[32], *rest, *line;

	if (file_read_at(AT_FDCWD, path, &b) < 0)
		return;
	rest = b.data;
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, " %31[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &in,
			   &out) != 3 || strcmp(name, "lo") == 0)
			continue;
		s->received += in;
		s->sent += out;
	}
}

/* Another's processes can be counted without a group of theirs, not what they use. */
static void take_groupless(struct engine *eng, const struct wall *wall,
			   const struct instance *in, struct stats_sample *ret)
{
	CLEANUP_FREE pid_t *pids = NULL;
	size_t n = 0;

	if (wall->pids(&eng->host, in->id, &pids, &n, NULL) < 0)
		return;
	ret->groupless = true;
	ret->pids = n;
}

void stats_sample_take(struct engine *eng, const struct instance *in, struct stats_sample *ret)
{
	CLEANUP_JSON json_t *data = NULL;
	const struct wall *wall;

	*ret = (struct stats_sample){ 0 };
	if (engine_wall(in->config.wall, &wall, NULL) < 0)
		return;
	/* The host's own counters are not the instance's. */
	if (!in->config.network_mode || strcmp(in->config.network_mode, "host") != 0)
		network(in->status.pid, ret);
	int r = wall->stats(&eng->host, in->id, &data, NULL);
	if (r == -ENOTSUP)
		take_groupless(eng, wall, in, ret);
	if (r < 0)
		return;
	/* runc's event has the counters below "data". */
	const json_t *inner = json_object_get(data, "data");
	const json_t *d = inner ? inner : data;
	ret->valid = true;
	ret->when_ns = time_mono_ns();
	ret->cpu_ns = number(d, "cpu", "usage", "total");
	ret->pids = number(d, "pids", "current", NULL);
	memory(d, ret);
	block_io(d, ret);
}

static json_t *pair(char *a, char *b)
{
	CLEANUP_FREE char *first = a, *second = b;
	CLEANUP_FREE char *both = xasprintf("%s / %s", first, second);

	return json_string(both);
}

static json_t *percent(double of_one)
{
	CLEANUP_FREE char *text = xasprintf("%.2f%%", of_one * 100);

	return json_string(text);
}

json_t *stats_row(const struct instance *in, const struct stats_sample *before,
		  const struct stats_sample *now, bool trunc)
{
	static const char *const of_group[] = { "BlockIO", "CPUPerc", "MemPerc", "MemUsage" };
	double cpu = 0, memory_share = 0;
	json_t *row = json_object();

	if (before->valid && now->valid && now->when_ns > before->when_ns &&
	    now->cpu_ns > before->cpu_ns)
		cpu = (double)(now->cpu_ns - before->cpu_ns) /
		      (double)(now->when_ns - before->when_ns);
	if (now->memory_limit)
		memory_share = (double)now->memory / (double)now->memory_limit;
	CLEANUP_FREE char *pids = xasprintf("%llu", (unsigned long long)now->pids);
	json_object_set_new(row, "BlockIO", pair(output_size(now->read),
						 output_size(now->written)));
	json_object_set_new(row, "CPUPerc", percent(cpu));
	json_object_set_new(row, "Container", json_string(in->name));
	json_object_set_new(row, "ID", json_stringn(in->id, trunc ? 12 : strlen(in->id)));
	json_object_set_new(row, "MemPerc", percent(memory_share));
	json_object_set_new(row, "MemUsage", pair(output_size_binary(now->memory),
						  output_size_binary(now->memory_limit)));
	json_object_set_new(row, "Name", json_string(in->name));
	json_object_set_new(row, "NetIO", pair(output_size(now->received),
					       output_size(now->sent)));
	json_object_set_new(row, "PIDs", json_string(pids));
	/* Docker's sign for what is not known. */
	for (size_t i = 0; now->groupless && i < ARRAY_LEN(of_group); i++)
		json_object_set_new(row, of_group[i], json_string("--"));
	return row;
}
