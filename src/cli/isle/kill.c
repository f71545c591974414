/* cli/isle/kill.c - isle kill. */
#include <errno.h>
#include <signal.h>

#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/values.h"
#include "engine/life.h"

struct kill_options {
	const char *signal;
};

static const struct option options[] = {
	{ "signal", 's', OPT_STRING, offsetof(struct kill_options, signal), "SIGNAL",
	  "signal to send (default KILL)", NULL },
	OPTION_HELP,
};

static int kill_one(struct isle_call *c, struct instance *in, struct err *e)
{
	const struct kill_options *o = c->target;
	const struct wall *wall;
	int signal = o->signal ? value_signal(o->signal, e) : SIGKILL;

	if (signal < 0)
		return signal;
	if (!instance_is_up(in))
		return err_set(e, ESRCH, "cannot kill %s: it is not running", in->name);
	/* A killed instance is not restarted; another signal is a message to the program. */
	int r = signal == SIGKILL ? life_stop(c->eng, in, signal, -1, e)
				  : engine_wall(in->config.wall, &wall, e);
	if (r >= 0 && signal != SIGKILL)
		r = wall->signal(&c->eng->host, in->id, signal, false, e);
	if (r >= 0)
		each_event(c, in, "kill");
	return r;
}

static int kill_all(struct isle_call *c, struct err *e)
{
	const struct kill_options *o = c->target;

	if (o->signal && value_signal(o->signal, e) < 0)
		return err_prefix(e, "option --signal");
	return each_instance(c, false, true, kill_one, e);
}

const struct command command_kill = {
	.name = "kill",
	.aliases = "container kill",
	.args = "INSTANCE...",
	.summary = "send instances a signal, KILL unless told",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct kill_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = kill_all,
};
