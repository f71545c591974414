/* cli/runtime/verb.c - see verb.h */
#include "cli/runtime/verb.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/values.h"

const struct verb *const verbs[] = {
	&verb_create, &verb_start, &verb_run, &verb_state, &verb_kill, &verb_delete,
	&verb_exec, &verb_ps, &verb_list, &verb_pause, &verb_resume, &verb_update,
	&verb_events, &verb_checkpoint, &verb_restore, &verb_features, &verb_spec,
};

const size_t n_verbs = ARRAY_LEN(verbs);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < n_verbs; i++) {
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	}
	/* Not among those that are listed: isle's own. */
	return strcmp(name, verb_keeper.name) == 0 ? &verb_keeper : NULL;
}

int verb_parse_format(const char *s, void *target, struct err *e)
{
	static const char *const names[] = { "table", "json" };
	int i = value_choice(s, names, ARRAY_LEN(names), e);

	if (i >= 0)
		*(bool *)target = i == 1;
	return i;
}

int verb_flush(struct err *e)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return err_sys(e, errno ? errno : EIO, "write to standard output");
	return 0;
}

int verb_print_json(const json_t *j, size_t flags, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(JSON_BYTES_MAX);

	json_add(&b, j, flags);
	buf_add_str(&b, "\n");
	fwrite(b.data, 1, b.len, stdout);
	return verb_flush(e);
}
