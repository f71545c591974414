/* cli/isle/image_inspect.c - isle image inspect. */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/image_row.h"
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

	for (size_t k = 0; k < c->argc; k++) {
		struct err why = { 0 };
		json_t *one = NULL;

		if (image_describe(c->eng, c->argv[k], &one, &why) < 0) {
			log_error("%s", why.msg);
			c->status = 1;
		} else {
			json_array_append_new(all, one);
		}
	}
	if (o->format && json_array_size(all) == 0)
		return 0;
	return output_objects(o->format, all, e);
}

const struct command command_image_inspect = {
	.name = "image inspect",
	.args = "IMAGE...",
	.summary = "show all about images",
	.examples = "  isle image inspect -f '{{json .Config.Cmd}}' debian\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = inspect,
};
