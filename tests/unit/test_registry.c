/* What registries say and who we are to them: headers, challenges, credentials. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/auth.h"
#include "image/http.h"
#include "image/progress.h"

/* --- WWW-Authenticate -------------------------------------------------------- */

static void challenge_is(const char *value, enum auth_scheme scheme, const char *realm,
			 const char *service, const char *scope)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct auth_challenge c = { 0 };

	assert_int_equal(auth_challenge_parse(value, &a, &c), 0);
	assert_int_equal(c.scheme, scheme);
	assert_string_equal(c.realm ? c.realm : "(none)", realm ? realm : "(none)");
	assert_string_equal(c.service ? c.service : "(none)", service ? service : "(none)");
	assert_string_equal(c.scope ? c.scope : "(none)", scope ? scope : "(none)");
}

static void test_challenge(void **state)
{
	(void)state;
	challenge_is("Bearer realm=\"https://a/t\",service=\"s\","
		     "scope=\"repository:a/b:pull,push\"",
		     AUTH_BEARER, "https://a/t", "s", "repository:a/b:pull,push");
	challenge_is("bearer  Realm = \"https://a/t\" , service = s", AUTH_BEARER, "https://a/t",
		     "s", NULL);
	challenge_is("Basic realm=\"a \\\"quoted\\\" name\"", AUTH_BASIC, "a \"quoted\" name", NULL,
		     NULL);
	challenge_is("Negotiate, Basic realm=x", AUTH_BASIC, "x", NULL, NULL);
	challenge_is("Negotiate YII/aa==, Bearer realm=\"https://a/t\"", AUTH_BEARER,
		     "https://a/t", NULL, NULL);
	challenge_is("Basic realm=\"b\", Bearer realm=\"https://a/t\",service=s", AUTH_BEARER,
		     "https://a/t", "s", NULL);
	challenge_is("Bearer realm=\"https://a/t\", Basic realm=\"b\"", AUTH_BEARER,
		     "https://a/t", NULL, NULL);
	challenge_is("Basic", AUTH_BASIC, NULL, NULL, NULL);
	challenge_is("Bearer service=\"s\"", AUTH_NONE, NULL, NULL, NULL);
	challenge_is("Bearer realm=\"r\",realm=\"other\",unknown=\"x\"", AUTH_BEARER, "r", NULL,
		     NULL);
	challenge_is("", AUTH_NONE, NULL, NULL, NULL);
	challenge_is(" , ,", AUTH_NONE, NULL, NULL, NULL);
}

static void test_challenge_malformed(void **state)
{
	static const char *const bad[] = {
		"Bearer realm=\"unterminated", "Bearer realm=a b=c",
		"Bearer realm=\"a\" service=\"b\"",
		"\"Bearer\"", "=x", "Bearer realm=\"a\\",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(arena_release) struct arena a = { 0 };
		struct auth_challenge c = { 0 };

		if (auth_challenge_parse(bad[i], &a, &c) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
}

/* Two headers: the better one wins, in either order. */
static void test_challenge_of_two_headers(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct auth_challenge c = { 0 };

	(void)state;
	assert_int_equal(auth_challenge_parse("Bearer realm=r", &a, &c), 0);
	assert_int_equal(auth_challenge_parse("Basic realm=b", &a, &c), 0);
	assert_int_equal(c.scheme, AUTH_BEARER);
}

/* --- Retry-After, Content-Range ------------------------------------------------ */

static void test_retry_after(void **state)
{
	uint64_t ms = 7;

	(void)state;
	assert_int_equal(http_retry_after("120", 0, &ms), 0);
	assert_int_equal(ms, 120000);
	assert_int_equal(http_retry_after("0", 0, &ms), 0);
	assert_int_equal(ms, 0);
	/* RFC 9110's own example is 784111777 seconds of the epoch. */
	assert_int_equal(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111770, &ms), 0);
	assert_int_equal(ms, 7000);
	assert_int_equal(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111800, &ms), 0);
	assert_int_equal(ms, 0);
	static const char *const bad[] = {
		"", "soon", "-1", "1.5", "12s", "99999999999999999999", "0x10", " 3 ",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (http_retry_after(bad[i], 0, &ms) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
}

static void test_content_range(void **state)
{
	uint64_t first, last, total;

	(void)state;
	assert_int_equal(http_content_range("bytes 5-9/10", &first, &last, &total), 0);
	assert_int_equal(first, 5);
	assert_int_equal(last, 9);
	assert_int_equal(total, 10);
	assert_int_equal(http_content_range("bytes 0-0/*", &first, &last, &total), 0);
	assert_true(total == UINT64_MAX);
	static const char *const bad[] = {
		"", "bytes", "bytes 5-4/10", "bytes 5-10/10", "bytes */10", "items 0-1/2",
		"bytes 0-1/2x", "bytes -1/2", "bytes 0-99999999999999999999/*",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (http_content_range(bad[i], &first, &last, &total) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
}

/* --- URLs ------------------------------------------------------------------------ */

static void test_urls(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };

	(void)state;
	assert_string_equal(http_url_shown("https://h:1/a/b?sig=secret#f", &a), "https://h:1/a/b");
	assert_string_equal(http_url_shown("https://u:p@h/a?x", &a), "https://h/a");
	assert_string_equal(http_url_shown("https://h", &a), "https://h");
	assert_true(http_same_origin("https://h/a", "https://H:443/b"));
	assert_false(http_same_origin("https://h/a", "http://h/a"));
	assert_false(http_same_origin("https://h/a", "https://h:444/a"));
	assert_false(http_same_origin("https://h/a", "https://h.example/a"));
	assert_false(http_same_origin("https://h/a", "not a url"));
}

/* --- credentials ------------------------------------------------------------------- */

static int find_in(const char *json, const char *host, const char *path, struct arena *a,
		   struct auth_credentials *c)
{
	struct err e = { 0 };

	return auth_find_in("f", json, strlen(json), host, path, a, c, &e);
}

static void test_find(void **state)
{
	static const char json[] =
		"{\"auths\":{"
		"\"h:5000\":{\"auth\":\"YW5uOnM6M2M=\"},"               /* ann:s:3c */
		"\"h:5000/team\":{\"auth\":\"Ym9iOng=\"},"              /* bob:x */
		"\"https://old.example/v1/\":{\"username\":\"u\",\"password\":\"p\"},"
		"\"https://index.hub.example/v1/\":{\"identitytoken\":\"tok\"},"
		"\"empty.example\":{}}}";
	CLEANUP(arena_release) struct arena a = { 0 };
	struct auth_credentials c;

	(void)state;
	assert_int_equal(find_in(json, "h:5000", "app", &a, &c), 1);
	assert_string_equal(c.username, "ann");
	assert_string_equal(c.password, "s:3c");
	assert_string_equal(auth_basic(&c, &a), "Basic YW5uOnM6M2M=");
	assert_int_equal(find_in(json, "h:5000", "team/app", &a, &c), 1);
	assert_string_equal(c.username, "bob");
	assert_int_equal(find_in(json, "h:5000", "teamwork", &a, &c), 1);
	assert_string_equal(c.username, "ann");
	assert_int_equal(find_in(json, "old.example", NULL, &a, &c), 1);
	assert_string_equal(c.password, "p");
	assert_int_equal(find_in(json, "hub.example", "x", &a, &c), 1);
	assert_string_equal(c.identity_token, "tok");
	assert_int_equal(find_in(json, "empty.example", NULL, &a, &c), 0);
	assert_int_equal(find_in(json, "h:5001", NULL, &a, &c), 0);
	assert_int_equal(find_in(json, "h", NULL, &a, &c), 0);
}

static void test_find_malformed(void **state)
{
	static const char *const bad[] = {
		"{", "{\"auths\":{\"h\":{\"auth\":\"%%\"}}}",
		"{\"auths\":{\"h\":{\"auth\":\"YQ==\"}}}",
	};
	CLEANUP(arena_release) struct arena a = { 0 };
	struct auth_credentials c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (find_in(bad[i], "h", NULL, &a, &c) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(find_in("[]", "h", NULL, &a, &c), 0);
	assert_int_equal(find_in("{\"auths\":7}", "h", NULL, &a, &c), 0);
}

static void test_base64(void **state)
{
	static const struct { const char *plain, *coded; } all[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foobar", "Zm9vYmFy" },
	};
	CLEANUP(arena_release) struct arena a = { 0 };
	char *out;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_string_equal(auth_base64(all[i].plain, strlen(all[i].plain), &a),
				    all[i].coded);
		assert_int_equal(auth_unbase64(all[i].coded, &a, &out, &n), 0);
		assert_string_equal(out, all[i].plain);
		assert_int_equal(n, strlen(all[i].plain));
	}
	assert_int_equal(auth_unbase64("Zm9v!", &a, &out, &n), -EINVAL);
	assert_int_equal(auth_unbase64("Zm9vY", &a, &out, &n), -EINVAL);
}

/* --- the file and the helper, in a folder of the test -------------------------------- */

static char dir[] = "/tmp/isle-registry.XXXXXX";

static void write_file(const char *name, const char *text, mode_t mode)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s", dir, name);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	CLEANUP_FREE char *file = xasprintf("%s/sub/auth.json", dir);
	CLEANUP_FREE char *path = xasprintf("%s:/usr/bin:/bin", dir);

	setenv("REGISTRY_AUTH_FILE", file, 1);
	setenv("DOCKER_CONFIG", dir, 1);
	setenv("PATH", path, 1);
	return 0;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {
		"sub/auth.json", "sub/.auth.json.lock", "sub", "config.json", "given",
		"docker-credential-test", "",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP_FREE char *p = xasprintf("%s/%s", dir, names[i]);

		(void)remove(p);
	}
	return 0;
}

static void test_store_and_erase(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct auth_credentials ann = { .username = "ann", .password = "secret" };
	struct auth_credentials c;
	struct err e = { 0 };
	const char *where;
	struct stat st;

	(void)state;
	assert_int_equal(auth_store("h:1", &ann, &a, &where, &e), 0);
	assert_int_equal(auth_store("h:2", &ann, &a, &where, &e), 0);
	assert_int_equal(stat(where, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(auth_find("h:1", NULL, &a, &c, &e), 1);
	assert_string_equal(c.password, "secret");
	assert_int_equal(auth_erase("h:1", &a, &where, &e), 1);
	assert_int_equal(auth_find("h:1", NULL, &a, &c, &e), 0);
	assert_int_equal(auth_erase("h:1", &a, &where, &e), 0);
	assert_int_equal(auth_find("h:2", NULL, &a, &c, &e), 1);
}

static void test_helper(void **state)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct auth_credentials c;
	struct err e = { 0 };

	(void)state;
	write_file("docker-credential-test",
		   "#!/bin/sh\nread -r h\ncase $1:$h in\n"
		   "get:good) echo '{\"ServerURL\":\"good\",\"Username\":\"u\","
		   "\"Secret\":\"s\"}' ;;\n"
		   "get:token) echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}' ;;\n"
		   "get:none) echo 'credentials not found in native keychain'; exit 1 ;;\n"
		   "*) echo 'it is locked'; exit 1 ;;\nesac\n", 0700);
	write_file("config.json", "{\"credHelpers\":{\"good\":\"test\",\"token\":\"test\","
		   "\"none\":\"test\",\"bad\":\"test\",\"gone\":\"isle-no-such\"}}", 0600);
	assert_int_equal(auth_find("good", NULL, &a, &c, &e), 1);
	assert_string_equal(c.username, "u");
	assert_string_equal(c.password, "s");
	assert_int_equal(auth_find("token", NULL, &a, &c, &e), 1);
	assert_string_equal(c.identity_token, "t");
	assert_int_equal(auth_find("none", NULL, &a, &c, &e), 0);
	assert_int_equal(auth_find("bad", NULL, &a, &c, &e), -EIO);
	assert_non_null(strstr(e.msg, "it is locked"));
	assert_int_equal(auth_find("gone", NULL, &a, &c, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "docker-credential-isle-no-such"));
	assert_int_equal(auth_find("other", NULL, &a, &c, &e), 0);
}

static void test_size(void **state)
{
	char s[16];

	(void)state;
	progress_size(999, s);
	assert_string_equal(s, "999B");
	progress_size(12345678, s);
	assert_string_equal(s, "12.35MB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_challenge_malformed),
		cmocka_unit_test(test_challenge_of_two_headers),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_content_range),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_malformed),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_store_and_erase),
		cmocka_unit_test(test_helper),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
