/*
 * engine/seccomp_profile.c - --security-opt seccomp=FILE: a profile in Docker's format
 * ("Seccomp security profiles for Docker": archMap, and rules that apply only with certain
 * capabilities, architectures or kernels) made one of the runtime-spec.  One that is of the
 * runtime-spec already has none of that and passes through.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/mem.h"
#include "engine/seccomp_default.h"
#include "oci/spec.h"

#if defined(__x86_64__)
#define ARCH "SCMP_ARCH_X86_64"
#define GO_ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "SCMP_ARCH_AARCH64"
#define GO_ARCH "arm64"
#else
#define ARCH "SCMP_ARCH_RISCV64"
#define GO_ARCH "riscv64"
#endif

static bool has_cap(const json_t *names, uint64_t caps, bool all)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		int cap = name ? oci_cap_from_name(name) : -1;
		bool have = cap >= 0 && (caps >> cap & 1);

		if (have != all)
			return have;
	}
	return all;
}

static bool has_arch(const json_t *names)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name && strcmp(name, GO_ARCH) == 0)
			return true;
	}
	return false;
}

/* "4.8" */
static bool kernel_is(const char *min)
{
	unsigned want[2] = { 0, 0 }, have[2] = { 0, 0 };
	struct utsname u;

	if (uname(&u) < 0 || sscanf(min, "%u.%u", &want[0], &want[1]) < 1 ||
	    sscanf(u.release, "%u.%u", &have[0], &have[1]) < 2)
		return true;
	return have[0] != want[0] ? have[0] > want[0] : have[1] >= want[1];
}

static bool applies(const json_t *rule, uint64_t caps)
{
	const json_t *in = json_object_get(rule, "includes");
	const json_t *ex = json_object_get(rule, "excludes");
	const json_t *in_arches = json_object_get(in, "arches");
	const json_t *ex_arches = json_object_get(ex, "arches");
	const char *min = json_string_value(json_object_get(in, "minKernel"));
	const char *max = json_string_value(json_object_get(ex, "minKernel"));

	if (has_arch(ex_arches))
		return false;
	if (json_array_size(json_object_get(ex, "caps")) &&
	    has_cap(json_object_get(ex, "caps"), caps, false))
		return false;
	if (max && kernel_is(max))
		return false;
	if (json_array_size(in_arches) && !has_arch(in_arches))
		return false;
	if (!has_cap(json_object_get(in, "caps"), caps, true))
		return false;
	return !min || kernel_is(min);
}

static void put_architectures(struct json_writer *w, const json_t *map)
{
	json_open(w, "architectures", '[');
	for (size_t i = 0; i < json_array_size(map); i++) {
		const json_t *m = json_array_get(map, i);
		const json_t *sub = json_object_get(m, "subArchitectures");
		const char *arch = json_string_value(json_object_get(m, "architecture"));

		if (!arch || strcmp(arch, ARCH) != 0)
			continue;
		json_put_string(w, NULL, arch);
		for (size_t k = 0; k < json_array_size(sub); k++) {
			const char *name = json_string_value(json_array_get(sub, k));

			if (name)
				json_put_string(w, NULL, name);
		}
	}
	json_close(w, ']');
}

static void put_json(struct json_writer *w, const char *key, const json_t *j)
{
	CLEANUP_FREE char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text)
		json_put_raw(w, key, text);
}

static int put_rule(struct json_writer *w, const char *doc, size_t i, json_t *rule, struct err *e)
{
	static const char *const keep[] = { "action", "errnoRet", "args" };
	const json_t *names = json_object_get(rule, "names"), *name = json_object_get(rule, "name");

	if (!json_is_array(names) && !json_is_string(name))
		return err_set(e, EINVAL, "%s: syscalls[%zu] has no \"names\"", doc, i);
	json_open(w, NULL, '{');
	if (json_is_array(names)) {
		put_json(w, "names", names);
	} else {
		const char *one = json_string_value(name);

		json_put_strings(w, "names", &one, 1);
	}
	for (size_t k = 0; k < ARRAY_LEN(keep); k++)
		if (json_object_get(rule, keep[k]) && !json_is_null(json_object_get(rule, keep[k])))
			put_json(w, keep[k], json_object_get(rule, keep[k]));
	json_close(w, '}');
	return 0;
}

int seccomp_put_profile(struct json_writer *w, const char *name, const char *text, uint64_t caps,
			struct err *e)
{
	static const char *const keep[] = {
		"defaultAction", "defaultErrnoRet", "architectures", "flags",
	};
	CLEANUP_JSON json_t *j = NULL;

	int r = json_parse(name, text, strlen(text), &j, e);
	if (r < 0)
		return r;
	if (!json_is_string(json_object_get(j, "defaultAction")))
		return err_set(e, EINVAL, "%s: no \"defaultAction\": is it a seccomp profile?",
			       name);
	const json_t *map = json_object_get(j, "archMap"), *rules = json_object_get(j, "syscalls");
	json_open(w, "seccomp", '{');
	for (size_t i = 0; i < ARRAY_LEN(keep); i++)
		if (json_object_get(j, keep[i]) && !json_is_null(json_object_get(j, keep[i])))
			put_json(w, keep[i], json_object_get(j, keep[i]));
	if (json_array_size(map) && !json_array_size(json_object_get(j, "architectures")))
		put_architectures(w, map);
	json_open(w, "syscalls", '[');
	for (size_t i = 0; r == 0 && i < json_array_size(rules); i++)
		if (applies(json_array_get(rules, i), caps))
			r = put_rule(w, name, i, json_array_get(rules, i), e);
	json_close(w, ']');
	json_close(w, '}');
	return r;
}
