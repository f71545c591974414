/*
 * cli/isle/template.c - see template.h.
 *
 * The text is small and run once a row, so there is no parse tree: actions are carried out
 * as they are read, and a block that is not to run is skipped by counting its ends.
 */
#include "cli/isle/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define DEPTH_MAX 32
#define VARS_MAX 16
#define ARGS_MAX 8

struct var {
	char name[32];
	json_t *value;
};

struct tpl {
	const char *text;               /* the whole, for messages */
	struct buf *out;
	struct var vars[VARS_MAX];      /* a stack; later ones hide earlier ones */
	size_t n_vars;
	unsigned depth;
	struct err *e;
};

/* One action: what stands between the braces. */
struct action {
	const char *p, *end;            /* what is left of it */
	const char *next;               /* the text after its "}}" */
	const char *before;             /* where the text ahead of it ends */
};

static int bad(const struct tpl *t, const char *at, const char *what)
{
	return err_set(t->e, EINVAL, "template \"%s\": %s at \"%.20s\"", t->text, what, at);
}

/* ---- actions and blocks ------------------------------------------------------ */

/* The next action of [p, end): 1 filled, 0 there is none, -EINVAL. */
static int next_action(const struct tpl *t, const char *p, const char *end, struct action *ret)
{
	const char *open = memmem(p, (size_t)(end - p), "{{", 2);
	char quote = 0;

	if (!open)
		return 0;
	const char *q = open + 2;
	for (; q + 1 < end; q++) {
		if (quote) {
			if (*q == '\\' && quote == '"')
				q++;
			else if (*q == quote)
				quote = 0;
		} else if (*q == '"' || *q == '`') {
			quote = *q;
		} else if (q[0] == '}' && q[1] == '}') {
			break;
		}
	}
	if (q + 1 >= end)
		return bad(t, open, "unclosed action");
	*ret = (struct action){ .p = open + 2, .end = q, .next = q + 2, .before = open };
	if (ret->p < q && *ret->p == '-' && isspace((unsigned char)ret->p[1])) {
		ret->p++;
		while (ret->before > p && isspace((unsigned char)ret->before[-1]))
			ret->before--;
	}
	if (ret->end - 1 > ret->p && ret->end[-1] == '-' && isspace((unsigned char)ret->end[-2])) {
		ret->end--;
		while (ret->next < end && isspace((unsigned char)*ret->next))
			ret->next++;
	}
	return 1;
}

static void skip_space(struct action *a)
{
	while (a->p < a->end && isspace((unsigned char)*a->p))
		a->p++;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Take word if it is what comes next. */
static bool take_word(struct action *a, const char *word)
{
	size_t n = strlen(word);

	skip_space(a);
	if ((size_t)(a->end - a->p) < n || memcmp(a->p, word, n) != 0 ||
	    (a->p + n < a->end && is_name(a->p[n])))
		return false;
	a->p += n;
	return true;
}

/* The {{else}} (or NULL) and the {{end}} of the block whose body starts at p. */
static int block_ends(const struct tpl *t, const char *p, const char *end, struct action *ret_else,
		      bool *ret_has_else, struct action *ret_end)
{
	struct action a;
	unsigned depth = 0;
	int r;

	*ret_has_else = false;
	for (const char *q = p; (r = next_action(t, q, end, &a)) > 0; q = a.next) {
		struct action w = a;

		if (take_word(&w, "if") || take_word(&w, "range") || take_word(&w, "with")) {
			depth++;
		} else if (take_word(&w, "end")) {
			if (depth-- == 0) {
				*ret_end = a;
				return 0;
			}
		} else if (depth == 0 && !*ret_has_else && take_word(&w, "else")) {
			*ret_else = a;
			ret_else->p = w.p;      /* what follows it: "if ..." */
			*ret_has_else = true;
		}
	}
	return r < 0 ? r : bad(t, p, "no {{end}} for the block");
}

/* ---- values ------------------------------------------------------------------- */

static bool truth(const json_t *v)
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

/* As Go's fmt prints with %v. */
static void print_value(struct buf *out, const json_t *v)
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
			print_value(out, item);
		}
		buf_add_str(out, "]");
		break;
	case JSON_OBJECT:
		i = 0;
		buf_add_str(out, "map[");
		json_object_foreach((json_t *)v, key, item) {
			buf_printf(out, "%s%s:", i++ ? " " : "", key);
			print_value(out, item);
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

	print_value(&b, v);
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
		print_value(&b, item);
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
		print_value(&b, v[i]);
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
	return n == 1 ? json_boolean(!truth(v[0])) : NULL;
}

static json_t *fn_and(json_t *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!truth(v[i]) || i + 1 == n)
			return v[i] ? json_incref(v[i]) : json_null();
	return NULL;
}

static json_t *fn_or(json_t *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (truth(v[i]) || i + 1 == n)
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

/* A new reference, or NULL when the arguments do not fit. */
static const struct function {
	const char *name;
	json_t *(*call)(json_t *const *v, size_t n);
} functions[] = {
	{ "and", fn_and }, { "eq", fn_eq }, { "ge", fn_ge }, { "gt", fn_gt },
	{ "index", fn_index }, { "join", fn_join }, { "json", fn_json }, { "le", fn_le },
	{ "len", fn_len }, { "lower", fn_lower }, { "lt", fn_lt }, { "ne", fn_ne },
	{ "not", fn_not }, { "or", fn_or }, { "pad", fn_pad }, { "print", fn_print },
	{ "printf", fn_printf }, { "println", fn_println }, { "split", fn_split },
	{ "title", fn_title }, { "truncate", fn_truncate }, { "upper", fn_upper },
};

/* ---- expressions ------------------------------------------------------------------ */

static int pipeline(struct tpl *t, struct action *a, const json_t *dot, json_t **ret);

/* ".A.B" from v on.  *ret stays NULL where a field is not there. */
static int fields(struct tpl *t, struct action *a, const json_t *v, json_t **ret)
{
	while (a->p + 1 < a->end && *a->p == '.' && is_name(a->p[1])) {
		const char *name = ++a->p;

		while (a->p < a->end && is_name(*a->p))
			a->p++;
		CLEANUP_FREE char *key = xasprintf("%.*s", (int)(a->p - name), name);
		if (v && !json_is_object(v) && !json_is_null(v))
			return bad(t, name, "a field of what is no object");
		v = json_object_get(v, key);
	}
	*ret = json_incref((json_t *)v);
	return 0;
}

static int variable(struct tpl *t, struct action *a, json_t **ret)
{
	const char *name = ++a->p;

	while (a->p < a->end && is_name(*a->p))
		a->p++;
	size_t n = (size_t)(a->p - name);
	for (size_t i = t->n_vars; i-- > 0; )
		if (strlen(t->vars[i].name) == n && memcmp(t->vars[i].name, name, n) == 0)
			return fields(t, a, t->vars[i].value, ret);
	return bad(t, name - 1, "unknown variable");
}

static int string_literal(struct tpl *t, struct action *a, json_t **ret)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 16);
	char quote = *a->p;

	for (a->p++; a->p < a->end && *a->p != quote; a->p++) {
		char c = *a->p;

		if (c == '\\' && quote == '"' && a->p + 1 < a->end) {
			c = *++a->p;
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		}
		buf_add(&b, &c, 1);
	}
	if (a->p >= a->end)
		return bad(t, a->end, "unterminated string");
	a->p++;
	*ret = json_stringn(b.len ? b.data : "", b.len);
	return 0;
}

/* One operand; *ret NULL: a field that is not there. */
static int operand(struct tpl *t, struct action *a, const json_t *dot, json_t **ret)
{
	skip_space(a);
	*ret = NULL;
	if (a->p >= a->end)
		return bad(t, a->p, "a value is missing");
	if (*a->p == '(') {
		a->p++;
		CLEANUP_JSON json_t *inner = NULL;
		int r = pipeline(t, a, dot, &inner);
		if (r < 0)
			return r;
		skip_space(a);
		if (a->p >= a->end || *a->p != ')')
			return bad(t, a->p, "a ) is missing");
		a->p++;
		return fields(t, a, inner, ret);
	}
	if (*a->p == '"' || *a->p == '`')
		return string_literal(t, a, ret);
	if (*a->p == '$')
		return variable(t, a, ret);
	if (*a->p == '.') {
		if (a->p + 1 < a->end && is_name(a->p[1]))
			return fields(t, a, dot, ret);
		a->p++;
		*ret = json_incref((json_t *)dot);
		return 0;
	}
	if (isdigit((unsigned char)*a->p) || *a->p == '-') {
		char *end;

		*ret = json_integer(strtoll(a->p, &end, 10));
		if (end == a->p)
			return bad(t, a->p, "a number was expected");
		a->p = end;
		return 0;
	}
	if (take_word(a, "true") || take_word(a, "false")) {
		*ret = json_boolean(a->p[-1] == 'e' && a->p[-2] == 'u');
		return 0;
	}
	if (take_word(a, "nil")) {
		*ret = json_null();
		return 0;
	}
	return bad(t, a->p, "unknown function or value");
}

static const struct function *take_function(struct action *a)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (take_word(a, functions[i].name))
			return &functions[i];
	return NULL;
}

/* One command of a pipeline; piped, if any, is its last argument. */
static int command(struct tpl *t, struct action *a, const json_t *dot, json_t *piped,
		   json_t **ret)
{
	json_t *v[ARGS_MAX] = { NULL };
	size_t n = 0;
	int r = 0;

	skip_space(a);
	const char *at = a->p;
	const struct function *f = take_function(a);
	if (!f) {
		if (piped)
			return bad(t, at, "a function was expected");
		return operand(t, a, dot, ret);
	}
	for (skip_space(a); r == 0 && a->p < a->end && *a->p != '|' && *a->p != ')';
	     skip_space(a)) {
		if (n == ARGS_MAX - 1) {
			r = bad(t, a->p, "too many arguments");
			break;
		}
		r = operand(t, a, dot, &v[n++]);
	}
	if (r == 0) {
		if (piped)
			v[n++] = json_incref(piped);
		*ret = f->call(v, n);
		if (!*ret)
			r = bad(t, at, "wrong arguments");
	}
	for (size_t i = 0; i < n; i++)
		json_decref(v[i]);
	return r;
}

static int pipeline(struct tpl *t, struct action *a, const json_t *dot, json_t **ret)
{
	CLEANUP_JSON json_t *v = NULL;

	if (++t->depth > DEPTH_MAX)
		return bad(t, a->p, "too deep");
	int r = command(t, a, dot, NULL, &v);
	for (skip_space(a); r == 0 && a->p < a->end && *a->p == '|'; skip_space(a)) {
		json_t *next = NULL;

		a->p++;
		r = command(t, a, dot, v ? v : json_null(), &next);
		json_decref(v);
		v = next;
	}
	t->depth--;
	if (r == 0)
		*ret = take_ptr(v);
	return r;
}

/* ---- statements --------------------------------------------------------------------- */

static int run_text(struct tpl *t, const char *p, const char *end, const json_t *dot);

static int push(struct tpl *t, const char *name, size_t n, const json_t *v)
{
	struct var *var = &t->vars[t->n_vars];

	if (t->n_vars == VARS_MAX || n >= sizeof(var->name))
		return bad(t, name, "too many variables, or a name too long");
	memcpy(var->name, name, n);
	var->name[n] = '\0';
	var->value = json_incref((json_t *)v);
	t->n_vars++;
	return 0;
}

static void pop_to(struct tpl *t, size_t n)
{
	while (t->n_vars > n)
		json_decref(t->vars[--t->n_vars].value);
}

/* "$a :=" or "$a, $b :=": the names, n of them (0: none), and a->p past the ":=". */
static size_t declared(struct action *a, const char *name[2], size_t len[2])
{
	struct action s = *a;
	size_t n = 0;

	for (;;) {
		skip_space(&s);
		if (n == 2 || s.p >= s.end || *s.p != '$')
			return 0;
		name[n] = ++s.p;
		while (s.p < s.end && is_name(*s.p))
			s.p++;
		len[n] = (size_t)(s.p - name[n]);
		n++;
		skip_space(&s);
		if (s.p + 1 < s.end && s.p[0] == ':' && s.p[1] == '=') {
			s.p += 2;
			*a = s;
			return n;
		}
		if (s.p >= s.end || *s.p++ != ',')
			return 0;
	}
}

struct block {
	const char *body, *body_end;            /* to run for a true value */
};

static int range_item(struct tpl *t, const struct block *b, const char *name[2], size_t len[2],
		      size_t n, const json_t *key, const json_t *v)
{
	size_t mark = t->n_vars;
	int r = 0;

	if (n == 2)
		r = push(t, name[0], len[0], key);
	if (r == 0 && n > 0)
		r = push(t, name[n - 1], len[n - 1], v);
	if (r == 0)
		r = run_text(t, b->body, b->body_end, v);
	pop_to(t, mark);
	return r;
}

static int run_range(struct tpl *t, struct action *a, const struct block *b, const json_t *dot,
		     bool *ret_ran)
{
	const char *name[2], *key;
	size_t len[2], i, n = declared(a, name, len);
	CLEANUP_JSON json_t *list = NULL;
	json_t *item;

	int r = pipeline(t, a, dot, &list);
	*ret_ran = truth(list);
	if (json_is_array(list))
		json_array_foreach(list, i, item) {
			CLEANUP_JSON json_t *index = json_integer((json_int_t)i);

			r = r < 0 ? r : range_item(t, b, name, len, n, index, item);
		}
	else if (json_is_object(list))
		json_object_foreach(list, key, item) {
			CLEANUP_JSON json_t *k = json_string(key);

			r = r < 0 ? r : range_item(t, b, name, len, n, k, item);
		}
	else if (r == 0 && list && !json_is_null(list))
		r = bad(t, a->p, "range over what is no list");
	return r;
}

enum block_kind { BLOCK_IF, BLOCK_WITH, BLOCK_RANGE };

static int run_block(struct tpl *t, enum block_kind kind, struct action *a, const char *end,
		     const json_t *dot, const char **ret_next)
{
	struct action otherwise, last = { 0 };
	bool has_else, ran;
	size_t mark = t->n_vars;

	int r = block_ends(t, a->next, end, &otherwise, &has_else, &last);
	if (r < 0)
		return r;
	*ret_next = last.next;
	struct block b = { .body = a->next,
			   .body_end = has_else ? otherwise.before : last.before };
	if (kind == BLOCK_RANGE) {
		r = run_range(t, a, &b, dot, &ran);
	} else {
		const char *name[2];
		size_t len[2], n = declared(a, name, len);
		CLEANUP_JSON json_t *v = NULL;

		r = pipeline(t, a, dot, &v);
		ran = truth(v);
		if (r == 0 && n == 1)
			r = push(t, name[0], len[0], v);
		if (r == 0 && ran)
			r = run_text(t, b.body, b.body_end, kind == BLOCK_WITH ? v : dot);
	}
	if (r == 0 && !ran && has_else) {
		if (take_word(&otherwise, "if")) {
			const char *ignored;

			/* Its block ends where ours does. */
			r = run_block(t, BLOCK_IF, &otherwise, last.next, dot, &ignored);
		} else {
			r = run_text(t, otherwise.next, last.before, dot);
		}
	}
	pop_to(t, mark);
	return r;
}

static int run_print(struct tpl *t, struct action *a, const json_t *dot)
{
	const char *name[2], *at = a->p;
	size_t len[2], n = declared(a, name, len);
	CLEANUP_JSON json_t *v = NULL;

	int r = pipeline(t, a, dot, &v);
	if (r < 0)
		return r;
	skip_space(a);
	if (a->p < a->end)
		return bad(t, a->p, "more than one value");
	if (n)
		return push(t, name[0], len[0], v);
	if (!v)
		return err_set(t->e, EINVAL, "template \"%s\": there is no field \"%.*s\"",
			       t->text, (int)(a->end - at), at);
	print_value(t->out, v);
	return 0;
}

static int run_text(struct tpl *t, const char *p, const char *end, const json_t *dot)
{
	struct action a;
	int r = 0;

	if (++t->depth > DEPTH_MAX)
		return bad(t, p, "too deep");
	while (r == 0 && (r = next_action(t, p, end, &a)) > 0) {
		buf_add(t->out, p, (size_t)(a.before - p));
		p = a.next;
		if (take_word(&a, "if"))
			r = run_block(t, BLOCK_IF, &a, end, dot, &p);
		else if (take_word(&a, "with"))
			r = run_block(t, BLOCK_WITH, &a, end, dot, &p);
		else if (take_word(&a, "range"))
			r = run_block(t, BLOCK_RANGE, &a, end, dot, &p);
		else if (take_word(&a, "end") || take_word(&a, "else"))
			r = bad(t, a.before, "no block to end");
		else
			r = run_print(t, &a, dot);
	}
	if (r == 0)
		buf_add(t->out, p, (size_t)(end - p));
	t->depth--;
	return r;
}

int template_run(const char *text, const json_t *dot, struct buf *out, struct err *e)
{
	struct tpl t = { .text = text, .out = out, .e = e };
	int r = push(&t, "", 0, dot);           /* "$" is the whole */

	if (r == 0)
		r = run_text(&t, text, text + strlen(text), dot);
	pop_to(&t, 0);
	return r;
}
