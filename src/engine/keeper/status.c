/* engine/keeper/status.c - status.json, replaced whole, for isle to read (keeper.h). */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/keeper/parts.h"

#define STATUS_MAX (1u << 20)

static const char *status_word(const struct keeper *k)
{
	switch (k->phase) {
	case PHASE_CREATING:
	case PHASE_CREATED:
	case PHASE_STARTING:
		return k->ran ? "restarting" : "created";
	case PHASE_RUNNING:
	case PHASE_DRAINING:
	case PHASE_REMOVING:
		return k->paused ? "paused" : "running";
	case PHASE_WAITING:
		return "restarting";
	default:                        /* one that never ran is as it was, but for the error */
		return k->ran ? "exited" : "created";
	}
}

static void add_health(struct buf *b, const struct health *h)
{
	static const char *const words[] = { "none", "starting", "healthy", "unhealthy" };

	buf_printf(b, ",\"health\":{\"status\":\"%s\",\"failingStreak\":%u,\"log\":[",
		   words[h->status], h->streak);
	for (size_t i = 0; i < h->n; i++) {
		const struct health_run *r = &h->log[i];

		buf_printf(b, "%s{\"start\":%lld,\"end\":%lld,\"exitCode\":%d,\"output\":",
			   i ? "," : "", (long long)r->start_ns, (long long)r->end_ns,
			   r->exit_code);
		json_add_string(b, r->output ? r->output : "");
		buf_add_str(b, "}");
	}
	buf_add_str(b, "]}");
}

int status_write(const struct keeper *k, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STATUS_MAX);

	buf_printf(&b, "{\"status\":\"%s\",\"pid\":%d,\"keeperPid\":%d,\"keeperStart\":%llu",
		   status_word(k), k->pid, getpid(), k->own_start);
	buf_printf(&b, ",\"startedAt\":%lld,\"finishedAt\":%lld,\"exitCode\":%d",
		   (long long)k->started_ns, (long long)k->finished_ns, k->exit_code);
	buf_add_str(&b, ",\"error\":");
	json_add_string(&b, k->why.msg);
	buf_printf(&b, ",\"oomKilled\":%s,\"restartCount\":%u,\"stoppedByUser\":%s",
		   k->oom_killed ? "true" : "false", k->restart.count,
		   k->stopped_by_user ? "true" : "false");
	if (k->cfg.health.set)
		add_health(&b, &k->health);
	buf_add_str(&b, "}\n");
	int r = file_replace_at(k->dirfd, "status.json", b.data, b.len, 0600);
	return r < 0 ? err_sys(e, -r, "write status.json") : 0;
}
