/*
 * base/json_tree.c - see json_tree.h
 *
 * Recursive descent over one copy of the text.  Strings are decoded where they
 * stand (a decoded string is never longer than its source, and its closing quote
 * leaves room for the NUL), so a document costs two kinds of memory: its text and
 * one node a value.
 */
#include "base/json_tree.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

#define NODES_A_CHUNK 64

struct parser {
	const char *name;
	char *p, *end;                  /* *end is a NUL of our own */
	const char *line_start;
	uint32_t line;
	unsigned depth;
	struct arena *a;
	struct json_node *free_nodes;
	size_t n_free;
	struct err *e;
};

static int parse_value(struct parser *ps, struct json_node *v);

/* At ps->p. */
static int syntax(const struct parser *ps, const char *what)
{
	return err_set(ps->e, EINVAL, "%s:%u:%td: %s", ps->name, ps->line,
		       ps->p - ps->line_start + 1, what);
}

static struct json_node *new_node(struct parser *ps)
{
	if (ps->n_free == 0) {
		ps->free_nodes = arena_calloc(ps->a, NODES_A_CHUNK, sizeof(*ps->free_nodes));
		ps->n_free = NODES_A_CHUNK;
	}
	ps->n_free--;
	return ps->free_nodes++;
}

static void skip_space(struct parser *ps)
{
	for (;; ps->p++) {
		if (*ps->p == '\n') {
			ps->line++;
			ps->line_start = ps->p + 1;
		} else if (*ps->p != ' ' && *ps->p != '\t' && *ps->p != '\r') {
			return;
		}
	}
}

static int hex4(const char *s)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= c - '0';
		else if (c >= 'a' && c <= 'f')
			v |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			v |= c - 'A' + 10;
		else
			return -1;      /* also at the NUL at the end */
	}
	return v;
}

/* ps->p is at the 'u' of "\uXXXX"; it is left past the last digit. */
static int parse_unicode(struct parser *ps, char **to)
{
	int c = hex4(ps->p + 1);

	if (c < 0)
		return syntax(ps, "expected four hexadecimal digits after \\u");
	if (c == 0)
		return syntax(ps, "\\u0000 in a string");
	if (c >= 0xdc00 && c <= 0xdfff)
		return syntax(ps, "a low surrogate without its high one");
	ps->p += 5;
	if (c >= 0xd800 && c <= 0xdbff) {
		int low = ps->p[0] == '\\' && ps->p[1] == 'u' ? hex4(ps->p + 2) : -1;

		if (low < 0xdc00 || low > 0xdfff)
			return syntax(ps, "a high surrogate without its low one");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		ps->p += 6;
	}
	*to += utf8_put(*to, (uint32_t)c);
	return 0;
}

/* ps->p is past the backslash; it is left past the escape. */
static int parse_escape(struct parser *ps, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *at = *ps->p ? strchr(from, *ps->p) : NULL;

	if (at) {
		*(*to)++ = into[at - from];
		ps->p++;
		return 0;
	}
	if (*ps->p == 'u')
		return parse_unicode(ps, to);
	return syntax(ps, "unknown escape in a string");
}

/* Most of a document: bytes of a string that stand for themselves. */
static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* ps->p is at the opening quote; it is left past the closing one. */
static int parse_string(struct parser *ps, const char **ret, uint32_t *ret_n)
{
	char *start = ++ps->p, *to;
	int r;

	/* Nothing moves before the first escape. */
	while (is_plain(*ps->p))
		ps->p++;
	to = ps->p;
	for (;;) {
		unsigned char c = (unsigned char)*ps->p;

		if (c == '"')
			break;
		if (c == '\\') {
			ps->p++;
			r = parse_escape(ps, &to);
			if (r < 0)
				return r;
		} else if (c < 0x20) {
			return syntax(ps, ps->p == ps->end ? "the text ends inside a string"
							   : "a control character in a string");
		} else if (c < 0x80) {
			*to++ = *ps->p++;
		} else {
			size_t len = utf8_len(ps->p, (size_t)(ps->end - ps->p));

			if (len == 0)
				return syntax(ps, "not UTF-8");
			memmove(to, ps->p, len);
			to += len;
			ps->p += len;
		}
	}
	ps->p++;
	*to = '\0';
	*ret = start;
	*ret_n = (uint32_t)(to - start);
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int skip_digits(struct parser *ps)
{
	if (!is_digit(*ps->p))
		return syntax(ps, "expected a digit");
	while (is_digit(*ps->p))
		ps->p++;
	return 0;
}

static int parse_number(struct parser *ps, struct json_node *v)
{
	int r = 0;

	v->kind = JSON_KIND_INT;
	if (*ps->p == '-') {
		v->negative = true;
		ps->p++;
	}
	if (!is_digit(*ps->p))
		return syntax(ps, "expected a digit");
	if (ps->p[0] == '0' && is_digit(ps->p[1]))
		return syntax(ps, "a number with a leading zero");
	for (; is_digit(*ps->p); ps->p++)
		if (__builtin_mul_overflow(v->magnitude, 10, &v->magnitude) ||
		    __builtin_add_overflow(v->magnitude, (uint64_t)(*ps->p - '0'), &v->magnitude))
			v->huge = true;
	/* No property of the specification is a real number: the value is not kept. */
	if (*ps->p == '.') {
		v->kind = JSON_KIND_REAL;
		ps->p++;
		r = skip_digits(ps);
	}
	if (r == 0 && (*ps->p == 'e' || *ps->p == 'E')) {
		v->kind = JSON_KIND_REAL;
		ps->p++;
		if (*ps->p == '+' || *ps->p == '-')
			ps->p++;
		r = skip_digits(ps);
	}
	return r;
}

static int parse_word(struct parser *ps, struct json_node *v)
{
	static const struct {
		const char *word;
		enum json_kind kind;
		bool truth;
	} words[] = {
		{ "true", JSON_KIND_BOOL, true },
		{ "false", JSON_KIND_BOOL, false },
		{ "null", JSON_KIND_NULL, false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].word);

		if (strncmp(ps->p, words[i].word, n) == 0) {
			ps->p += n;
			v->kind = words[i].kind;
			v->truth = words[i].truth;
			return 0;
		}
	}
	return syntax(ps, ps->p == ps->end ? "the text ends where a value should be"
					   : "expected a value");
}

static int parse_member(struct parser *ps, struct json_node *v)
{
	uint32_t n;
	int r;

	if (*ps->p != '"')
		return syntax(ps, "expected a property name in quotes");
	r = parse_string(ps, &v->key, &n);
	if (r < 0)
		return r;
	skip_space(ps);
	if (*ps->p != ':')
		return syntax(ps, "expected ':'");
	ps->p++;
	return parse_value(ps, v);
}

/* An object or a list: they differ in the brackets and in what one entry is. */
static int parse_children(struct parser *ps, struct json_node *v)
{
	bool object = *ps->p == '{';
	const char close = object ? '}' : ']';
	const struct json_node **tail = &v->first;
	int r;

	v->kind = object ? JSON_KIND_OBJECT : JSON_KIND_LIST;
	if (++ps->depth > JSON_TREE_DEPTH_MAX)
		return syntax(ps, "nested too deeply");
	ps->p++;
	skip_space(ps);
	while (v->n > 0 || *ps->p != close) {
		struct json_node *child = new_node(ps);

		skip_space(ps);
		r = object ? parse_member(ps, child) : parse_value(ps, child);
		if (r < 0)
			return r;
		*tail = child;
		tail = &child->next;
		v->n++;
		skip_space(ps);
		if (*ps->p == close)
			break;
		if (*ps->p != ',')
			return syntax(ps, object ? "expected ',' or '}'" : "expected ',' or ']'");
		ps->p++;
	}
	ps->p++;
	ps->depth--;
	return 0;
}

static int parse_value(struct parser *ps, struct json_node *v)
{
	skip_space(ps);
	v->line = ps->line;
	switch (*ps->p) {
	case '{':
	case '[':
		return parse_children(ps, v);
	case '"':
		v->kind = JSON_KIND_STRING;
		return parse_string(ps, &v->s, &v->n);
	case '-':
	case '0' ... '9':
		return parse_number(ps, v);
	default:
		return parse_word(ps, v);
	}
}

int json_tree_parse(const char *name, const char *p, size_t n, struct arena *a,
		    const struct json_node **ret, struct err *e)
{
	if (n > JSON_TREE_BYTES_MAX)
		return err_set(e, EFBIG, "%s: larger than %u bytes", name, JSON_TREE_BYTES_MAX);

	char *text = arena_strndup(a, n ? p : "", n);
	struct parser ps = {
		.name = name, .p = text, .end = text + n,
		.line_start = text, .line = 1, .a = a, .e = e,
	};
	struct json_node *root = new_node(&ps);
	int r = parse_value(&ps, root);

	if (r < 0)
		return r;
	skip_space(&ps);
	if (ps.p != ps.end)
		return syntax(&ps, "expected the end of the text");
	*ret = root;
	return 0;
}

const char *json_kind_name(enum json_kind kind)
{
	switch (kind) {
	case JSON_KIND_NULL: return "null";
	case JSON_KIND_BOOL: return "a boolean";
	case JSON_KIND_INT: return "an integer";
	case JSON_KIND_REAL: return "a real number";
	case JSON_KIND_STRING: return "a string";
	case JSON_KIND_LIST: return "a list";
	case JSON_KIND_OBJECT: return "an object";
	}
	return "?";
}

static const struct json_node *member(const struct json_node *object, const char *key,
				      size_t len)
{
	const struct json_node *v = NULL;

	if (object->kind != JSON_KIND_OBJECT)
		return NULL;
	/* Of two members with one name the last counts, as in Go. */
	for (const struct json_node *c = object->first; c; c = c->next)
		if (strncmp(c->key, key, len) == 0 && !c->key[len])
			v = c;
	return v;
}

const struct json_node *json_tree_member(const struct json_node *object, const char *key)
{
	return member(object, key, strlen(key));
}

static const struct json_node *element(const struct json_node *list, const char *digits)
{
	const struct json_node *v = list->kind == JSON_KIND_LIST ? list->first : NULL;

	uint32_t i = 0;

	for (; is_digit(*digits); digits++)
		if (__builtin_mul_overflow(i, 10, &i) ||
		    __builtin_add_overflow(i, (uint32_t)(*digits - '0'), &i))
			return NULL;
	while (v && i-- > 0)
		v = v->next;
	return v;
}

const struct json_node *json_tree_at(const struct json_node *root, const char *path)
{
	const struct json_node *v = root, *child;

	while (*path) {
		bool index = *path == '[';

		path += index || *path == '.';
		size_t len = strcspn(path, ".[]");
		child = index ? element(v, path) : member(v, path, len);
		if (!child)
			break;
		v = child;
		path += len + (path[len] == ']');
	}
	return v;
}
