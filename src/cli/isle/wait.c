/* cli/isle/wait.c - isle wait. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/isle/each.h"
#include "engine/life.h"

static const struct option options[] = { OPTION_HELP };

static int wait_one(struct isle_call *c, struct instance *in, struct err *e)
{
	int code = 0;
	int r = life_wait(c->eng, in, &code, e);

	if (r >= 0)
		printf("%d\n", code);
	return r;
}

static int wait_all(struct isle_call *c, struct err *e)
{
	return each_instance(c, false, false, wait_one, e);
}

const struct command command_wait = {
	.name = "wait",
	.aliases = "container wait",
	.args = "INSTANCE...",
	.summary = "wait until instances end, print their exit codes",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = wait_all,
};
