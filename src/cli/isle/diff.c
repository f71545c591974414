/* cli/isle/diff.c - isle diff: what an instance changed of its image's files. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/changes.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"

static const struct option options[] = { OPTION_HELP };

/* "C /etc" stands for what changed below it: for nothing, if that was ours alone. */
static bool stands_alone(const struct diff_change *v, size_t i, size_t n)
{
	size_t k = i + 1;

	if (v[i].kind != 'C' || strcmp(v[i].path, "/etc") != 0)
		return false;
	while (k < n && change_is_ours(&v[k]))
		k++;
	return k > i + 1 && (k == n || strncmp(v[k].path, "/etc/", 5) != 0);
}

static int diff(struct isle_call *c, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	struct diff_change *v = NULL;
	size_t n = 0;

	int r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r < 0)
		return r;
	r = changes_of(c->eng, &in, &v, &n, e);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (!change_is_ours(&v[i]) && !stands_alone(v, i, n))
			printf("%c %s\n", v[i].kind, v[i].path);
	return r < 0 ? r : output_flush(e);
}

const struct command command_diff = {
	.name = "diff",
	.aliases = "container diff",
	.args = "INSTANCE",
	.summary = "list the files an instance added (A), changed (C), deleted (D)",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 1,
	.run = diff,
};
