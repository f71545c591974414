/* guest/agent/serve.c - see parts.h: one request of the host's, and its answer. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "container/cgroup.h"
#include "container/wall.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define FAREWELL_MS 1000
#define OOM_LOOKS 20
#define OOM_LOOK_MS 100

/* Returned by those that have answered by themselves. */
#define ANSWERED 1

typedef int request(struct stream *s, const struct agent_message *m, struct err *e);

static int answer(struct stream *s, const struct agent_message *m, struct err *e)
{
	int r = agent_write(s->fd, m);

	return r < 0 ? err_sys(e, -r, "answer the host") : ANSWERED;
}

/* ---- the machine ------------------------------------------------------------------------- */

static int hello(struct stream *s, const struct agent_message *m, struct err *e)
{
	CLEANUP(buf_release) struct buf id = BUF_INIT(64);
	struct utsname u;

	(void)m;                        /* the host compares the versions, and refuses */
	int r = file_read_at(AT_FDCWD, BOOT_ID, &id);
	if (r < 0)
		return err_sys(e, -r, "read %s", BOOT_ID);
	if (uname(&u) < 0)
		return err_sys(e, errno, "ask the kernel for its release");
	return answer(s, &(struct agent_message){
		.kind = AGENT_WELCOME,
		.version = AGENT_VERSION,
		.name = { ISLE_VERSION, strlen(ISLE_VERSION) },
		.data = { u.release, strlen(u.release) },
		.extra = { id.data, id.len ? id.len - 1 : 0 },
	}, e);
}

static int configured(struct stream *s, const struct agent_message *m, struct err *e)
{
	(void)s;
	return configure(m, e);
}

/* Everything ends and is on the host's disk before the host hears so. */
static int shut_down(struct stream *s, const struct agent_message *m, struct err *e)
{
	struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };

	(void)m;
	(void)e;
	kill(-1, SIGKILL);
	sync();
	(void)!agent_write_kind(s->fd, AGENT_DONE);
	shutdown(s->fd, SHUT_WR);
	/* Powered off at once the answer would be lost on its way. */
	poll(&p, 1, FAREWELL_MS);
	boot_power_off();
	return ANSWERED;
}

/* ---- the instance ------------------------------------------------------------------------ */

static int create(struct stream *s, const struct agent_message *m, struct err *e)
{
	int r = program_create(s, m, e);

	return r < 0 ? r : ANSWERED;
}

static int exec(struct stream *s, const struct agent_message *m, struct err *e)
{
	int r = program_exec(s, m, e);

	return r < 0 ? r : ANSWERED;
}

/* Those that name the instance and answer DONE. */
static int on_instance(struct stream *s, const struct agent_message *m, struct err *e)
{
	const struct wall *w = &wall_container;
	CLEANUP_FREE char *id = NULL;

	(void)s;
	int r = program_instance(&id, e);
	if (r < 0)
		return r;
	switch (m->kind) {
	case AGENT_START: return w->start(&agent_host, id, e);
	case AGENT_KILL: return w->signal(&agent_host, id, m->signal, m->all, e);
	case AGENT_PAUSE: return w->pause(&agent_host, id, e);
	case AGENT_RESUME: return w->resume(&agent_host, id, e);
	case AGENT_DELETE: return w->remove(&agent_host, id, m->all, e);
	default: return err_set(e, EPROTO, "request %d is none of an instance", m->kind);
	}
}

static int update(struct stream *s, const struct agent_message *m, struct err *e)
{
	struct arena arena __attribute__((cleanup(arena_release))) = { 0 };
	struct oci_resources *resources = NULL;
	CLEANUP_FREE char *id = NULL;

	(void)s;
	int r = program_instance(&id, e);
	if (r == 0)
		r = oci_resources_parse("resources", m->data.p, m->data.n, &arena,
					&resources, e);
	return r < 0 ? r : wall_container.update(&agent_host, id, resources, e);
}

static int status_json(const char *id, json_t **ret, struct err *e)
{
	static const char *const names[] = {
		[WALL_CREATED] = "created", [WALL_RUNNING] = "running",
		[WALL_PAUSED] = "paused", [WALL_STOPPED] = "stopped",
	};
	enum wall_status st = WALL_STOPPED;
	pid_t pid = 0;

	int r = wall_container.status(&agent_host, id, &st, &pid, e);
	if (r == 0)
		*ret = json_pack("{s:s, s:s, s:i}", "id", id, "status", names[st], "pid", pid);
	return r;
}

static int pids_json(const char *id, json_t **ret, struct err *e)
{
	CLEANUP_FREE pid_t *pid = NULL;
	size_t n = 0;

	int r = wall_container.pids(&agent_host, id, &pid, &n, e);
	if (r < 0)
		return r;
	*ret = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(*ret, json_integer(pid[i]));
	return 0;
}

/* Those whose answer is a document. */
static int ask_instance(struct stream *s, const struct agent_message *m, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(AGENT_DOCUMENT_MAX);
	CLEANUP_FREE char *id = NULL;
	CLEANUP_JSON json_t *j = NULL;

	int r = program_instance(&id, e);
	if (r < 0)
		return r;
	if (m->kind == AGENT_STATUS)
		r = status_json(id, &j, e);
	else if (m->kind == AGENT_PIDS)
		r = pids_json(id, &j, e);
	else
		r = wall_container.stats(&agent_host, id, &j, e);
	if (r < 0)
		return r;
	json_add(&b, j, JSON_COMPACT);
	return answer(s, &(struct agent_message){
		.kind = AGENT_JSON, .data = { b.data, b.len },
	}, e);
}

/*
 * Wait for the next kill; < 0 when the host or the group has gone.  The kernel may tell that
 * memory is out before it has chosen whom to kill, so the count is looked at for a while.
 */
static int await_oom(const struct stream *s, int fd, const char *id, uint64_t told,
		     uint64_t *ret, struct err *e)
{
	for (int looks = 0; ; looks -= looks > 0) {
		struct pollfd p[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = s->fd, .events = POLLIN | POLLRDHUP },
		};

		int n = poll(p, ARRAY_LEN(p), looks > 0 ? OOM_LOOK_MS : -1);
		if ((n < 0 && errno != EINTR) || p[1].revents)
			return err_set(e, EPIPE, "the host has gone");
		if (p[0].revents) {
			n = cgroup_oom_drain(fd);
			if (n < 0)
				return err_sys(e, -n, "watch for a lack of memory");
			looks = OOM_LOOKS;
		}
		n = wall_container.oom_count(&agent_host, id, ret, e);
		if (n < 0 || *ret != told)
			return n;
	}
}

/* The count now and whenever it grows. */
static int watch_oom(struct stream *s, const struct agent_message *m, struct err *e)
{
	struct agent_message told = { .kind = AGENT_OOM_COUNT };
	CLEANUP_FREE char *id = NULL;

	(void)m;
	int r = program_instance(&id, e);
	if (r < 0)
		return r;
	CLEANUP_FD int fd = wall_container.oom_fd(&agent_host, id, e);
	if (fd < 0)
		return fd;
	r = wall_container.oom_count(&agent_host, id, &told.count, e);
	if (r < 0)
		return r;
	while (agent_write(s->fd, &told) == 0 &&
	       await_oom(s, fd, id, told.count, &told.count, e) == 0)
		;
	return ANSWERED;
}

/* ---- the table --------------------------------------------------------------------------- */

static request *const requests[AGENT_KINDS] = {
	[AGENT_HELLO] = hello,
	[AGENT_CONFIGURE] = configured,
	[AGENT_CREATE] = create,
	[AGENT_START] = on_instance,
	[AGENT_EXEC] = exec,
	[AGENT_KILL] = on_instance,
	[AGENT_PAUSE] = on_instance,
	[AGENT_RESUME] = on_instance,
	[AGENT_DELETE] = on_instance,
	[AGENT_UPDATE] = update,
	[AGENT_STATUS] = ask_instance,
	[AGENT_STATS] = ask_instance,
	[AGENT_PIDS] = ask_instance,
	[AGENT_OOM] = watch_oom,
	[AGENT_SHUTDOWN] = shut_down,
};

void serve(struct stream *s)
{
	struct agent_message m;
	struct err e = { 0 };

	int r = agent_read(&s->in, s->fd, &m);
	if (r == 0)
		return;                 /* it only looked whether we listen */
	if (r < 0)
		err_sys(&e, -r, "read a request");
	else if (!requests[m.kind])
		r = err_set(&e, EPROTO, "message %d is not a request", m.kind);
	else
		r = requests[m.kind](s, &m, &e);
	if (r == 0)
		r = agent_write_kind(s->fd, AGENT_DONE);
	else if (r < 0)
		r = agent_write_error(s->fd, &e, wall_container.exit_code(&e));
	if (r < 0)
		log_debug("answer the host: %s", err_text(-r));
}
