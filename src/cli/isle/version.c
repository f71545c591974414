/* cli/isle/version.c - isle version. */
#include <jansson.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/version.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "oci/spec.h"

struct version_options {
	const char *format;
};

static const struct option options[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct version_options, format), "TEMPLATE",
	  "print by a template, or json", NULL },
	OPTION_HELP,
};

static int version(struct isle_call *c, struct err *e)
{
	const struct version_options *o = c->target;

	if (!o->format) {
		printf("isle version " ISLE_VERSION "\ncommit: " ISLE_COMMIT
		       "\nspec: " OCI_VERSION "\n");
		return output_flush(e);
	}
	CLEANUP_JSON json_t *list = json_pack("[{s:s, s:s, s:s}]", "Version", ISLE_VERSION,
					      "Commit", ISLE_COMMIT, "Spec", OCI_VERSION);
	return output_objects(o->format, list, e);
}

const struct command command_version = {
	.name = "version",
	.args = "",
	.summary = "show the version",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct version_options),
	.no_engine = true,
	.run = version,
};
