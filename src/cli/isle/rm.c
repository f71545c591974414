/* cli/isle/rm.c - isle rm. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/output.h"
#include "engine/life.h"

struct rm_options {
	bool force, volumes;
};

static const struct option options[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct rm_options, force), NULL,
	  "kill it first; a name that is not there is fine", NULL },
	{ "volumes", 'v', OPT_FLAG, offsetof(struct rm_options, volumes), NULL,
	  "remove its anonymous volumes too", NULL },
	OPTION_HELP,
};

static int remove_one(struct isle_call *c, const char *name, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	const struct rm_options *o = c->target;

	int r = instance_find(c->eng, name, true, &in, e);
	if (r < 0)
		return r;
	if (!o->force && instance_is_up(&in))
		return err_set(e, EBUSY, "cannot remove %s: it is %s; stop it first, or rm -f",
			       in.name, instance_state_name(in.status.state));
	return life_remove(c->eng, &in, o->force, o->volumes, e);
}

static int rm(struct isle_call *c, struct err *e)
{
	const struct rm_options *o = c->target;

	for (size_t i = 0; i < c->argc; i++) {
		struct err why = { 0 };
		int r = remove_one(c, c->argv[i], &why);

		if (r >= 0)
			printf("%s\n", c->argv[i]);
		else
			log_error("%s", why.msg);
		/* With -f what is not there is as good as removed, but told. */
		if (r < 0 && !(o->force && r == -ENOENT))
			c->status = 1;
	}
	return output_flush(e);
}

const struct command command_rm = {
	.name = "rm",
	.aliases = "container rm, container remove",
	.args = "INSTANCE...",
	.summary = "remove instances and what they wrote",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct rm_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = rm,
};
