/* cli/isle/container_prune.c - isle container prune. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/confirm.h"
#include "cli/isle/disk_use.h"
#include "cli/isle/output.h"
#include "cli/isle/time_value.h"
#include "engine/life.h"

struct prune_options {
	bool force;
	struct oci_strv filters;
};

static const struct option options[] = {
	{ "filter", 0, OPT_STRINGS, offsetof(struct prune_options, filters), "KEY=VALUE",
	  "only some: until=TIME, label=KEY[=VALUE], label!=KEY", NULL },
	{ "force", 'f', OPT_FLAG, offsetof(struct prune_options, force), NULL,
	  "do not ask", NULL },
	OPTION_HELP,
};

static bool has_label(const struct instance *in, const char *text)
{
	size_t len = strcspn(text, "=");
	CLEANUP_FREE char *key = xasprintf("%.*s", (int)len, text);
	const char *value = oci_kvs_get(&in->config.labels, key);

	return value && (!text[len] || strcmp(value, text + len + 1) == 0);
}

/* 1: all filters want it gone. */
static int wanted(const struct instance *in, const struct oci_strv *filters, struct err *e)
{
	bool match = true;

	for (size_t i = 0; i < filters->n; i++) {
		const char *f = filters->v[i];
		int64_t until_ns;

		if (strncmp(f, "until=", 6) == 0) {
			if (time_value_parse(f + 6, &until_ns, e) < 0)
				return err_prefix(e, "option --filter until");
			match = match && in->created_ns < until_ns;
		} else if (strncmp(f, "label=", 6) == 0) {
			match = match && has_label(in, f + 6);
		} else if (strncmp(f, "label!=", 7) == 0) {
			match = match && !has_label(in, f + 7);
		} else {
			return err_set(e, EINVAL, "option --filter: \"%s\" is not until=TIME, "
				       "label=KEY or label!=KEY", f);
		}
	}
	return match;
}

/* Between the list and here it may have been started or removed: not ours then. */
static int remove_one(struct engine *eng, const char *id, uint64_t *bytes, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	CLEANUP_FREE char *upper = instance_path(eng, id, "upper");

	int r = instance_find(eng, id, true, &in, e);
	if (r < 0 || instance_is_up(&in))
		return r == -ENOENT ? 0 : r;
	*bytes += disk_use(upper);
	r = life_remove(eng, &in, false, false, e);
	return r < 0 ? r : 1;
}

static int prune(struct isle_call *c, struct err *e)
{
	const struct prune_options *o = c->target;
	struct instance *list;
	uint64_t bytes = 0;
	size_t n, removed = 0;

	int r = confirm(o->force, "This will remove all stopped instances.", e);
	if (r <= 0)
		return r;
	r = instance_list(c->eng, &list, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct err why = { 0 };

		r = instance_is_up(&list[i]) ? 0 : wanted(&list[i], &o->filters, e);
		if (r <= 0)
			continue;
		int gone = remove_one(c->eng, list[i].id, &bytes, &why);
		if (gone < 0) {
			log_error("%s", why.msg);
			c->status = 1;
		}
		if (gone > 0)
			printf("%s%s\n", removed++ ? "" : "Deleted Containers:\n", list[i].id);
	}
	instance_list_free(list, n);
	if (r < 0)
		return r;
	CLEANUP_FREE char *size = output_size(bytes);
	printf("%sTotal reclaimed space: %s\n", removed ? "\n" : "", size);
	return output_flush(e);
}

const struct command command_container_prune = {
	.name = "container prune",
	.args = "",
	.summary = "remove all instances that do not run",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct prune_options),
	.run = prune,
};
