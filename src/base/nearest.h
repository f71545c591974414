#pragma once
/* base/nearest.h - the name that was meant.  Layer: base. */
#include <stddef.h>

/*
 * The name of names[0..n) nearest to word, or NULL where none is near enough to be
 * meant: a prefix of it, or less than a third of its letters away.
 */
const char *nearest_name(const char *word, size_t n,
			 const char *(*name_at)(const void *list, size_t i), const void *list);
