/* base/json, base/json_tree, base/utf8 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Parse text, which may be kept until *a is released. */
static int parse(struct arena *a, const char *text, const struct json_node **ret,
		 struct err *e)
{
	return json_tree_parse("t.json", text, strlen(text), a, ret, e);
}

static void expect_error(const char *text, const char *message)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v = NULL;
	struct err e = { 0 };

	assert_int_equal(parse(&a, text, &v, &e), -EINVAL);
	assert_string_equal(e.msg, message);
	assert_null(v);
}

static void tree_kinds(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v, *c;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse(&a, " [null, true, false, -7, 1.5e3, \"s\", {}, []]\n", &v, &e), 0);
	assert_int_equal(v->kind, JSON_KIND_LIST);
	assert_int_equal(v->n, 8);
	c = v->first;
	assert_int_equal(c->kind, JSON_KIND_NULL);
	c = c->next;
	assert_int_equal(c->kind, JSON_KIND_BOOL);
	assert_true(c->truth);
	c = c->next;
	assert_false(c->truth);
	c = c->next;
	assert_int_equal(c->kind, JSON_KIND_INT);
	assert_true(c->negative);
	assert_int_equal(c->magnitude, 7);
	c = c->next;
	assert_int_equal(c->kind, JSON_KIND_REAL);
	c = c->next;
	assert_string_equal(c->s, "s");
	c = c->next;
	assert_int_equal(c->kind, JSON_KIND_OBJECT);
	assert_null(c->first);
	c = c->next;
	assert_int_equal(c->kind, JSON_KIND_LIST);
	assert_null(c->next);
}

static void tree_numbers(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse(&a, "18446744073709551615", &v, &e), 0);
	assert_true(v->magnitude == UINT64_MAX);
	assert_false(v->huge);
	assert_int_equal(parse(&a, "18446744073709551616", &v, &e), 0);
	assert_true(v->huge);
	assert_int_equal(parse(&a, "-0", &v, &e), 0);
	assert_int_equal(v->magnitude, 0);
	expect_error("01", "t.json:1:1: a number with a leading zero");
	expect_error("-", "t.json:1:2: expected a digit");
	expect_error("1.", "t.json:1:3: expected a digit");
	expect_error("1e+", "t.json:1:4: expected a digit");
	expect_error("+1", "t.json:1:1: expected a value");
}

static void tree_strings(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse(&a, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac"
			       "\\ud83d\\ude00 \xc3\xa9\"", &v, &e), 0);
	assert_string_equal(v->s, "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc3\xa9");
	assert_int_equal(v->n, strlen(v->s));
	expect_error("\"a\\u0000\"", "t.json:1:4: \\u0000 in a string");
	expect_error("\"\\ud800x\"", "t.json:1:8: a high surrogate without its low one");
	expect_error("\"\\udc00\"", "t.json:1:3: a low surrogate without its high one");
	expect_error("\"\\u12g4\"", "t.json:1:3: expected four hexadecimal digits after \\u");
	expect_error("\"\\x\"", "t.json:1:3: unknown escape in a string");
	expect_error("\"a\nb\"", "t.json:1:3: a control character in a string");
	expect_error("\"abc", "t.json:1:5: the text ends inside a string");
	expect_error("\"\\", "t.json:1:3: unknown escape in a string");
	expect_error("\"\xc0\x80\"", "t.json:1:2: not UTF-8");
}

static void tree_structure_errors(void **state)
{
	(void)state;
	expect_error("", "t.json:1:1: the text ends where a value should be");
	expect_error("{\n  \"a\": 1,\n}", "t.json:3:1: expected a property name in quotes");
	expect_error("{\"a\" 1}", "t.json:1:6: expected ':'");
	expect_error("{\"a\":1 \"b\":2}", "t.json:1:8: expected ',' or '}'");
	expect_error("[1 2]", "t.json:1:4: expected ',' or ']'");
	expect_error("[1,]", "t.json:1:4: expected a value");
	expect_error("[1", "t.json:1:3: expected ',' or ']'");
	expect_error("nul", "t.json:1:1: expected a value");
	expect_error("{} {}", "t.json:1:4: expected the end of the text");
}

static void tree_nul_byte(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(json_tree_parse("t.json", "1\0", 2, &a, &v, &e), -EINVAL);
	assert_int_equal(json_tree_parse("t.json", "\"a\0b\"", 5, &a, &v, &e), -EINVAL);
	assert_string_equal(e.msg, "t.json:1:3: a control character in a string");
	assert_int_equal(json_tree_parse("t.json", NULL, 0, &a, &v, &e), -EINVAL);
}

static void tree_depth(void **state)
{
	char text[2 * JSON_TREE_DEPTH_MAX + 3];
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v;
	struct err e = { 0 };

	(void)state;
	memset(text, '[', JSON_TREE_DEPTH_MAX);
	memset(text + JSON_TREE_DEPTH_MAX, ']', JSON_TREE_DEPTH_MAX);
	text[2 * JSON_TREE_DEPTH_MAX] = '\0';
	assert_int_equal(parse(&a, text, &v, &e), 0);
	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(parse(&a, text, &v, &e), -EINVAL);
	assert_string_equal(e.msg, "t.json:1:129: nested too deeply");
}

static void tree_at(void **state)
{
	static const char text[] =
		"{\n \"a\": {\n  \"b\": [\n   10,\n   {\"c\": 1}\n  ]\n },\n \"a\\nx\": 2\n}";
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse(&a, text, &v, &e), 0);
	assert_ptr_equal(json_tree_at(v, ""), v);
	assert_int_equal(json_tree_at(v, "a")->line, 2);
	assert_int_equal(json_tree_at(v, "a.b")->line, 3);
	assert_int_equal(json_tree_at(v, "a.b[0]")->line, 4);
	assert_int_equal(json_tree_at(v, "a.b[1].c")->line, 5);
	assert_int_equal(json_tree_at(v, "a.b[1].c")->magnitude, 1);
	/* What is missing: the deepest there is. */
	assert_int_equal(json_tree_at(v, "a.b[2].c")->line, 3);
	assert_int_equal(json_tree_at(v, "a.x.y")->line, 2);
	assert_int_equal(json_tree_at(v, "a.b[99999999999999]")->line, 3);
	assert_int_equal(json_tree_member(v, "a\nx")->line, 8);
	assert_null(json_tree_member(v, "b"));
	assert_null(json_tree_member(json_tree_at(v, "a.b"), "b"));
}

static void tree_last_member_counts(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse(&a, "{\"a\": 1, \"a\": 2}", &v, &e), 0);
	assert_int_equal(json_tree_member(v, "a")->magnitude, 2);
}

static void tree_many_values(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1u << 20);
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct json_node *v;
	struct err e = { 0 };
	uint64_t sum = 0;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "%c%d", i ? ',' : '[', i);
	buf_add_str(&b, "]");
	assert_int_equal(parse(&a, b.data, &v, &e), 0);
	assert_int_equal(v->n, 10000);
	for (const struct json_node *c = v->first; c; c = c->next)
		sum += c->magnitude;
	assert_int_equal(sum, 49995000);
}

static void expect_written(const char *s, const char *json)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1024);

	json_add_string(&b, s);
	assert_string_equal(b.data, json);
	/* What is written must be JSON to others. */
	json_t *j = json_loadb(b.data, b.len, JSON_DECODE_ANY, NULL);
	assert_non_null(j);
	json_decref(j);
}

static void add_string(void **state)
{
	(void)state;
	expect_written("", "\"\"");
	expect_written("plain \xc3\xa9", "\"plain \xc3\xa9\"");
	expect_written("\"\\\n\r\t", "\"\\\"\\\\\\n\\r\\t\"");
	expect_written("\x01\x1b[0m\x7f", "\"\\u0001\\u001b[0m\\u007f\"");
	expect_written("a\xff\xfe" "b", "\"a\xef\xbf\xbd\xef\xbf\xbd" "b\"");
	expect_written("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	expect_written("cut \xe2\x82", "\"cut \xef\xbf\xbd\xef\xbf\xbd\"");
}

static void add_document(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1024), small = BUF_INIT(4);
	CLEANUP_JSON json_t *j = json_pack("{s:i, s:[s]}", "b", 1, "a", "x");

	(void)state;
	json_add(&b, j, JSON_COMPACT);
	assert_string_equal(b.data, "{\"b\":1,\"a\":[\"x\"]}");
	json_add(&small, j, JSON_COMPACT);
	assert_true(small.overflow);
}

static void parse_jansson(void **state)
{
	CLEANUP_JSON json_t *j = NULL;
	json_t *none = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(json_parse("s.json", "{\"a\": 1}", 8, &j, &e), 0);
	assert_int_equal(json_integer_value(json_object_get(j, "a")), 1);
	assert_int_equal(json_parse("s.json", "{\"a\"\n: }", 8, &none, &e), -EINVAL);
	assert_int_equal(strncmp(e.msg, "s.json:2:", 9), 0);
	assert_int_equal(json_parse("s.json", "1 2", 3, &none, &e), -EINVAL);
	assert_null(none);
}

static void utf8_lengths(void **state)
{
	static const struct {
		const char *s;
		size_t n, len;
	} t[] = {
		{ "a", 1, 1 }, { "\x7f", 1, 1 }, { "\x80", 1, 0 }, { "\xc1\xbf", 2, 0 },
		{ "\xc2\x80", 2, 2 }, { "\xc2", 1, 0 }, { "\xc2 ", 2, 0 },
		{ "\xe0\x9f\xbf", 3, 0 }, { "\xe0\xa0\x80", 3, 3 }, { "\xed\x9f\xbf", 3, 3 },
		{ "\xed\xa0\x80", 3, 0 }, { "\xee\x80\x80", 3, 3 }, { "\xe2\x82", 2, 0 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 }, { "\xf0\x90\x80\x80", 4, 4 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 }, { "\xf4\x90\x80\x80", 4, 0 },
		{ "\xf5\x80\x80\x80", 4, 0 }, { "\xf0\x90\x80 ", 4, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (utf8_len(t[i].s, t[i].n) != t[i].len)
			fail_msg("row %zu: %zu instead of %zu", i, utf8_len(t[i].s, t[i].n),
				 t[i].len);
}

static void utf8_round_trip(void **state)
{
	static const uint32_t edge[] = { 1, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff };
	static const size_t len[] = { 1, 1, 2, 2, 3, 3, 4, 4 };
	char s[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edge); i++) {
		assert_int_equal(utf8_put(s, edge[i]), len[i]);
		assert_int_equal(utf8_len(s, len[i]), len[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_kinds),
		cmocka_unit_test(tree_numbers),
		cmocka_unit_test(tree_strings),
		cmocka_unit_test(tree_structure_errors),
		cmocka_unit_test(tree_nul_byte),
		cmocka_unit_test(tree_depth),
		cmocka_unit_test(tree_at),
		cmocka_unit_test(tree_last_member_counts),
		cmocka_unit_test(tree_many_values),
		cmocka_unit_test(add_string),
		cmocka_unit_test(add_document),
		cmocka_unit_test(parse_jansson),
		cmocka_unit_test(utf8_lengths),
		cmocka_unit_test(utf8_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
