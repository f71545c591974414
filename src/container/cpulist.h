#pragma once
/*
 * container/cpulist.h - lists of CPUs or memory nodes, "0-3,7", as bit masks.
 * Layer: container.  Spec: config.md#execCPUAffinity, config-linux.md#memoryPolicy.
 */
#include <stddef.h>

#include "base/err.h"

#define CPULIST_BITS_MAX 8192
#define CPULIST_WORDS (CPULIST_BITS_MAX / (8 * sizeof(unsigned long)))

/*
 * Set the bits of list in mask, which is cleared first.  what names the property in
 * the message.  Returns the words used, at least 1.
 */
MUST_CHECK int cpulist_parse(const char *what, const char *list,
			     unsigned long mask[CPULIST_WORDS], struct err *e);
/*
 * Any CPU that the cgroup allows: a caller bound to some (a kubelet, taskset(1)) does
 * not bind its containers.
 */
void cpulist_reset(void);
/* sched_setaffinity(2) of the caller. */
MUST_CHECK int cpulist_apply(const char *what, const char *list, struct err *e);
