/* oci/spec_seccomp.c - config-linux.md#seccomp */
#include <string.h>

#include "oci/spec.h"
#include "oci/table.h"

/* Only the names matter here: container/seccomp.c asks libseccomp for numbers. */
static const struct oci_name action_names[] = {
	{ "SCMP_ACT_KILL", 0 }, { "SCMP_ACT_KILL_PROCESS", 0 }, { "SCMP_ACT_KILL_THREAD", 0 },
	{ "SCMP_ACT_TRAP", 0 }, { "SCMP_ACT_ERRNO", 0 }, { "SCMP_ACT_TRACE", 0 },
	{ "SCMP_ACT_ALLOW", 0 }, { "SCMP_ACT_LOG", 0 }, { "SCMP_ACT_NOTIFY", 0 }, { NULL, 0 }
};

/* enum scmp_compare of seccomp.h; libseccomp has kept these numbers since 2.0 */
static const struct oci_name operator_names[] = {
	{ "SCMP_CMP_NE", 1 }, { "SCMP_CMP_LT", 2 }, { "SCMP_CMP_LE", 3 }, { "SCMP_CMP_EQ", 4 },
	{ "SCMP_CMP_GE", 5 }, { "SCMP_CMP_GT", 6 }, { "SCMP_CMP_MASKED_EQ", 7 }, { NULL, 0 }
};

static const struct oci_field arg_fields[] = {
	F_INT("index", struct oci_seccomp_arg, index, RANGE(0, 5), .flags = OCI_REQUIRED),
	F_INT("value", struct oci_seccomp_arg, value, U64, .flags = OCI_REQUIRED),
	F_INT("valueTwo", struct oci_seccomp_arg, value_two, U64),
	F_ENUM("op", struct oci_seccomp_arg, op, operator_names, .flags = OCI_REQUIRED),
	F_END
};

static const struct oci_table arg_table = {
	.section = "config-linux.md#seccomp", .size = sizeof(struct oci_seccomp_arg),
	.fields = arg_fields,
};

static const struct oci_field rule_fields[] = {
	F_STRINGS("names", struct oci_seccomp_rule, names, .flags = OCI_REQUIRED),
	F_WORD("action", struct oci_seccomp_rule, action, action_names, .flags = OCI_REQUIRED),
	F_OPT_INT("errnoRet", struct oci_seccomp_rule, errno_ret, U32),
	F_OBJECTS("args", struct oci_seccomp_rule, args, n_args, &arg_table),
	F_END
};

/*
 * runc passes the listener on with write(2) under the filter, so it refuses to notify
 * on that call; documents are made to its measure, and its words are tested for.
 */
static int check_rule(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_seccomp_rule *r = object;
	bool notify = strcmp(r->action, "SCMP_ACT_NOTIFY") == 0;

	for (size_t i = 0; notify && i < r->names.n; i++)
		if (strcmp(r->names.v[i], "write") == 0)
			return oci_walk_error(w, v, "names", "SCMP_ACT_NOTIFY cannot be used for "
					      "the write syscall");
	if (r->names.n == 0)
		return oci_walk_error(w, json_tree_member(v, "names"), "names",
				      "expected at least one name");
	return 0;
}

static const struct oci_table rule_table = {
	.section = "config-linux.md#seccomp", .size = sizeof(struct oci_seccomp_rule),
	.fields = rule_fields, .check = check_rule,
};

static const struct oci_field seccomp_fields[] = {
	F_WORD("defaultAction", struct oci_seccomp, default_action, action_names,
	       .flags = OCI_REQUIRED),
	F_OPT_INT("defaultErrnoRet", struct oci_seccomp, default_errno_ret, U32),
	F_STRINGS("architectures", struct oci_seccomp, architectures),
	F_STRINGS("flags", struct oci_seccomp, flags),
	F_STRING("listenerPath", struct oci_seccomp, listener_path, .flags = OCI_ABSOLUTE),
	F_STRING("listenerMetadata", struct oci_seccomp, listener_metadata),
	F_OBJECTS("syscalls", struct oci_seccomp, syscalls, n_syscalls, &rule_table),
	F_END
};

static bool notifies(const struct oci_seccomp *s)
{
	bool notify = strcmp(s->default_action, "SCMP_ACT_NOTIFY") == 0;

	for (size_t i = 0; !notify && i < s->n_syscalls; i++)
		notify = strcmp(s->syscalls[i].action, "SCMP_ACT_NOTIFY") == 0;
	return notify;
}

/* Without an agent every call that notifies would hang for ever. */
static int check_seccomp(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct oci_seccomp *s = object;

	if (!s->listener_path && notifies(s))
		return oci_walk_error(w, v, "listenerPath",
				      "required with SCMP_ACT_NOTIFY, but missing");
	if (!s->listener_path && s->listener_metadata)
		return oci_walk_error(w, v, "listenerMetadata", "needs a listenerPath");
	return 0;
}

const struct oci_table oci_table_seccomp = {
	.section = "config-linux.md#seccomp", .size = sizeof(struct oci_seccomp),
	.fields = seccomp_fields, .check = check_seccomp,
};
