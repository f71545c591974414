/* cli/isle/template_function.c - see template_function.h */
#include "cli/isle/template_function.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

bool template_truth(const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v) != 0;
	case JSON_REAL:
		return json_real_value(v) != 0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_OBJECT:
		return json_object_size(v) > 0;
	default:
		return json_is_true(v);
	}
}

void template_print(struct buf *out, const json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		buf_add(out, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		buf_printf(out, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		buf_printf(out, "%g", json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_add_str(out, json_is_true(v) ? "true" : "false");
		break;
	case JSON_ARRAY:
		buf_add_str(out, "[");
		json_array_foreach(v, i, item) {
			buf_add_str(out, i ? " " : "");
			template_print(out, item);
		}
		buf_add_str(out, "]");
		break;
	case JSON_OBJECT:
		i = 0;
		buf_add_str(out, "map[");
		json_object_foreach((json_t *)v, key, item) {
			buf_printf(out, "%s%s:", i++ ? " " : "", key);
			template_print(out, item);
		}
		buf_add_str(out, "]");
		break;
	default:
		buf_add_str(out, "<nil>");
	}
}

static json_t *value_text(const json_t *v)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);

	template_print(&b, v);
	return json_stringn(b.len ? b.data : "", b.len);
}

/* ---- functions ------------------------------------------------------------------ */

static json_t *fn_json(json_t *const *v, size_t n)
{
	char *s = n ? json_dumps(v[0], JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	json_t *j = json_string(s ? s : "null");

	free(s);
	return j;
}

static json_t *change_case(const json_t *v, int how)
{
	CLEANUP_JSON json_t *text = value_text(v);
	CLEANUP_FREE char *s = xstrdup(json_string_value(text));

	for (char *p = s; *p; p++) {
		bool first = p == s || isspace((unsigned char)p[-1]);

		if (how > 0 || (how == 0 && first))
			*p = (char)toupper((unsigned char)*p);
		else if (how < 0)
			*p = (char)tolower((unsigned char)*p);
	}
	return json_string(s);
}

static json_t *fn_upper(json_t *const *v, size_t n)
{
	return n ? change_case(v[0], 1) : NULL;
}

static json_t *fn_lower(json_t *const *v, size_t n)
{
	return n ? change_case(v[0], -1) : NULL;
}

static json_t *fn_title(json_t *const *v, size_t n)
{
	return n ? change_case(v[0], 0) : NULL;
}

static json_t *fn_len(json_t *const *v, size_t n)
{
	if (n != 1 || !v[0])
		return NULL;
	if (json_is_string(v[0]))
		return json_integer((json_int_t)json_string_length(v[0]));
	if (json_is_array(v[0]))
		return json_integer((json_int_t)json_array_size(v[0]));
	return json_is_object(v[0]) ? json_integer((json_int_t)json_object_size(v[0])) : NULL;
}

static json_t *fn_index(json_t *const *v, size_t n)
{
	json_t *at = n ? v[0] : NULL;

	for (size_t i = 1; i < n && at; i++) {
		if (json_is_object(at) && json_is_string(v[i])) {
			at = json_object_get(at, json_string_value(v[i]));
			if (!at)        /* Go's zero value of a map of strings */
				return json_string("");
		} else if (json_is_array(at) && json_is_integer(v[i])) {
			at = json_array_get(at, (size_t)json_integer_value(v[i]));
		} else {
			at = NULL;
		}
	}
	return json_incref(at);
}

static json_t *fn_join(json_t *const *v, size_t n)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	json_t *item;
	size_t i;

	if (n != 2 || !json_is_array(v[0]) || !json_is_string(v[1]))
		return NULL;
	json_array_foreach(v[0], i, item) {
		if (i)
			buf_add_str(&b, json_string_value(v[1]));
		template_print(&b, item);
	}
	return json_stringn(b.len ? b.data : "", b.len);
}

static json_t *fn_split(json_t *const *v, size_t n)
{
	if (n != 2 || !json_is_string(v[0]) || !json_is_string(v[1]) ||
	    !*json_string_value(v[1]))
		return NULL;
	const char *s = json_string_value(v[0]), *sep = json_string_value(v[1]), *hit;
	json_t *list = json_array();

	for (; (hit = strstr(s, sep)); s = hit + strlen(sep))
		json_array_append_new(list, json_stringn(s, (size_t)(hit - s)));
	json_array_append_new(list, json_string(s));
	return list;
}

static json_t *fn_truncate(json_t *const *v, size_t n)
{
	if (n != 2 || !json_is_string(v[0]) || !json_is_integer(v[1]))
		return NULL;
	size_t len = json_string_length(v[0]), max = (size_t)json_integer_value(v[1]);

	return json_stringn(json_string_value(v[0]), len < max ? len : max);
}

static json_t *fn_pad(json_t *const *v, size_t n)
{
	if (n != 3 || !json_is_integer(v[1]) || !json_is_integer(v[2]))
		return NULL;
	CLEANUP_JSON json_t *text = value_text(v[0]);
	int before = (int)json_integer_value(v[1]), after = (int)json_integer_value(v[2]);
	CLEANUP_FREE char *s = xasprintf("%*s%s%*s", before & 0xff, "", json_string_value(text),
					 after & 0xff, "");
	return json_string(s);
}

static json_t *print_all(json_t *const *v, size_t n, const char *end)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);

	for (size_t i = 0; i < n; i++) {
		buf_add_str(&b, i && *end ? " " : "");
		template_print(&b, v[i]);
	}
	buf_add_str(&b, end);
	return json_stringn(b.len ? b.data : "", b.len);
}

static json_t *fn_print(json_t *const *v, size_t n)
{
	return print_all(v, n, "");
}

static json_t *fn_println(json_t *const *v, size_t n)
{
	return print_all(v, n, "\n");
}

/* Verbs %s %v %d %q, with flags and width for the printed text. */
static json_t *fn_printf(json_t *const *v, size_t n)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	size_t arg = 1;

	if (!n || !json_is_string(v[0]))
		return NULL;
	for (const char *p = json_string_value(v[0]); *p; p++) {
		if (*p != '%' || p[1] == '%') {
			buf_add(&b, p, 1);
			p += *p == '%';
			continue;
		}
		bool left = p[1] == '-';
		long width = strtol(p + 1 + left, (char **)&p, 10);
		if (!strchr("svdq", *p) || !*p || arg >= n || width < 0 || width > 1000)
			return NULL;
		CLEANUP_JSON json_t *text = value_text(v[arg]);
		if (*p == 'q')
			json_add_string(&b, json_string_value(text));
		else
			buf_printf(&b, "%*s", (int)(left ? -width : width),
				   json_string_value(text));
		arg++;
	}
	return json_stringn(b.len ? b.data : "", b.len);
}

static json_t *fn_not(json_t *const *v, size_t n)
{
	return n == 1 ? json_boolean(!template_truth(v[0])) : NULL;
}

static json_t *fn_and(json_t *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!template_truth(v[i]) || i + 1 == n)
			return v[i] ? json_incref(v[i]) : json_null();
	return NULL;
}

static json_t *fn_or(json_t *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (template_truth(v[i]) || i + 1 == n)
			return v[i] ? json_incref(v[i]) : json_null();
	return NULL;
}

static json_t *fn_eq(json_t *const *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (json_equal(v[0], v[i]))
			return json_true();
	return n > 1 ? json_false() : NULL;
}

static json_t *fn_ne(json_t *const *v, size_t n)
{
	return n == 2 ? json_boolean(!json_equal(v[0], v[1])) : NULL;
}

static int order(json_t *const *v)
{
	if (json_is_string(v[0]) && json_is_string(v[1]))
		return strcmp(json_string_value(v[0]), json_string_value(v[1]));
	double a = json_number_value(v[0]), b = json_number_value(v[1]);

	return a < b ? -1 : a > b;
}

static json_t *fn_lt(json_t *const *v, size_t n)
{
	return n == 2 ? json_boolean(order(v) < 0) : NULL;
}

static json_t *fn_le(json_t *const *v, size_t n)
{
	return n == 2 ? json_boolean(order(v) <= 0) : NULL;
}

static json_t *fn_gt(json_t *const *v, size_t n)
{
	return n == 2 ? json_boolean(order(v) > 0) : NULL;
}

static json_t *fn_ge(json_t *const *v, size_t n)
{
	return n == 2 ? json_boolean(order(v) >= 0) : NULL;
}

const struct template_function template_functions[] = {
	{ "and", fn_and }, { "eq", fn_eq }, { "ge", fn_ge }, { "gt", fn_gt },
	{ "index", fn_index }, { "join", fn_join }, { "json", fn_json }, { "le", fn_le },
	{ "len", fn_len }, { "lower", fn_lower }, { "lt", fn_lt }, { "ne", fn_ne },
	{ "not", fn_not }, { "or", fn_or }, { "pad", fn_pad }, { "print", fn_print },
	{ "printf", fn_printf }, { "println", fn_println }, { "split", fn_split },
	{ "title", fn_title }, { "truncate", fn_truncate }, { "upper", fn_upper },
};
const size_t n_template_functions = ARRAY_LEN(template_functions);
