/* cli/isle/time_value.c - see time_value.h */
#include "cli/isle/time_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cli/values.h"

/* ".5" at *s, in nanoseconds; *s goes past it. */
static int64_t fraction(const char **s)
{
	int64_t ns = 0, scale = 100000000;

	if (**s != '.')
		return 0;
	for ((*s)++; isdigit((unsigned char)**s); (*s)++, scale /= 10)
		ns += (**s - '0') * scale;
	return ns;
}

/* "Z", "+02:00" or nothing: seconds east of Greenwich; false where it is something else. */
static bool zone(const char *s, bool *ret_local, long *ret_east)
{
	unsigned h, m;
	int used = 0;

	*ret_local = *s == '\0';
	*ret_east = 0;
	if (*s == '\0' || strcmp(s, "Z") == 0)
		return true;
	if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2u:%2u%n", &h, &m, &used) != 2 ||
	    s[1 + used])
		return false;
	*ret_east = (*s == '-' ? -1L : 1L) * (long)(h * 3600 + m * 60);
	return true;
}

static bool date(const char *s, int64_t *ret_ns)
{
	static const char *const forms[] = {
		"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d",
	};
	bool local;
	long east;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *rest = strptime(s, forms[i], &tm);
		int64_t ns = rest ? fraction(&rest) : 0;

		if (!rest || !zone(rest, &local, &east))
			continue;
		time_t seconds = local ? mktime(&tm) : timegm(&tm) - east;
		*ret_ns = (int64_t)seconds * 1000000000 + ns;
		return true;
	}
	return false;
}

int time_value_parse(const char *s, int64_t *ret_ns, struct err *e)
{
	struct timespec now;
	uint64_t ago;
	char *end;

	errno = 0;
	long long seconds = strtoll(s, &end, 10);
	const char *rest = end;
	int64_t ns = end > s ? fraction(&rest) : 0;
	/* A bound far past any date, so that nanoseconds fit. */
	if (end > s && *rest == '\0' && errno == 0 && llabs(seconds) < 9000000000LL) {
		*ret_ns = seconds * 1000000000 + ns;
		return 0;
	}
	if (date(s, ret_ns))
		return 0;
	if (value_duration_ns(s, &ago, NULL) < 0)
		return err_set(e, EINVAL, "\"%s\" is not a time such as 10m, 2024-05-01T10:00:00Z "
			       "or 1714557600", s);
	clock_gettime(CLOCK_REALTIME, &now);
	*ret_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)ago;
	return 0;
}
