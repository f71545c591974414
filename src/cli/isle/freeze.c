/* cli/isle/freeze.c - see freeze.h */
#include "cli/isle/freeze.h"

#include "base/fd.h"
#include "cli/isle/each.h"
#include "engine/life.h"
#include "proto/keeper.h"

static int tell(struct isle_call *c, const struct instance *in, bool on, struct err *e)
{
	const struct keeper_message m = { .kind = KEEPER_PAUSED, .on = on };
	CLEANUP_FD int sock = life_connect(c->eng, in, e);
	int r = sock < 0 ? sock : keeper_send(sock, &m, 0);

	return r < 0 && sock >= 0 ? err_sys(e, -r, "tell %s's keeper", in->name) : r;
}

int freeze(struct isle_call *c, const struct instance *in, bool on, struct err *e)
{
	const struct wall *wall = NULL;

	int r = engine_wall(in->config.wall, &wall, e);
	if (r >= 0)
		r = on ? wall->pause(&c->eng->host, in->id, e) :
			 wall->resume(&c->eng->host, in->id, e);
	if (r >= 0)
		r = tell(c, in, on, e);
	if (r >= 0)
		each_event(c, in, on ? "pause" : "unpause");
	return r;
}
