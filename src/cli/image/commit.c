/*
 * cli/image/commit.c - isle-image commit: the plumbing of isle commit, which has found the
 * instance and holds it still.  Layer: cli.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/image/verb.h"
#include "image/commit.h"
#include "image/reference.h"

struct target {
	struct oci_strv changes;
	const char *author, *message, *upper, *config, *image;
	struct oci_strv skip;
};

#define AT(member) offsetof(struct target, member)

static const struct option options[] = {
	{ "author", 'a', OPT_STRING, AT(author), "NAME", "who made it", NULL },
	{ "change", 'c', OPT_STRINGS, AT(changes), "INSTRUCTION", "a line of a Dockerfile", NULL },
	{ "config", 0, OPT_STRING, AT(config), "FILE", "the instance's Config, JSON", NULL },
	{ "image", 0, OPT_STRING, AT(image), "ID", "the image it was made of", NULL },
	{ "message", 'm', OPT_STRING, AT(message), "TEXT", "what the history says", NULL },
	{ "skip", 0, OPT_STRINGS, AT(skip), "NAME", "what of that is not the instance's", NULL },
	{ "upper", 0, OPT_STRING, AT(upper), "DIR", "what it wrote: an overlay's upper", NULL },
	OPTION_HELP,
};

static int read_name(struct image_call *c, struct arena *a, const char **ret, struct err *e)
{
	struct reference ref;

	if (c->argc == 0)
		return 0;
	int r = reference_parse(c->argv[0], a, &ref, e);
	if (r < 0)
		return r;
	if (ref.digest || ref.transport != REFERENCE_REGISTRY)
		return err_set(e, EINVAL, "\"%s\" is no name to give: NAME[:TAG]", c->argv[0]);
	if (!ref.tag)
		ref.tag = "latest";
	*ret = reference_format(&ref, a);
	return 0;
}

static int commit(struct image_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP(buf_release) struct buf text = BUF_INIT(JSON_BYTES_MAX);
	CLEANUP_JSON json_t *config = NULL;
	const struct target *t = c->target;
	struct commit_options o = {
		.author = t->author, .message = t->message, .changes = t->changes.v,
		.n_changes = t->changes.n, .skip = t->skip.v, .n_skip = t->skip.n,
	};
	struct image base;
	const char *id;

	if (!t->upper || !t->config || !t->image)
		return err_set(e, EINVAL, "commit: --upper, --config and --image are needed; "
			       "\"isle commit\" gives them");
	int r = read_name(c, &a, &o.name, e);
	if (r < 0)
		return r;
	r = image_find(c->store, t->image, &a, &base, e);
	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, t->config, &text);
	if (r < 0)
		return err_sys(e, -r, "read %s", t->config);
	r = json_parse(t->config, text.data, text.len, &config, e);
	if (r < 0)
		return r;
	CLEANUP_FD int upper = open(t->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		return err_sys(e, errno, "open %s", t->upper);
	o.base = &base;
	o.upperfd = upper;
	o.config = config;
	r = commit_upper(c->store, &o, &a, &id, e);
	if (r == 0)
		printf("%s\n", id);
	return r;
}

const struct image_verb verb_commit = {
	.name = "commit",
	.args = "[NAME[:TAG]]",
	.summary = "make an image of what an instance wrote (isle commit runs this)",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct target),
	.max_args = 1,
	.run = commit,
};
