#pragma once
/*
 * container/seccomp.h - runtime-spec seccomp to a BPF program.  Layer: container.
 *
 * libseccomp compiles; compiling Docker's profile costs more than all the rest of
 * a create, so programs are cached in a directory of the caller's (0700).  An entry carries
 * the canonical form of its profile; a hit is proven by comparing it whole, never by the
 * hash that names the file.  A cache that is missing, torn or not writable only costs time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/spec.h"

struct seccomp_program {
	void *insns;            /* struct sock_filter[n], heap */
	size_t n;
	unsigned flags;         /* SECCOMP_FILTER_FLAG_* for seccomp(2) */
	bool has_notify;        /* SCMP_ACT_NOTIFY or a listenerPath: needs a listener */
};

/* cache_dirfd < 0: no cache.  Errors name the rule in the document's words. */
MUST_CHECK int seccomp_compile(const struct oci_seccomp *s, int cache_dirfd,
			       struct seccomp_program *ret, struct err *e);
void seccomp_program_release(struct seccomp_program *p);

/* For "features": NULL-terminated lists this build and kernel know. */
const char *const *seccomp_known_actions(void);
const char *const *seccomp_known_operators(void);
const char *const *seccomp_known_archs(void);
const char *const *seccomp_known_flags(void);
const char *const *seccomp_supported_flags(void);      /* by the running kernel */
