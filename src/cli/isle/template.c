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
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/template_function.h"

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

static const struct template_function *take_function(struct action *a)
{
	for (size_t i = 0; i < n_template_functions; i++)
		if (take_word(a, template_functions[i].name))
			return &template_functions[i];
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
	const struct template_function *f = take_function(a);
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
	*ret_ran = template_truth(list);
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
		ran = template_truth(v);
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
	template_print(t->out, v);
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
