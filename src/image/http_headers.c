/*
 * image/http_headers.c - headers whose values are a grammar: Retry-After, Content-Range.
 * Layer: image.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <curl/curl.h>

#include "image/http.h"

/* Digits only: strtoull() would take blanks, signs and other bases. */
static int read_decimal(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -EINVAL;
	*s = p;
	*ret = v;
	return 0;
}

int http_retry_after(const char *value, int64_t now, uint64_t *ret)
{
	uint64_t seconds;

	if (isdigit((unsigned char)*value)) {
		if (read_decimal(&value, &seconds) < 0 || *value || seconds > UINT32_MAX)
			return -EINVAL;
	} else {
		int64_t at = curl_getdate(value, NULL);

		if (at < 0 || at - now > (int64_t)UINT32_MAX)
			return -EINVAL;
		seconds = at > now ? (uint64_t)(at - now) : 0;
	}
	*ret = seconds * 1000;
	return 0;
}

int http_content_range(const char *value, uint64_t *ret_first, uint64_t *ret_last,
		       uint64_t *ret_total)
{
	uint64_t first, last, total = UINT64_MAX;

	if (strncasecmp(value, "bytes ", 6) != 0)
		return -EINVAL;
	value += 6;
	if (read_decimal(&value, &first) < 0 || *value++ != '-' ||
	    read_decimal(&value, &last) < 0 || *value++ != '/')
		return -EINVAL;
	if (strcmp(value, "*") != 0 && (read_decimal(&value, &total) < 0 || *value))
		return -EINVAL;
	if (first > last || last >= total)
		return -EINVAL;
	*ret_first = first;
	*ret_last = last;
	*ret_total = total;
	return 0;
}
