/* cli/isle/network_rm.c - isle network rm. */
#include <errno.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/each.h"
#include "engine/event.h"

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
	int r = net_network_remove(&c->eng->net, name, e);

	if (r == -ENOENT && o->force)
		return 1;
	if (r < 0)
		return r;
	event_add(c->eng, "network", "destroy", name,
		  json_pack("{s:s, s:s}", "name", name, "type", "bridge"));
	return 0;
}

static int rm(struct isle_call *c, struct err *e)
{
	return each_name(c, true, remove_one, c->target, e);
}

const struct command command_network_rm = {
	.name = "network rm",
	.aliases = "network remove",
	.args = "NETWORK...",
	.summary = "remove networks that no instance is on",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct rm_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = rm,
};
