/* base/time.c - see time.h */
#include "base/time.h"

#include <stdio.h>
#include <time.h>

void time_rfc3339(char ret[TIME_RFC3339_MAX])
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	size_t n = strftime(ret, TIME_RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, TIME_RFC3339_MAX - n, ".%09ldZ", ts.tv_nsec);
}

uint64_t time_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
