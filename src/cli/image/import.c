/* cli/image/import.c - isle import: a tar of a file system as an image.  Layer: cli. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/image/verb.h"
#include "image/import.h"
#include "image/platform.h"

struct target {
	struct oci_strv changes;
	const char *message, *platform;
};

static const struct option options[] = {
	{ "change", 'c', OPT_STRINGS, offsetof(struct target, changes), "INSTRUCTION",
	  "a line of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR ...",
	  NULL },
	{ "message", 'm', OPT_STRING, offsetof(struct target, message), "TEXT",
	  "what the history says", NULL },
	{ "platform", 0, OPT_STRING, offsetof(struct target, platform), "OS/ARCH[/VARIANT]",
	  "what it is for (default: this host's)", NULL },
	OPTION_HELP,
};

static int import(struct image_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct target *t = c->target;
	struct image_platform platform;
	struct import_options o = {
		.source = c->argv[0], .message = t->message, .changes = t->changes.v,
		.n_changes = t->changes.n, .platform = &platform,
	};
	struct reference ref;
	const char *id;
	int r = 0;

	platform_host(&platform);
	if (t->platform)
		r = platform_parse(t->platform, &a, &platform, e);
	if (r == 0 && c->argc > 1) {
		r = reference_parse(c->argv[1], &a, &ref, e);
		if (r == 0 && (ref.digest || ref.transport != REFERENCE_REGISTRY))
			r = err_set(e, EINVAL, "\"%s\" is no name to give: NAME[:TAG]", c->argv[1]);
		if (r == 0 && !ref.tag)
			ref.tag = "latest";
		o.name = r == 0 ? reference_format(&ref, &a) : NULL;
	}
	if (r < 0)
		return r;
	CLEANUP_FD int fd = strcmp(o.source, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) :
			    open(o.source, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open %s", o.source);
	r = image_import(c->store, fd, &o, &a, &id, e);
	if (r == 0)
		printf("%s\n", id);
	return r;
}

const struct image_verb verb_import = {
	.name = "import",
	.args = "FILE|- [NAME[:TAG]]",
	.summary = "make an image of a tar of a file system",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct target),
	.min_args = 1,
	.max_args = 2,
	.run = import,
};
