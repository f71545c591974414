/* base/json_write.c - see json_write.h */
#include "base/json_write.h"

#include <inttypes.h>

#include "base/json.h"

static void start(struct json_writer *w, const char *key)
{
	if (w->comma)
		buf_add(w->b, ",", 1);
	w->comma = true;
	if (key) {
		json_add_string(w->b, key);
		buf_add(w->b, ":", 1);
	}
}

void json_open(struct json_writer *w, const char *key, char bracket)
{
	start(w, key);
	buf_add(w->b, &bracket, 1);
	w->comma = false;
}

void json_close(struct json_writer *w, char bracket)
{
	buf_add(w->b, &bracket, 1);
	w->comma = true;
}

void json_put_string(struct json_writer *w, const char *key, const char *value)
{
	start(w, key);
	json_add_string(w->b, value);
}

void json_put_int(struct json_writer *w, const char *key, int64_t value)
{
	start(w, key);
	buf_printf(w->b, "%" PRId64, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	json_put_raw(w, key, value ? "true" : "false");
}

void json_put_raw(struct json_writer *w, const char *key, const char *text)
{
	start(w, key);
	buf_add_str(w->b, text);
}

void json_put_strings(struct json_writer *w, const char *key, const char *const *v, size_t n)
{
	json_open(w, key, '[');
	for (size_t i = 0; i < n; i++)
		json_put_string(w, NULL, v[i]);
	json_close(w, ']');
}
