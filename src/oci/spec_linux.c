/* oci/spec_linux.c - config-linux.md, but for resources and seccomp */
#include <ctype.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

#include "base/mem.h"
#include "oci/spec.h"
#include "oci/table.h"

/* linux/mempolicy.h, Linux 6.9 */
#define MPOL_WEIGHTED_INTERLEAVE_NR 6
/* MAX_NUMNODES of the largest configuration, 1 << CONFIG_NODES_SHIFT */
#define MPOL_NODES_MAX 1024

static const struct oci_name ns_names[] = {
	{ "pid", OCI_NS_PID }, { "network", OCI_NS_NETWORK }, { "mount", OCI_NS_MOUNT },
	{ "ipc", OCI_NS_IPC }, { "uts", OCI_NS_UTS }, { "user", OCI_NS_USER },
	{ "cgroup", OCI_NS_CGROUP }, { "time", OCI_NS_TIME }, { NULL, 0 }
};

const char *oci_ns_name(enum oci_ns type)
{
	for (const struct oci_name *n = ns_names; n->name; n++)
		if (n->number == (int64_t)type)
			return n->name;
	return NULL;
}

static const struct oci_field ns_fields[] = {
	F_ENUM("type", struct oci_namespace, type, ns_names, .flags = OCI_REQUIRED),
	F_STRING("path", struct oci_namespace, path, .flags = OCI_ABSOLUTE),
	F_END
};

static const struct oci_table ns_table = {
	.section = "config-linux.md#namespaces", .size = sizeof(struct oci_namespace),
	.fields = ns_fields,
};

static const struct oci_field idmap_fields[] = {
	F_INT("containerID", struct oci_idmap, container_id, U32),
	F_INT("hostID", struct oci_idmap, host_id, U32),
	F_INT("size", struct oci_idmap, size, RANGE(1, UINT32_MAX), .flags = OCI_REQUIRED),
	F_END
};

const struct oci_table oci_table_idmap = {
	.section = "config-linux.md#user-namespace-mappings", .size = sizeof(struct oci_idmap),
	.fields = idmap_fields,
};

static const struct oci_field offset_fields[] = {
	F_INT("secs", struct oci_time_offset, secs, I64),
	F_INT("nanosecs", struct oci_time_offset, nanosecs, RANGE(0, 999999999)),
	F_END
};

static const struct oci_table offset_table = {
	.section = "config-linux.md#offset-for-time-namespace", .fields = offset_fields,
};

static const struct oci_field offsets_fields[] = {
	F_OBJECT_SEEN("monotonic", struct oci_linux, time_monotonic.set,
		      offsetof(struct oci_linux, time_monotonic), &offset_table),
	F_OBJECT_SEEN("boottime", struct oci_linux, time_boottime.set,
		      offsetof(struct oci_linux, time_boottime), &offset_table),
	F_END
};

/* Closed: its keys are clocks, and one that cannot be shifted must not pass silently. */
static const struct oci_table offsets_table = {
	.section = "config-linux.md#offset-for-time-namespace", .closed = true,
	.fields = offsets_fields,
};

/* "u" is an unbuffered character device, which Linux has no other kind of. */
static const struct oci_name device_types[] = {
	{ "c", 'c' }, { "b", 'b' }, { "u", 'c' }, { "p", 'p' }, { NULL, 0 }
};

static const struct oci_field device_fields[] = {
	F_ENUM("type", struct oci_device, type, device_types, .flags = OCI_REQUIRED),
	F_STRING("path", struct oci_device, path, .flags = OCI_REQUIRED | OCI_ABSOLUTE),
	F_INT("major", struct oci_device, major, I64),
	F_INT("minor", struct oci_device, minor, I64),
	F_OPT_INT("fileMode", struct oci_device, file_mode, U32),
	F_OPT_INT("uid", struct oci_device, uid, U32),
	F_OPT_INT("gid", struct oci_device, gid, U32),
	F_END
};

static int check_device(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_device *d = object;

	if (d->type == 'p')
		return 0;
	if (!json_tree_member(v, "major") || !json_tree_member(v, "minor"))
		return oci_walk_error(w, v, NULL, "major and minor are required for type %c",
				      d->type);
	return 0;
}

static const struct oci_table device_table = {
	.section = "config-linux.md#devices", .size = sizeof(struct oci_device),
	.fields = device_fields, .check = check_device,
};

static const struct oci_field net_device_fields[] = {
	F_STRING("name", struct oci_net_device, name),
	F_END
};

static const struct oci_table net_device_table = {
	.section = "config-linux.md#network-devices", .size = sizeof(struct oci_net_device),
	.fields = net_device_fields,
};

static const struct oci_field rdt_fields[] = {
	F_STRING("closID", struct oci_rdt, clos_id),
	F_STRINGS("schemata", struct oci_rdt, schemata),
	F_STRING("l3CacheSchema", struct oci_rdt, l3_schema),
	F_STRING("memBwSchema", struct oci_rdt, mb_schema),
	F_BOOL("enableCMT", struct oci_rdt, enable_cmt),
	F_BOOL("enableMBM", struct oci_rdt, enable_mbm),
	F_BOOL("enableMonitoring", struct oci_rdt, enable_monitoring),
	F_END
};

/* The name of a directory below the mount of resctrl. */
static int check_rdt(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_rdt *r = object;

	if (r->clos_id && (strchr(r->clos_id, '/') || strcmp(r->clos_id, ".") == 0 ||
			   strcmp(r->clos_id, "..") == 0))
		return oci_walk_error(w, json_tree_member(v, "closID"), "closID",
				      "expected the name of a directory, found \"%.80s\"",
				      r->clos_id);
	return 0;
}

static const struct oci_table rdt_table = {
	.section = "config-linux.md#intelrdt", .size = sizeof(struct oci_rdt),
	.fields = rdt_fields, .check = check_rdt,
};

static const struct oci_name mpol_names[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT }, { "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_BIND", MPOL_BIND }, { "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_LOCAL", MPOL_LOCAL }, { "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
	{ "MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_NR }, { NULL, 0 }
};

static const struct oci_name mpol_flag_names[] = {
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING }, { NULL, 0 }
};

static const struct oci_field mpol_fields[] = {
	F_ENUM_TEXT("mode", struct oci_memory_policy, mode_nr, mode, mpol_names,
		    .words = "invalid memory policy mode"),
	F_STRING("nodes", struct oci_memory_policy, nodes),
	F_FLAGS("flags", struct oci_memory_policy, flags, mpol_flag_names,
		.words = "invalid memory policy flag"),
	F_END
};

/* "0-1,3": numbers below the kernel's limit of nodes. */
static bool nodes_ok(const char *s)
{
	char *end;

	for (;; s = end + 1) {
		if (!isdigit((unsigned char)*s))
			return false;
		unsigned long first = strtoul(s, &end, 10), last = first;

		if (*end == '-' && !isdigit((unsigned char)end[1]))
			return false;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first > last || last >= MPOL_NODES_MAX)
			return false;
		if (*end != ',')
			return *end == '\0';
	}
}

/* What set_mempolicy(2) would refuse without saying why; NULL when nothing. */
static const char *mpol_refused(const struct oci_memory_policy *m)
{
	const uint64_t both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
	bool none = m->mode_nr == MPOL_DEFAULT || m->mode_nr == MPOL_LOCAL;

	if (none && m->nodes)
		return "the mode takes no nodes";
	if (!none && m->mode_nr != MPOL_PREFERRED && !m->nodes)
		return "the mode needs at least one node";
	if ((m->flags & both) == both)
		return "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other";
	if ((m->flags & MPOL_F_NUMA_BALANCING) && m->mode_nr != MPOL_BIND &&
	    m->mode_nr != MPOL_PREFERRED_MANY)
		return "MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY";
	return NULL;
}

static int check_mpol(const struct oci_walk *w, const struct json_node *v, void *object)
{
	struct oci_memory_policy *m = object;

	/* An empty object asks for nothing, as runc has it. */
	if (!m->mode && !m->nodes && !m->flags) {
		m->set = false;
		return 0;
	}
	if (!m->mode)
		return oci_walk_error(w, v, "mode", "invalid memory policy mode: required, but "
				      "missing");
	if (m->nodes && !nodes_ok(m->nodes))
		return oci_walk_error(w, json_tree_member(v, "nodes"), "nodes",
				      "invalid memory policy node: expected a list like 0-1,3, "
				      "found \"%.80s\"", m->nodes);
	const char *refused = mpol_refused(m);
	if (refused)
		return oci_walk_error(w, v, NULL, "set_mempolicy(%s): invalid argument: %s",
				      m->mode, refused);
	return 0;
}

static const struct oci_table mpol_table = {
	.section = "config-linux.md#memory-policy", .fields = mpol_fields, .check = check_mpol,
};

static const struct oci_name domain_names[] = {
	{ "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 }, { NULL, 0 }
};

/* "Currently no flag values are supported": a list that is not empty is refused. */
static const struct oci_name personality_flags[] = { { NULL, 0 } };

static const struct oci_field personality_fields[] = {
	F_ENUM("domain", struct oci_linux, personality, domain_names, .flags = OCI_REQUIRED),
	{ .key = "flags", .type = OCI_FLAGS, .offset = OCI_NOWHERE, .names = personality_flags,
	  .note = "refused unless empty: the specification defines no flag yet" },
	F_END
};

static const struct oci_table personality_table = {
	.section = "config-linux.md#personality", .fields = personality_fields,
};

/* config-linux.md#rootfs-mount-propagation has four; runc's recursive forms too. */
static const struct oci_name propagation_names[] = {
	{ "shared", 0 }, { "slave", 0 }, { "private", 0 }, { "unbindable", 0 },
	{ "rshared", 0 }, { "rslave", 0 }, { "rprivate", 0 }, { "runbindable", 0 }, { NULL, 0 }
};

static const struct oci_field linux_fields[] = {
	F_OBJECTS("namespaces", struct oci_linux, namespaces, n_namespaces, &ns_table),
	F_OBJECTS("uidMappings", struct oci_linux, uid_maps.v, uid_maps.n, &oci_table_idmap),
	F_OBJECTS("gidMappings", struct oci_linux, gid_maps.v, gid_maps.n, &oci_table_idmap),
	F_OBJECT("timeOffsets", 0, &offsets_table),
	F_OBJECTS("devices", struct oci_linux, devices, n_devices, &device_table),
	F_MAP("netDevices", struct oci_linux, net_devices, n_net_devices, &net_device_table),
	F_STRING("cgroupsPath", struct oci_linux, cgroups_path, AT("config-linux.md#cgroups-path")),
	F_OBJECT_NEW("resources", struct oci_linux, resources, &oci_table_resources),
	F_OBJECT_NEW("intelRdt", struct oci_linux, intel_rdt, &rdt_table),
	F_OBJECT_SEEN("memoryPolicy", struct oci_linux, memory_policy.set,
		      offsetof(struct oci_linux, memory_policy), &mpol_table),
	F_STRING_MAP("sysctl", struct oci_linux, sysctl, AT("config-linux.md#sysctl")),
	F_OBJECT_NEW("seccomp", struct oci_linux, seccomp, &oci_table_seccomp),
	F_WORD("rootfsPropagation", struct oci_linux, rootfs_propagation, propagation_names,
	       AT("config-linux.md#rootfs-mount-propagation")),
	F_STRINGS("maskedPaths", struct oci_linux, masked_paths, .flags = OCI_ABSOLUTE,
		  AT("config-linux.md#masked-paths")),
	F_STRINGS("readonlyPaths", struct oci_linux, readonly_paths, .flags = OCI_ABSOLUTE,
		  AT("config-linux.md#readonly-paths")),
	F_STRING("mountLabel", struct oci_linux, mount_label, AT("config-linux.md#mount-label")),
	F_OBJECT_SEEN("personality", struct oci_linux, personality_set, 0, &personality_table),
	F_END
};

const struct oci_table oci_table_linux = {
	.section = "config-linux.md", .fields = linux_fields,
};
