/* cli/isle/network_disconnect.c - isle network disconnect. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/network_change.h"
#include "engine/event.h"

struct disconnect_options {
	bool force;
};

static const struct option options[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct disconnect_options, force), NULL,
	  "an instance that is not on it is fine", NULL },
	OPTION_HELP,
};

static int disconnect(struct isle_call *c, struct err *e)
{
	const struct disconnect_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	const char *name, *id;

	int r = instance_find(c->eng, c->argv[1], true, &in, e);
	if (r >= 0)
		r = network_known(c->eng, c->argv[0], &in.arena, &name, &id, e);
	if (r < 0)
		return r;
	if (!network_has(&in, name))
		return o->force ? 0 : err_set(e, ENOENT, "instance %s is not on network %s",
					      in.name, name);
	/* First the thing, then the record of it: killed in between, it can be said again. */
	if (network_is_live(&in)) {
		r = net_disconnect(&c->eng->net, in.id, name, e);
		r = r == -ENOENT ? 0 : r;
	}
	if (r < 0)
		return r;
	network_drop(&in, name);
	r = instance_save(c->eng, &in, e);
	if (r >= 0)
		event_add(c->eng, "network", "disconnect", id,
			  json_pack("{s:s, s:s, s:s}", "container", in.id, "name", name, "type",
				    "bridge"));
	return r;
}

const struct command command_network_disconnect = {
	.name = "network disconnect",
	.args = "NETWORK INSTANCE",
	.summary = "take an instance off a network",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct disconnect_options),
	.min_args = 2,
	.max_args = 2,
	.run = disconnect,
};
