/* container/features.c - see features.h */
#include "container/features.h"

#include <seccomp.h>

#include "base/mem.h"
#include "base/version.h"
#include "container/hooks.h"
#include "container/rootfs.h"
#include "container/seccomp.h"
#include "oci/spec.h"

static json_t *names(const char *const *list)
{
	json_t *j = json_array();

	for (; *list; list++)
		json_array_append_new(j, json_string(*list));
	return j;
}

static json_t *hook_names(void)
{
	json_t *j = json_array();

	for (int k = 0; k < OCI_HOOK_COUNT; k++)
		json_array_append_new(j, json_string(hook_kind_name((enum oci_hook_kind)k)));
	return j;
}

static json_t *namespace_names(void)
{
	json_t *j = json_array();

	for (int n = 0; n < OCI_NS_COUNT; n++)
		json_array_append_new(j, json_string(oci_ns_name((enum oci_ns)n)));
	return j;
}

static json_t *capability_names(void)
{
	json_t *j = json_array();
	const char *name;

	for (int cap = 0; (name = oci_cap_name(cap)); cap++)
		json_array_append_new(j, json_string(name));
	return j;
}

static json_t *enabled(void)
{
	return json_pack("{s:b}", "enabled", 1);
}

/* features-linux.md#memory-policy: the names config-linux.md#memory-policy lists. */
static json_t *memory_policy(void)
{
	static const char *const modes[] = {
		"MPOL_DEFAULT", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE",
		"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_LOCAL", NULL,
	};
	static const char *const flags[] = {
		"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES", NULL,
	};

	return json_pack("{s:o, s:o}", "modes", names(modes), "flags", names(flags));
}

static json_t *seccomp(void)
{
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "enabled", 1,
			 "actions", names(seccomp_known_actions()),
			 "operators", names(seccomp_known_operators()),
			 "archs", names(seccomp_known_archs()),
			 "knownFlags", names(seccomp_known_flags()),
			 "supportedFlags", names(seccomp_supported_flags()));
}

static json_t *linux_features(void)
{
	json_t *j = json_object();

	json_object_set_new(j, "namespaces", namespace_names());
	json_object_set_new(j, "capabilities", capability_names());
	json_object_set_new(j, "cgroup", json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", 1, "v2", 1,
						   "systemd", 1, "systemdUser", 1, "rdma", 1));
	json_object_set_new(j, "seccomp", seccomp());
	json_object_set_new(j, "apparmor", enabled());
	json_object_set_new(j, "selinux", enabled());
	json_object_set_new(j, "intelRdt", json_pack("{s:b, s:b, s:b}", "enabled", 1,
						     "schemata", 1, "monitoring", 1));
	json_object_set_new(j, "memoryPolicy", memory_policy());
	json_object_set_new(j, "mountExtensions", json_pack("{s:o}", "idmap", enabled()));
	json_object_set_new(j, "netDevices", enabled());
	return j;
}

static void libseccomp_version(char ret[32])
{
	const struct scmp_version *v = seccomp_version();

	if (v)
		snprintf(ret, 32, "%u.%u.%u", v->major, v->minor, v->micro);
	else
		snprintf(ret, 32, "unknown");
}

json_t *features_json(void)
{
	/* A name that ends with "." is a prefix (features.md#unsafe-annotations-in-configjson). */
	static const char *const unsafe[] = {
		"org.systemd.property.", "run.oci.keep_original_groups", "run.oci.pidfd_receiver",
		NULL,
	};
	char libseccomp[32];

	libseccomp_version(libseccomp);
	json_t *j = json_object();
	json_object_set_new(j, "ociVersionMin", json_string(OCI_VERSION_MIN));
	json_object_set_new(j, "ociVersionMax", json_string(OCI_VERSION_MAX));
	json_object_set_new(j, "hooks", hook_names());
	json_object_set_new(j, "mountOptions", names(mount_option_names()));
	json_object_set_new(j, "linux", linux_features());
	json_object_set_new(j, "annotations",
			    json_pack("{s:s, s:s, s:s, s:s}",
				      "io.github.seccomp.libseccomp.version", libseccomp,
				      "org.opencontainers.runc.checkpoint.enabled", "true",
				      "run.isle.commit", ISLE_COMMIT,
				      "run.isle.version", ISLE_VERSION));
	json_object_set_new(j, "potentiallyUnsafeConfigAnnotations", names(unsafe));
	return j;
}

void features_print_version(FILE *f, const char *program)
{
	char libseccomp[32];

	libseccomp_version(libseccomp);
	fprintf(f, "%s version %s\ncommit: %s\nspec: %s\n", program, ISLE_VERSION, ISLE_COMMIT,
		OCI_VERSION_MAX);
	fprintf(f, "+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +EBPF +CRIU +RDT\nlibseccomp: %s\n",
		libseccomp);
}
