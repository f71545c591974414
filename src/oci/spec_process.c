/*
 * oci/spec_process.c - config.md#process: the table, and the names of capabilities,
 * resource limits and scheduling policies.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "oci/spec.h"
#include "oci/table.h"

/* linux/ioprio.h, which older kernels' headers lack */
#define IOPRIO_CLASS_RT 1
#define IOPRIO_CLASS_BE 2
#define IOPRIO_CLASS_IDLE 3

/* By number, capabilities(7). */
static const char *const cap_names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

_Static_assert(ARRAY_LEN(cap_names) == CAP_CHECKPOINT_RESTORE + 1, "a gap in the names");

const char *oci_cap_name(int cap)
{
	return cap >= 0 && (size_t)cap < ARRAY_LEN(cap_names) ? cap_names[cap] : NULL;
}

int oci_cap_from_name(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < ARRAY_LEN(cap_names); i++)
		if (strcasecmp(cap_names[i] + 4, name) == 0)
			return (int)i;
	return -1;
}

void oci_caps_add(struct oci_caps *caps, uint64_t *mask, const char *name, struct arena *a)
{
	struct oci_strv *u = &caps->unknown;
	int cap = oci_cap_from_name(name);

	if (cap >= 0) {
		*mask |= 1ull << cap;
		return;
	}
	for (size_t i = 0; i < u->n; i++)
		if (strcmp(u->v[i], name) == 0)
			return;
	/* Rare and few: a fresh list each time, the arena takes the old one. */
	const char **v = arena_calloc(a, u->n + 2, sizeof(*v));
	if (u->n)
		memcpy(v, u->v, u->n * sizeof(*v));
	v[u->n++] = name;
	u->v = v;
}

static const struct oci_name rlimit_names[] = {
	{ "RLIMIT_AS", RLIMIT_AS }, { "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU }, { "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE }, { "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK }, { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE }, { "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC }, { "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO }, { "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING }, { "RLIMIT_STACK", RLIMIT_STACK },
	{ NULL, 0 }
};

int oci_rlimit_from_name(const char *name)
{
	return (int)oci_name_number(rlimit_names, name);
}

/* sched(7); the number of SCHED_ISO is reserved, no kernel has it */
static const struct oci_name policy_names[] = {
	{ "SCHED_OTHER", SCHED_NORMAL }, { "SCHED_FIFO", SCHED_FIFO },
	{ "SCHED_RR", SCHED_RR }, { "SCHED_BATCH", SCHED_BATCH },
	{ "SCHED_ISO", 4 }, { "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE }, { NULL, 0 }
};

static const struct oci_name sched_flag_names[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
	{ NULL, 0 }
};

static const struct oci_name io_class_names[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT }, { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE }, { NULL, 0 }
};

static const struct oci_field rlimit_fields[] = {
	F_ENUM_TEXT("type", struct oci_rlimit, resource, type, rlimit_names,
		    .flags = OCI_REQUIRED),
	F_INT("soft", struct oci_rlimit, soft, U64, .flags = OCI_REQUIRED),
	F_INT("hard", struct oci_rlimit, hard, U64, .flags = OCI_REQUIRED),
	F_END
};

static int check_rlimit(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_rlimit *l = object;

	if (l->soft > l->hard)
		return oci_walk_error(w, v, "soft", "larger than hard");
	return 0;
}

static const struct oci_table rlimit_table = {
	.section = "config.md#posix-process", .size = sizeof(struct oci_rlimit),
	.fields = rlimit_fields, .check = check_rlimit,
};

static const struct oci_field console_fields[] = {
	F_INT("height", struct oci_process, console_height, U16, .flags = OCI_REQUIRED),
	F_INT("width", struct oci_process, console_width, U16, .flags = OCI_REQUIRED),
	F_END
};

static const struct oci_table console_table = {
	.section = "config.md#process", .fields = console_fields,
};

static const struct oci_field cap_fields[] = {
	F_CAPS("bounding", struct oci_caps, bounding),
	F_CAPS("effective", struct oci_caps, effective),
	F_CAPS("inheritable", struct oci_caps, inheritable),
	F_CAPS("permitted", struct oci_caps, permitted),
	F_CAPS("ambient", struct oci_caps, ambient),
	F_END
};

static const struct oci_table cap_table = {
	.section = "config.md#linux-process", .fields = cap_fields,
};

static const struct oci_field scheduler_fields[] = {
	F_ENUM_TEXT("policy", struct oci_scheduler, policy_nr, policy, policy_names,
		    .flags = OCI_REQUIRED),
	F_INT("nice", struct oci_scheduler, nice, RANGE(-20, 19)),
	F_INT("priority", struct oci_scheduler, priority, I32),
	F_FLAGS("flags", struct oci_scheduler, flags, sched_flag_names),
	F_INT("runtime", struct oci_scheduler, runtime, U64),
	F_INT("deadline", struct oci_scheduler, deadline, U64),
	F_INT("period", struct oci_scheduler, period, U64),
	F_END
};

/* sched(7): runtime <= deadline <= period.  The words are crun's. */
static int check_deadline(const struct oci_walk *w, const struct json_node *v,
			  const struct oci_scheduler *s)
{
#define SCHED "sched_setattr: `SCHED_DEADLINE` "
	const uint64_t max = INT64_MAX, min = 1024;     /* __checkparam_dl() of the kernel */

	if (!json_tree_member(v, "runtime"))
		return oci_walk_error(w, v, "runtime", SCHED "requires `runtime`");
	if (!json_tree_member(v, "deadline"))
		return oci_walk_error(w, v, "deadline", SCHED "requires `deadline`");
	if (s->runtime == 0)
		return oci_walk_error(w, v, "runtime", SCHED "runtime must be greater than 0");
	if (s->runtime < min || s->runtime > max)
		return oci_walk_error(w, v, "runtime", SCHED "runtime (%llu) must be between %llu "
				      "and %llu", (unsigned long long)s->runtime,
				      (unsigned long long)min, (unsigned long long)max);
	if (s->runtime > s->deadline)
		return oci_walk_error(w, v, "runtime", SCHED "runtime (%llu) must be <= deadline "
				      "(%llu)", (unsigned long long)s->runtime,
				      (unsigned long long)s->deadline);
	if (s->period && s->deadline > s->period)
		return oci_walk_error(w, v, "deadline", SCHED "deadline (%llu) must be <= period "
				      "(%llu)", (unsigned long long)s->deadline,
				      (unsigned long long)s->period);
	return 0;
#undef SCHED
}

static int check_scheduler(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_scheduler *s = object;

	if (s->priority != 0 && s->policy_nr != SCHED_FIFO && s->policy_nr != SCHED_RR)
		return oci_walk_error(w, v, "priority",
				      "only SCHED_FIFO and SCHED_RR take a priority");
	if ((s->runtime || s->deadline || s->period) && s->policy_nr != SCHED_DEADLINE)
		return oci_walk_error(w, v, NULL,
				      "only SCHED_DEADLINE takes a runtime, deadline and period");
	return s->policy_nr == SCHED_DEADLINE ? check_deadline(w, v, s) : 0;
}

static const struct oci_table scheduler_table = {
	.section = "config.md#linux-process", .size = sizeof(struct oci_scheduler),
	.fields = scheduler_fields, .check = check_scheduler,
};

static const struct oci_field io_priority_fields[] = {
	F_ENUM("class", struct oci_process, io_priority_class, io_class_names,
	       .flags = OCI_REQUIRED),
	F_INT("priority", struct oci_process, io_priority, RANGE(0, 7)),
	F_END
};

static const struct oci_table io_priority_table = {
	.section = "config.md#linux-process", .fields = io_priority_fields,
};

static const struct oci_field affinity_fields[] = {
	F_STRING("initial", struct oci_process, cpu_affinity_initial),
	F_STRING("final", struct oci_process, cpu_affinity_final),
	F_END
};

static const struct oci_table affinity_table = {
	.section = "config.md#linux-process", .fields = affinity_fields,
};

static const struct oci_field user_fields[] = {
	F_INT("uid", struct oci_user, uid, U32),
	F_INT("gid", struct oci_user, gid, U32),
	F_OPT_INT("umask", struct oci_user, umask, RANGE(0, 07777)),
	F_IDS("additionalGids", struct oci_user, additional_gids, n_additional_gids),
	F_STRING("username", struct oci_user, username,
		 .note = "parsed, ignored on purpose: Windows only"),
	F_END
};

static const struct oci_table user_table = {
	.section = "config.md#posix-platform-user", .fields = user_fields,
};

static const struct oci_field process_fields[] = {
	F_BOOL("terminal", struct oci_process, terminal),
	F_OBJECT("consoleSize", 0, &console_table),
	F_STRING("cwd", struct oci_process, cwd, .flags = OCI_REQUIRED | OCI_ABSOLUTE),
	F_STRINGS("env", struct oci_process, env),
	F_STRINGS("args", struct oci_process, args),
	F_OBJECTS("rlimits", struct oci_process, rlimits, n_rlimits, &rlimit_table),
	F_STRING("apparmorProfile", struct oci_process, apparmor_profile,
		 AT("config.md#linux-process")),
	F_OBJECT_SEEN("capabilities", struct oci_process, caps.set,
		      offsetof(struct oci_process, caps), &cap_table),
	F_BOOL("noNewPrivileges", struct oci_process, no_new_privileges,
	       AT("config.md#linux-process")),
	F_OPT_INT("oomScoreAdj", struct oci_process, oom_score_adj, RANGE(-1000, 1000),
		  AT("config.md#linux-process")),
	F_OBJECT_NEW("scheduler", struct oci_process, scheduler, &scheduler_table),
	F_STRING("selinuxLabel", struct oci_process, selinux_label, AT("config.md#linux-process")),
	F_OBJECT_SEEN("ioPriority", struct oci_process, io_priority_set, 0, &io_priority_table),
	F_OBJECT("execCPUAffinity", 0, &affinity_table),
	F_OBJECT("user", offsetof(struct oci_process, user), &user_table),
	F_IGNORED("commandLine", "ignored on purpose: Windows only, args is the POSIX form"),
	F_END
};

/* config.md#posix-process: a resource twice "MUST generate an error". */
static int check_process(const struct oci_walk *w, const struct json_node *v, void *object)
{
	static const char *nothing[1];
	struct oci_process *p = object;
	uint32_t seen = 0;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		uint32_t bit = 1u << p->rlimits[i].resource;

		if (seen & bit)
			return oci_walk_error(w, v, "rlimits", "%s stands there twice",
					      p->rlimits[i].type);
		seen |= bit;
	}
	if (!p->env.v)
		p->env.v = nothing;
	if (p->args.n == 0)
		return oci_walk_error(w, v, "args", "args must not be empty");
	return 0;
}

const struct oci_table oci_table_process = {
	.section = "config.md#process", .size = sizeof(struct oci_process),
	.fields = process_fields, .check = check_process,
};

int oci_process_parse(const char *name, const char *p, size_t n, struct arena *a,
		      struct oci_process **ret, struct err *e)
{
	struct oci_walk w = { .name = name, .a = a, .e = e };
	struct oci_process *process = arena_alloc(a, sizeof(*process));
	const struct json_node *doc = NULL;
	int r = json_tree_parse(name, p, n, a, &doc, e);

	if (r == 0)
		r = oci_table_walk(&w, &oci_table_process, doc, process);
	if (r == 0)
		*ret = process;
	return r;
}
