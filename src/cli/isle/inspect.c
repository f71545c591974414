/* cli/isle/inspect.c - isle inspect: instances, images, networks and volumes. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/describe.h"
#include "cli/isle/disk_use.h"
#include "cli/isle/image_row.h"
#include "cli/values.h"
#include "engine/instance.h"
#include "engine/volume.h"

struct inspect_options {
	const char *format, *type;
	bool size;
};

#define AT(member) offsetof(struct inspect_options, member)

static const struct option options[] = {
	{ "format", 'f', OPT_STRING, AT(format), "TEMPLATE",
	  "print by a template, or json", NULL },
	{ "size", 's', OPT_FLAG, AT(size), NULL, "how much an instance has written", NULL },
	{ "type", 0, OPT_STRING, AT(type), "TYPE",
	  "container, image, network or volume alone", NULL },
	OPTION_HELP,
};

static int describe_instance(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	const struct inspect_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };

	int r = instance_find(c->eng, name, false, &in, e);
	if (r >= 0)
		r = instance_describe(c->eng, &in, ret, e);
	if (r < 0 || !o->size)
		return r;
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_FREE char *upper = instance_path(c->eng, in.id, "upper");
	uint64_t own = disk_use(upper);
	struct image image = { 0 };
	if (!in.image_id || image_find(&c->eng->store, in.image_id, &a, &image, NULL) < 0)
		image.size_bytes = 0;
	json_object_set_new(*ret, "SizeRw", json_integer((json_int_t)own));
	json_int_t all = (json_int_t)own + (json_int_t)image.size_bytes;
	json_object_set_new(*ret, "SizeRootFs", json_integer(all));
	return 0;
}

static int describe_image(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	return image_describe(c->eng, name, ret, e);
}

static int describe_network(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	return net_network_inspect(&c->eng->net, name, ret, e);
}

static int describe_volume(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	return volume_inspect(c->eng, name, ret, e);
}

static const char *const type_names[] = { "container", "image", "network", "volume" };
static describe_work *const types[] = {
	describe_instance, describe_image, describe_network, describe_volume,
};

/* Of the kind asked for, or the first kind that has one of that name. */
static int describe(struct isle_call *c, const char *name, json_t **ret, struct err *e)
{
	const struct inspect_options *o = c->target;

	if (o->type) {
		int type = value_choice(o->type, type_names, ARRAY_LEN(types), e);

		return type < 0 ? type : types[type](c, name, ret, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct err why = { 0 };
		int r = types[i](c, name, ret, &why);

		/* "not a name of that kind" is "none of that kind". */
		if (r != -ENOENT && r != -EINVAL) {
			if (r < 0)
				*e = why;
			return r;
		}
	}
	return err_set(e, ENOENT, "no such object: %s", name);
}

static int inspect(struct isle_call *c, struct err *e)
{
	const struct inspect_options *o = c->target;

	if (o->type && value_choice(o->type, type_names, ARRAY_LEN(types), e) < 0)
		return err_prefix(e, "option --type");
	return describe_each(c, o->format, describe, e);
}

const struct command command_inspect = {
	.name = "inspect",
	.aliases = "container inspect",
	.args = "NAME...",
	.summary = "show all about instances, images, networks and volumes",
	.examples = "  isle inspect -f '{{.State.Status}} {{.State.Pid}}' web\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = inspect,
};
