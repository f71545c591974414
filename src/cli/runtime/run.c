/* cli/runtime/run.c - isle-runtime run: create, start, wait, delete. */
#include "base/mem.h"
#include "cli/runtime/create.h"
#include "cli/runtime/verb.h"

static const struct option options[] = {
	CREATE_OPTIONS(struct run_opts, create),
	{ "detach", 'd', OPT_FLAG, offsetof(struct run_opts, detach), NULL,
	  "do not wait for the container to end", NULL },
	{ "keep", 0, OPT_FLAG, offsetof(struct run_opts, keep), NULL,
	  "do not delete the container when it ends", NULL },
	OPTION_HELP,
};

static int run(struct call *c, struct err *e)
{
	return container_run(c->rt, c->argv[0], c->target, &c->status, e);
}

const struct verb verb_run = {
	.name = "run",
	.args = "CONTAINER-ID",
	.summary = "create and start a container, wait for it and delete it",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct run_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
