/* cli/isle/attach.c - isle attach. */
#include <errno.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/launch.h"
#include "engine/attach.h"
#include "engine/life.h"

struct attach_options {
	bool no_stdin, no_sig_proxy;
	const char *detach_keys;
};

#define AT(member) offsetof(struct attach_options, member)

static const struct option options[] = {
	{ "detach-keys", 0, OPT_STRING, AT(detach_keys), "KEYS",
	  "keys that detach (default ctrl-p,ctrl-q)", NULL },
	{ "no-stdin", 0, OPT_FLAG, AT(no_stdin), NULL, "do not pass our standard input on", NULL },
	{ "sig-proxy", 0, OPT_FLAG_OFF, AT(no_sig_proxy), NULL,
	  "pass signals on to the program (default true)", NULL },
	OPTION_HELP,
};

static int attach(struct isle_call *c, struct err *e)
{
	const struct attach_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	struct detach_keys keys;

	if (o->detach_keys && detach_keys_parse(o->detach_keys, &keys, e) < 0)
		return err_prefix(e, "option --detach-keys");
	int r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r < 0)
		return r;
	if (in.status.state == INSTANCE_PAUSED)
		return err_set(e, EINVAL, "cannot attach to %s: it is paused; unpause it first",
			       in.name);
	if (!instance_is_up(&in))
		return err_set(e, ESRCH, "cannot attach to %s: it is not running; start it first",
			       in.name);
	const struct launch l = {
		.in = !o->no_stdin && in.config.open_stdin, .out = true, .err = true,
		.no_sig_proxy = o->no_sig_proxy, .detach_keys = o->detach_keys,
	};
	r = launch_check_terminal(&in.config, l.in, e);
	if (r < 0)
		return r;
	CLEANUP_FD int sock = life_connect(c->eng, &in, e);
	return sock < 0 ? sock : launch_attach(c, &in, &l, sock, &c->status, e);
}

const struct command command_attach = {
	.name = "attach",
	.aliases = "container attach",
	.args = "INSTANCE",
	.summary = "our terminal in front of a running instance",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct attach_options),
	.min_args = 1,
	.max_args = 1,
	.run = attach,
};
