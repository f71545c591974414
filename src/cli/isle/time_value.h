#pragma once
/* cli/isle/time_value.h - a point in time as --since and --until take it.  Layer: cli. */
#include <stdint.h>

#include "base/err.h"

/*
 * "10m" and "1h30m" (ago), "1700000000[.5]" (Unix time), "2024-05-01[T10:00[:00[.5]]][Z or
 * +02:00]" (without a zone: the local one): nanoseconds of the Unix epoch.
 */
MUST_CHECK int time_value_parse(const char *s, int64_t *ret_ns, struct err *e);
