/* cli/isle/volume_rm.c - isle volume rm. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
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

static int rm(struct isle_call *c, struct err *e)
{
	const struct rm_options *o = c->target;

	for (size_t i = 0; i < c->argc; i++) {
		struct err why = { 0 };

		if (volume_remove(c->eng, c->argv[i], o->force, &why) < 0) {
			log_error("%s", why.msg);
			c->status = 1;
			continue;
		}
		event_add(c->eng, "volume", "destroy", c->argv[i],
			  json_pack("{s:s}", "driver", "local"));
		printf("%s\n", c->argv[i]);
	}
	return output_flush(e);
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
