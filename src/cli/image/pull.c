/* cli/image/pull.c - isle pull: an image from a registry.  Layer: cli. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/image/transfer.h"
#include "cli/image/verb.h"
#include "image/platform.h"
#include "image/pull.h"

struct target {
	struct transfer_options transfer;
	const char *platform;
};

static const struct option options[] = {
	TRANSFER_OPTIONS(struct target, transfer),
	{ "platform", 0, OPT_STRING, offsetof(struct target, platform), "OS/ARCH[/VARIANT]",
	  "of an image for several, this one (default: this host's)", NULL },
	OPTION_HELP,
};

/* Docker's last lines, which scripts and people look for. */
static void print_result(const struct pull_result *res)
{
	printf("Digest: %s\n", res->digest);
	printf("Status: %s for %s\n", res->fresh ? "Downloaded newer image" :
	       "Image is up to date", res->name);
	printf("%s\n", res->name);
}

static int pull(struct image_call *c, struct err *e)
{
	const struct target *t = c->target;
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_PROGRESS struct progress *p = transfer_progress(&t->transfer);
	struct pull_options o = {
		.client = transfer_client(&t->transfer, p),
		.progress = p,
		.platform_given = t->platform != NULL,
	};
	struct reference ref;
	struct pull_result res;
	int r = reference_parse(c->argv[0], &a, &ref, e);

	if (r == 0 && ref.transport != REFERENCE_REGISTRY)
		return err_set(e, EINVAL, "\"%s\" is not in a registry; \"isle load -i\" takes "
			       "images from files", c->argv[0]);
	if (r < 0)
		return r;
	if (!ref.tag && !ref.digest)
		progress_line(p, "Using default tag: latest");
	r = registries_resolve(c->registries, &a, &ref, e);
	if (r < 0)
		return r;
	platform_host(&o.platform);
	if (t->platform) {
		r = platform_parse(t->platform, &a, &o.platform, e);
		if (r < 0)
			return err_prefix(e, "option --platform");
	}
	progress_line(p, "%s: Pulling from %s", ref.digest ? ref.digest : ref.tag, ref.path);
	r = image_pull(c->store, c->registries, &ref, &o, &a, &res, e);
	if (r < 0)
		return r;
	progress_draw(p);
	if (t->transfer.quiet)
		printf("%s\n", res.id);
	else
		print_result(&res);
	return 0;
}

const struct image_verb verb_pull = {
	.name = "pull",
	.args = "NAME[:TAG|@DIGEST]",
	.summary = "download an image from a registry",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct target),
	.min_args = 1,
	.max_args = 1,
	.run = pull,
};
