/* cli/isle/rename.c - isle rename. */
#include "base/mem.h"
#include "cli/isle/each.h"

static const struct option options[] = { OPTION_HELP };

static int rename_one(struct isle_call *c, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	/* "/name" is how inspect shows it, and Docker takes it back. */
	const char *name = c->argv[1] + (c->argv[1][0] == '/');

	int r = instance_find(c->eng, c->argv[0], true, &in, e);
	if (r >= 0)
		r = instance_check_name_free(c->eng, name, e);
	if (r < 0)
		return r;
	in.name = arena_strdup(&in.arena, name);
	r = instance_save(c->eng, &in, e);
	if (r >= 0)
		each_event(c, &in, "rename");
	return r < 0 ? r : 0;
}

const struct command command_rename = {
	.name = "rename",
	.aliases = "container rename",
	.args = "INSTANCE NAME",
	.summary = "give an instance another name",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 2,
	.max_args = 2,
	.run = rename_one,
};
