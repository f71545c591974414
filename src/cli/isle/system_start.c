/*
 * cli/isle/system_start.c - isle system start: bring back after a reboot what --restart
 * asks for.  isle-restart.service runs it once the network is up.
 */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "engine/life.h"

static const struct option options[] = { OPTION_HELP };

/* Docker's rules: "always" comes back even when it was stopped, "unless-stopped" does not,
 * "on-failure" when it did not end well: a host that went down took it along. */
static bool wanted(const struct instance *in)
{
	switch (in->config.restart) {
	case RESTART_ALWAYS:
		return true;
	case RESTART_UNLESS_STOPPED:
		return !in->stopped && in->status.started_ns != 0;
	case RESTART_ON_FAILURE:
		return !in->stopped && in->status.started_ns != 0 && in->status.exit_code != 0;
	default:
		return false;
	}
}

static int start_one(struct engine *eng, const char *id, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	int sock = -1;

	int r = instance_find(eng, id, true, &in, e);
	if (r < 0 || in.status.pid > 0)
		return r;
	r = life_start(eng, &in, 0, &sock, e);
	if (r == 0)
		close(sock);
	return r < 0 ? err_prefix(e, "%s", in.name) : 0;
}

static int start(struct isle_call *c, struct err *e)
{
	struct instance *list = NULL;
	size_t n = 0;

	int r = engine_sweep(c->eng, e);
	if (r == 0)
		r = net_reconcile(&c->eng->net, e);
	if (r == 0)
		r = instance_list(c->eng, &list, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct err one = { 0 };

		if (list[i].status.pid > 0 || !wanted(&list[i]))
			continue;
		/* One that cannot start does not keep the others down. */
		if (start_one(c->eng, list[i].id, &one) < 0) {
			log_error("%s", one.msg);
			c->status = 1;
		}
	}
	instance_list_free(list, n);
	return 0;
}

const struct command command_system_start = {
	.name = "system start",
	.args = "",
	.summary = "start what --restart asks for, after a reboot",
	.options = { options, ARRAY_LEN(options) },
	.run = start,
};
