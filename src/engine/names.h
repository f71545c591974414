#pragma once
/* engine/names.h - IDs and names of instances.  Layer: engine. */
#include "base/arena.h"
#include "base/err.h"

#define ID_HEX 64

/* 64 hex digits from the kernel's generator; never only digits in the first 12, so that a
 * short ID is no number to a shell or a YAML reader. */
MUST_CHECK int name_make_id(char ret[ID_HEX + 1], struct err *e);
/* "quiet_harbour": from two lists; tries > 0 appends a digit or two. */
MUST_CHECK int name_make(unsigned tries, struct arena *a, const char **ret, struct err *e);
/* [a-zA-Z0-9][a-zA-Z0-9_.-]+, as Docker has it; -EINVAL says so. */
MUST_CHECK int name_check(const char *name, struct err *e);
