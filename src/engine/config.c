/* engine/config.c - see config.h */
#include "engine/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/nearest.h"

#define CONFIG_BYTES_MAX (1u << 20)
#define SYSTEM_CONFIG "/etc/isle/isle.conf"

enum kind { TEXT, COUNT, CHOICE };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *expected;           /* CHOICE: words with "|" between; else for the message */
};

#define AT(field) offsetof(struct engine_config, field)

static const struct key keys[] = {
	{ "bridge", TEXT, AT(bridge), NULL },
	{ "cgroup-manager", CHOICE, AT(cgroup_manager), "cgroupfs|systemd" },
	{ "log-driver", CHOICE, AT(log_driver), "json-file|journald|none" },
	{ "log-max-file", COUNT, AT(log_max_file), "a number from 1 to 1000" },
	{ "log-max-size", TEXT, AT(log_max_size), NULL },
	{ "stop-timeout", COUNT, AT(stop_timeout_s), "seconds" },
	{ "subnet4", TEXT, AT(subnet4), NULL },
	{ "subnet6", TEXT, AT(subnet6), NULL },
	{ "wall", CHOICE, AT(wall), "container" },
};

static const char *key_name_at(const void *list, size_t i)
{
	return ((const struct key *)list)[i].name;
}

static char *trim(char *s)
{
	s += strspn(s, " \t\r");
	for (size_t n = strlen(s); n > 0 && strchr(" \t\r", s[n - 1]); )
		s[--n] = 0;
	return s;
}

static bool is_choice(const char *words, const char *value)
{
	size_t n = strlen(value);

	for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (n > 0 && strncmp(p, value, n) == 0 && (p[n] == '|' || !p[n]))
			return true;
	return false;
}

static int unknown_key(const char *file, unsigned line, const char *name, struct err *e)
{
	const char *near = nearest_name(name, ARRAY_LEN(keys), key_name_at, keys);
	char known[256] = "";
	size_t n = 0;

	if (near)
		return err_set(e, EINVAL, "%s:%u: no key \"%.80s\": did you mean \"%s\"?",
			       file, line, name, near);
	for (size_t i = 0; i < ARRAY_LEN(keys) && n < sizeof(known); i++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "",
				      keys[i].name);
	return err_set(e, EINVAL, "%s:%u: no key \"%.80s\": known are %s", file, line, name, known);
}

static int set_key(struct engine_config *c, const char *file, unsigned line, const struct key *k,
		   const char *value, struct err *e)
{
	char *target = (char *)c + k->offset, *end;

	if (k->kind == CHOICE && !is_choice(k->expected, value))
		return err_set(e, EINVAL, "%s:%u: %s = %.80s: expected %s", file, line, k->name,
			       value, k->expected);
	if (k->kind != COUNT) {
		*(const char **)(void *)target = arena_strdup(&c->arena, value);
		return 0;
	}
	errno = 0;
	unsigned long v = strtoul(value, &end, 10);
	if (errno || end == value || *end || value[0] == '-' || v > 1000000)
		return err_set(e, EINVAL, "%s:%u: %s = %.80s: expected %s", file, line, k->name,
			       value, k->expected);
	*(unsigned *)(void *)target = (unsigned)v;
	return 0;
}

static int read_line(struct engine_config *c, const char *file, unsigned line, char *text,
		     struct err *e)
{
	char *name = trim(text), *value = strchr(name, '=');

	if (!*name || *name == '#')
		return 0;
	if (!value)
		return err_set(e, EINVAL, "%s:%u: \"%.80s\": expected \"key = value\"", file, line,
			       name);
	*value++ = 0;
	name = trim(name);
	value = trim(value);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return set_key(c, file, line, &keys[i], value, e);
	return unknown_key(file, line, name, e);
}

static int read_file(struct engine_config *c, const char *file, bool must_be, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_BYTES_MAX);
	unsigned line = 1;

	int r = file_read_at(AT_FDCWD, file, &b);
	if (r == -ENOENT && !must_be)
		return 0;
	if (r < 0)
		return err_sys(e, -r, "read %s", file);
	for (char *p = b.data, *next; p; p = next, line++) {
		next = strchr(p, '\n');
		if (next)
			*next++ = 0;
		r = read_line(c, file, line, p, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int engine_config_load(const char *file, struct engine_config *ret, struct err *e)
{
	const char *home = getenv("HOME"), *xdg = getenv("XDG_CONFIG_HOME");
	int r;

	*ret = (struct engine_config){
		.log_driver = "json-file", .log_max_size = "", .log_max_file = 1,
		.bridge = "isle0", .subnet4 = "", .subnet6 = "",
		.cgroup_manager = "cgroupfs", .wall = "container", .stop_timeout_s = 10,
	};
	if (file) {
		r = read_file(ret, file, true, e);
	} else {
		r = read_file(ret, SYSTEM_CONFIG, false, e);
		char *own = xdg && *xdg ? xasprintf("%s/isle/isle.conf", xdg) :
			    home && *home ? xasprintf("%s/.config/isle/isle.conf", home) : NULL;
		if (r == 0 && own)
			r = read_file(ret, own, false, e);
		free(own);
	}
	if (r < 0)
		engine_config_release(ret);
	return r;
}

void engine_config_release(struct engine_config *c)
{
	arena_release(&c->arena);
	*c = (struct engine_config){ 0 };
}
