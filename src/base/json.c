/* base/json.c - see json.h */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

int json_parse(const char *name, const char *p, size_t n, json_t **ret,
	       struct err *e)
{
	json_error_t why;

	if (n > JSON_BYTES_MAX)
		return err_set(e, EFBIG, "%s: larger than %u bytes", name, JSON_BYTES_MAX);
	json_t *j = json_loadb(p, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
	if (!j)
		return err_set(e, EINVAL, "%s:%d:%d: %s", name, why.line, why.column, why.text);
	*ret = j;
	return 0;
}

static void add_escaped(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"': buf_add_str(b, "\\\""); break;
	case '\\': buf_add_str(b, "\\\\"); break;
	case '\n': buf_add_str(b, "\\n"); break;
	case '\r': buf_add_str(b, "\\r"); break;
	case '\t': buf_add_str(b, "\\t"); break;
	default: buf_printf(b, "\\u%04x", c); break;
	}
}

void json_add_string(struct buf *b, const char *s)
{
	json_add_bytes(b, s, strlen(s));
}

void json_add_bytes(struct buf *b, const char *s, size_t n)
{
	const char *end = s + n, *plain = s;

	buf_add_str(b, "\"");
	while (s < end) {
		unsigned char c = (unsigned char)*s;
		size_t len = utf8_len(s, (size_t)(end - s));

		/* DEL is legal in JSON, but no terminal should see it raw. */
		if (len > 0 && c >= 0x20 && c != 0x7f && c != '"' && c != '\\') {
			s += len;
			continue;
		}
		buf_add(b, plain, (size_t)(s - plain));
		if (len == 0)
			buf_add_str(b, UTF8_REPLACEMENT);
		else
			add_escaped(b, c);
		plain = ++s;
	}
	buf_add(b, plain, (size_t)(s - plain));
	buf_add_str(b, "\"");
}

static int dump_to_buf(const char *p, size_t n, void *data)
{
	buf_add(data, p, n);
	return 0;
}

void json_add(struct buf *b, const json_t *j, size_t flags)
{
	/* Fails on a callback's error only, or on a cycle, which no tree of ours has. */
	if (json_dump_callback(j, dump_to_buf, b, flags | JSON_ENCODE_ANY) < 0)
		b->overflow = true;
}
