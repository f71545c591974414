/* cli/isle/pause.c - isle pause. */
#include <errno.h>

#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/freeze.h"

static const struct option options[] = { OPTION_HELP };

static int pause_one(struct isle_call *c, struct instance *in, struct err *e)
{
	if (in->status.state != INSTANCE_RUNNING)
		return err_set(e, EINVAL, "cannot pause %s: it is %s%s", in->name,
			       in->status.state == INSTANCE_PAUSED ? "already " : "",
			       instance_state_name(in->status.state));
	return freeze(c, in, true, e);
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
