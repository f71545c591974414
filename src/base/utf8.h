#pragma once
/* base/utf8.h - well-formed UTF-8 (Unicode 15, table 3-7).  Layer: base. */
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd"         /* U+FFFD */

/*
 * The length of the well-formed sequence at p[0..n), 1 to 4, or 0 when there is
 * none: overlong forms, surrogates, past U+10FFFF, cut short.  n > 0.
 */
size_t utf8_len(const char *p, size_t n);
/* Write the scalar value c (not a surrogate, <= 0x10ffff) at to; its length. */
size_t utf8_put(char to[4], uint32_t c);
