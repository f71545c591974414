/* cli/isle/restart.c - isle restart. */
#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/stop_time.h"
#include "engine/life.h"

static const struct option options[] = {
	STOP_TIME_OPTIONS,
	OPTION_HELP,
};

static int restart_one(struct isle_call *c, struct instance *in, struct err *e)
{
	CLEANUP_FD int sock = -1;
	int r = 0;

	if (instance_is_up(in))
		r = stop_time_stop(c, in, c->target, e);
	if (r >= 0)
		r = instance_refresh(c->eng, in, e);
	if (r >= 0)
		r = life_start(c->eng, in, 0, &sock, e);
	if (r >= 0)
		each_event(c, in, "restart");
	return r;
}

static int restart(struct isle_call *c, struct err *e)
{
	char number[STOP_TIME_TEXT];
	const char *words[5];

	stop_time_words(c->target, number, words);
	return each_at_once(c, "restart", words, restart_one, e);
}

const struct command command_restart = {
	.name = "restart",
	.aliases = "container restart",
	.args = "INSTANCE...",
	.summary = "stop instances and start them again",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct stop_time),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = restart,
};
