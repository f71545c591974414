/* cli/runtime/start.c - isle-runtime start: run what create prepared. */
#include "base/mem.h"
#include "cli/runtime/verb.h"
#include "container/container.h"

static const struct option options[] = {
	OPTION_HELP,
};

static int start(struct call *c, struct err *e)
{
	return container_start(c->rt, c->argv[0], e);
}

const struct verb verb_start = {
	.name = "start",
	.args = "CONTAINER-ID",
	.summary = "start the program of a created container",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 1,
	.run = start,
};
