/* cli/isle/volume_create.c - isle volume create. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "cli/isle/run_values.h"
#include "engine/event.h"
#include "engine/volume.h"

struct create_options {
	const char *driver, *name;
	struct oci_strv labels;
};

static const struct option options[] = {
	{ "driver", 'd', OPT_STRING, offsetof(struct create_options, driver), "DRIVER",
	  "local, the only one", NULL },
	{ "label", 0, OPT_STRINGS, offsetof(struct create_options, labels), "KEY[=VALUE]",
	  "a label", NULL },
	{ "name", 0, OPT_STRING, offsetof(struct create_options, name), "NAME",
	  "the same as NAME", NULL },
	OPTION_HELP,
};

static int create(struct isle_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct create_options *o = c->target;
	const char *name = c->argc ? c->argv[0] : o->name;
	struct oci_kvs labels = { 0 };

	if (c->argc && o->name)
		return err_set(e, EINVAL, "option --name: the name %s is given already",
			       c->argv[0]);
	if (o->driver && strcmp(o->driver, "local") != 0)
		return err_set(e, EINVAL, "option --driver: there is no \"%s\", only local",
			       o->driver);
	for (size_t i = 0; i < o->labels.n; i++)
		if (key_value_parse(o->labels.v[i], &a, &labels, e) < 0)
			return err_prefix(e, "option --label");
	int r = volume_make(c->eng, name, &labels, !name, &a, &name, e);
	if (r < 0)
		return r;
	event_add(c->eng, "volume", "create", name, json_pack("{s:s}", "driver", "local"));
	printf("%s\n", name);
	return output_flush(e);
}

const struct command command_volume_create = {
	.name = "volume create",
	.args = "[NAME]",
	.summary = "make a volume",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct create_options),
	.max_args = 1,
	.run = create,
};
