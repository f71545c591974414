#pragma once
/*
 * container/seccomp_compact.h - a shorter filter with the same answers.  Layer: container,
 * private to seccomp.c.
 *
 * The kernel's price for a filter is paid at each start of a container and grows with its
 * instructions: it checks, converts and compiles them, and then runs the program once for
 * every system call number there is (seccomp_cache_prepare() in kernel/seccomp.c), so the
 * path to an answer counts a thousand times.
 */
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What f[n] answers, in fewer instructions, into ret[BPF_MAXINSNS]; native is the
 * AUDIT_ARCH_* that should be found first.  Returns how many there are, or 0 with
 * ret undefined when f does what is not understood here or there is nothing to win.
 */
size_t seccomp_compact(const struct sock_filter *f, size_t n, uint32_t native,
		       struct sock_filter *ret);

/*
 * Run both over system call numbers, architectures and arguments that their own constants
 * suggest, with interpreters that share nothing with seccomp_compact().  archs[n_archs]
 * should hold one neither of them knows.  True when every answer was the same.
 */
bool seccomp_same_answers(const struct sock_filter *a, size_t n_a, const struct sock_filter *b,
			  size_t n_b, const uint32_t *archs, size_t n_archs);
