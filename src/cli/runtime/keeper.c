/*
 * cli/runtime/keeper.c - isle-runtime keeper DIR FD: the role that isle starts for every
 * running instance (engine/keeper/keeper.h).  No verb for people: in no list of "-h".
 */
#include <string.h>
#include <sys/prctl.h>

#include "cli/runtime/verb.h"
#include "cli/values.h"
#include "engine/keeper/keeper.h"

static int keeper(struct call *c, struct err *e)
{
	uint32_t fd;

	int r = value_id(c->argv[1], &fd, e);
	if (r < 0)
		return err_prefix(e, "keeper: the starter's socket");
	prctl(PR_SET_NAME, "isle-keeper");
	/* The arguments stand one behind the other (proc(5), cmdline). */
	char *title = c->argv[0];
	size_t bytes = (size_t)(c->argv[1] + strlen(c->argv[1]) - title);
	return keeper_main(title, (int)fd, title, bytes, &c->status, e);
}

const struct verb verb_keeper = {
	.name = "keeper",
	.args = "DIRECTORY SOCKET",
	.summary = "keep a running instance of isle's",
	.min_args = 2,
	.max_args = 2,
	.run = keeper,
};
