/* cli/isle/network_prune.c - isle network prune. */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/confirm.h"
#include "cli/isle/output.h"
#include "engine/event.h"

struct prune_options {
	bool force;
};

static const struct option options[] = {
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

	int r = confirm(o->force, "This will remove all networks that no instance is on.", e);
	if (r <= 0)
		return r;
	r = net_network_prune(&c->eng->net, &names, e);
	if (r < 0)
		return r;
	if (json_array_size(names))
		printf("Deleted Networks:\n");
	json_array_foreach(names, i, name) {
		event_add(c->eng, "network", "destroy", json_string_value(name),
			  json_pack("{s:O, s:s}", "name", name, "type", "bridge"));
		printf("%s\n", json_string_value(name));
	}
	return output_flush(e);
}

const struct command command_network_prune = {
	.name = "network prune",
	.args = "",
	.summary = "remove networks that no instance is on",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct prune_options),
	.run = prune,
};
