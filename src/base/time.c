/* base/time.c - see time.h */
#include "base/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

/* n digits at *s, which moves on; -1 when there are not that many. */
static int digits(const char **s, int n)
{
	int v = 0;

	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

/* ":" and two digits, or another sign in its place. */
static int two(const char **s, char sign)
{
	return *(*s)++ == sign ? digits(s, 2) : -1;
}

/* The reverse of civil_from_days(). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = y / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "+02:00", "Z": seconds east of Greenwich. */
static int zone_parse(const char *s, int *ret)
{
	int sign = *s == '-' ? -1 : 1;

	*ret = 0;
	if ((*s == 'Z' || *s == 'z') && !s[1])
		return 0;
	if (*s != '+' && *s != '-')
		return -EINVAL;
	int h = two(&s, *s), m = h < 0 ? -1 : two(&s, ':');
	if (m < 0 || h > 23 || m > 59 || *s)
		return -EINVAL;
	*ret = sign * (h * 3600 + m * 60);
	return 0;
}

int time_rfc3339_parse(const char *s, int64_t *ret)
{
	int y, mon, day, h, m, sec, zone;

	if ((y = digits(&s, 4)) < 1 || (mon = two(&s, '-')) < 1 || mon > 12 ||
	    (day = two(&s, '-')) < 1 || day > 31 || (*s != 'T' && *s != 't') ||
	    (h = two(&s, *s)) < 0 || h > 23 || (m = two(&s, ':')) < 0 || m > 59 ||
	    (sec = two(&s, ':')) < 0 || sec > 60)
		return -EINVAL;
	if (*s == '.')
		s += 1 + strspn(s + 1, "0123456789");
	if (zone_parse(s, &zone) < 0)
		return -EINVAL;
	*ret = days_from_civil(y, (unsigned)mon, (unsigned)day) * 86400 + h * 3600 + m * 60 +
	       sec - zone;
	return 0;
}
