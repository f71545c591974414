/* cli/runtime/kill.c - isle-runtime kill: a signal to the init, or to all processes. */
#include <signal.h>

#include "base/mem.h"
#include "cli/values.h"
#include "cli/runtime/verb.h"
#include "container/container.h"

struct kill_args {
	bool all;
};

static const struct option options[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct kill_args, all), NULL,
	  "signal every process of the container", NULL },
	OPTION_HELP,
};

static int kill_container(struct call *c, struct err *e)
{
	const struct kill_args *a = c->target;
	int sig = c->argc > 1 ? value_signal(c->argv[1], e) : SIGTERM;

	if (sig < 0)
		return sig;
	return container_kill(c->rt, c->argv[0], sig, a->all, e);
}

const struct verb verb_kill = {
	.name = "kill",
	.args = "CONTAINER-ID [SIGNAL]",
	.summary = "send a signal (default TERM) to a container",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct kill_args),
	.min_args = 1,
	.max_args = 2,
	.run = kill_container,
};
