/* cli/isle/volume_rm.c - isle volume rm. */
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/each.h"
#include "engine/event.h"
#include "engine/volume.h"

struct rm_options {
	bool force;
};

static const struct option options[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct rm_options, force), NULL,
	  "a name that is not there is fine", NULL },
	OPTION_HELP,
};

static int remove_one(struct isle_call *c, const char *name, const void *arg, struct err *e)
{
	const struct rm_options *o = arg;
	int r = volume_remove(c->eng, name, o->force, e);

	if (r < 0)
		return r;
	event_add(c->eng, "volume", "destroy", name,
		  json_pack("{s:s}", "driver", "local"));
	return 0;
}

static int rm(struct isle_call *c, struct err *e)
{
	return each_name(c, true, remove_one, c->target, e);
}

const struct command command_volume_rm = {
	.name = "volume rm",
	.aliases = "volume remove",
	.args = "NAME...",
	.summary = "remove volumes and what is in them",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct rm_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = rm,
};
