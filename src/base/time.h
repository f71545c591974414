#pragma once
/* base/time.h - clocks.  Layer: base. */
#include <stdint.h>

#define TIME_RFC3339_MAX 40

/* Now, UTC, RFC 3339 with nanoseconds: "2024-05-01T10:00:00.123456789Z". */
void time_rfc3339(char ret[TIME_RFC3339_MAX]);
/* CLOCK_MONOTONIC. */
uint64_t time_mono_ns(void);
