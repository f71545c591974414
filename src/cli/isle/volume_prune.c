/* cli/isle/volume_prune.c - isle volume prune. */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/confirm.h"
#include "cli/isle/output.h"
#include "engine/volume.h"

struct prune_options {
	bool all, force;
};

static const struct option options[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct prune_options, all), NULL,
	  "named volumes too", NULL },
	{ "force", 'f', OPT_FLAG, offsetof(struct prune_options, force), NULL,
	  "do not ask", NULL },
	OPTION_HELP,
};

static int prune(struct isle_call *c, struct err *e)
{
	const struct prune_options *o = c->target;
	CLEANUP_JSON json_t *names = NULL;
	json_t *name;
	size_t i;

	int r = confirm(o->force, o->all ? "This will remove all volumes that no instance uses."
			: "This will remove all anonymous volumes that no instance uses.", e);
	if (r <= 0)
		return r;
	r = volume_prune(c->eng, o->all, &names, e);
	if (r < 0)
		return r;
	if (json_array_size(names))
		printf("Deleted Volumes:\n");
	json_array_foreach(names, i, name)
		printf("%s\n", json_string_value(name));
	return output_flush(e);
}

const struct command command_volume_prune = {
	.name = "volume prune",
	.args = "",
	.summary = "remove volumes that no instance uses",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct prune_options),
	.run = prune,
};
