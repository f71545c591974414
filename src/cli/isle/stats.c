/* cli/isle/stats.c - isle stats: what instances use, live or once. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "cli/isle/stats_sample.h"
#include "engine/instance.h"

#define PERIOD_MS 1000
#define CLEAR_SCREEN "\033[2J\033[H"

struct stats_options {
	bool all, no_stream;
	struct output_style style;
};

#define AT(member) offsetof(struct stats_options, member)

static const struct option options[] = {
	{ "all", 'a', OPT_FLAG, AT(all), NULL, "those too that do not run", NULL },
	{ "format", 0, OPT_STRING, AT(style.format), "TEMPLATE",
	  "print by a template: table, json, '{{.CPUPerc}}'", NULL },
	{ "no-stream", 0, OPT_FLAG, AT(no_stream), NULL, "once, not again and again", NULL },
	{ "no-trunc", 0, OPT_FLAG, AT(style.no_trunc), NULL, "whole IDs", NULL },
	OPTION_HELP,
};

/* One instance between two looks at it. */
struct watched {
	char *id;
	struct stats_sample last;       /* all zero before the first look */
};

struct screen {
	struct watched *v;
	size_t n;
};

static struct watched *watched_find(struct screen *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].id, id) == 0)
			return &s->v[i];
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n] = (struct watched){ .id = xstrdup(id) };
	return &s->v[s->n++];
}

static void screen_free(struct screen *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].id);
	free(s->v);
}

static bool is_wanted(const struct isle_call *c, const struct instance *in)
{
	const struct stats_options *o = c->target;

	if (c->argc == 0)
		return o->all || instance_is_up(in);
	for (size_t i = 0; i < c->argc; i++)
		if (strcmp(c->argv[i], in->name) == 0 ||
		    strncmp(in->id, c->argv[i], strlen(c->argv[i])) == 0)
			return true;
	return false;
}

/* rows NULL: only look, for the next time's difference. */
static int look(struct isle_call *c, struct screen *s, json_t *rows, struct err *e)
{
	const struct stats_options *o = c->target;
	struct instance *list;
	size_t n;

	int r = instance_list(c->eng, &list, &n, e);
	if (r < 0)
		return r;
	for (size_t i = n; i-- > 0; ) {
		if (!is_wanted(c, &list[i]))
			continue;
		struct watched *w = watched_find(s, list[i].id);
		struct stats_sample now = { 0 };
		/* One that has just ended shows zeros, as one that does not run. */
		if (instance_is_up(&list[i]))
			stats_sample_take(c->eng, &list[i], &now);
		if (rows)
			json_array_append_new(rows, stats_row(&list[i], &w->last, &now,
							      !o->style.no_trunc));
		w->last = now;
	}
	instance_list_free(list, n);
	return 0;
}

static int show(struct isle_call *c, struct screen *s, struct err *e)
{
	static const struct output_column columns[] = {
		{ "CONTAINER ID", "ID" }, { "NAME", "Name" }, { "CPU %", "CPUPerc" },
		{ "MEM USAGE / LIMIT", "MemUsage" }, { "MEM %", "MemPerc" },
		{ "NET I/O", "NetIO" }, { "BLOCK I/O", "BlockIO" }, { "PIDS", "PIDs" },
	};
	const struct stats_options *o = c->target;
	CLEANUP_JSON json_t *rows = json_array();
	int r = look(c, s, rows, e);

	if (r < 0)
		return r;
	if (!o->no_stream && isatty(STDOUT_FILENO))
		fputs(CLEAR_SCREEN, stdout);
	return output_rows(&o->style, columns, ARRAY_LEN(columns), rows, e);
}

/* A name that is not there is told before the screen is cleared. */
static int check_names(struct isle_call *c, struct err *e)
{
	for (size_t i = 0; i < c->argc; i++) {
		struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
		int r = instance_find(c->eng, c->argv[i], false, &in, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int stats(struct isle_call *c, struct err *e)
{
	const struct stats_options *o = c->target;
	struct screen s = { 0 };

	int r = check_names(c, e);
	/* The first look is what the second one's shares are counted from. */
	if (r >= 0)
		r = look(c, &s, NULL, e);
	while (r >= 0) {
		(void)poll(NULL, 0, PERIOD_MS);
		r = show(c, &s, e);
		if (o->no_stream)
			break;
	}
	screen_free(&s);
	return r;
}

const struct command command_stats = {
	.name = "stats",
	.aliases = "container stats",
	.args = "[INSTANCE...]",
	.summary = "show what instances use of processors, memory, network and disks",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct stats_options),
	.max_args = COMMAND_ARGS_ANY,
	.run = stats,
};
