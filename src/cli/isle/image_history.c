/* cli/isle/image_history.c - isle history. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/isle/command.h"
#include "cli/isle/image_row.h"
#include "cli/isle/output.h"

#define COMMAND_COLUMNS 45

struct history_options {
	bool machine;                   /* --human=false */
	struct output_style style;
};

#define AT(member) offsetof(struct history_options, member)

static int parse_human(const char *value, void *target, struct err *e)
{
	bool no = strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0;

	if (!no && strcasecmp(value, "true") != 0 && strcmp(value, "1") != 0)
		return err_set(e, EINVAL, "\"%s\" is not true or false", value);
	*(bool *)target = no;
	return 0;
}

static const struct option options[] = {
	{ "format", 0, OPT_STRING, AT(style.format), "TEMPLATE",
	  "print by a template: table, json, '{{.CreatedBy}}'", NULL },
	{ "human", 0, OPT_PARSED, AT(machine), "BOOL",
	  "false: times and sizes for programs (default true)", parse_human },
	{ "no-trunc", 0, OPT_FLAG, AT(style.no_trunc), NULL, "cut nothing short", NULL },
	{ "quiet", 'q', OPT_FLAG, AT(style.quiet), NULL, "IDs alone", NULL },
	OPTION_HELP,
};

/* As Docker shows a step: tabs as blanks, and its end cut off. */
static const char *step_text(const char *text, bool whole, struct arena *a)
{
	char *s = arena_strdup(a, text ? text : "");

	for (char *p = s; *p; p++)
		if (*p == '\t' || *p == '\n')
			*p = ' ';
	if (whole || strlen(s) <= COMMAND_COLUMNS)
		return s;
	size_t n = COMMAND_COLUMNS - 1;
	/* Not in the middle of a character. */
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return arena_printf(a, "%.*s\xe2\x80\xa6", (int)n, s);
}

static json_t *row(const struct history_options *o, const struct image_history *h,
		   const char *id, uint64_t bytes, struct arena *a)
{
	CLEANUP_FREE char *size = o->machine ? xasprintf("%" PRIu64, bytes) : output_size(bytes);
	int64_t created = 0;

	if (h->created && time_rfc3339_parse(h->created, &created) < 0)
		created = 0;
	CLEANUP_FREE char *age = image_age_text(created, time(NULL));
	CLEANUP_FREE char *at = image_time_text(created);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "ID", id, "CreatedAt", at,
			 "CreatedSince", o->machine ? (h->created ? h->created : "") : age,
			 "CreatedBy", step_text(h->created_by, o->style.no_trunc, a), "Size", size,
			 "Comment", h->comment ? h->comment : "");
}

static int history(struct isle_call *c, struct err *e)
{
	static const struct output_column columns[] = {
		{ "IMAGE", "ID" }, { "CREATED", "CreatedSince" }, { "CREATED BY", "CreatedBy" },
		{ "SIZE", "Size" }, { "COMMENT", "Comment" },
	};
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct history_options *o = c->target;
	struct output_style style = o->style;
	CLEANUP_JSON json_t *rows = json_array();
	struct image i;
	uint64_t *sizes = NULL;
	size_t layer = 0;

	int r = image_find(&c->eng->store, c->argv[0], &a, &i, e);
	if (r == 0)
		r = image_layer_sizes(&c->eng->store, &i, &a, &sizes, e);
	if (r < 0 || !sizes)
		return r;
	/* Oldest first in the config, newest first for people. */
	for (size_t k = 0; k < i.config.n_history; k++) {
		const struct image_history *h = &i.config.history[k];
		bool last = k + 1 == i.config.n_history;
		uint64_t bytes = !h->empty_layer && layer < i.n_layers ? sizes[layer++] : 0;

		json_array_insert_new(rows, 0, row(o, h, last ?
			image_id_text(i.id, o->style.no_trunc, &a) : "<missing>", bytes, &a));
	}
	style.quiet_field = "ID";
	return output_rows(&style, columns, ARRAY_LEN(columns), rows, e);
}

const struct command command_history = {
	.name = "history",
	.aliases = "image history",
	.args = "IMAGE",
	.summary = "show how an image came to be",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct history_options),
	.min_args = 1,
	.max_args = 1,
	.run = history,
};
