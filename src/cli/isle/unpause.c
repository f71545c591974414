/* cli/isle/unpause.c - isle unpause. */
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
	const struct keeper_message m = { .kind = KEEPER_PAUSED, .on = false };
	CLEANUP_FD int sock = life_connect(c->eng, in, e);
	int r = sock < 0 ? sock : keeper_send(sock, &m, 0);

	return r < 0 && sock >= 0 ? err_sys(e, -r, "tell %s's keeper", in->name) : r;
}

static int unpause_one(struct isle_call *c, struct instance *in, struct err *e)
{
	const struct wall *wall;

	if (in->status.state != INSTANCE_PAUSED)
		return err_set(e, EINVAL, "cannot unpause %s: it is %s%s", in->name,
			       "not ", "paused");
	int r = engine_wall(in->config.wall, &wall, e);
	if (r >= 0)
		r = wall->resume(&c->eng->host, in->id, e);
	if (r >= 0)
		r = tell(c, in, e);
	if (r >= 0)
		each_event(c, in, "unpause");
	return r;
}

static int unpause_all(struct isle_call *c, struct err *e)
{
	return each_instance(c, true, true, unpause_one, e);
}

const struct command command_unpause = {
	.name = "unpause",
	.aliases = "container unpause",
	.args = "INSTANCE...",
	.summary = "let paused instances go on",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = unpause_all,
};
