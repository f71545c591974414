#pragma once
/* engine/seccomp_default.h - the system calls an instance may make.  Layer: engine. */
#include <stdint.h>

#include "base/err.h"
#include "base/json_write.h"

/*
 * Write linux.seccomp: Docker's default profile, as it applies to the capabilities caps (bit
 * masks) on this machine's architecture.
 */
void seccomp_put_default(struct json_writer *w, uint64_t caps);
/*
 * The same of a profile in Docker's format (archMap, includes, excludes, minKernel) or in the
 * runtime-spec's; text is the document, name what messages call it.
 */
MUST_CHECK int seccomp_put_profile(struct json_writer *w, const char *name, const char *text,
				   uint64_t caps, struct err *e);
