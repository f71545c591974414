/* cli/isle/unpause.c - isle unpause. */
#include <errno.h>

#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/freeze.h"

static const struct option options[] = { OPTION_HELP };

static int unpause_one(struct isle_call *c, struct instance *in, struct err *e)
{
	if (in->status.state != INSTANCE_PAUSED)
		return err_set(e, EINVAL, "cannot unpause %s: it is %s%s", in->name,
			       "not ", "paused");
	return freeze(c, in, false, e);
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
