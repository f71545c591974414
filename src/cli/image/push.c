/* cli/image/push.c - isle push: an image to a registry.  Layer: cli. */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/image/transfer.h"
#include "cli/image/verb.h"
#include "image/push.h"

struct target {
	struct transfer_options transfer;
};

static const struct option options[] = {
	TRANSFER_OPTIONS(struct target, transfer),
	OPTION_HELP,
};

static int push(struct image_call *c, struct err *e)
{
	const struct target *t = c->target;
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_PROGRESS struct progress *p = transfer_progress(&t->transfer);
	struct push_options o = { .client = transfer_client(&t->transfer, p), .progress = p };
	struct reference ref;
	struct push_result res;
	int r = reference_parse(c->argv[0], &a, &ref, e);

	if (r == 0 && (ref.transport != REFERENCE_REGISTRY || ref.digest))
		return err_set(e, EINVAL, "\"%s\": a registry's name with a tag was expected; "
			       "\"isle tag\" gives an image one", c->argv[0]);
	if (r < 0)
		return r;
	r = registries_resolve(c->registries, &a, &ref, e);
	if (r < 0)
		return r;
	progress_line(p, "The push refers to repository [%s/%s]", ref.domain, ref.path);
	r = image_push(c->store, c->registries, &ref, &o, &a, &res, e);
	if (r < 0)
		return r;
	progress_draw(p);
	if (t->transfer.quiet)
		printf("%s\n", res.digest);
	else
		printf("%s: digest: %s size: %zu\n", ref.tag, res.digest, res.manifest_bytes);
	return 0;
}

const struct image_verb verb_push = {
	.name = "push",
	.args = "NAME[:TAG]",
	.summary = "upload an image to a registry",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct target),
	.min_args = 1,
	.max_args = 1,
	.run = push,
};
