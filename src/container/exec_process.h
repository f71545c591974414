#pragma once
/* container/exec_process.h - the process object of an exec.  Layer: container. */
#include "container/container.h"

/*
 * Lay the options of an exec over the container's own process (may be NULL), or take
 * o->process and fill from the container's what it leaves out: capabilities, rlimits,
 * labels, no_new_privs.  *ret and what it points to live in a or in the arguments.
 */
MUST_CHECK int exec_process_build(const struct exec_opts *o, const struct oci_process *own,
				  struct arena *a, struct oci_process **ret, struct err *e);
