#pragma once
/*
 * base/json_write.h - JSON straight into a buffer, without a tree.  Layer: base.
 *
 * For documents isle makes at every start (config.json, keeper.json): a tree of jansson's
 * costs more than the rest of making them.  key is NULL inside a list.
 *
 *	struct json_writer w = { .b = &b };
 *	json_open(&w, NULL, '{');
 *	json_put_string(&w, "id", id);
 *	json_open(&w, "args", '[');
 *	json_put_string(&w, NULL, "sh");
 *	json_close(&w, ']');
 *	json_close(&w, '}');
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json_writer {
	struct buf *b;
	bool comma;             /* something stands before, in this object or list */
};

void json_open(struct json_writer *w, const char *key, char bracket);
void json_close(struct json_writer *w, char bracket);
void json_put_string(struct json_writer *w, const char *key, const char *value);
void json_put_int(struct json_writer *w, const char *key, int64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
/* text is JSON already. */
void json_put_raw(struct json_writer *w, const char *key, const char *text);
/* A list of strings; v[n] is not read. */
void json_put_strings(struct json_writer *w, const char *key, const char *const *v, size_t n);
