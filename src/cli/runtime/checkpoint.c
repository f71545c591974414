/* cli/runtime/checkpoint.c - isle-runtime checkpoint: a container into files. */
#include "container/checkpoint.h"

#include "base/mem.h"
#include "cli/runtime/criu_options.h"
#include "cli/runtime/verb.h"

#define AT(member) offsetof(struct checkpoint_opts, member)

static const struct option options[] = {
	CRIU_OPTIONS(struct checkpoint_opts, criu),
	{ "parent-path", 0, OPT_STRING, AT(parent_path), "DIR",
	  "images of an earlier --pre-dump, relative to --image-path", NULL },
	{ "leave-running", 0, OPT_FLAG, AT(leave_running), NULL,
	  "let the container run on", NULL },
	{ "tcp-skip-in-flight", 0, OPT_FLAG, AT(tcp_skip_in_flight), NULL,
	  "leave out TCP connections that are not yet accepted", NULL },
	{ "page-server", 0, OPT_STRING, AT(page_server), "ADDRESS:PORT",
	  "send memory to this criu page server", NULL },
	{ "pre-dump", 0, OPT_FLAG, AT(pre_dump), NULL,
	  "copy memory only, so that the real checkpoint takes less time", NULL },
	{ "link-remap", 0, OPT_FLAG, AT(link_remap), NULL,
	  "give open files that were deleted a name again", NULL },
	OPTION_HELP,
};

static int checkpoint(struct call *c, struct err *e)
{
	struct checkpoint_opts *o = c->target;

	o->criu.program = c->criu;
	return container_checkpoint(c->rt, c->argv[0], o, e);
}

const struct verb verb_checkpoint = {
	.name = "checkpoint",
	.args = "CONTAINER-ID",
	.summary = "save a running container into files",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct checkpoint_opts),
	.min_args = 1,
	.max_args = 1,
	.run = checkpoint,
};
