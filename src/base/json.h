#pragma once
/*
 * base/json.h - JSON over jansson: parse, find the line of a path, write.
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
 * Parse n bytes.  name is what messages call the document ("config.json").
 * *ret is a new reference.  A syntax error is -EINVAL and says
 * "name:line:column: what".  Trailing bytes after the value are an error.
 */
MUST_CHECK int json_parse(const char *name, const char *p, size_t n, json_t **ret,
			  struct err *e);

/*
 * The 1-based line of the value at path ("linux.resources.devices[2].access") in
 * the n bytes of a document that json_parse() accepted.  Where the path ends
 * early (a missing key), the line of the deepest value found.  Object keys that
 * hold '.', '[' or '"' are written ["key"] in the path.
 */
size_t json_line_of(const char *p, size_t n, const char *path);

/* Append s as a JSON string, quotes included; invalid UTF-8 becomes U+FFFD. */
void json_add_string(struct buf *b, const char *s);

/* Append the document; flags as json_dumps(). */
void json_add(struct buf *b, const json_t *j, size_t flags);
