/* Unit tests of cli/isle/template.h and cli/isle/output.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/output.h"
#include "cli/isle/template.h"

static const char document[] =
	"{\"Name\": \"/web\", \"Pid\": 42, \"Ok\": true, \"Off\": false, \"Zero\": 0,"
	" \"State\": {\"Status\": \"running\", \"Health\": null},"
	" \"Args\": [\"a\", \"b c\"], \"Empty\": [],"
	" \"Labels\": {\"x.y\": \"1\", \"z\": \"two\"},"
	" \"Ports\": {\"80/tcp\": [{\"HostPort\": \"8080\"}]}}";

static void test_good(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "plain", "plain" },
		{ "{{.Name}}", "/web" },
		{ "{{ .Pid }}-{{.Ok}}", "42-true" },
		{ "{{.State.Status}}", "running" },
		{ "{{json .Args}}", "[\"a\",\"b c\"]" },
		{ "{{.Args | json}}", "[\"a\",\"b c\"]" },
		{ "{{json .State.Status}}", "\"running\"" },
		{ "{{.Args}}", "[a b c]" },
		{ "{{.Labels}}", "map[x.y:1 z:two]" },
		{ "{{index .Labels \"x.y\"}}", "1" },
		{ "{{index .Labels \"none\"}}", "" },
		{ "{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080" },
		{ "{{len .Args}}", "2" },
		{ "{{join .Args \",\"}}", "a,b c" },
		{ "{{upper .Name}}{{lower \"AB\"}}{{title \"ab cd\"}}", "/WEBabAb Cd" },
		{ "{{if .Ok}}y{{end}}{{if .Off}}n{{end}}", "y" },
		{ "{{if .Off}}a{{else if .Ok}}b{{else}}c{{end}}", "b" },
		{ "{{if .Off}}a{{else if .Zero}}b{{else}}c{{end}}.", "c." },
		{ "{{if .State.Health}}h{{else}}none{{end}}", "none" },
		{ "{{with .State}}{{.Status}}{{end}}", "running" },
		{ "{{range .Args}}<{{.}}>{{end}}", "<a><b c>" },
		{ "{{range .Empty}}x{{else}}nothing{{end}}", "nothing" },
		{ "{{range $i, $v := .Args}}{{$i}}={{$v}};{{end}}", "0=a;1=b c;" },
		{ "{{range $p, $c := .Ports}}{{$p}}:{{(index $c 0).HostPort}}{{end}}",
		  "80/tcp:8080" },
		{ "{{range .Args}}{{range $.Args}}{{.}}{{end}};{{end}}", "ab c;ab c;" },
		{ "{{$n := .Name}}{{$n}}", "/web" },
		{ "a {{- .Pid -}} b", "a42b" },
		{ "{{eq .Pid 42}} {{ne .Name \"x\"}} {{and .Ok .Off}} {{or .Off 7}} {{not .Ok}}",
		  "true true false 7 false" },
		{ "{{printf \"%-4s|%3d|%q\" \"ab\" .Pid \"x\"}}", "ab  | 42|\"x\"" },
		{ "{{print \"}}\" `{{`}}", "}}{{" },
		{ "{{truncate .Name 2}}{{pad \"x\" 1 2}}.", "/w x  ." },
		{ "{{split \"a,b\" \",\"}}", "[a b]" },
	};
	CLEANUP_JSON json_t *j = json_loads(document, 0, NULL);

	(void)state;
	assert_non_null(j);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
		struct err e = { 0 };
		int r = template_run(cases[i].text, j, &b, &e);

		if (r < 0)
			fail_msg("%s: %s", cases[i].text, e.msg);
		assert_string_equal(b.data ? b.data : "", cases[i].want);
	}
}

static void test_bad(void **state)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "{{.Name", "unclosed" },
		{ "{{.Nope}}", "no field \".Nope\"" },
		{ "{{.Name.Sub}}", "no object" },
		{ "{{frob .Name}}", "unknown function" },
		{ "{{if .Ok}}x", "no {{end}}" },
		{ "{{end}}", "no block" },
		{ "{{.Name .Pid}}", "more than one" },
		{ "{{$x}}", "unknown variable" },
		{ "{{range .Name}}{{end}}", "range over" },
		{ "{{join .Name}}", "wrong arguments" },
		{ "{{\"abc}}", "unclosed" },
		{ "{{((((((((((((((((((((((((((((((((((.Name))))))))))))))))))))))))))))))))))}}",
		  "too deep" },
	};
	CLEANUP_JSON json_t *j = json_loads(document, 0, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
		struct err e = { 0 };

		assert_int_equal(template_run(cases[i].text, j, &b, &e), -EINVAL);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, e.msg,
				 cases[i].says);
	}
}

static void test_words(void **state)
{
	static const struct { int64_t s; const char *want; } durations[] = {
		{ 0, "Less than a second" }, { 1, "1 second" }, { 59, "59 seconds" },
		{ 60, "About a minute" }, { 150, "2 minutes" }, { 3600, "About an hour" },
		{ 7200, "2 hours" }, { 3 * 86400, "3 days" }, { 21 * 86400, "3 weeks" },
		{ 90 * 86400, "3 months" }, { 800 * 86400LL, "2 years" },
	};
	static const struct { uint64_t n; const char *want, *binary; } sizes[] = {
		{ 0, "0B", "0B" }, { 999, "999B", "999B" }, { 1000, "1kB", "1000B" },
		{ 999900, "1MB", "976.5KiB" }, { 77800000, "77.8MB", "74.2MiB" },
		{ 1536, "1.54kB", "1.5KiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		CLEANUP_FREE char *s = output_duration(durations[i].s);

		assert_string_equal(s, durations[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CLEANUP_FREE char *s = output_size(sizes[i].n);
		CLEANUP_FREE char *b = output_size_binary(sizes[i].n);

		assert_string_equal(s, sizes[i].want);
		assert_string_equal(b, sizes[i].binary);
	}
}

static int match_name(const json_t *row, const char *value)
{
	return strstr(json_string_value(json_object_get(row, "n")), value) != NULL;
}

static int match_kind(const json_t *row, const char *value)
{
	return strcmp(json_string_value(json_object_get(row, "k")), value) == 0;
}

static void test_filters(void **state)
{
	static const struct output_filter known[] = {
		{ "name", match_name }, { "kind", match_kind },
	};
	static const char *two[] = { "name=a", "name=b", "kind=x", NULL };
	static const char *unknown[] = { "nam=a", NULL };
	struct oci_strv filters = { two, 3 };
	struct err e = { 0 };
	CLEANUP_JSON json_t *rows = json_loads(
		"[{\"n\":\"a1\",\"k\":\"x\"},{\"n\":\"b1\",\"k\":\"y\"},{\"n\":\"c1\",\"k\":\"x\"},"
		"{\"n\":\"b2\",\"k\":\"x\"}]", 0, NULL);

	(void)state;
	assert_int_equal(output_filter(&filters, known, 2, rows, &e), 0);
	assert_int_equal(json_array_size(rows), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 1), "n")), "b2");
	filters = (struct oci_strv){ unknown, 1 };
	assert_int_equal(output_filter(&filters, known, 2, rows, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "did you mean \"name\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
