/* cli/runtime/features.c - isle-runtime features: what this runtime knows (features.md). */
#include "container/features.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/runtime/verb.h"

static const struct option options[] = {
	OPTION_HELP,
};

static int features(struct call *c, struct err *e)
{
	(void)c;
	CLEANUP_JSON json_t *j = features_json();
	return verb_print_json(j, JSON_INDENT(2), e);
}

const struct verb verb_features = {
	.name = "features",
	.args = "",
	.summary = "print what the runtime supports as JSON",
	.options = { options, ARRAY_LEN(options) },
	.run = features,
};
