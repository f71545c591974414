/* cli/isle/port.c - isle port. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/output.h"

static const struct option options[] = { OPTION_HELP };

/* One published port, as Docker prints it: both families where no address was asked for. */
static void print(const struct net_port *p, bool whole)
{
	static const char *const both[] = { "0.0.0.0", "[::]" };
	CLEANUP_FREE char *inside = xasprintf("%u/%s -> ", p->port, p->protocol);
	bool v6 = strchr(p->host_ip, ':');

	if (*p->host_ip) {
		printf("%s%s%s%s:%u\n", whole ? inside : "", v6 ? "[" : "", p->host_ip,
		       v6 ? "]" : "", p->host_port);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		printf("%s%s:%u\n", whole ? inside : "", both[i], p->host_port);
}

static int port(struct isle_call *c, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	size_t found = 0;

	int r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r < 0)
		return r;
	/* Ports belong to who runs: an ended instance has given them back. */
	for (size_t i = 0; instance_is_up(&in) && i < in.config.n_ports; i++) {
		const struct net_port *p = &in.config.ports[i];
		CLEANUP_FREE char *full = xasprintf("%u/%s", p->port, p->protocol);
		CLEANUP_FREE char *plain = xasprintf("%u", p->port);
		bool tcp = strcmp(p->protocol, "tcp") == 0;

		if (c->argc > 1 && strcmp(c->argv[1], full) != 0 &&
		    !(tcp && strcmp(c->argv[1], plain) == 0))
			continue;
		print(p, c->argc == 1);
		found++;
	}
	if (c->argc > 1 && !found)
		return err_set(e, ENOENT, "no public port \"%s\" is published for %s", c->argv[1],
			       in.name);
	return output_flush(e);
}

const struct command command_port = {
	.name = "port",
	.aliases = "container port",
	.args = "INSTANCE [PORT[/PROTO]]",
	.summary = "show where an instance's ports are published",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 2,
	.run = port,
};
