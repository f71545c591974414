/* cli/isle/image_ls.c - isle images. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/image_row.h"
#include "cli/isle/output.h"

struct ls_options {
	bool all, digests;
	struct oci_strv filters;
	struct output_style style;
};

#define AT(member) offsetof(struct ls_options, member)

static const struct option options[] = {
	{ "all", 'a', OPT_FLAG, AT(all), NULL, "as without it: isle has no hidden images", NULL },
	{ "digests", 0, OPT_FLAG, AT(digests), NULL, "show digests", NULL },
	{ "filter", 'f', OPT_STRINGS, AT(filters), "KEY=VALUE",
	  "only some: dangling=true, reference=PATTERN, label=KEY[=VALUE], before=IMAGE, "
	  "since=IMAGE", NULL },
	{ "format", 0, OPT_STRING, AT(style.format), "TEMPLATE",
	  "print by a template: table, json, '{{.Repository}}:{{.Tag}}'", NULL },
	{ "no-trunc", 0, OPT_FLAG, AT(style.no_trunc), NULL, "cut nothing short", NULL },
	{ "quiet", 'q', OPT_FLAG, AT(style.quiet), NULL, "IDs alone", NULL },
	OPTION_HELP,
};

struct listing {
	struct isle_call *c;
	struct arena a;
	struct registries conf;
	json_t *rows;
	int64_t now;
	const char *const *references;  /* patterns; a row must match one */
	size_t n_references;
};

/* ---- filters ----------------------------------------------------------------- */

static int read_bool(const char *value, bool *ret, struct err *e)
{
	*ret = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
	if (*ret || strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		return 0;
	return err_set(e, EINVAL, "\"%s\" is not true or false", value);
}

/* 1 keeps.  Docker's rule: filters of one key widen, different keys narrow; as label and
 * dangling are the only ones given twice in earnest, all must hold here but references. */
static int keeps(struct listing *l, const struct image *i, const char *filter, struct err *e)
{
	const char *value = strchr(filter, '=');
	size_t n = value ? (size_t)(value - filter) : 0;
	struct image other;
	bool want;
	int r;

	if (!value)
		return err_set(e, EINVAL, "\"%s\" is not KEY=VALUE", filter);
	value++;
	if (n == 8 && strncmp(filter, "dangling", n) == 0) {
		r = read_bool(value, &want, e);
		return r < 0 ? r : (i->n_tags == 0) == want;
	}
	if (n == 5 && strncmp(filter, "label", n) == 0)
		return image_has_label(i, value);
	if (n == 9 && strncmp(filter, "reference", n) == 0)
		return 1;
	bool before = n == 6 && strncmp(filter, "before", n) == 0;
	if (!before && !(n == 5 && strncmp(filter, "since", n) == 0))
		return err_set(e, EINVAL, "\"%.*s\" is none of dangling, reference, label, before, "
			       "since", (int)n, filter);
	r = image_find(&l->c->eng->store, value, &l->a, &other, e);
	if (r < 0)
		return r;
	return before ? i->created < other.created : i->created > other.created;
}

static int keeps_all(struct listing *l, const struct image *i, struct err *e)
{
	const struct ls_options *o = l->c->target;
	int r = 1;

	for (size_t k = 0; r > 0 && k < o->filters.n; k++) {
		r = keeps(l, i, o->filters.v[k], e);
		if (r < 0)
			return err_prefix(e, "option --filter");
	}
	return r;
}

/* Patterns match "repo", "repo:tag", whole or as people type them. */
static bool matches(struct listing *l, const char *repository, const char *tag)
{
	const char *text = arena_printf(&l->a, "%s:%s", repository, tag);

	for (size_t k = 0; k < l->n_references; k++)
		if (fnmatch(l->references[k], repository, FNM_PATHNAME) == 0 ||
		    fnmatch(l->references[k], text, FNM_PATHNAME) == 0)
			return true;
	return l->n_references == 0;
}

/* ---- rows -------------------------------------------------------------------- */

static int add_row(struct listing *l, const struct image *i, const char *repository,
		   const char *tag, const char *digest, struct err *e)
{
	const struct ls_options *o = l->c->target;
	CLEANUP_FREE char *at = image_time_text(i->created);
	CLEANUP_FREE char *age = image_age_text(i->created, l->now);
	CLEANUP_FREE char *size = output_size(i->size_bytes);
	struct oci_strv users;

	const char *full = arena_printf(&l->a, "%s:%s", repository, tag ? tag : "-");
	struct image_name shown;
	image_name_split(registries_familiar(&l->conf, &l->a, full), &l->a, &shown);
	if (!matches(l, repository, tag ? tag : NONE) &&
	    !matches(l, shown.repository, tag ? tag : NONE))
		return 0;
	int r = image_users(&l->c->eng->store, i->id, &l->a, &users, e);
	if (r < 0)
		return r;
	CLEANUP_FREE char *containers = xasprintf("%zu", users.n);
	json_array_append_new(l->rows, json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
		"Repository", shown.repository, "Tag", tag ? tag : NONE,
		"Digest", digest ? digest : NONE,
		"ID", image_id_text(i->id, o->style.no_trunc, &l->a),
		"CreatedAt", at, "CreatedSince", age, "Size", size, "VirtualSize", size,
		"Containers", containers, "SharedSize", "N/A", "UniqueSize", "N/A"));
	return 0;
}

/* The digest by which the repository was pulled, if it was. */
static const char *digest_of(struct listing *l, const struct image *i, const char *repository)
{
	struct image_name name;

	for (size_t k = i->n_tags; k < i->n_names; k++) {
		image_name_split(i->names[k], &l->a, &name);
		if (strcmp(name.repository, repository) == 0)
			return name.digest;
	}
	return NULL;
}

static bool has_tag_in(struct listing *l, const struct image *i, const char *repository)
{
	struct image_name name;

	for (size_t k = 0; k < i->n_tags; k++) {
		image_name_split(i->names[k], &l->a, &name);
		if (strcmp(name.repository, repository) == 0)
			return true;
	}
	return false;
}

static int add_image(struct listing *l, const struct image *i, struct err *e)
{
	struct image_name name;
	int r = 0;

	if (i->n_names == 0)
		return add_row(l, i, NONE, NULL, NULL, e);
	for (size_t k = 0; r == 0 && k < i->n_names; k++) {
		image_name_split(i->names[k], &l->a, &name);
		/* A digest beside a tag of the same repository has no row of its own. */
		if (name.tag)
			r = add_row(l, i, name.repository, name.tag,
				    digest_of(l, i, name.repository), e);
		else if (!has_tag_in(l, i, name.repository))
			r = add_row(l, i, name.repository, NULL, name.digest, e);
	}
	return r;
}

static int list_all(struct listing *l, struct err *e)
{
	struct image *list;
	size_t n;
	int r = image_list(&l->c->eng->store, &l->a, &list, &n, e);

	for (size_t k = 0; r == 0 && k < n; k++) {
		r = keeps_all(l, &list[k], e);
		if (r > 0)
			r = add_image(l, &list[k], e);
	}
	return r;
}

static int print(struct listing *l, struct err *e)
{
	static const struct output_column plain[] = {
		{ "REPOSITORY", "Repository" }, { "TAG", "Tag" }, { "IMAGE ID", "ID" },
		{ "CREATED", "CreatedSince" }, { "SIZE", "Size" },
	};
	static const struct output_column digests[] = {
		{ "REPOSITORY", "Repository" }, { "TAG", "Tag" }, { "DIGEST", "Digest" },
		{ "IMAGE ID", "ID" }, { "CREATED", "CreatedSince" }, { "SIZE", "Size" },
	};
	const struct ls_options *o = l->c->target;
	struct output_style style = o->style;

	style.quiet_field = "ID";
	return o->digests ? output_rows(&style, digests, ARRAY_LEN(digests), l->rows, e)
			  : output_rows(&style, plain, ARRAY_LEN(plain), l->rows, e);
}

static int ls(struct isle_call *c, struct err *e)
{
	const struct ls_options *o = c->target;
	CLEANUP_JSON json_t *rows = json_array();
	struct listing l = { .c = c, .rows = rows, .now = time(NULL) };
	const char **patterns = arena_calloc(&l.a, o->filters.n + 1, sizeof(*patterns));

	for (size_t k = 0; k < o->filters.n; k++)
		if (strncmp(o->filters.v[k], "reference=", 10) == 0)
			patterns[l.n_references++] = o->filters.v[k] + 10;
	if (c->argc > 0)
		patterns[l.n_references++] = c->argv[0];
	l.references = patterns;
	int r = registries_load(NULL, &l.conf, e);
	if (r == 0)
		r = list_all(&l, e);
	if (r == 0)
		r = print(&l, e);
	registries_release(&l.conf);
	arena_release(&l.a);
	return r;
}

const struct command command_images = {
	.name = "images",
	.aliases = "image ls, image list",
	.args = "[REPOSITORY[:TAG]]",
	.summary = "list images",
	.examples = "  isle images --filter dangling=true -q\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct ls_options),
	.max_args = 1,
	.run = ls,
};
