/* cli/isle/run_values.c - see run_values.h */
#include "cli/isle/run_values.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/values.h"

#define FILE_BYTES_MAX (4u << 20)       /* an environment, labels, a seccomp profile */

void words_add(struct arena *a, struct oci_strv *to, const char *s)
{
	/* Grown by doubling: the old list stays in the arena until it goes as a whole. */
	if ((to->n & (to->n + 1)) == 0) {
		const char **v = arena_calloc(a, 2 * to->n + 2, sizeof(*v));

		if (to->n)
			memcpy(v, to->v, to->n * sizeof(*v));
		to->v = v;
	}
	to->v[to->n++] = s;
	to->v[to->n] = NULL;
}

void kvs_set(struct arena *a, struct oci_kvs *to, const char *key, const char *value)
{
	for (size_t i = 0; i < to->n; i++) {
		if (strcmp(to->v[i].key, key) == 0) {
			to->v[i].value = value;
			return;
		}
	}
	if ((to->n & (to->n + 1)) == 0) {
		struct oci_kv *v = arena_calloc(a, 2 * to->n + 1, sizeof(*v));

		if (to->n)
			memcpy(v, to->v, to->n * sizeof(*v));
		to->v = v;
	}
	to->v[to->n++] = (struct oci_kv){ key, value };
}

int key_value_parse(const char *s, struct arena *a, struct oci_kvs *to, struct err *e)
{
	size_t len = strcspn(s, "=");

	if (len == 0)
		return err_set(e, EINVAL, "\"%s\" is not KEY=VALUE", s);
	kvs_set(a, to, arena_strndup(a, s, len), s[len] ? s + len + 1 : "");
	return 0;
}

/* --- environment and labels --------------------------------------------- */

int env_parse(const char *s, struct arena *a, struct oci_strv *to, struct err *e)
{
	const char *value = strchr(s, '=') ? NULL : getenv(s);

	if (*s == '=' || *s == '\0')
		return err_set(e, EINVAL, "\"%s\" is not NAME=VALUE", s);
	words_add(a, to, value ? arena_printf(a, "%s=%s", s, value) : s);
	return 0;
}

/* Calls line() for each line of the file that is not blank or a comment. */
static int each_line(const char *path, struct arena *a,
		     int (*line)(char *text, struct arena *a, void *to, struct err *e),
		     void *to, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	int r = file_read_at(AT_FDCWD, path, &b);
	unsigned number = 0;

	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	if (b.len && memchr(b.data, '\0', b.len))
		return err_set(e, EINVAL, "%s is not text", path);
	char *rest = b.data ? arena_strdup(a, b.data) : NULL, *text;
	while ((text = strsep(&rest, "\n"))) {
		size_t len = strlen(text);

		number++;
		if (len && text[len - 1] == '\r')
			text[len - 1] = '\0';
		text += strspn(text, " \t");
		if (*text == '\0' || *text == '#')
			continue;
		r = line(text, a, to, e);
		if (r < 0)
			return err_prefix(e, "%s:%u", path, number);
	}
	return 0;
}

static int env_line(char *text, struct arena *a, void *to, struct err *e)
{
	size_t len = strcspn(text, "=");

	/* A quoted or "export"ed name is a shell's line, which this is not. */
	if (strcspn(text, " \t") < len)
		return err_set(e, EINVAL, "the variable's name \"%.*s\" has blanks in it",
			       (int)len, text);
	if (!text[len] && !getenv(text))
		return 0;
	return env_parse(text, a, to, e);
}

int env_file_parse(const char *path, struct arena *a, struct oci_strv *to, struct err *e)
{
	return each_line(path, a, env_line, to, e);
}

static int label_line(char *text, struct arena *a, void *to, struct err *e)
{
	return key_value_parse(text, a, to, e);
}

int label_file_parse(const char *path, struct arena *a, struct oci_kvs *to, struct err *e)
{
	return each_line(path, a, label_line, to, e);
}

/* --- limits ------------------------------------------------------------- */

int cpus_parse(const char *s, int64_t *ret_nano, struct err *e)
{
	int64_t nano = 0, scale = 1000000000;
	const char *p = s;
	bool digits = false;

	/* By hand, so that 0.1 is exact; a hundred thousand processors are bound enough. */
	for (; isdigit((unsigned char)*p) && nano < 100000; p++, digits = true)
		nano = nano * 10 + (*p - '0');
	nano *= scale;
	if (*p == '.') {
		for (p++; isdigit((unsigned char)*p) && scale > 1; p++, digits = true) {
			scale /= 10;
			nano += (*p - '0') * scale;
		}
	}
	if (!digits || *p)
		return err_set(e, EINVAL, "\"%s\" is not a number of processors such as 1.5, "
			       "with at most nine decimals", s);
	*ret_nano = nano;
	return 0;
}

int restart_parse(const char *s, enum restart_policy *ret, unsigned *ret_max, struct err *e)
{
	static const char *const names[] = { "no", "on-failure", "always", "unless-stopped" };
	size_t len = strcspn(s, ":");
	uint64_t max = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i]) != len || strncmp(names[i], s, len))
			continue;
		if (s[len] && i != RESTART_ON_FAILURE)
			return err_set(e, EINVAL, "a number of retries goes with on-failure "
				       "alone, not with \"%s\"", names[i]);
		if (s[len] && (value_u64(s + len + 1, &max, NULL) < 0 || max > UINT_MAX))
			return err_set(e, EINVAL, "\"%s\" is not a number of retries",
				       s + len + 1);
		*ret = (enum restart_policy)i;
		*ret_max = (unsigned)max;
		return 0;
	}
	return err_set(e, EINVAL, "\"%s\" is not one of no, on-failure[:N], always, "
		       "unless-stopped", s);
}

int ulimit_parse(const char *s, struct arena *a, struct instance_ulimit *ret, struct err *e)
{
	size_t len = strcspn(s, "=");
	char type[32];

	if (!s[len] || len == 0 || len > 16)
		return err_set(e, EINVAL, "\"%s\" is not NAME=SOFT[:HARD]", s);
	snprintf(type, sizeof(type), "RLIMIT_%.*s", (int)len, s);
	for (char *p = type; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (oci_rlimit_from_name(type) < 0)
		return err_set(e, EINVAL, "there is no limit \"%.*s\": one of core, cpu, data, "
			       "fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, "
			       "rttime, sigpending, stack", (int)len, s);
	ret->name = arena_strndup(a, s, len);
	const char *colon = strchr(s + len, ':');
	const char *soft = arena_strndup(a, s + len + 1, colon ? (size_t)(colon - s) - len - 1
							       : strlen(s + len + 1));
	if (value_i64(soft, &ret->soft, NULL) < 0 || ret->soft < -1)
		return err_set(e, EINVAL, "\"%s\" is not a number or -1", soft);
	ret->hard = ret->soft;
	if (colon && (value_i64(colon + 1, &ret->hard, NULL) < 0 || ret->hard < -1))
		return err_set(e, EINVAL, "\"%s\" is not a number or -1", colon + 1);
	if (ret->hard != -1 && (ret->soft == -1 || ret->soft > ret->hard))
		return err_set(e, EINVAL, "the soft limit %s is above the hard limit %s", soft,
			       colon + 1);
	return 0;
}

int device_parse(const char *s, struct arena *a, struct instance_device *ret, struct err *e)
{
	char *rest = arena_strdup(a, s);
	const char *host = strsep(&rest, ":"), *second = strsep(&rest, ":");
	const char *third = strsep(&rest, ":");

	*ret = (struct instance_device){ host, host, "rwm" };
	if (second && !third && second[0] != '/')
		ret->permissions = second;
	else if (second)
		ret->path = second;
	if (third)
		ret->permissions = third;
	if (rest || host[0] != '/' || ret->path[0] != '/')
		return err_set(e, EINVAL, "\"%s\" is not /HOST/DEVICE[:/PATH][:rwm]", s);
	if (!ret->permissions[0] || ret->permissions[strspn(ret->permissions, "rwm")])
		return err_set(e, EINVAL, "\"%s\": the permissions \"%s\" are not some of r, w "
			       "and m", s, ret->permissions);
	return 0;
}

int throttle_parse(const char *s, bool bytes, struct arena *a, struct instance_throttle *ret,
		   struct err *e)
{
	const char *colon = strrchr(s, ':');
	int64_t rate = 0;

	if (!colon || strncmp(s, "/dev/", 5) != 0)
		return err_set(e, EINVAL, "\"%s\" is not /dev/NAME:RATE", s);
	ret->device = arena_strndup(a, s, (size_t)(colon - s));
	int r = bytes ? value_bytes(colon + 1, &rate, NULL) : value_i64(colon + 1, &rate, NULL);
	if (r < 0 || rate < 0)
		return err_set(e, EINVAL, "\"%s\" is not a rate such as %s", colon + 1,
			       bytes ? "1mb" : "1000");
	ret->rate = (uint64_t)rate;
	return 0;
}

/* --- security and logs -------------------------------------------------- */

/* The file is read now, where the user's relative path means something. */
static int seccomp_profile(const char *path, struct arena *a, const char **ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	CLEANUP(buf_release) struct buf compact = BUF_INIT(FILE_BYTES_MAX);
	CLEANUP_JSON json_t *j = NULL;
	int r = file_read_at(AT_FDCWD, path, &b);

	if (r < 0)
		return err_sys(e, -r, "read the seccomp profile %s", path);
	r = json_parse(path, b.data, b.len, &j, e);
	if (r < 0)
		return r;
	json_add(&compact, j, JSON_COMPACT);
	*ret = arena_printf(a, "seccomp=%s", compact.data);
	return 0;
}

static int no_new_privileges(const char *s, struct instance_config *c, struct err *e)
{
	if (*s == '\0' || strcmp(s + 1, "true") == 0)
		c->no_new_privileges = true;
	else if (strcmp(s + 1, "false") == 0)
		c->no_new_privileges = false;
	else
		return err_set(e, EINVAL, "\"%s\" is neither true nor false", s + 1);
	return 0;
}

int security_parse(const char *s, struct arena *a, struct instance_config *c, struct err *e)
{
	static const char *const with_value[] = { "apparmor", "label", "seccomp", "systempaths" };
	/* Docker took ':' first and '=' later. */
	size_t len = strcspn(s, "=:");
	const char *value = s[len] ? s + len + 1 : "";

	if (len == strlen("no-new-privileges") && strncmp(s, "no-new-privileges", len) == 0)
		return no_new_privileges(s + len, c, e);
	size_t i = 0;
	while (i < ARRAY_LEN(with_value) && (strlen(with_value[i]) != len ||
					     strncmp(with_value[i], s, len)))
		i++;
	if (i == ARRAY_LEN(with_value) || !*value)
		return err_set(e, EINVAL, "\"%s\" is not one of apparmor=, label=, "
			       "no-new-privileges, seccomp=, systempaths=unconfined", s);
	if (strcmp(with_value[i], "systempaths") == 0 && strcmp(value, "unconfined") != 0)
		return err_set(e, EINVAL, "systempaths can be unconfined, not \"%s\"", value);
	const char *option = arena_printf(a, "%s=%s", with_value[i], value);
	int r = 0;
	if (strcmp(with_value[i], "seccomp") == 0 && strcmp(value, "unconfined") != 0 &&
	    strcmp(value, "builtin") != 0)
		r = seccomp_profile(value, a, &option, e);
	if (r >= 0)
		words_add(a, &c->security_options, option);
	return r;
}

int log_option_parse(const char *s, struct arena *a, struct oci_kvs *to, struct err *e)
{
	size_t len = strcspn(s, "=");
	const char *value = s[len] ? s + len + 1 : "";
	int64_t bytes;
	uint64_t n;

	if (strncmp(s, "max-size=", 9) == 0) {
		if (value_bytes(value, &bytes, NULL) < 0 || bytes == 0)
			return err_set(e, EINVAL, "max-size \"%s\" is not a size such as 10m",
				       value);
	} else if (strncmp(s, "max-file=", 9) == 0) {
		if (value_u64(value, &n, NULL) < 0 || n == 0 || n > 1000)
			return err_set(e, EINVAL, "max-file \"%s\" is not a number from 1 to "
				       "1000", value);
	} else if (strncmp(s, "tag=", 4) != 0) {
		return err_set(e, EINVAL, "\"%s\" is not one of max-size=SIZE, max-file=N, "
			       "tag=TEXT", s);
	}
	kvs_set(a, to, arena_strndup(a, s, len), value);
	return 0;
}
