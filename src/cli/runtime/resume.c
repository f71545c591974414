/* cli/runtime/resume.c - isle-runtime resume: thaw the container's cgroup. */
#include "base/mem.h"
#include "cli/runtime/verb.h"
#include "container/container.h"

static const struct option options[] = {
	OPTION_HELP,
};

static int resume(struct call *c, struct err *e)
{
	return container_resume(c->rt, c->argv[0], e);
}

const struct verb verb_resume = {
	.name = "resume",
	.args = "CONTAINER-ID",
	.summary = "resume a paused container",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 1,
	.run = resume,
};
