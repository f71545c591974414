/* cli/runtime/create.c - isle-runtime create: everything but the start. */
#include "cli/runtime/create.h"

#include "base/mem.h"
#include "cli/runtime/verb.h"

static const struct option options[] = {
	CREATE_OPTIONS(struct { struct create_opts o; }, o),
	OPTION_HELP,
};

static int create(struct call *c, struct err *e)
{
	return container_create(c->rt, c->argv[0], c->target, e);
}

const struct verb verb_create = {
	.name = "create",
	.args = "CONTAINER-ID",
	.summary = "create a container from a bundle; start runs its program",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct create_opts),
	.min_args = 1,
	.max_args = 1,
	.run = create,
};
