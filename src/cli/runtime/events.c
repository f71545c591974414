/* cli/runtime/events.c - isle-runtime events: resource use and OOM kills as JSON lines. */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/values.h"
#include "cli/runtime/verb.h"

#define INTERVAL_DEFAULT_NS 5000000000ull
#define NS_PER_MS 1000000ull

struct interval {
	bool set;
	uint64_t ns;
};

struct events_args {
	bool stats;
	struct interval interval;
};

static int parse_interval(const char *s, void *target, struct err *e)
{
	struct interval *i = target;
	int r = value_duration_ns(s, &i->ns, e);

	if (r >= 0 && i->ns < NS_PER_MS)
		return err_set(e, EINVAL, "\"%s\" is less than 1ms", s);
	i->set = true;
	return r;
}

static const struct option options[] = {
	{ "interval", 0, OPT_PARSED, offsetof(struct events_args, interval), "DURATION",
	  "time between two lines, as 5s or 100ms (default 5s)", parse_interval },
	{ "stats", 0, OPT_FLAG, offsetof(struct events_args, stats), NULL,
	  "print one line and end", NULL },
	OPTION_HELP,
};

/* data is a reference taken over, or NULL. */
static int print_event(const char *type, const char *id, json_t *data, struct err *e)
{
	CLEANUP_JSON json_t *j = json_pack("{s:s, s:s}", "type", type, "id", id);

	if (data)
		json_object_set_new(j, "data", data);
	return verb_print_json(j, JSON_COMPACT, e);
}

static int print_stats(const struct state *st, struct err *e)
{
	json_t *data;
	int r = cgroup_stats(&st->cgroup, &data, e);

	if (r < 0)
		return r;
	/* runc always prints them; engines count interfaces themselves. */
	json_object_set_new(data, "intel_rdt", json_object());
	json_object_set_new(data, "network_interfaces", json_null());
	return print_event("stats", st->id, data, e);
}

struct watch {
	int pidfd;              /* readable: the container's init has ended */
	int oom;                /* readable: memory may have run out; -1: not told any more */
	uint64_t told;          /* OOM kills */
	unsigned recheck;       /* v1 tells before the kill is counted: look again so often */
};

#define RECHECK_MS 10
#define RECHECKS 100

static void watch_release(struct watch *w)
{
	fd_close(&w->pidfd);
	fd_close(&w->oom);
}

/* A line for each OOM kill that was not told yet. */
static int print_ooms(const struct state *st, struct watch *w, struct err *e)
{
	uint64_t now;
	int r = 0;

	if (w->oom < 0)
		return 0;
	/* The group may go away ahead of the init's end: no more news from it then. */
	if (cgroup_oom_drain(w->oom) < 0 || cgroup_oom_count(&st->cgroup, &now) < 0) {
		fd_close(&w->oom);
		return 0;
	}
	if (w->told < now)
		w->recheck = 0;
	for (; r >= 0 && w->told < now; w->told++)
		r = print_event("oom", st->id, NULL, e);
	return r;
}

/* Milliseconds until the time, or until OOM kills are to be looked at again. */
static int wait_ms(const struct watch *w, uint64_t until_ns)
{
	uint64_t now = time_mono_ns();
	uint64_t ms = now < until_ns ? (until_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0;

	if (w->recheck && ms > RECHECK_MS)
		return RECHECK_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Tell OOM kills until the time: 1 once the container's init has ended, else 0. */
static int wait_until(const struct state *st, struct watch *w, uint64_t until_ns,
		      struct err *e)
{
	do {
		struct pollfd p[] = {
			{ .fd = w->pidfd, .events = POLLIN }, { .fd = w->oom, .events = POLLIN },
		};
		int r = poll(p, ARRAY_LEN(p), wait_ms(w, until_ns));

		if (r < 0 && errno != EINTR)
			return err_sys(e, errno, "wait for the container");
		if (r > 0)
			w->recheck = RECHECKS;
		else if (w->recheck)
			w->recheck--;
		r = print_ooms(st, w, e);
		if (r < 0 || p[0].revents)
			return r < 0 ? r : 1;
	} while (time_mono_ns() < until_ns);
	return 0;
}

static int follow(const struct state *st, uint64_t interval_ns, struct err *e)
{
	CLEANUP(watch_release) struct watch w = { .pidfd = state_pidfd(st), .oom = -1 };
	uint64_t next = time_mono_ns();
	struct err none;

	if (w.pidfd < 0)
		return err_set(e, ESRCH, "container not running");
	/* Without a memory group there is nothing to be told of. */
	w.oom = cgroup_oom_fd(&st->cgroup, &none);
	if (w.oom >= 0 && cgroup_oom_count(&st->cgroup, &w.told) < 0)
		fd_close(&w.oom);
	for (;;) {
		next += interval_ns;
		int r = wait_until(st, &w, next, e);
		if (r != 0)
			return r < 0 ? r : 0;
		r = print_stats(st, e);
		if (r < 0)
			return r;
	}
}

static int events(struct call *c, struct err *e)
{
	const struct events_args *a = c->target;
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	enum container_status status;

	int r = state_load(c->rt, c->argv[0], false, &st, e);
	if (r >= 0)
		r = state_status(&st, &status, e);
	if (r < 0)
		return r;
	if (status == STATUS_STOPPED)
		return err_set(e, ESRCH, "container not running");
	if (a->stats)
		return print_stats(&st, e);
	return follow(&st, a->interval.set ? a->interval.ns : INTERVAL_DEFAULT_NS, e);
}

const struct verb verb_events = {
	.name = "events",
	.args = "CONTAINER-ID",
	.summary = "print resource use and OOM kills as JSON lines",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct events_args),
	.min_args = 1,
	.max_args = 1,
	.run = events,
};
