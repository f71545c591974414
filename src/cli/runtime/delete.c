/* cli/runtime/delete.c - isle-runtime delete: remove what create made. */
#include <errno.h>

#include "base/mem.h"
#include "cli/runtime/verb.h"
#include "container/container.h"

struct delete_args {
	bool force;
};

static const struct option options[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct delete_args, force), NULL,
	  "kill it first if it runs; a container that does not exist is fine", NULL },
	OPTION_HELP,
};

static int delete(struct call *c, struct err *e)
{
	const struct delete_args *a = c->target;
	int r = container_delete(c->rt, c->argv[0], a->force, e);

	/* Engines repeat "delete --force" until it succeeds. */
	return a->force && r == -ENOENT ? 0 : r;
}

const struct verb verb_delete = {
	.name = "delete",
	.args = "CONTAINER-ID",
	.summary = "delete a stopped container",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct delete_args),
	.min_args = 1,
	.max_args = 1,
	.run = delete,
};
