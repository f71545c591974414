/* cli/isle/describe.c - see describe.h */
#include "cli/isle/describe.h"

#include <errno.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/output.h"

const struct option describe_options[DESCRIBE_OPTIONS_N] = {
	{ "format", 'f', OPT_STRING, offsetof(struct describe_options, format), "TEMPLATE",
	  "print by a template, or json", NULL },
	OPTION_HELP,
};

int describe_each(struct isle_call *c, const char *format, describe_work *work, struct err *e)
{
	CLEANUP_JSON json_t *all = json_array();

	for (size_t i = 0; i < c->argc; i++) {
		struct err why = { 0 };
		json_t *one = NULL;

		if (work(c, c->argv[i], &one, &why) < 0) {
			log_error("%s", why.msg);
			c->status = 1;
		} else if (json_array_append_new(all, one) < 0) {
			return err_set(e, ENOMEM, "inspect %s: out of memory", c->argv[i]);
		}
	}
	if (format && json_array_size(all) == 0)
		return 0;
	return output_objects(format, all, e);
}
