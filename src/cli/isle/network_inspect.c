/* cli/isle/network_inspect.c - isle network inspect. */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"

struct inspect_options {
	const char *format;
};

static const struct option options[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct inspect_options, format), "TEMPLATE",
	  "print by a template, or json", NULL },
	OPTION_HELP,
};

static int inspect(struct isle_call *c, struct err *e)
{
	const struct inspect_options *o = c->target;
	CLEANUP_JSON json_t *all = json_array();

	for (size_t i = 0; i < c->argc; i++) {
		struct err why = { 0 };
		json_t *one = NULL;

		if (net_network_inspect(&c->eng->net, c->argv[i], &one, &why) < 0) {
			log_error("%s", why.msg);
			c->status = 1;
		} else {
			(void)json_array_append_new(all, one);
		}
	}
	if (o->format && json_array_size(all) == 0)
		return 0;
	return output_objects(o->format, all, e);
}

const struct command command_network_inspect = {
	.name = "network inspect",
	.args = "NETWORK...",
	.summary = "show all about networks",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = inspect,
};
