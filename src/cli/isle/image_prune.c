/* cli/isle/image_prune.c - isle image prune. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/confirm.h"
#include "cli/isle/image_row.h"
#include "cli/isle/output.h"
#include "cli/isle/time_value.h"
#include "engine/event.h"

struct prune_options {
	bool all, force;
	struct oci_strv filters;
};

static const struct option options[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct prune_options, all), NULL,
	  "all that no instance stands on, and downloads that could be resumed", NULL },
	{ "filter", 0, OPT_STRINGS, offsetof(struct prune_options, filters), "KEY=VALUE",
	  "only some: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]", NULL },
	{ "force", 'f', OPT_FLAG, offsetof(struct prune_options, force), NULL,
	  "do not ask", NULL },
	OPTION_HELP,
};

/* 1: all filters want it gone. */
static int wanted(const struct image *i, const struct prune_options *o, struct err *e)
{
	bool match = o->all || i->n_tags == 0;

	for (size_t k = 0; k < o->filters.n; k++) {
		const char *f = o->filters.v[k];
		int64_t until_ns;

		if (strncmp(f, "until=", 6) == 0) {
			if (time_value_parse(f + 6, &until_ns, e) < 0)
				return err_prefix(e, "option --filter until");
			match = match && i->created < until_ns / 1000000000;
		} else if (strncmp(f, "label=", 6) == 0) {
			match = match && image_has_label(i, f + 6);
		} else if (strncmp(f, "label!=", 7) == 0) {
			match = match && !image_has_label(i, f + 7);
		} else {
			return err_set(e, EINVAL, "option --filter: \"%s\" is not until=TIME, "
				       "label=KEY or label!=KEY", f);
		}
	}
	return match;
}

static int remove_all(struct isle_call *c, struct err *e)
{
	const struct prune_options *o = c->target;
	CLEANUP(arena_release) struct arena a = { 0 };
	struct image *list;
	size_t n, removed = 0;

	int r = image_list(&c->eng->store, &a, &list, &n, e);
	for (size_t k = 0; r >= 0 && k < n; k++) {
		struct err why = { 0 };

		r = wanted(&list[k], o, e);
		if (r <= 0)
			continue;
		int gone = image_remove(&c->eng->store, list[k].id, false, &why);
		/* An instance stands on it, or somebody else was faster. */
		if (gone == -EBUSY || gone == -ENOENT)
			continue;
		if (gone < 0)
			return err_set(e, why.code, "%s", why.msg);
		if (removed++ == 0)
			printf("Deleted Images:\n");
		for (size_t m = 0; m < list[k].n_names; m++)
			printf("untagged: %s\n", list[k].names[m]);
		printf("deleted: %s\n", list[k].id);
		event_add(c->eng, "image", "delete", list[k].id, NULL);
	}
	if (r >= 0 && removed)
		putchar('\n');
	return r < 0 ? r : 0;
}

static int prune(struct isle_call *c, struct err *e)
{
	const struct prune_options *o = c->target;
	struct image_prune_report report = { 0 };

	int r = confirm(o->force, o->all ? "This will remove all images that no instance stands "
			"on." : "This will remove all images without a name.", e);
	if (r <= 0)
		return r;
	r = remove_all(c, e);
	if (r == 0)
		r = image_prune(&c->eng->store, o->all, &report, e);
	if (r < 0)
		return r;
	CLEANUP_FREE char *size = output_size(report.freed_bytes);
	printf("Total reclaimed space: %s\n", size);
	return output_flush(e);
}

const struct command command_image_prune = {
	.name = "image prune",
	.args = "",
	.summary = "remove images without a name, and what nobody needs",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct prune_options),
	.run = prune,
};
