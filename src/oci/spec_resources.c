/*
 * oci/spec_resources.c - config-linux.md#control-groups: limits and device rules.
 * The same tables read config.json and what "update" is given.
 */
#include <string.h>

#include "oci/spec.h"
#include "oci/table.h"

#define SWAPPINESS_MAX 100

static const struct oci_name rule_types[] = {
	{ "a", 'a' }, { "c", 'c' }, { "b", 'b' }, { NULL, 0 }
};

static const struct oci_field rule_fields[] = {
	F_BOOL("allow", struct oci_device_rule, allow),
	F_ENUM("type", struct oci_device_rule, type, rule_types),
	F_OPT_INT("major", struct oci_device_rule, major, I64),
	F_OPT_INT("minor", struct oci_device_rule, minor, I64),
	F_STRING("access", struct oci_device_rule, access),
	F_END
};

static int check_rule(const struct oci_walk *w, const struct json_node *v, void *object)
{
	struct oci_device_rule *r = object;

	if (!r->type)
		r->type = 'a';
	if (r->access && r->access[strspn(r->access, "rwma")])
		return oci_walk_error(w, v, "access",
				      "expected some of the letters r, w and m, found \"%.80s\"",
				      r->access);
	return 0;
}

static const struct oci_table rule_table = {
	.section = "config-linux.md#allowed-device-list", .size = sizeof(struct oci_device_rule),
	.fields = rule_fields, .check = check_rule,
};

static const struct oci_field memory_fields[] = {
	F_OPT_INT("limit", struct oci_memory, limit, I64),
	F_OPT_INT("reservation", struct oci_memory, reservation, I64),
	F_OPT_INT("swap", struct oci_memory, swap, I64),
	F_OPT_INT("kernel", struct oci_memory, kernel, I64),
	F_OPT_INT("kernelTCP", struct oci_memory, kernel_tcp, I64),
	F_OPT_INT("swappiness", struct oci_memory, swappiness, U64),
	F_OPT_BOOL("disableOOMKiller", struct oci_memory, disable_oom_killer),
	F_OPT_BOOL("useHierarchy", struct oci_memory, use_hierarchy),
	F_OPT_BOOL("checkBeforeUpdate", struct oci_memory, check_before_update),
	F_END
};

static int check_memory(const struct oci_walk *w, const struct json_node *v, void *object)
{
	struct oci_memory *m = object;

	/* Docker's "not set" is -1, which its encoder turns into this. */
	if (m->swappiness.v == UINT64_MAX)
		m->swappiness = (struct opt_u64){ 0 };
	if (m->swappiness.v > SWAPPINESS_MAX)
		return oci_walk_error(w, v, "swappiness", "expected an integer from 0 to %d",
				      SWAPPINESS_MAX);
	return 0;
}

static const struct oci_table memory_table = {
	.section = "config-linux.md#memory", .size = sizeof(struct oci_memory),
	.fields = memory_fields, .check = check_memory,
};

static const struct oci_field cpu_fields[] = {
	F_OPT_INT("shares", struct oci_cpu, shares, U64),
	F_OPT_INT("quota", struct oci_cpu, quota, I64),
	F_OPT_INT("burst", struct oci_cpu, burst, U64),
	F_OPT_INT("period", struct oci_cpu, period, U64),
	F_OPT_INT("realtimeRuntime", struct oci_cpu, realtime_runtime, I64),
	F_OPT_INT("realtimePeriod", struct oci_cpu, realtime_period, U64),
	F_STRING("cpus", struct oci_cpu, cpus),
	F_STRING("mems", struct oci_cpu, mems),
	F_OPT_INT("idle", struct oci_cpu, idle, I64),
	F_END
};

static const struct oci_table cpu_table = {
	.section = "config-linux.md#cpu", .size = sizeof(struct oci_cpu), .fields = cpu_fields,
};

static const struct oci_field weight_device_fields[] = {
	F_INT("major", struct oci_blkio_weight_device, major, I64, .flags = OCI_REQUIRED),
	F_INT("minor", struct oci_blkio_weight_device, minor, I64, .flags = OCI_REQUIRED),
	F_OPT_INT("weight", struct oci_blkio_weight_device, weight, U16),
	F_OPT_INT("leafWeight", struct oci_blkio_weight_device, leaf_weight, U16),
	F_END
};

static const struct oci_table weight_device_table = {
	.section = "config-linux.md#block-io", .size = sizeof(struct oci_blkio_weight_device),
	.fields = weight_device_fields,
};

static const struct oci_field throttle_fields[] = {
	F_INT("major", struct oci_blkio_throttle, major, I64, .flags = OCI_REQUIRED),
	F_INT("minor", struct oci_blkio_throttle, minor, I64, .flags = OCI_REQUIRED),
	F_INT("rate", struct oci_blkio_throttle, rate, U64, .flags = OCI_REQUIRED),
	F_END
};

static const struct oci_table throttle_table = {
	.section = "config-linux.md#block-io", .size = sizeof(struct oci_blkio_throttle),
	.fields = throttle_fields,
};

#define F_THROTTLE(k, which) \
	F_OBJECTS(k, struct oci_blkio, throttle[which].v, throttle[which].n, &throttle_table)

static const struct oci_field blkio_fields[] = {
	F_OPT_INT("weight", struct oci_blkio, weight, U16),
	F_OPT_INT("leafWeight", struct oci_blkio, leaf_weight, U16),
	F_OBJECTS("weightDevice", struct oci_blkio, weight_devices, n_weight_devices,
		  &weight_device_table),
	F_THROTTLE("throttleReadBpsDevice", OCI_THROTTLE_READ_BPS),
	F_THROTTLE("throttleWriteBpsDevice", OCI_THROTTLE_WRITE_BPS),
	F_THROTTLE("throttleReadIOPSDevice", OCI_THROTTLE_READ_IOPS),
	F_THROTTLE("throttleWriteIOPSDevice", OCI_THROTTLE_WRITE_IOPS),
	F_END
};

static const struct oci_table blkio_table = {
	.section = "config-linux.md#block-io", .size = sizeof(struct oci_blkio),
	.fields = blkio_fields,
};

static const struct oci_field pids_fields[] = {
	F_OPT_INT("limit", struct oci_resources, pids_limit, I64),
	F_END
};

static const struct oci_table pids_table = {
	.section = "config-linux.md#pids", .fields = pids_fields,
};

static const struct oci_field hugepage_fields[] = {
	F_STRING("pageSize", struct oci_hugepage_limit, page_size, .flags = OCI_REQUIRED),
	F_INT("limit", struct oci_hugepage_limit, limit, U64, .flags = OCI_REQUIRED),
	F_END
};

/* "<size><unit-prefix>B"; it becomes part of a file's name, so only that. */
static int check_hugepage(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_hugepage_limit *h = object;
	size_t digits = strspn(h->page_size, "0123456789");
	const char *unit = h->page_size + digits;

	if (digits > 0 && h->page_size[0] != '0' && strlen(unit) == 2 &&
	    strchr("KMG", unit[0]) && unit[1] == 'B')
		return 0;
	return oci_walk_error(w, v, "pageSize",
			      "expected a size like 64KB, 2MB or 1GB, found \"%.80s\"",
			      h->page_size);
}

static const struct oci_table hugepage_table = {
	.section = "config-linux.md#huge-page-limits", .size = sizeof(struct oci_hugepage_limit),
	.fields = hugepage_fields, .check = check_hugepage,
};

static const struct oci_field priority_fields[] = {
	F_STRING("name", struct oci_net_prio, name, .flags = OCI_REQUIRED),
	F_INT("priority", struct oci_net_prio, priority, U32, .flags = OCI_REQUIRED),
	F_END
};

static const struct oci_table priority_table = {
	.section = "config-linux.md#network", .size = sizeof(struct oci_net_prio),
	.fields = priority_fields,
};

static const struct oci_field network_fields[] = {
	F_OPT_INT("classID", struct oci_resources, net_class_id, U32),
	F_OBJECTS("priorities", struct oci_resources, net_prios, n_net_prios, &priority_table),
	F_END
};

static const struct oci_table network_table = {
	.section = "config-linux.md#network", .fields = network_fields,
};

static const struct oci_field rdma_fields[] = {
	F_OPT_INT("hcaHandles", struct oci_rdma, hca_handles, U32),
	F_OPT_INT("hcaObjects", struct oci_rdma, hca_objects, U32),
	F_END
};

static const struct oci_table rdma_table = {
	.section = "config-linux.md#rdma", .size = sizeof(struct oci_rdma),
	.fields = rdma_fields,
};

static const struct oci_field resource_fields[] = {
	F_OBJECTS("devices", struct oci_resources, devices, n_devices, &rule_table),
	F_OBJECT_NEW("memory", struct oci_resources, memory, &memory_table),
	F_OBJECT_NEW("cpu", struct oci_resources, cpu, &cpu_table),
	F_OBJECT("pids", 0, &pids_table),
	F_OBJECT_NEW("blockIO", struct oci_resources, block_io, &blkio_table),
	F_OBJECTS("hugepageLimits", struct oci_resources, hugepages, n_hugepages,
		  &hugepage_table),
	F_OBJECT("network", 0, &network_table),
	F_MAP("rdma", struct oci_resources, rdma, n_rdma, &rdma_table),
	F_STRING_MAP("unified", struct oci_resources, unified),
	F_END
};

/* The keys of unified are file names below the container's group, nothing else. */
static int check_resources(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_resources *r = object;

	for (size_t i = 0; i < r->unified.n; i++) {
		const char *key = r->unified.v[i].key;

		if (strchr(key, '/') || !strchr(key, '.') || key[0] == '.')
			return oci_walk_error(w, json_tree_member(v, "unified"), "unified",
					      "expected file names like memory.high, "
					      "found \"%.80s\"", key);
	}
	return 0;
}

const struct oci_table oci_table_resources = {
	.section = "config-linux.md#control-groups", .size = sizeof(struct oci_resources),
	.fields = resource_fields, .check = check_resources,
};

int oci_resources_parse(const char *name, const char *p, size_t n, struct arena *a,
			struct oci_resources **ret, struct err *e)
{
	struct oci_walk w = { .name = name, .a = a, .e = e };
	struct oci_resources *r = arena_alloc(a, sizeof(*r));
	const struct json_node *doc = NULL;
	int status = json_tree_parse(name, p, n, a, &doc, e);

	if (status == 0)
		status = oci_table_walk(&w, &oci_table_resources, doc, r);
	if (status == 0)
		*ret = r;
	return status;
}
