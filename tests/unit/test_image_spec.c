/* image-spec documents, digests and Dockerfile instructions. */
#include "oci/image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha2.h"
#include "base/time.h"
#include "image/change.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D "\"sha256:" HEX64 "\""
#define CONFIG(type) "\"config\":{\"mediaType\":\"" type "\",\"digest\":" D ",\"size\":7}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":" D ",\"size\":9}"
#define GOOD_CONFIG CONFIG(IMAGE_TYPE_CONFIG)

static int parse_manifest(const char *text, struct arena *a, struct image_manifest *m,
			  struct err *e)
{
	return image_manifest_parse("m", text, strlen(text), a, m, e);
}

static void test_manifest(void **state)
{
	static const char *const texts[] = {
		"{\"schemaVersion\":2," GOOD_CONFIG ",\"layers\":["
		LAYER("application/vnd.oci.image.layer.v1.tar+zstd") "]}",
		"{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_TYPE_DOCKER_MANIFEST "\","
		CONFIG(IMAGE_TYPE_DOCKER_CONFIG) ",\"layers\":["
		LAYER("application/vnd.docker.image.rootfs.diff.tar.gzip") "],\"other\":{}}",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(arena_release) struct arena a = { 0 };
		struct image_manifest m;
		struct err e = { 0 };

		if (parse_manifest(texts[i], &a, &m, &e) < 0)
			fail_msg("%s", e.msg);
		assert_int_equal(m.n_layers, 1);
		assert_int_equal(m.layers[0].size_bytes, 9);
		assert_string_equal(m.config.digest, "sha256:" HEX64);
	}
}

static void test_bad_manifests(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *words;
	} cases[] = {
		{ "{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}", EPROTONOSUPPORT,
		  "schema 1" },
		{ "{\"schemaVersion\":2,\"mediaType\":"
		  "\"application/vnd.docker.distribution.manifest.v1+prettyjws\"}",
		  EPROTONOSUPPORT, "schema 1" },
		{ "{}", EINVAL, "schemaVersion: expected 2" },
		{ "[]", EINVAL, "expected" }, { "", EINVAL, "m:1" },
		{ "{\"schemaVersion\":2}", EINVAL, "config: required" },
		{ "{\"schemaVersion\":2," CONFIG("application/vnd.cncf.helm.config.v1+json") "}",
		  EINVAL, "not an image" },
		{ "{\"schemaVersion\":2," GOOD_CONFIG ",\"layers\":[" LAYER("text/plain") "]}",
		  EINVAL, "not a file system layer" },
		{ "{\"schemaVersion\":2," GOOD_CONFIG ",\"layers\":[{\"mediaType\":\"x\","
		  "\"digest\":\"sha256:12\",\"size\":1}]}", EINVAL, "64 hex digits" },
		{ "{\"schemaVersion\":2," GOOD_CONFIG ",\"layers\":[{\"mediaType\":\"x\","
		  "\"digest\":" D ",\"size\":-1}]}", EINVAL, "layers[0].size" },
		{ "{\"schemaVersion\":2," GOOD_CONFIG ",\"layers\":[{\"mediaType\":\"x\","
		  "\"digest\":" D ",\"size\":18446744073709551615}]}", EINVAL, "layers[0].size" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_TYPE_INDEX "\"," GOOD_CONFIG "}",
		  EINVAL, "mediaType" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_release) struct arena a = { 0 };
		struct image_manifest m;
		struct err e = { 0 };
		int r = parse_manifest(cases[i].text, &a, &m, &e);

		if (r != -cases[i].code || !strstr(e.msg, cases[i].words))
			fail_msg("%s: %d \"%s\"", cases[i].text, r, e.msg);
	}
}

static void test_bounds(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(8u << 20);
	CLEANUP(arena_release) struct arena a = { 0 };
	struct image_manifest m;
	struct image_index index;
	struct err e = { 0 };
	(void)state;

	buf_add_str(&b, "{\"schemaVersion\":2," GOOD_CONFIG ",\"layers\":[");
	for (int i = 0; i < 501; i++)
		buf_printf(&b, "%s%s", i ? "," : "", LAYER(IMAGE_TYPE_LAYER));
	buf_add_str(&b, "]}");
	assert_int_equal(parse_manifest(b.data, &a, &m, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "501 layers"));
	b.len = 0;
	buf_add_str(&b, "{\"schemaVersion\":2,\"manifests\":[");
	for (int i = 0; i < 1001; i++)
		buf_printf(&b, "%s%s", i ? "," : "", LAYER("x/y"));
	buf_add_str(&b, "]}");
	assert_int_equal(image_index_parse("i", b.data, b.len, &a, &index, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "1001 entries"));
	while (b.len <= 4u << 20)
		buf_add_str(&b, "                                                              ");
	assert_int_equal(image_index_parse("i", b.data, b.len, &a, &index, &e), -EFBIG);
}

static void test_config(void **state)
{
	static const char text[] =
		"{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\",\"created\":"
		"\"2024-05-01T10:00:00Z\",\"config\":{\"User\":\"ann\",\"Env\":[\"A=1\"],"
		"\"Entrypoint\":null,\"Cmd\":[\"sh\"],\"Volumes\":{\"/data\":{},\"/x\":null},"
		"\"ExposedPorts\":{\"80/tcp\":{}},\"Labels\":{\"k\":\"v\"},\"Healthcheck\":"
		"{\"Test\":[\"CMD\",\"true\"],\"Interval\":5000000000,\"Retries\":3}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" D "]},\"history\":["
		"{\"created_by\":\"x\"},{\"empty_layer\":true}]}";
	CLEANUP(arena_release) struct arena a = { 0 };
	struct image_config c;
	struct err e = { 0 };
	(void)state;

	if (image_config_parse("c", text, sizeof(text) - 1, &a, &c, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(c.platform.variant, "v8");
	assert_string_equal(c.user, "ann");
	assert_int_equal(c.entrypoint.n, 0);
	assert_string_equal(c.cmd.v[0], "sh");
	assert_int_equal(c.volumes.n, 2);
	assert_string_equal(c.volumes.v[1], "/x");
	assert_null(c.volumes.v[2]);
	assert_string_equal(c.exposed_ports.v[0], "80/tcp");
	assert_true(c.health.set);
	assert_int_equal(c.health.interval_ns, 5000000000);
	assert_int_equal(c.health.retries, 3);
	assert_int_equal(c.diff_ids.n, 1);
	assert_int_equal(c.n_history, 2);
	assert_true(c.history[1].empty_layer);
	assert_int_equal(image_config_parse("c", "{}", 2, &a, &c, &e), -EINVAL);
	static const char bad[] = "{\"rootfs\":{\"diff_ids\":[\"sha256:../../etc\"]}}";
	assert_int_equal(image_config_parse("c", bad, sizeof(bad) - 1, &a, &c, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "DiffID 1"));
}

/* FIPS 180-4's examples, and every way the bytes may be cut. */
static void test_sha2(void **state)
{
	static const struct {
		unsigned bits;
		const char *text, *hex;
	} cases[] = {
		{ 256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ 256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ 256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ 512, "abc",
		  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	};
	char hex[SHA2_HEX_MAX], whole[SHA2_HEX_MAX], bytes[300];
	struct sha2 s;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		sha2_init(&s, cases[i].bits);
		sha2_add(&s, cases[i].text, strlen(cases[i].text));
		sha2_end(&s, hex);
		assert_string_equal(hex, cases[i].hex);
	}
	memset(bytes, 'x', sizeof(bytes));
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		unsigned bits = n % 2 ? 256 : 512;

		sha2_init(&s, bits);
		sha2_add(&s, bytes, n);
		sha2_end(&s, whole);
		sha2_init(&s, bits);
		for (size_t at = 0, k = 1; at < n; at += k, k = k * 3 % 97 + 1)
			sha2_add(&s, bytes, at + k > n ? n - at : k);
		sha2_end(&s, hex);
		assert_string_equal(hex, whole);
	}
}

static void test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 }, { "2024-02-29T12:30:45.123456789Z", 1709209845 },
		{ "2024-05-01T10:00:00+02:00", 1714550400 },
		{ "0001-01-01T00:00:00Z", -62135596800 },
		{ "1969-12-31T23:30:00-00:30", 0 },
	};
	static const char *const bad[] = {
		"", "2024", "2024-05-01", "2024-13-01T00:00:00Z", "2024-05-01T10:00:00",
		"2024-05-01T10:00:00+2", "2024-05-01T10:00:00Zx", "2024-05-01T25:00:00Z",
	};
	int64_t v;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(time_rfc3339_parse(good[i].text, &v), 0);
		assert_int_equal(v, good[i].seconds);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(time_rfc3339_parse(bad[i], &v), -EINVAL);
}

static void test_changes(void **state)
{
	static const char *const changes[] = {
		"CMD [\"a\", \"b c\"]", "entrypoint run it", "ENV A=1 B=\"2 3\" C='x'\\ y",
		"ENV A 4 5",
		"LABEL k=v", "EXPOSE 80 53/udp", "VOLUME [\"/a b\"]", "VOLUME /c /d", "USER ann",
		"WORKDIR /x", "WORKDIR y", "STOPSIGNAL SIGINT", "HEALTHCHECK CMD true",
	};
	static const char *const bad[] = {
		"RUN x", "CMD", "ENV A", "ENV A=\"x", "LABEL =v", "HEALTHCHECK --interval=1s CMD x",
	};
	CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
	CLEANUP_JSON json_t *c = json_object();
	struct err e = { 0 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (change_apply(c, changes[i], &e) < 0)
			fail_msg("%s", e.msg);
	json_add(&b, c, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(b.data,
		"{\"Cmd\":[\"a\",\"b c\"],\"Entrypoint\":[\"/bin/sh\",\"-c\",\"run it\"],"
		"\"Env\":[\"A=4 5\",\"B=2 3\",\"C=x y\"],"
		"\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}},"
		"\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"]},\"Labels\":{\"k\":\"v\"},"
		"\"StopSignal\":\"SIGINT\",\"User\":\"ann\","
		"\"Volumes\":{\"/a b\":{},\"/c\":{},\"/d\":{}},\"WorkingDir\":\"/x/y\"}");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (change_apply(c, bad[i], &e) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_bad_manifests),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_sha2),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
