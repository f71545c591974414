/* cli/isle/create.c - isle create. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/launch.h"
#include "cli/isle/output.h"

static int create(struct isle_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	struct run_options *o = c->target;

	int r = run_options_finish(o, &a, e);
	if (r < 0)
		return r;
	/* Whoever will be attached with -i is the one whose end is the input's end. */
	o->config.stdin_once = o->config.open_stdin;
	r = launch_create(c, o, false, &in, e);
	if (r > 0)
		c->status = 125;
	if (r != 0)
		return r < 0 ? r : 0;
	printf("%s\n", in.id);
	return output_flush(e);
}

const struct command command_create = {
	.name = "create",
	.aliases = "container create",
	.args = "IMAGE [COMMAND [ARG...]]",
	.summary = "make an instance of an image, to be started later",
	.options = { run_option_table + RUN_OPTIONS_OWN, RUN_OPTIONS_COUNT - RUN_OPTIONS_OWN },
	.target_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.stop_after = 1,
	.exit_failed = 125,
	.run = create,
};
