/*
 * cli/isle/system_reap.c - isle system reap: what a keeper runs at its end; takes back the
 * addresses and ports of an instance, and removes it where --rm was given.
 */
#include <errno.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "engine/life.h"

static const struct option options[] = { OPTION_HELP };

static int reap(struct isle_call *c, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };

	int r = instance_find(c->eng, c->argv[0], true, &in, e);
	if (r == -ENOENT)
		return 0;               /* removed meanwhile */
	return r < 0 ? r : life_reap_ended(c->eng, &in, e);
}

const struct command command_system_reap = {
	.name = "system reap",
	.args = "INSTANCE",
	.summary = "take back what an ended instance had (its keeper runs this)",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 1,
	.run = reap,
};
