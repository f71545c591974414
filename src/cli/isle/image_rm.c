/*
 * cli/isle/image_rm.c - isle rmi.
 *
 * As Docker has it: a name takes that name away, and the image with its last one; an ID
 * takes all, which must be forced where names of several repositories stand on it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/image_row.h"
#include "cli/isle/output.h"
#include "engine/event.h"
#include "engine/instance.h"
#include "image/reference.h"

struct rmi_options {
	bool force, no_prune;
};

static const struct option options[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct rmi_options, force), NULL,
	  "an image with names in several repositories, or that stopped instances stand on; "
	  "one that is not there is fine", NULL },
	{ "no-prune", 0, OPT_FLAG, offsetof(struct rmi_options, no_prune), NULL,
	  "leave its layers on the disk, for the next pull", NULL },
	OPTION_HELP,
};

/* Layers of running instances are never taken from them, forced or not. */
static int check_running(struct isle_call *c, const struct image *i, struct arena *a,
			 struct err *e)
{
	struct oci_strv users;
	int r = image_users(&c->eng->store, i->id, a, &users, e);

	for (size_t k = 0; r == 0 && k < users.n; k++) {
		struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
		struct err why = { 0 };

		if (instance_find(c->eng, users.v[k], false, &in, &why) == 0 && instance_is_up(&in))
			return err_set(e, EBUSY, "unable to remove image %.12s (cannot be forced): "
				       "instance %s runs on it; stop it first", i->id + 7, in.name);
	}
	return r;
}

static int untag(struct isle_call *c, const struct image *i, const char *name, struct err *e)
{
	int r = image_untag(&c->eng->store, name, e);

	if (r < 0)
		return r;
	printf("Untagged: %s\n", name);
	event_add(c->eng, "image", "untag", i->id, json_pack("{s:s}", "name", name));
	return 0;
}

static int delete(struct isle_call *c, const struct image *i, struct err *e)
{
	const struct rmi_options *o = c->target;
	int r = image_remove(&c->eng->store, i->id, o->force, e);

	if (r < 0)
		return r;
	for (size_t k = 0; k < i->n_names; k++)
		printf("Untagged: %s\n", i->names[k]);
	printf("Deleted: %s\n", i->id);
	event_add(c->eng, "image", "delete", i->id, NULL);
	return 0;
}

/* Which of i's names was meant; NULL: its ID. */
static const char *name_meant(const struct image *i, const char *what,
			      const struct registries *conf, struct arena *a)
{
	struct reference ref, full;
	struct err ignored = { 0 };

	if (reference_parse(what, a, &ref, &ignored) < 0)
		return NULL;
	if (!ref.tag && !ref.digest)
		ref.tag = "latest";
	if (ref.digest)
		ref.tag = NULL;
	full = ref;
	const char *local = reference_format(&ref, a);
	const char *resolved = registries_resolve(conf, a, &full, &ignored) < 0 ? local :
			       reference_format(&full, a);
	for (size_t k = 0; k < i->n_names; k++)
		if (strcmp(i->names[k], local) == 0)
			return i->names[k];
	for (size_t k = 0; k < i->n_names; k++)
		if (strcmp(i->names[k], resolved) == 0)
			return i->names[k];
	return NULL;
}

static bool several_repositories(const struct image *i, struct arena *a)
{
	struct image_name first, other;

	for (size_t k = 1; k < i->n_names; k++) {
		image_name_split(i->names[0], a, &first);
		image_name_split(i->names[k], a, &other);
		if (strcmp(first.repository, other.repository) != 0)
			return true;
	}
	return false;
}

/* Would anything name the image still, once name is gone?  A digest of the same repository
 * is no name by itself: it goes with the last tag. */
static bool other_tags(const struct image *i, const char *name, struct arena *a)
{
	struct image_name gone, other;

	image_name_split(name, a, &gone);
	for (size_t k = 0; k < i->n_names; k++) {
		image_name_split(i->names[k], a, &other);
		if (strcmp(i->names[k], name) != 0 &&
		    (other.tag || strcmp(other.repository, gone.repository) != 0))
			return true;
	}
	return false;
}

static int remove_one(struct isle_call *c, const char *what, const struct registries *conf,
		      struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct rmi_options *o = c->target;
	struct image i;

	int r = image_find(&c->eng->store, what, &a, &i, e);
	if (r < 0)
		return r;
	const char *name = name_meant(&i, what, conf, &a);
	if (name && other_tags(&i, name, &a))
		return untag(c, &i, name, e);
	if (!name && !o->force && several_repositories(&i, &a))
		return err_set(e, EBUSY, "unable to delete %.12s (must be forced): it has names in "
			       "several repositories", i.id + 7);
	r = check_running(c, &i, &a, e);
	return r < 0 ? r : delete(c, &i, e);
}

static int rmi(struct isle_call *c, struct err *e)
{
	CLEANUP_REGISTRIES struct registries conf = { 0 };
	const struct rmi_options *o = c->target;
	struct image_prune_report report;

	int r = registries_load(NULL, &conf, e);
	if (r < 0)
		return r;
	for (size_t k = 0; k < c->argc; k++) {
		struct err why = { 0 };

		r = remove_one(c, c->argv[k], &conf, &why);
		if (r < 0)
			log_error("%s", why.msg);
		/* With -f what is not there is as good as removed, but told. */
		if (r < 0 && !(o->force && r == -ENOENT))
			c->status = 1;
	}
	r = o->no_prune ? 0 : image_prune(&c->eng->store, false, &report, e);
	return r < 0 ? r : output_flush(e);
}

const struct command command_rmi = {
	.name = "rmi",
	.aliases = "image rm, image remove",
	.args = "IMAGE...",
	.summary = "remove names of images, and images without a name",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct rmi_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = rmi,
};
