#pragma once
/*
 * base/json.h - JSON over jansson, for what isle itself writes and reads back
 * (state, logs, listings).  Documents of others go through base/json_tree.h.
 * Layer: base.
 */
#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* A document no engine sends; jansson itself bounds the nesting (2048). */
#define JSON_BYTES_MAX (32u << 20)

static inline void json_cleanup(json_t **j)
{
	json_decref(*j);
}
#define CLEANUP_JSON __attribute__((cleanup(json_cleanup)))

/*
 * Parse n bytes.  name is what messages call the document ("state.json").
 * *ret is a new reference.  A syntax error is -EINVAL and says
 * "name:line:column: what".  Trailing bytes after the value are an error.
 */
MUST_CHECK int json_parse(const char *name, const char *p, size_t n, json_t **ret,
			  struct err *e);

/* Append s as a JSON string, quotes included; invalid UTF-8 becomes U+FFFD. */
void json_add_string(struct buf *b, const char *s);
/* The same of n bytes, NULs among them too. */
void json_add_bytes(struct buf *b, const char *s, size_t n);

/* Append the document; flags as json_dumps(). */
void json_add(struct buf *b, const json_t *j, size_t flags);
