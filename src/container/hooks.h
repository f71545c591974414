#pragma once
/*
 * container/hooks.h - OCI hooks in the runtime's namespaces (prestart, createRuntime,
 * poststart, poststop) or, forked by the child, in the container's
 * (createContainer).  Layer: container.  Spec: config.md#posix-platform-hooks.
 */
#include "base/err.h"
#include "oci/spec.h"

/*
 * Run the hooks in order, state_json on each one's stdin, stdout and stderr of the caller.
 * A non-zero exit, a signal or the timeout (SIGKILL to its process group) fails; the message
 * names the kind, the index, the path and the last line it wrote to stderr.  The first
 * that fails ends it; but poststop goes on with the others, and the first failure is
 * returned for a warning.
 */
MUST_CHECK int hooks_run(enum oci_hook_kind kind, const struct oci_hooks *h,
			 const char *state_json, struct err *e);
const char *hook_kind_name(enum oci_hook_kind kind);    /* "createRuntime" */
