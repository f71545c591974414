/* cli/isle/volume_inspect.c - isle volume inspect. */
#include "cli/isle/describe.h"
#include "engine/volume.h"

static int describe(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	return volume_inspect(c->eng, name, ret, e);
}

static int inspect(struct isle_call *c, struct err *e)
{
	const struct describe_options *o = c->target;

	return describe_each(c, o->format, describe, e);
}

const struct command command_volume_inspect = {
	.name = "volume inspect",
	.args = "NAME...",
	.summary = "show all about volumes",
	.options = { describe_options, DESCRIBE_OPTIONS_N },
	.target_size = sizeof(struct describe_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = inspect,
};
