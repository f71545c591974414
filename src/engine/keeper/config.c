/* engine/keeper/config.c - keeper.json, which isle wrote (keeper.h), into structs. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/fd.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "container/wall.h"
#include "engine/keeper/parts.h"

#define NAME "keeper.json"
#define JSON_MAX (4u << 20)

#define STOP_SIGNAL 15
#define STOP_TIMEOUT_MS 10000
/* Docker's defaults of HEALTHCHECK. */
#define HEALTH_INTERVAL_MS 30000
#define HEALTH_TIMEOUT_MS 30000
#define HEALTH_RETRIES 3

/* One object while it is read: the first wrong value is kept. */
struct reader {
	const struct json_node *o;
	const char *where;              /* "mount.", "" */
	struct arena *a;
	struct err *e;
	int r;
};

static const struct json_node *member(struct reader *rd, const char *key, enum json_kind kind,
				      bool needed)
{
	const struct json_node *n = json_tree_member(rd->o, key);

	if (rd->r < 0 || (n && n->kind == JSON_KIND_NULL))
		n = NULL;
	if (rd->r == 0 && !n && needed)
		rd->r = err_set(rd->e, EINVAL, NAME ": %s%s is missing", rd->where, key);
	if (!n || n->kind == kind)
		return n;
	rd->r = err_set(rd->e, EINVAL, NAME ":%u: %s%s is %s, not %s", n->line, rd->where, key,
			json_kind_name(n->kind), json_kind_name(kind));
	return NULL;
}

static const char *text(struct reader *rd, const char *key, bool needed)
{
	const struct json_node *n = member(rd, key, JSON_KIND_STRING, needed);

	if (n && needed && !n->n)
		rd->r = err_set(rd->e, EINVAL, NAME ":%u: %s%s is empty", n->line, rd->where, key);
	return n ? n->s : NULL;
}

static bool truth(struct reader *rd, const char *key)
{
	const struct json_node *n = member(rd, key, JSON_KIND_BOOL, false);

	return n && n->truth;
}

static int64_t number(struct reader *rd, const char *key, int64_t min, int64_t max,
		      int64_t absent)
{
	const struct json_node *n = member(rd, key, JSON_KIND_INT, false);

	if (!n)
		return absent;
	if (!n->huge && n->magnitude <= INT64_MAX) {
		int64_t v = n->negative ? -(int64_t)n->magnitude : (int64_t)n->magnitude;

		if (v >= min && v <= max)
			return v;
	}
	rd->r = err_set(rd->e, EINVAL, NAME ":%u: %s%s is out of range", n->line, rd->where, key);
	return absent;
}

static struct oci_strv texts(struct reader *rd, const char *key, bool needed)
{
	const struct json_node *l = member(rd, key, JSON_KIND_LIST, needed);
	struct oci_strv v = { 0 };

	if (!l)
		return v;
	v.v = arena_calloc(rd->a, l->n + 1, sizeof(*v.v));
	for (const struct json_node *n = l->first; n; n = n->next) {
		if (n->kind == JSON_KIND_STRING)
			v.v[v.n++] = n->s;
		else
			rd->r = err_set(rd->e, EINVAL, NAME ":%u: %s%s has %s, not a string",
					n->line, rd->where, key, json_kind_name(n->kind));
	}
	return v;
}

static int choice(struct reader *rd, const char *key, const char *const *names, size_t n)
{
	const char *s = text(rd, key, false);

	for (size_t i = 0; s && i < n; i++)
		if (strcmp(s, names[i]) == 0)
			return (int)i;
	if (s)
		rd->r = err_set(rd->e, EINVAL, NAME ": %s%s is \"%s\", which is not known",
				rd->where, key, s);
	return 0;
}

/* The object named key as a reader of its own; false where it is absent. */
static bool inner(struct reader *rd, const char *key, const char *where, struct reader *ret)
{
	const struct json_node *o = member(rd, key, JSON_KIND_OBJECT, false);

	*ret = *rd;
	ret->o = o;
	ret->where = where;
	return o != NULL;
}

static void read_overlay(struct reader *top, struct overlay_config *c)
{
	struct reader rd;

	c->set = inner(top, "mount", "mount.", &rd);
	if (!c->set)
		return;
	c->lower = texts(&rd, "lower", true);
	c->upper = text(&rd, "upper", true);
	c->work = text(&rd, "work", true);
	c->target = text(&rd, "target", true);
	c->options = text(&rd, "options", false);
	if (rd.r == 0 && c->lower.n == 0)
		rd.r = err_set(rd.e, EINVAL, NAME ": mount.lower is empty");
	top->r = rd.r;
}

static void read_log(struct reader *top, struct log_config *c)
{
	static const char *const drivers[] = { "json-file", "none", "journald" };
	struct reader rd;

	c->driver = LOG_DRIVER_NONE;
	if (!inner(top, "log", "log.", &rd))
		return;
	c->driver = (enum log_driver)choice(&rd, "driver", drivers, ARRAY_LEN(drivers));
	c->path = text(&rd, "path", c->driver == LOG_DRIVER_JSON_FILE);
	c->tag = text(&rd, "tag", false);
	c->max_size = (uint64_t)number(&rd, "maxSize", 0, INT64_MAX, 0);
	c->max_file = (unsigned)number(&rd, "maxFile", 0, 1000, 1);
	if (c->max_file == 0)
		c->max_file = 1;
	top->r = rd.r;
}

static void read_restart(struct reader *top, struct keeper_config *c)
{
	static const char *const policies[] = { "no", "on-failure", "always", "unless-stopped" };
	struct reader rd;

	if (!inner(top, "restart", "restart.", &rd))
		return;
	c->restart = (enum keeper_restart)choice(&rd, "policy", policies, ARRAY_LEN(policies));
	c->restart_max = (unsigned)number(&rd, "max", 0, INT_MAX, 0);
	top->r = rd.r;
}

static void read_stop(struct reader *top, struct keeper_config *c)
{
	struct reader rd;

	c->stop_signal = STOP_SIGNAL;
	c->stop_timeout_ms = STOP_TIMEOUT_MS;
	if (!inner(top, "stop", "stop.", &rd))
		return;
	c->stop_signal = (int)number(&rd, "signal", 1, 64, STOP_SIGNAL);
	c->stop_timeout_ms = (int)number(&rd, "timeoutMs", -1, INT_MAX, STOP_TIMEOUT_MS);
	top->r = rd.r;
}

static uint64_t or_default(int64_t v, uint64_t absent)
{
	return v > 0 ? (uint64_t)v : absent;
}

static void read_health(struct reader *top, struct health_config *c)
{
	struct reader rd;

	if (!inner(top, "health", "health.", &rd))
		return;
	struct oci_strv t = texts(&rd, "test", true);
	c->interval_ms = or_default(number(&rd, "intervalMs", 0, INT64_MAX, 0),
				    HEALTH_INTERVAL_MS);
	c->timeout_ms = or_default(number(&rd, "timeoutMs", 0, INT64_MAX, 0), HEALTH_TIMEOUT_MS);
	c->start_period_ms = or_default(number(&rd, "startPeriodMs", 0, INT64_MAX, 0), 0);
	c->retries = (unsigned)or_default(number(&rd, "retries", 0, INT_MAX, 0), HEALTH_RETRIES);
	c->shell = t.n > 0 && strcmp(t.v[0], "CMD-SHELL") == 0;
	if (rd.r == 0 && t.n > 1 && (c->shell || strcmp(t.v[0], "CMD") == 0)) {
		c->set = true;
		c->test = (struct oci_strv){ t.v + 1, t.n - 1 };
	} else if (rd.r == 0 && t.n > 0 && strcmp(t.v[0], "NONE") != 0) {
		rd.r = err_set(rd.e, EINVAL, NAME ": health.test begins with \"%s\": CMD, "
			       "CMD-SHELL and a command, or NONE are known", t.v[0]);
	}
	top->r = rd.r;
}

int keeper_config_parse(const char *p, size_t n, struct keeper_config *c, struct err *e)
{
	static const struct wall *const walls[] = { &wall_container };
	const struct json_node *root;

	*c = (struct keeper_config){ 0 };
	int r = json_tree_parse(NAME, p, n, &c->arena, &root, e);
	if (r < 0)
		return r;
	struct reader rd = { .o = root, .where = "", .a = &c->arena, .e = e };
	c->id = text(&rd, "id", true);
	c->name = text(&rd, "name", true);
	c->image = text(&rd, "image", false);
	c->bundle = text(&rd, "bundle", true);
	c->socket = text(&rd, "socket", true);
	c->host.state_dir = text(&rd, "stateDir", true);
	c->host.systemd_cgroup = truth(&rd, "systemdCgroup");
	c->host.rootless = truth(&rd, "rootless");
	c->own_network = truth(&rd, "ownNetwork");
	c->shared_sources = texts(&rd, "sharedSources", false);
	c->tty = truth(&rd, "tty");
	c->open_stdin = truth(&rd, "openStdin");
	c->stdin_once = truth(&rd, "stdinOnce");
	c->reap = texts(&rd, "reap", false);
	read_overlay(&rd, &c->overlay);
	read_log(&rd, &c->log);
	read_restart(&rd, c);
	read_stop(&rd, c);
	read_health(&rd, &c->health);
	const char *wall = text(&rd, "wall", true);
	for (size_t i = 0; wall && i < ARRAY_LEN(walls); i++)
		if (strcmp(walls[i]->name, wall) == 0)
			c->wall = walls[i];
	if (rd.r == 0 && !c->wall)
		rd.r = err_set(e, EINVAL, NAME ": wall is \"%s\", which is not known", wall);
	if (rd.r < 0)
		arena_release(&c->arena);
	return rd.r;
}

int keeper_config_load(int dirfd, struct keeper_config *c, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(JSON_MAX);
	int r = file_read_at(dirfd, NAME, &b);

	if (r < 0)
		return err_sys(e, -r, "read " NAME);
	return keeper_config_parse(b.data, b.len, c, e);
}
