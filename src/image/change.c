/* image/change.c - see change.h */
#include "image/change.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define TEXT_MAX_BYTES (64u << 10)
#define WORDS_MAX 1000

struct change {
	json_t *config;
	const char *name;               /* the instruction's */
	const char *key;                /* the config's */
	const char *rest;               /* what follows the name */
	struct err *e;
};

static int bad(const struct change *c, const char *want)
{
	return err_set(c->e, EINVAL, "%s %.200s: expected %s", c->name, c->rest, want);
}

/* The next word of *s, quotes and backslashes resolved; 0 at the end. */
static int next_word(const char **s, struct buf *b)
{
	char quote = 0;
	const char *p = *s + strspn(*s, " \t");

	b->len = 0;
	if (!*p) {
		*s = p;
		return 0;
	}
	buf_add(b, "", 0);
	for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
		if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? 0 : *p;
		else if (*p == '\\' && quote != '\'' && p[1])
			buf_add(b, ++p, 1);
		else
			buf_add(b, p, 1);
	}
	*s = p;
	return quote ? -EINVAL : 1;
}

/* ["a", "b"], or NULL where the text is no list of strings. */
static json_t *list_form(const char *text)
{
	struct err ignored = { 0 };
	json_t *v = NULL, *item;
	size_t i;

	if (*text != '[' || json_parse("", text, strlen(text), &v, &ignored) < 0)
		return NULL;
	json_array_foreach(v, i, item) {
		if (!json_is_string(item)) {
			json_decref(v);
			return NULL;
		}
	}
	return v;
}

static json_t *command_form(const char *text)
{
	json_t *v = list_form(text);

	return v ? v : json_pack("[s, s, s]", "/bin/sh", "-c", text);
}

static int set_command(const struct change *c)
{
	json_object_set_new(c->config, c->key, command_form(c->rest));
	return 0;
}

static int set_text(const struct change *c)
{
	json_object_set_new(c->config, c->key, json_string(c->rest));
	return 0;
}

/* Relative to the one before (Dockerfile reference, WORKDIR). */
static int set_directory(const struct change *c)
{
	const char *now = json_string_value(json_object_get(c->config, c->key));
	size_t n = now ? strlen(now) : 0;

	if (*c->rest == '/')
		return set_text(c);
	CLEANUP_FREE char *path = xasprintf("%s%s%s", n ? now : "/", n && now[n - 1] != '/' ? "/" :
					    "", c->rest);
	json_object_set_new(c->config, c->key, json_string(path));
	return 0;
}

static void set_env(json_t *config, const char *name, size_t n, const char *value)
{
	json_t *env = json_object_get(config, "Env"), *item;
	CLEANUP_FREE char *pair = xasprintf("%.*s=%s", (int)n, name, value);
	size_t i;

	if (!json_is_array(env)) {
		env = json_array();
		json_object_set_new(config, "Env", env);
	}
	json_array_foreach(env, i, item) {
		const char *old = json_string_value(item);

		if (old && strncmp(old, pair, n + 1) == 0) {
			json_array_set_new(env, i, json_string(pair));
			return;
		}
	}
	json_array_append_new(env, json_string(pair));
}

static json_t *object_of(const struct change *c)
{
	json_t *o = json_object_get(c->config, c->key);

	if (!json_is_object(o)) {
		o = json_object();
		json_object_set_new(c->config, c->key, o);
	}
	return o;
}

static void set_pair(const struct change *c, const char *pair, const char *value)
{
	size_t n = strcspn(pair, "=");
	CLEANUP_FREE char *name = xasprintf("%.*s", (int)n, pair);

	if (strcmp(c->key, "Env") == 0)
		set_env(c->config, pair, n, value);
	else
		json_object_set_new(object_of(c), name, json_string(value));
}

/* "A=1 B='2 3'", or the old form "A all the rest". */
static int set_pairs(const struct change *c)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_MAX_BYTES);
	const char *s = c->rest;
	int r, n = 0;

	while ((r = next_word(&s, &b)) > 0 && n < WORDS_MAX) {
		const char *eq = strchr(b.data, '=');

		if (n++ == 0 && !eq && s[strspn(s, " \t")]) {
			set_pair(c, b.data, s + strspn(s, " \t"));
			return 0;
		}
		if (!eq || eq == b.data)
			return bad(c, "NAME=VALUE");
		set_pair(c, b.data, eq + 1);
	}
	return r < 0 || n == 0 ? bad(c, "NAME=VALUE, and quotes closed") : 0;
}

static int add_keys(const struct change *c)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_MAX_BYTES);
	CLEANUP_JSON json_t *list = list_form(c->rest);
	json_t *o = object_of(c), *item;
	const char *s = c->rest;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, item)
		json_object_set_new(o, json_string_value(item), json_object());
	while (!list && (r = next_word(&s, &b)) > 0) {
		bool port = strcmp(c->key, "ExposedPorts") == 0;
		CLEANUP_FREE char *key = xasprintf("%s%s", b.data,
						   port && !strchr(b.data, '/') ? "/tcp" : "");

		json_object_set_new(o, key, json_object());
	}
	return r < 0 ? bad(c, "quotes closed") : 0;
}

static int set_health(const struct change *c)
{
	json_t *test;

	if (strcasecmp(c->rest, "NONE") == 0) {
		test = json_pack("[s]", "NONE");
	} else if (strncasecmp(c->rest, "CMD ", 4) == 0) {
		const char *text = c->rest + 4 + strspn(c->rest + 4, " \t");

		test = list_form(text);
		if (test)
			json_array_insert_new(test, 0, json_string("CMD"));
		else
			test = json_pack("[s, s]", "CMD-SHELL", text);
	} else {
		return bad(c, "NONE, or CMD and a command; its times are set by "
			   "isle run --health-interval and others");
	}
	json_object_set_new(c->config, c->key, json_pack("{s:o}", "Test", test));
	return 0;
}

static int add_text(const struct change *c)
{
	json_t *list = json_object_get(c->config, c->key);

	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(c->config, c->key, list);
	}
	json_array_append_new(list, json_string(c->rest));
	return 0;
}

static const struct {
	const char *name, *key;
	int (*apply)(const struct change *c);
} instructions[] = {
	{ "CMD", "Cmd", set_command }, { "ENTRYPOINT", "Entrypoint", set_command },
	{ "ENV", "Env", set_pairs }, { "LABEL", "Labels", set_pairs },
	{ "EXPOSE", "ExposedPorts", add_keys }, { "VOLUME", "Volumes", add_keys },
	{ "USER", "User", set_text }, { "STOPSIGNAL", "StopSignal", set_text },
	{ "WORKDIR", "WorkingDir", set_directory }, { "HEALTHCHECK", "Healthcheck", set_health },
	{ "ONBUILD", "OnBuild", add_text },
};

int change_apply(json_t *config, const char *instruction, struct err *e)
{
	const char *s = instruction + strspn(instruction, " \t");
	size_t n = strcspn(s, " \t");
	const char *rest = s + n + strspn(s + n, " \t");

	for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
		struct change c = {
			.config = config, .name = instructions[i].name,
			.key = instructions[i].key, .rest = rest, .e = e,
		};

		if (strlen(c.name) != n || strncasecmp(c.name, s, n) != 0)
			continue;
		if (!*rest)
			return err_set(e, EINVAL, "%s: its value is missing", c.name);
		return instructions[i].apply(&c);
	}
	return err_set(e, EINVAL, "\"%.80s\" is none of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, "
		       "LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR", instruction);
}

static bool is_instruction(const char *text, const char *name)
{
	size_t n = strlen(name);

	text += strspn(text, " \t");
	return strncasecmp(text, name, n) == 0 && strcspn(text, " \t") == n;
}

int changes_apply(json_t *config, const char *const *lines, size_t n, struct err *e)
{
	bool command = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = change_apply(config, lines[i], e);
		command = command || is_instruction(lines[i], "CMD");
		if (r == 0 && !command && is_instruction(lines[i], "ENTRYPOINT"))
			json_object_del(config, "Cmd");
	}
	return r;
}
