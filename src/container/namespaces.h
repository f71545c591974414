#pragma once
/*
 * container/namespaces.h - which namespaces a container makes, joins and shares,
 * and its user namespace's maps.  Layer: container.
 * Spec: config-linux.md#namespaces, #user-namespace-mappings, #offset-for-time-namespace.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

struct ns_set {
	unsigned create;                /* CLONE_NEW* to make */
	unsigned joined;                /* CLONE_NEW* given by path */
	int fd[OCI_NS_COUNT];           /* of the joined ones, else -1 */
};

/* CLONE_NEW* of a type. */
unsigned ns_flag(enum oci_ns type);
/* "/proc/PID/ns/" name: "mnt", "net" ... */
const char *ns_proc_name(enum oci_ns type);

/* Open the namespaces given by path; each is checked to be of its kind. */
MUST_CHECK int ns_open(const struct oci_spec *spec, struct ns_set *ret, struct err *e);
void ns_release(struct ns_set *ns);
/* Enter one joined namespace if it was given. */
MUST_CHECK int ns_enter(const struct ns_set *ns, enum oci_ns type, struct err *e);

/*
 * A new user namespace without uidMappings and gidMappings gets the caller's own ids:
 * root all it has, each as itself; another user its own one as root.
 */
MUST_CHECK int userns_default_maps(struct oci_spec *spec, bool rootless, struct err *e);
/*
 * Write uid_map and gid_map of pid from the runtime: directly where we may, else by
 * newuidmap and newgidmap (shadow-utils).  Without privilege a map of exactly one's
 * own id needs no helper, but then setgroups(2) is shut: userns_denies_setgroups().
 */
MUST_CHECK int userns_write_maps(pid_t pid, const struct oci_spec *spec, bool rootless,
				 struct err *e);
bool userns_denies_setgroups(const struct oci_spec *spec, bool rootless);
/* Is setgroups(2) shut in the user namespace of pid?  Namespaces below inherit that. */
bool setgroups_is_denied(pid_t pid);
/*
 * Of a process in a user namespace, until which it acts on files as the caller: become uid
 * and gid 0 of it, or the first of its maps where 0 is not mapped, with all capabilities
 * kept over an exec.  proc: the directory of a process in that namespace ("/proc/self"),
 * opened while /proc was the host's.
 */
MUST_CHECK int userns_become_root(int proc, struct err *e);

/* Make and enter a time namespace with the offsets, by the process itself, while
 * /proc is still the host's. */
MUST_CHECK int timens_enter_new(const struct oci_spec *spec, struct err *e);
