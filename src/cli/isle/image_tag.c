/* cli/isle/image_tag.c - isle tag. */
#include <errno.h>

#include "base/mem.h"
#include "cli/isle/command.h"
#include "engine/event.h"
#include "image/reference.h"

static const struct option options[] = { OPTION_HELP };

static int tag(struct isle_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct reference ref;
	struct image image;

	int r = reference_parse(c->argv[1], &a, &ref, e);
	if (r < 0)
		return r;
	if (ref.digest || ref.transport != REFERENCE_REGISTRY)
		return err_set(e, EINVAL, "\"%s\" is no name to give: [HOST/]NAME[:TAG]",
			       c->argv[1]);
	if (!ref.tag)
		ref.tag = "latest";
	const char *name = reference_format(&ref, &a);
	r = image_find(&c->eng->store, c->argv[0], &a, &image, e);
	if (r == 0)
		r = image_tag(&c->eng->store, &image, name, e);
	if (r == 0)
		event_add(c->eng, "image", "tag", image.id, json_pack("{s:s}", "name", name));
	return r;
}

const struct command command_tag = {
	.name = "tag",
	.aliases = "image tag",
	.args = "IMAGE NAME[:TAG]",
	.summary = "give an image one more name",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 2,
	.max_args = 2,
	.run = tag,
};
