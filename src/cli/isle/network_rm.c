/* cli/isle/network_rm.c - isle network rm. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "engine/event.h"

struct rm_options {
	bool force;
};

static const struct option options[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct rm_options, force), NULL,
	  "a name that is not there is fine", NULL },
	OPTION_HELP,
};

static int rm(struct isle_call *c, struct err *e)
{
	const struct rm_options *o = c->target;

	for (size_t i = 0; i < c->argc; i++) {
		struct err why = { 0 };
		int r = net_network_remove(&c->eng->net, c->argv[i], &why);

		if (r == -ENOENT && o->force)
			continue;
		if (r < 0) {
			log_error("%s", why.msg);
			c->status = 1;
			continue;
		}
		event_add(c->eng, "network", "destroy", c->argv[i],
			  json_pack("{s:s, s:s}", "name", c->argv[i], "type", "bridge"));
		printf("%s\n", c->argv[i]);
	}
	return output_flush(e);
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
