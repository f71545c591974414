#pragma once
/*
 * oci/spec.h - runtime-spec 1.0 to 1.3 config.json as structs.  Layer: oci.
 *
 * Bytes become structs by one table per object (oci/table.h), so what isle
 * understands can be listed by reading the tables; docs/spec-coverage.md is made
 * from them.  Unknown properties are ignored (spec, "Extensibility"); a value of
 * the wrong type or out of range is an error that names the JSON path, the line
 * and what was expected.
 *
 * Everything hangs in one arena.  A string that is absent is NULL, a list that is
 * absent has n == 0, a number that may be absent is a struct opt_*, an object
 * that may be absent is a pointer.  The document is trusted as its caller is (the
 * engine, or the user); its text is still checked, never assumed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/* The runtime-spec that is implemented; any 1.x document is taken. */
#define OCI_VERSION "1.3.0"
#define OCI_VERSION_MIN "1.0.0"
#define OCI_VERSION_MAX OCI_VERSION

struct opt_i64 { bool set; int64_t v; };
struct opt_u64 { bool set; uint64_t v; };
struct opt_bool { bool set; bool v; };

struct oci_strv {
	const char **v;         /* v[n] is NULL, so it can be given to exec */
	size_t n;
};

struct oci_kv {                 /* annotations, sysctl, unified, vm hwConfig ... */
	const char *key, *value;
};

struct oci_kvs {
	struct oci_kv *v;
	size_t n;
};

/* --- config.md#process ------------------------------------------------- */

struct oci_rlimit {
	int resource;           /* RLIMIT_* */
	const char *type;       /* "RLIMIT_NOFILE" */
	uint64_t soft, hard;
};

struct oci_user {
	uint32_t uid, gid;
	struct opt_u64 umask;
	uint32_t *additional_gids;
	size_t n_additional_gids;
	const char *username;   /* Windows only; kept for round trips */
};

/* Sets as bit masks, bit n = capability n of capability.h.  Names this kernel
 * does not know are kept aside: they are warned about and ignored, as runc does. */
struct oci_caps {
	bool set;               /* the object is there */
	uint64_t bounding, effective, inheritable, permitted, ambient;
	struct oci_strv unknown;
};

struct oci_scheduler {
	const char *policy;     /* "SCHED_OTHER" ... */
	int policy_nr;          /* SCHED_* */
	int64_t nice;
	int64_t priority;
	uint64_t flags;         /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period;     /* nanoseconds */
};

struct oci_process {
	bool terminal;
	uint16_t console_height, console_width; /* characters; 0 when absent */
	const char *cwd;
	struct oci_strv env;
	struct oci_strv args;
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	const char *apparmor_profile;
	struct oci_caps caps;
	bool no_new_privileges;
	struct opt_i64 oom_score_adj;
	struct oci_scheduler *scheduler;
	const char *selinux_label;
	bool io_priority_set;
	int io_priority_class;  /* IOPRIO_CLASS_*: 1 RT, 2 BE, 3 IDLE */
	int io_priority;        /* 0..7 */
	const char *cpu_affinity_initial, *cpu_affinity_final; /* cpu lists */
	struct oci_user user;
};

/* --- config.md#mounts, config-linux.md#namespaces ---------------------- */

struct oci_idmap {
	uint32_t container_id, host_id, size;
};

struct oci_idmaps {
	struct oci_idmap *v;
	size_t n;
};

struct oci_mount {
	const char *destination;        /* absolute, or relative to / as 1.0 allowed */
	const char *type;               /* NULL when absent */
	const char *source;
	struct oci_strv options;        /* as written; container/mount_options.h reads them */
	struct oci_idmaps uid_maps, gid_maps;
};

enum oci_ns {
	OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_MOUNT, OCI_NS_IPC, OCI_NS_UTS,
	OCI_NS_USER, OCI_NS_CGROUP, OCI_NS_TIME, OCI_NS_COUNT
};

struct oci_namespace {
	enum oci_ns type;
	const char *path;       /* NULL: a new one */
};

struct oci_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

/* --- config-linux.md#devices, #control-groups --------------------------- */

struct oci_device {
	char type;              /* 'c' (also for "u"), 'b', 'p' */
	const char *path;
	int64_t major, minor;
	struct opt_u64 file_mode;       /* engines leave type bits in: mask with 07777 */
	struct opt_u64 uid, gid;
};

struct oci_device_rule {
	bool allow;
	char type;              /* 'a', 'c', 'b' */
	struct opt_i64 major, minor;    /* unset or -1: any */
	const char *access;     /* of "rwm", NULL: all */
};

struct oci_blkio_weight_device {
	int64_t major, minor;
	struct opt_u64 weight, leaf_weight;
};

struct oci_blkio_throttle {
	int64_t major, minor;
	uint64_t rate;
};

enum oci_throttle {
	OCI_THROTTLE_READ_BPS, OCI_THROTTLE_WRITE_BPS,
	OCI_THROTTLE_READ_IOPS, OCI_THROTTLE_WRITE_IOPS, OCI_THROTTLE_COUNT
};

struct oci_blkio {
	struct opt_u64 weight, leaf_weight;
	struct oci_blkio_weight_device *weight_devices;
	size_t n_weight_devices;
	struct {
		struct oci_blkio_throttle *v;
		size_t n;
	} throttle[OCI_THROTTLE_COUNT];
};

struct oci_memory {
	struct opt_i64 limit, reservation, swap, kernel, kernel_tcp;    /* bytes, -1: none */
	struct opt_u64 swappiness;
	struct opt_bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct oci_cpu {
	struct opt_u64 shares;
	struct opt_i64 quota;           /* microseconds, < 0: none */
	struct opt_u64 burst, period;
	struct opt_i64 realtime_runtime;
	struct opt_u64 realtime_period;
	const char *cpus, *mems;
	struct opt_i64 idle;
};

struct oci_hugepage_limit {
	const char *page_size;          /* "2MB" */
	uint64_t limit;                 /* bytes */
};

struct oci_net_prio {
	const char *name;
	uint32_t priority;
};

struct oci_rdma {
	const char *device;
	struct opt_u64 hca_handles, hca_objects;
};

struct oci_resources {
	struct oci_device_rule *devices;
	size_t n_devices;
	struct oci_memory *memory;
	struct oci_cpu *cpu;
	struct oci_blkio *block_io;
	struct opt_i64 pids_limit;
	struct oci_hugepage_limit *hugepages;
	size_t n_hugepages;
	struct opt_u64 net_class_id;
	struct oci_net_prio *net_prios;
	size_t n_net_prios;
	struct oci_rdma *rdma;
	size_t n_rdma;
	struct oci_kvs unified;
};

/* --- config-linux.md#seccomp ------------------------------------------- */

struct oci_seccomp_arg {
	uint32_t index;         /* 0..5 */
	uint64_t value, value_two;
	uint32_t op;            /* enum scmp_compare of seccomp.h */
};

struct oci_seccomp_rule {
	struct oci_strv names;
	const char *action;     /* "SCMP_ACT_ERRNO" */
	struct opt_u64 errno_ret;
	struct oci_seccomp_arg *args;
	size_t n_args;
};

struct oci_seccomp {
	const char *default_action;
	struct opt_u64 default_errno_ret;
	struct oci_strv architectures;  /* "SCMP_ARCH_X86_64" */
	struct oci_strv flags;          /* "SECCOMP_FILTER_FLAG_LOG" */
	const char *listener_path, *listener_metadata;
	struct oci_seccomp_rule *syscalls;
	size_t n_syscalls;
};

/* --- config.md#posix-platform-hooks ------------------------------------- */

enum oci_hook_kind {
	OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME, OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER, OCI_HOOK_POSTSTART, OCI_HOOK_POSTSTOP,
	OCI_HOOK_COUNT
};

struct oci_hook {
	const char *path;
	struct oci_strv args, env;
	struct opt_i64 timeout; /* seconds, > 0 */
};

struct oci_hooks {
	struct oci_hook *v;
	size_t n;
};

/* --- config-linux.md, the rest ------------------------------------------ */

struct oci_net_device {
	const char *host_name;  /* the key */
	const char *name;       /* new name, NULL: keep */
};

struct oci_rdt {
	const char *clos_id;
	struct oci_strv schemata;
	const char *l3_schema, *mb_schema;
	bool enable_cmt, enable_mbm, enable_monitoring;
};

struct oci_memory_policy {
	bool set;
	const char *mode;       /* "MPOL_BIND" */
	int mode_nr;            /* MPOL_* */
	uint64_t flags;         /* MPOL_F_* */
	const char *nodes;      /* list, "0-1,3" */
};

struct oci_linux {
	struct oci_namespace *namespaces;
	size_t n_namespaces;
	struct oci_idmaps uid_maps, gid_maps;
	struct oci_time_offset time_monotonic, time_boottime;
	struct oci_device *devices;
	size_t n_devices;
	struct oci_net_device *net_devices;
	size_t n_net_devices;
	const char *cgroups_path;
	struct oci_resources *resources;
	struct oci_rdt *intel_rdt;
	struct oci_memory_policy memory_policy;
	struct oci_kvs sysctl;
	struct oci_seccomp *seccomp;
	const char *rootfs_propagation; /* "shared", "slave", "private", "unbindable", "r..." */
	struct oci_strv masked_paths, readonly_paths;
	const char *mount_label;
	bool personality_set;
	unsigned long personality;      /* PER_* */
};

struct oci_vm {                         /* config-vm.md; for the other wall */
	const char *hypervisor_path;
	struct oci_strv hypervisor_parameters;
	const char *kernel_path, *kernel_initrd;
	struct oci_strv kernel_parameters;
	const char *image_path, *image_format;
	struct opt_u64 hw_vcpus, hw_memory;     /* hwConfig: count, bytes */
};

struct json_node;

struct oci_spec {
	struct arena arena;
	const char *name;               /* of the document, for messages */
	const struct json_node *doc;    /* the tree everything was read from */
	const char *oci_version;
	struct oci_process *process;    /* may be absent at create, not at start */
	const char *root_path;          /* NULL when root is absent */
	bool root_readonly;
	const char *hostname, *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	struct oci_hooks hooks[OCI_HOOK_COUNT];
	struct oci_kvs annotations;
	struct oci_linux os;            /* "linux"; all zero when absent */
	bool os_set;
	struct oci_vm *vm;
};

/*
 * Parse n bytes of config.json; name is used in messages.  On success *spec is
 * filled and owns an arena (oci_spec_release()); on error it is released.
 */
MUST_CHECK int oci_spec_parse(const char *name, const char *p, size_t n,
			      struct oci_spec *spec, struct err *e);
void oci_spec_release(struct oci_spec *spec);

/*
 * The rules that tie objects together (a root, no namespace twice, maps only with a
 * user namespace, sysctls only in namespaces of the container ...).  Separate from
 * parsing, so that tools can read a partial document.  What concerns one object
 * alone (absolute cwd, args not empty) the parser has checked.
 */
MUST_CHECK int oci_spec_validate(const struct oci_spec *spec, struct err *e);

/* A process object (exec --process) and a resources object (update).  *ret lives in a. */
MUST_CHECK int oci_process_parse(const char *name, const char *p, size_t n,
				 struct arena *a, struct oci_process **ret,
				 struct err *e);
MUST_CHECK int oci_resources_parse(const char *name, const char *p, size_t n,
				   struct arena *a, struct oci_resources **ret,
				   struct err *e);

/* The namespace of that type in the document, or NULL. */
const struct oci_namespace *oci_ns_find(const struct oci_spec *spec, enum oci_ns type);
/* "pid", "network" ... as in the document. */
const char *oci_ns_name(enum oci_ns type);
/* Value of an annotation or NULL. */
const char *oci_kvs_get(const struct oci_kvs *kvs, const char *key);
/* "CAP_CHOWN" (any case, prefix optional) -> 0; -1 when unknown. */
int oci_cap_from_name(const char *name);
const char *oci_cap_name(int cap);              /* NULL past the last known */
/* "RLIMIT_NOFILE" -> RLIMIT_NOFILE; -1 when unknown. */
int oci_rlimit_from_name(const char *name);
/*
 * The path below /proc/sys of a linux.sysctl key: "net.ipv4.conf.eno2/100.rp_filter"
 * and "net/ipv4/conf/eno2.100/rp_filter" both give the latter (sysctl.d(5)).
 * -EINVAL when it is not a name, above all when it has a ".." step; -ENAMETOOLONG.
 */
MUST_CHECK int oci_sysctl_path(const char *key, char *ret, size_t size);
