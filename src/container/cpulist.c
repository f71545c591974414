/* container/cpulist.c - see cpulist.h */
#include "container/cpulist.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#define WORD_BITS (8 * sizeof(unsigned long))

/* A decimal number below CPULIST_BITS_MAX; *p moves behind it. */
static int number(const char **p)
{
	unsigned v = 0;

	if (**p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		v = v * 10 + (unsigned)(**p - '0');
		if (v >= CPULIST_BITS_MAX)
			return -1;
	}
	return (int)v;
}

int cpulist_parse(const char *what, const char *list, unsigned long mask[CPULIST_WORDS],
		  struct err *e)
{
	const char *p = list;
	int words = 0;

	memset(mask, 0, CPULIST_WORDS * sizeof(*mask));
	for (;;) {
		int first = number(&p), last = first;

		if (first >= 0 && *p == '-') {
			p++;
			last = number(&p);
		}
		if (first < 0 || last < first || (*p && *p != ','))
			return err_set(e, EINVAL, "%s: \"%s\" is not a list such as \"0-3,7\" "
				       "of numbers below %d", what, list, CPULIST_BITS_MAX);
		for (int i = first; i <= last; i++)
			mask[(size_t)i / WORD_BITS] |= 1ul << ((size_t)i % WORD_BITS);
		if (words < last / (int)WORD_BITS + 1)
			words = last / (int)WORD_BITS + 1;
		if (!*p)
			return words;
		p++;
	}
}

void cpulist_reset(void)
{
	unsigned long mask[CPULIST_WORDS];

	memset(mask, 0xff, sizeof(mask));
	if (syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask) < 0)
		log_debug("reset the CPU affinity: %s", err_text(errno));
}

int cpulist_apply(const char *what, const char *list, struct err *e)
{
	unsigned long mask[CPULIST_WORDS];
	int words = cpulist_parse(what, list, mask, e);

	if (words < 0)
		return words;
	if (syscall(SYS_sched_setaffinity, 0, (size_t)words * sizeof(*mask), mask) < 0)
		return err_sys(e, errno, "%s: set the CPU affinity to %s", what, list);
	return 0;
}
