/* cli/isle/run.c - isle run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/launch.h"
#include "cli/isle/output.h"
#include "engine/attach.h"
#include "engine/life.h"

static bool attached(const struct run_options *o, const char *stream, bool unless_said)
{
	for (size_t i = 0; i < o->attach.n; i++)
		if (strcasecmp(o->attach.v[i], stream) == 0)
			return true;
	return o->attach.n == 0 && unless_said;
}

/* --rm means that nothing is left, of one that could not start, too. */
static void take_back(struct isle_call *c, struct instance *in)
{
	struct err why = { 0 };

	if (in->config.auto_remove && life_remove(c->eng, in, true, true, &why) < 0)
		log_warn("%s", why.msg);
}

static int start_detached(struct isle_call *c, struct instance *in, struct err *e)
{
	CLEANUP_FD int sock = -1;
	int r = life_start(c->eng, in, 0, &sock, e);

	if (r < 0) {
		c->status = in->start_exit_code ? in->start_exit_code : 125;
		return r;
	}
	printf("%s\n", in->id);
	return output_flush(e);
}

static int run_instance(struct isle_call *c, struct run_options *o, const struct launch *l,
			struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	int r = launch_create(c, o, true, &in, e);

	if (r != 0) {
		c->status = 125;
		return r < 0 ? r : 0;
	}
	if (o->detach)
		r = start_detached(c, &in, e);
	else
		r = launch_foreground(c, &in, l, &c->status, e);
	if (r < 0 && in.lockfd >= 0)
		take_back(c, &in);
	return r;
}

static int run(struct isle_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct run_options *o = c->target;
	struct detach_keys keys;

	int r = run_options_finish(o, &a, e);
	if (r >= 0 && o->detach_keys && detach_keys_parse(o->detach_keys, &keys, e) < 0)
		r = err_prefix(e, "option --detach-keys");
	if (r < 0)
		return r;
	const struct launch l = {
		.in = !o->detach && o->config.open_stdin && attached(o, "stdin", true),
		.out = attached(o, "stdout", true), .err = attached(o, "stderr", true),
		.owner = true, .no_sig_proxy = o->no_sig_proxy, .detach_keys = o->detach_keys,
	};
	/* Who fed it has gone: its input ends, too. */
	o->config.stdin_once = l.in;
	r = launch_check_terminal(&o->config, l.in, e);
	return r < 0 ? r : run_instance(c, o, &l, e);
}

const struct command command_run = {
	.name = "run",
	.aliases = "container run",
	.args = "IMAGE [COMMAND [ARG...]]",
	.summary = "make an instance of an image and start it",
	.examples = "  isle run --rm -it debian bash\n"
		    "  isle run -d --name web -p 8080:80 -v ./site:/srv:ro nginx\n",
	.options = { run_option_table, RUN_OPTIONS_COUNT },
	.target_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.stop_after = 1,
	.exit_failed = 125,
	.run = run,
};
