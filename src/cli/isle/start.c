/* cli/isle/start.c - isle start. */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/launch.h"
#include "engine/attach.h"
#include "engine/life.h"

struct start_options {
	bool attach, interactive, no_sig_proxy;
	const char *detach_keys;
};

#define AT(member) offsetof(struct start_options, member)

static const struct option options[] = {
	{ "attach", 'a', OPT_FLAG, AT(attach), NULL,
	  "show its output, pass signals on, exit as it does", NULL },
	{ "detach-keys", 0, OPT_STRING, AT(detach_keys), "KEYS",
	  "keys that detach (default ctrl-p,ctrl-q)", NULL },
	{ "interactive", 'i', OPT_FLAG, AT(interactive), NULL,
	  "the same, and our standard input is its", NULL },
	{ "sig-proxy", 0, OPT_FLAG_OFF, AT(no_sig_proxy), NULL,
	  "pass signals on to the program (default true)", NULL },
	OPTION_HELP,
};

static int start_one(struct isle_call *c, struct instance *in, struct err *e)
{
	CLEANUP_FD int sock = -1;

	if (in->status.state == INSTANCE_PAUSED)
		return err_set(e, EINVAL, "cannot start %s: it is paused; unpause it", in->name);
	/* What runs is started, as asked. */
	if (instance_is_up(in))
		return 0;
	return life_start(c->eng, in, 0, &sock, e);
}

static int start_attached(struct isle_call *c, struct err *e)
{
	const struct start_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	struct detach_keys keys;

	if (c->argc > 1)
		return err_set(e, EINVAL, "one instance at a time can be attached to, not %zu",
			       c->argc);
	if (o->detach_keys && detach_keys_parse(o->detach_keys, &keys, e) < 0)
		return err_prefix(e, "option --detach-keys");
	int r = instance_find(c->eng, c->argv[0], true, &in, e);
	if (r < 0)
		return r;
	const struct launch l = {
		.in = o->interactive && in.config.open_stdin, .out = true, .err = true,
		.no_sig_proxy = o->no_sig_proxy, .detach_keys = o->detach_keys,
	};
	struct launch owned = l;
	owned.owner = true;
	r = launch_check_terminal(&in.config, l.in, e);
	if (r < 0)
		return r;
	if (!instance_is_up(&in))
		return launch_foreground(c, &in, &owned, &c->status, e);
	CLEANUP_FD int sock = life_connect(c->eng, &in, e);
	if (sock < 0)
		return sock;
	fd_close(&in.lockfd);
	return launch_attach(c, &in, &l, sock, &c->status, e);
}

static int start(struct isle_call *c, struct err *e)
{
	const struct start_options *o = c->target;

	if (o->attach || o->interactive)
		return start_attached(c, e);
	return each_instance(c, true, true, start_one, e);
}

const struct command command_start = {
	.name = "start",
	.aliases = "container start",
	.args = "INSTANCE...",
	.summary = "start instances that do not run",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct start_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = start,
};
