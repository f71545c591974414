/* cli/isle/system_check.c - isle system check: find what is torn, and mend what can be. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "engine/life.h"

struct check_options {
	bool content;
};

static const struct option options[] = {
	{ "content", 0, OPT_FLAG, offsetof(struct check_options, content), NULL,
	  "read every blob and compare its digest; slow", NULL },
	OPTION_HELP,
};

static void tell(void *arg, bool mended, const char *line)
{
	size_t *n_mended = arg;

	*n_mended += mended;
	printf("%s: %s\n", mended ? "mended" : "torn", line);
}

static int check(struct isle_call *c, struct err *e)
{
	const struct check_options *o = c->target;
	size_t mended = 0;

	int r = engine_sweep(c->eng, e);
	if (r == 0)
		r = net_reconcile(&c->eng->net, e);
	if (r < 0)
		return r;
	int left = image_check(&c->eng->store, o->content, tell, &mended, e);
	if (left < 0)
		return left;
	if (left == 0 && mended == 0)
		puts("whole");
	c->status = left > 0;
	return output_flush(e);
}

const struct command command_system_check = {
	.name = "system check",
	.args = "",
	.summary = "find what killed commands left and what is torn, and mend it",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct check_options),
	.run = check,
};
