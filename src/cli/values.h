#pragma once
/*
 * cli/values.h - what options' values mean: signals, durations, sizes, users.
 * Layer: cli.  Each returns >= 0, or -EINVAL with what was expected; the message
 * does not name the option.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The index of s in names[0..n). */
MUST_CHECK int value_choice(const char *s, const char *const *names, size_t n, struct err *e);

/* "9", "KILL", "sigkill", "RTMIN+3", "SIGRTMAX-1": the signal's number. */
MUST_CHECK int value_signal(const char *s, struct err *e);

/* Go's time.ParseDuration without signs: "5s", "100ms", "1h2m0.5s", "0". */
MUST_CHECK int value_duration_ns(const char *s, uint64_t *ret, struct err *e);

/* Bytes: "1048576", "512m", "1GiB", "1.5g" (units of 1024, any case), "-1". */
MUST_CHECK int value_bytes(const char *s, int64_t *ret, struct err *e);

MUST_CHECK int value_i64(const char *s, int64_t *ret, struct err *e);
MUST_CHECK int value_u64(const char *s, uint64_t *ret, struct err *e);

/* A user or group number. */
MUST_CHECK int value_id(const char *s, uint32_t *ret, struct err *e);
/* "UID" or "UID:GID"; gid is 0 where it is not said. */
MUST_CHECK int value_user(const char *s, uid_t *ret_uid, gid_t *ret_gid, struct err *e);
