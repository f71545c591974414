#pragma once
/*
 * base/mem.h - heap memory and the cleanup attributes.  Layer: base.
 *
 * Running out of heap ends the program with one line: every program of isle is
 * crash-only, so the next command cleans what was left.  Callers never check.
 */
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
/* n * size, overflow checked. */
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
/* printf into fresh memory the caller frees. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void mem_cleanup_free(void *p)
{
	free(*(void **)p);
}

/* The three cleanup attributes of the house: free, close (base/fd.h), release. */
#define CLEANUP_FREE __attribute__((cleanup(mem_cleanup_free)))
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hand a pointer out of a CLEANUP_FREE variable. */
#define take_ptr(p) ({ __typeof__(p) take_tmp = (p); (p) = NULL; take_tmp; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
