/* base/time.c - see time.h */
#include "base/time.h"

#include <stdio.h>
#include <time.h>

/*
 * The civil date of a count of days since 1970-01-01.  Not gmtime_r(): glibc's reads
 * /etc/localtime first, at every start of every program.  Years are taken to begin in
 * March, so that the leap day is a year's last, in eras of 400 years (146097 days).
 */
static void civil_from_days(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
	days += 719468;                                 /* since 0000-03-01 */
	int64_t era = days / 146097;
	unsigned doe = (unsigned)(days - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;              /* 0 is March */

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

void time_rfc3339_at(int64_t secs, uint32_t nanosecs, char ret[TIME_RFC3339_MAX])
{
	unsigned s = (unsigned)(secs % 86400), m, d;
	int64_t y;

	civil_from_days(secs / 86400, &y, &m, &d);
	snprintf(ret, TIME_RFC3339_MAX, "%04d-%02u-%02uT%02u:%02u:%02u.%09uZ",
		 (int)(y % 10000), m % 13, d % 32,
		 s / 3600, s / 60 % 60, s % 60, nanosecs);
}

void time_rfc3339(char ret[TIME_RFC3339_MAX])
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	time_rfc3339_at(ts.tv_sec, (uint32_t)ts.tv_nsec, ret);
}

uint64_t time_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
