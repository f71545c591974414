#pragma once
/* base/time.h - clocks.  Layer: base. */
#include <stdint.h>

#define TIME_RFC3339_MAX 40

/* Now, UTC, RFC 3339 with nanoseconds: "2024-05-01T10:00:00.123456789Z". */
void time_rfc3339(char ret[TIME_RFC3339_MAX]);
/* The same for a time of the Unix epoch, secs >= 0. */
void time_rfc3339_at(int64_t secs, uint32_t nanosecs, char ret[TIME_RFC3339_MAX]);
/* CLOCK_MONOTONIC. */
uint64_t time_mono_ns(void);
/*
 * RFC 3339 as documents have it ("2024-05-01T10:00:00.5+02:00"): seconds of the Unix epoch,
 * the fraction dropped.  -EINVAL for what is none.
 */
__attribute__((warn_unused_result)) int time_rfc3339_parse(const char *s, int64_t *ret);
