/* cli/runtime/pause.c - isle-runtime pause: freeze the container's cgroup. */
#include "base/mem.h"
#include "cli/runtime/verb.h"
#include "container/container.h"

static const struct option options[] = {
	OPTION_HELP,
};

static int pause_container(struct call *c, struct err *e)
{
	return container_pause(c->rt, c->argv[0], e);
}

const struct verb verb_pause = {
	.name = "pause",
	.args = "CONTAINER-ID",
	.summary = "suspend all processes of a container",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 1,
	.run = pause_container,
};
