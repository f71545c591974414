/*
 * container/init/text.c - the few words of printf that isle-init needs: the libc's would
 * be a third of the program.  See init.h
 */
#include <string.h>

#include "container/init/init.h"

static void add(char *to, size_t size, size_t *n, const char *s, size_t len)
{
	for (size_t i = 0; i < len && *n + 1 < size; i++)
		to[(*n)++] = s[i];
}

static size_t digits(uint64_t v, char buf[20])
{
	size_t len = 1;

	for (uint64_t rest = v; rest >= 10; rest /= 10)
		len++;
	for (size_t i = len; i > 0; v /= 10)
		buf[--i] = (char)('0' + v % 10);
	return len;
}

/* %s, %.Ns and %.*s of a string, %d, %u, %%. */
void text_vformat(char *to, size_t size, const char *fmt, va_list ap)
{
	char num[20] = { 0 };
	size_t n = 0;

	for (; *fmt; fmt++) {
		size_t max = SIZE_MAX;

		if (*fmt != '%') {
			add(to, size, &n, fmt, 1);
			continue;
		}
		if (*++fmt == '.') {
			max = 0;
			if (*++fmt == '*') {
				max = (size_t)va_arg(ap, int);
				fmt++;
			}
			for (; *fmt >= '0' && *fmt <= '9'; fmt++)
				max = max * 10 + (size_t)(*fmt - '0');
		}
		if (*fmt == 's') {
			const char *s = va_arg(ap, const char *);

			add(to, size, &n, s, strnlen(s, max));
		} else if (*fmt == 'd') {
			int v = va_arg(ap, int);

			if (v < 0)
				add(to, size, &n, "-", 1);
			add(to, size, &n, num, digits(v < 0 ? -(uint64_t)v : (uint64_t)v, num));
		} else if (*fmt == 'u') {
			add(to, size, &n, num, digits(va_arg(ap, unsigned), num));
		} else {
			add(to, size, &n, "%", 1);
		}
	}
	to[n] = '\0';
}

bool text_number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}
