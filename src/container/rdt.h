#pragma once
/*
 * container/rdt.h - linux.intelRdt through the resctrl file system: classes of cache and
 * memory bandwidth, and monitoring groups.  Layer: container.
 * Spec: config-linux.md#intelrdt; kernel: Documentation/arch/x86/resctrl.rst.
 *
 * The group is /sys/fs/resctrl/CLOSID, or, without closID, one named as the container.
 * Only a group that is the container's own is removed with it: one named by closID is
 * the administrator's, of which at most mon_groups/ID is ours (enableMonitoring).
 */
#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

/*
 * Check the request and the host.  *ret_made is the directory that rdt_make() will
 * make for this container alone (heap; kept in the state, for rdt_remove()), or NULL.
 */
MUST_CHECK int rdt_plan(const struct oci_rdt *c, const char *id, char **ret_made,
			struct err *e);
/* Make the groups and write the schemata; what fails is undone. */
MUST_CHECK int rdt_make(const struct oci_rdt *c, const char *id, struct err *e);
/* Put the process pid, and with it what it forks, into the groups. */
MUST_CHECK int rdt_join(const struct oci_rdt *c, const char *id, pid_t pid, struct err *e);
/* Remove made; NULL and missing are fine. */
MUST_CHECK int rdt_remove(const char *made, struct err *e);
/* New schemas (each may be NULL) for the container's group. */
MUST_CHECK int rdt_update(const char *made, const char *l3_schema, const char *mb_schema,
			  struct err *e);
