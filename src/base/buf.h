#pragma once
/*
 * base/buf.h - a growing run of bytes with a maximum.  Layer: base.
 *
 * data is always terminated by a NUL that len does not count, once anything was
 * added.  Going past max sets overflow and drops what did not fit; memory never
 * fails (mem.h).  A buf that is all zero but for max is ready for use.
 */
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len, cap;
	size_t max;     /* bytes, not counting the NUL */
	bool overflow;
};

#define BUF_INIT(max_bytes) { .max = (max_bytes) }

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Room for n more bytes at the return value, or NULL past max; then set len. */
char *buf_reserve(struct buf *b, size_t n);
void buf_release(struct buf *b);
