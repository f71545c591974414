#pragma once
/*
 * base/arena.h - memory that is freed all at once.  Layer: base.
 *
 * A parsed document lives in one arena.  Allocation never fails (see mem.h);
 * memory is zeroed and aligned for any type.
 */
#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *head;
};

void *arena_alloc(struct arena *a, size_t size);
/* n objects of size bytes, overflow checked. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* NULL gives NULL. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Free all; the arena may be used again.  NULL is accepted. */
void arena_release(struct arena *a);
