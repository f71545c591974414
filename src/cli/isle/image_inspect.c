/* cli/isle/image_inspect.c - isle image inspect. */
#include "cli/isle/describe.h"
#include "cli/isle/image_row.h"

static int describe(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	return image_describe(c->eng, name, ret, e);
}

static int inspect(struct isle_call *c, struct err *e)
{
	const struct describe_options *o = c->target;

	return describe_each(c, o->format, describe, e);
}

const struct command command_image_inspect = {
	.name = "image inspect",
	.args = "IMAGE...",
	.summary = "show all about images",
	.examples = "  isle image inspect -f '{{json .Config.Cmd}}' debian\n",
	.options = { describe_options, DESCRIBE_OPTIONS_N },
	.target_size = sizeof(struct describe_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = inspect,
};
