/*
 * engine/instance_status.c - what became of an instance: status.json, and who lives.
 *
 * Its keeper writes the file; here it is read, and believed only while the keeper's lock is
 * held.  A file that says "running" beside a lock that is free is a keeper that died without
 * a word (kill -9, a reboot): instance_refresh() then ends what is left and says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "engine/instance_impl.h"
#include "engine/names.h"

#define STATUS_BYTES_MAX (1u << 20)
#define EXIT_OF_KILLED 137

static const char *const state_names[] = {
	[INSTANCE_CREATED] = "created", [INSTANCE_RUNNING] = "running",
	[INSTANCE_PAUSED] = "paused", [INSTANCE_RESTARTING] = "restarting",
	[INSTANCE_EXITED] = "exited", [INSTANCE_DEAD] = "dead", [INSTANCE_REMOVING] = "removing",
};

const char *instance_state_name(enum instance_state s)
{
	return state_names[s];
}

bool instance_is_up(const struct instance *in)
{
	return in->status.state == INSTANCE_RUNNING || in->status.state == INSTANCE_PAUSED ||
	       in->status.state == INSTANCE_RESTARTING;
}

int instance_keeper_lives(struct engine *eng, const char *id)
{
	char path[ID_HEX + 16];

	snprintf(path, sizeof(path), "%.64s/keeper.lock", id);
	CLEANUP_FD int fd = openat(eng->instancesfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* --- reading ------------------------------------------------------------------ */

static const char *text_of(const struct json_node *j, const char *name)
{
	const struct json_node *m = json_tree_member(j, name);

	return m && m->kind == JSON_KIND_STRING ? m->s : "";
}

static int64_t number_of(const struct json_node *j, const char *name)
{
	const struct json_node *m = json_tree_member(j, name);

	if (!m || m->kind != JSON_KIND_INT || m->magnitude > INT64_MAX)
		return 0;
	return m->negative ? -(int64_t)m->magnitude : (int64_t)m->magnitude;
}

static bool truth_of(const struct json_node *j, const char *name)
{
	const struct json_node *m = json_tree_member(j, name);

	return m && m->kind == JSON_KIND_BOOL && m->truth;
}

static enum instance_state state_of(const struct json_node *j)
{
	const char *name = text_of(j, "status");

	for (size_t i = 0; i < ARRAY_LEN(state_names); i++)
		if (strcmp(state_names[i], name) == 0)
			return (enum instance_state)i;
	return INSTANCE_CREATED;
}

static void read_health(const struct json_node *j, const char *text, struct instance_status *s)
{
	const struct json_node *h = json_tree_member(j, "health");

	s->health = h ? text_of(h, "status") : "";
	if (!h || !json_tree_member(h, "log"))
		return;
	CLEANUP_JSON json_t *doc = json_loads(text, 0, NULL);
	s->health_log = json_incref(json_object_get(doc, "health"));
}

int instance_read_status(struct engine *eng, struct instance *in, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STATUS_BYTES_MAX);
	struct instance_status *s = &in->status;
	const struct json_node *j;
	char path[ID_HEX + 16];

	json_decref(s->health_log);
	*s = (struct instance_status){ .state = INSTANCE_CREATED, .error = "", .health = "" };
	in->lost = false;
	snprintf(path, sizeof(path), "%.64s/status.json", in->id);
	int r = file_read_at(eng->instancesfd, path, &b);
	if (r < 0 && r != -ENOENT)
		return err_sys(e, -r, "read %s/instances/%s", eng->root, path);
	if (r == 0) {
		r = json_tree_parse("status.json", b.data, b.len, &in->arena, &j, e);
		if (r < 0)
			return err_prefix(e, "instance %s", in->name);
		s->state = state_of(j);
		s->pid = (pid_t)number_of(j, "pid");
		s->keeper_pid = (pid_t)number_of(j, "keeperPid");
		s->started_ns = number_of(j, "startedAt");
		s->finished_ns = number_of(j, "finishedAt");
		s->exit_code = (int)number_of(j, "exitCode");
		s->oom_killed = truth_of(j, "oomKilled");
		s->restart_count = (unsigned)number_of(j, "restartCount");
		s->error = text_of(j, "error");
		/* Killed by `isle kill`, too, it is not to come back by itself. */
		in->stopped = in->stopped || truth_of(j, "stoppedByUser");
		read_health(j, b.data, s);
	}
	if (instance_is_up(in)) {
		r = instance_keeper_lives(eng, in->id);
		in->lost = r == 0;
		if (r < 0)
			return err_sys(e, -r, "look at the keeper of %s", in->name);
	} else {
		s->pid = s->keeper_pid = 0;
	}
	if (in->removing)
		s->state = INSTANCE_REMOVING;
	return 0;
}

/* --- a keeper that died ---------------------------------------------------------- */

int instance_write_status(struct engine *eng, struct instance *in, struct err *e)
{
	const struct instance_status *s = &in->status;

	CLEANUP_JSON json_t *j = json_pack("{ss si si si ss sb si sI sI}",
		"status", state_names[s->state], "pid", (int)s->pid, "keeperPid",
		(int)s->keeper_pid, "exitCode", s->exit_code, "error", s->error,
		"oomKilled", s->oom_killed, "restartCount", (int)s->restart_count,
		"startedAt", (json_int_t)s->started_ns, "finishedAt", (json_int_t)s->finished_ns);
	CLEANUP_FREE char *text = json_dumps(j, JSON_COMPACT);
	if (!text)
		return err_set(e, EINVAL, "status of %s is no UTF-8", in->name);
	return instance_write_file(eng, in->id, "status.json", text, strlen(text), 0600, e);
}

int instance_refresh(struct engine *eng, struct instance *in, struct err *e)
{
	const struct wall *wall;
	struct timespec now;

	int r = instance_read_status(eng, in, e);
	if (r < 0 || !in->lost)
		return r;
	r = engine_wall(in->config.wall, &wall, e);
	if (r == 0)
		r = wall->remove(&eng->host, in->id, true, e);
	if (r < 0 && r != -ENOENT)
		return err_prefix(e, "end what the dead keeper of %s left", in->name);
	clock_gettime(CLOCK_REALTIME, &now);
	in->status.state = INSTANCE_EXITED;
	in->status.pid = in->status.keeper_pid = 0;
	in->status.exit_code = EXIT_OF_KILLED;
	in->status.finished_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	in->status.error = "its keeper died (killed, or the host went down): ended with it";
	in->status.health = "";
	in->lost = false;
	r = instance_write_status(eng, in, e);
	if (r == 0 && in->removing)
		in->status.state = INSTANCE_REMOVING;
	return r;
}
