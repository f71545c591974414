/* References, registries.conf and platforms. */
#include "image/reference.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/platform.h"
#include "image/registries.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A127 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *or_dash(const char *s)
{
	return s ? s : "-";
}

static void test_good(void **state)
{
	static const struct {
		const char *text, *domain, *path, *tag, *digest;
	} cases[] = {
		{ "nginx", "-", "nginx", "-", "-" },
		{ "nginx:1.25", "-", "nginx", "1.25", "-" },
		{ "library/nginx", "-", "library/nginx", "-", "-" },
		{ "host.example/nginx", "host.example", "nginx", "-", "-" },
		{ "localhost/x", "localhost", "x", "-", "-" },
		{ "localhost:5000/x:y", "localhost:5000", "x", "y", "-" },
		{ "127.0.0.1:5000/a/b/c:v1_2.3-x", "127.0.0.1:5000", "a/b/c", "v1_2.3-x", "-" },
		{ "[::1]:5000/x", "[::1]:5000", "x", "-", "-" },
		{ "Upper/x", "Upper", "x", "-", "-" },
		{ "x@" DIGEST, "-", "x", "-", DIGEST },
		{ "h.example/x:t@" DIGEST, "h.example", "x", "t", DIGEST },
		{ "a__b/c--d/e.f", "-", "a__b/c--d/e.f", "-", "-" },
		{ "x:" A127 "b", "-", "x", A127 "b", "-" },
		{ "0/1", "-", "0/1", "-", "-" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_release) struct arena a = { 0 };
		struct reference r;
		struct err e = { 0 };

		if (reference_parse(cases[i].text, &a, &r, &e) < 0)
			fail_msg("%s: %s", cases[i].text, e.msg);
		assert_int_equal(r.transport, REFERENCE_REGISTRY);
		assert_string_equal(or_dash(r.domain), cases[i].domain);
		assert_string_equal(r.path, cases[i].path);
		assert_string_equal(or_dash(r.tag), cases[i].tag);
		assert_string_equal(or_dash(r.digest), cases[i].digest);
		assert_string_equal(reference_format(&r, &a), cases[i].text);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{ "", "missing" }, { ":tag", "missing" }, { "Nginx", "lowercase" },
		{ "a/B", "lowercase" }, { "a//b", "empty" }, { "a/", "empty" }, { "/a", "empty" },
		{ "a..b", "name" }, { "a___b", "name" }, { "-a", "name" }, { "a-", "name" },
		{ "a b", "name" }, { "a:", "tag" }, { "a:-x", "tag" }, { "a:.x", "tag" },
		{ "a:x y", "tag" }, { "a:" A127 "bb", "tag" }, { "a@sha256:12", "64 hex" },
		{ "a@", "64 hex" }, { HEX64, "ID" }, { "host:99999/a", "port" },
		{ "host:0/a", "port" }, { "-host.x/a", "host" }, { "[::1/a", "host" },
		{ "oci:", "file" }, { "a\nb", "name" },
		{ "aaaaaaaaa/" A127 "/" A127, "255" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_release) struct arena a = { 0 };
		struct reference r;
		struct err e = { 0 };

		if (reference_parse(cases[i].text, &a, &r, &e) != -EINVAL)
			fail_msg("\"%s\" was taken", cases[i].text);
		if (!strstr(e.msg, cases[i].word))
			fail_msg("\"%s\": \"%s\" lacks \"%s\"", cases[i].text, e.msg,
				 cases[i].word);
	}
}

static void test_transports(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct reference r;
	struct err e = { 0 };
	(void)state;

	assert_int_equal(reference_parse("oci:/a/b:v1", &a, &r, &e), 0);
	assert_int_equal(r.transport, REFERENCE_OCI);
	assert_string_equal(r.path, "/a/b");
	assert_string_equal(r.tag, "v1");
	assert_int_equal(reference_parse("oci-archive:x.tar", &a, &r, &e), 0);
	assert_int_equal(r.transport, REFERENCE_OCI_ARCHIVE);
	assert_null(r.tag);
	assert_int_equal(reference_parse("docker-archive:x.tar:busybox:1", &a, &r, &e), 0);
	assert_string_equal(r.tag, "busybox:1");
	assert_string_equal(reference_format(&r, &a), "docker-archive:x.tar:busybox:1");
}

/* ---- registries.conf --------------------------------------------------------- */

static int load(const char *text, struct registries *ret, struct err *e)
{
	char name[] = "/tmp/isle-test-conf.XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
	int r = registries_load(name, ret, e);
	unlink(name);
	return r;
}

static void test_conf(void **state)
{
	CLEANUP_REGISTRIES struct registries c = { 0 };
	CLEANUP(arena_release) struct arena a = { 0 };
	struct registry reg;
	struct reference r;
	struct err e = { 0 };
	(void)state;

	if (load("# a comment\n"
		 "default = reg.example:5000   # here\n"
		 "namespace = library\n"
		 "[alias]\ntools = other.example/team/tools\n"
		 "[registry reg.example:5000]\n"
		 "location = 10.0.0.5\r\n"
		 "mirror = http://m1.example/cache/\nmirror = m2.example:1 insecure\n"
		 "mirror = https://m3.example\n"
		 "[registry 127.0.0.1:5000]\ninsecure = no\n", &c, &e) < 0)
		fail_msg("%s", e.msg);
	registries_find(&c, "reg.example:5000", &reg);
	assert_string_equal(reg.self.location, "10.0.0.5");
	assert_false(reg.self.insecure);
	assert_int_equal(reg.n_mirrors, 3);
	assert_string_equal(reg.mirrors[0].location, "m1.example");
	assert_string_equal(reg.mirrors[0].prefix, "cache/");
	assert_true(reg.mirrors[0].insecure);
	assert_true(reg.mirrors[1].insecure);
	assert_false(reg.mirrors[2].insecure);
	/* A loopback address is trusted, unless it is said not to be. */
	registries_find(&c, "127.0.0.1:5000", &reg);
	assert_false(reg.self.insecure);
	registries_find(&c, "127.1.2.3", &reg);
	assert_true(reg.self.insecure);
	registries_find(&c, "[::1]:5000", &reg);
	assert_true(reg.self.insecure);
	registries_find(&c, "128.0.0.1", &reg);
	assert_false(reg.self.insecure);

	static const char *const names[][2] = {
		{ "busybox", "reg.example:5000/library/busybox:latest" },
		{ "team/app:1", "reg.example:5000/team/app:1" },
		{ "tools", "other.example/team/tools:latest" },
		{ "h.example/x", "h.example/x:latest" },
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(reference_parse(names[i][0], &a, &r, &e), 0);
		assert_int_equal(registries_resolve(&c, &a, &r, &e), 0);
		assert_string_equal(reference_format(&r, &a), names[i][1]);
	}
	assert_string_equal(registries_familiar(&c, &a, names[0][1]), "busybox:latest");
	assert_string_equal(registries_familiar(&c, &a, names[1][1]), "team/app:1");
	assert_string_equal(registries_familiar(&c, &a, names[3][1]), names[3][1]);
	/* "x" alone would be library/x: it keeps its host. */
	assert_string_equal(registries_familiar(&c, &a, "reg.example:5000/x:1"),
			    "reg.example:5000/x:1");
}

static void test_conf_errors(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "\ndefalt = x.example\n", ":2: unknown key \"defalt\"; did you mean "
		  "\"default\"?" },
		{ "[registry a.example]\nmirorr = b\n", ":2: unknown key \"mirorr\"; did you mean "
		  "\"mirror\"?" },
		{ "[registry a.example]\ninsecure = perhaps\n", ":2: expected yes or no" },
		{ "[registry a b]\n", ":1: expected HOST" },
		{ "[thing]\n", ":1: expected [alias]" },
		{ "[alias\n", ":1: a section ends" }, { "default\n", ":1: expected KEY = VALUE" },
		{ "default =\n", ":1: no value" }, { "default = http://x\n", ":1: expected HOST" },
		{ "[alias]\nx = y\n", ":2: expected HOST/NAME" },
		{ "[alias]\nX/y:1 = h.example/y\n", ":2: expected a short name" },
		{ "namespace = A\n", ":1: expected a path" },
		{ "[registry a.example]\nmirror = b.example often\n", ":2: expected \"insecure\"" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct registries c;
		struct err e = { 0 };

		if (load(cases[i].text, &c, &e) != -EINVAL)
			fail_msg("\"%s\" was taken", cases[i].text);
		if (!strstr(e.msg, cases[i].words))
			fail_msg("\"%s\" lacks \"%s\"", e.msg, cases[i].words);
	}
}

static void test_no_default(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct registries c = { 0 };
	struct reference r;
	struct err e = { 0 };
	(void)state;

	assert_int_equal(reference_parse("busybox", &a, &r, &e), 0);
	assert_int_equal(registries_resolve(&c, &a, &r, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "registries.conf"));
	assert_int_equal(registries_load("/nonexistent/x.conf", &c, &e), -ENOENT);
}

/* ---- platforms --------------------------------------------------------------- */

static struct image_descriptor entry(const char *arch, const char *variant)
{
	return (struct image_descriptor){ .platform = { "linux", arch, variant } };
}

static const char *choose(const struct image_index *index, const char *want)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct image_descriptor *d = NULL;
	struct image_platform p;
	static char text[ERR_MSG_MAX];
	struct err e = { 0 };

	assert_int_equal(platform_parse(want, &a, &p, &e), 0);
	if (platform_choose(index, &p, &a, &d, &e) < 0)
		snprintf(text, sizeof(text), "%s", e.msg);
	else
		snprintf(text, sizeof(text), "%zd", d - index->manifests);
	return text;
}

static void test_platforms(void **state)
{
	struct image_descriptor list[] = {
		entry("arm", "v5"), entry("arm", "v7"), entry("amd64", NULL), entry("arm64", "v8"),
		entry("amd64", "v3"),
		{ .platform = { "unknown", "unknown", NULL } },
	};
	struct image_index index = { list, ARRAY_LEN(list) };
	struct image_platform p;
	CLEANUP(arena_release) struct arena a = { 0 };
	struct err e = { 0 };
	(void)state;

	assert_string_equal(choose(&index, "linux/amd64"), "2");
	assert_string_equal(choose(&index, "linux/amd64/v3"), "4");
	assert_string_equal(choose(&index, "linux/amd64/v2"), "2");
	assert_string_equal(choose(&index, "x86_64"), "2");
	assert_string_equal(choose(&index, "arm64"), "3");
	assert_string_equal(choose(&index, "linux/arm/v7"), "1");
	assert_string_equal(choose(&index, "linux/arm/v6"), "0");
	assert_string_equal(choose(&index, "armhf"), "1");
	assert_non_null(strstr(choose(&index, "linux/s390x"), "there is no image for linux/s390x"));
	assert_int_equal(platform_parse("a/b/c/d", &a, &p, &e), -EINVAL);
	assert_int_equal(platform_parse("linux//v7", &a, &p, &e), -EINVAL);
	platform_host(&p);
	assert_string_equal(p.os, "linux");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_transports),
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_conf_errors),
		cmocka_unit_test(test_no_default),
		cmocka_unit_test(test_platforms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
