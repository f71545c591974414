/* cli/runtime/state.c - isle-runtime state: one container as JSON (runtime.md#query-state). */
#include "base/json.h"
#include "base/mem.h"
#include "cli/runtime/verb.h"

static const struct option options[] = {
	OPTION_HELP,
};

static int state(struct call *c, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	enum container_status status;

	int r = state_load(c->rt, c->argv[0], false, &st, e);
	if (r < 0)
		return r;
	r = state_status(&st, &status, e);
	if (r < 0)
		return r;
	CLEANUP_JSON json_t *j = state_to_oci(&st, status, true);
	return verb_print_json(j, JSON_INDENT(2), e);
}

const struct verb verb_state = {
	.name = "state",
	.args = "CONTAINER-ID",
	.summary = "print the state of a container as JSON",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 1,
	.run = state,
};
