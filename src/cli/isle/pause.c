/* cli/isle/pause.c - isle pause. */
#include <errno.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/each.h"
#include "engine/life.h"
#include "proto/keeper.h"

static const struct option options[] = { OPTION_HELP };

/* The keeper is told, so that health checks and STOP know. */
static int tell(struct isle_call *c, const struct instance *in, struct err *e)
{
	const struct keeper_message m = { .kind = KEEPER_PAUSED, .on = true };
	CLEANUP_FD int sock = life_connect(c->eng, in, e);
	int r = sock < 0 ? sock : keeper_send(sock, &m, 0);

	return r < 0 && sock >= 0 ? err_sys(e, -r, "tell %s's keeper", in->name) : r;
}

static int pause_one(struct isle_call *c, struct instance *in, struct err *e)
{
	const struct wall *wall;

	if (in->status.state != INSTANCE_RUNNING)
		return err_set(e, EINVAL, "cannot pause %s: it is %s%s", in->name,
			       in->status.state == INSTANCE_PAUSED ? "already " : "",
			       instance_state_name(in->status.state));
	int r = engine_wall(in->config.wall, &wall, e);
	if (r >= 0)
		r = wall->pause(&c->eng->host, in->id, e);
	if (r >= 0)
		r = tell(c, in, e);
	if (r >= 0)
		each_event(c, in, "pause");
	return r;
}

static int pause_all(struct isle_call *c, struct err *e)
{
	return each_instance(c, true, true, pause_one, e);
}

const struct command command_pause = {
	.name = "pause",
	.aliases = "container pause",
	.args = "INSTANCE...",
	.summary = "freeze all processes of instances",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = pause_all,
};
