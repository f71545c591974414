/* cli/isle/network_inspect.c - isle network inspect. */
#include "cli/isle/describe.h"

static int describe(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	return net_network_inspect(&c->eng->net, name, ret, e);
}

static int inspect(struct isle_call *c, struct err *e)
{
	const struct describe_options *o = c->target;

	return describe_each(c, o->format, describe, e);
}

const struct command command_network_inspect = {
	.name = "network inspect",
	.args = "NETWORK...",
	.summary = "show all about networks",
	.options = { describe_options, DESCRIBE_OPTIONS_N },
	.target_size = sizeof(struct describe_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = inspect,
};
