/* cli/runtime/list.c - isle-runtime list: all containers below --root. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/runtime/verb.h"

struct list_args {
	bool json, quiet;
};

static const struct option options[] = {
	{ "format", 'f', OPT_PARSED, offsetof(struct list_args, json), "FORMAT",
	  "format of the output: table or json (default table)", verb_parse_format },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct list_args, quiet), NULL,
	  "only IDs, one a line", NULL },
	OPTION_HELP,
};

/* Append the extended state of one container; one that just went away is skipped. */
static int add_container(const struct runtime *rt, const char *id, json_t *all, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	enum container_status status;

	int r = state_load(rt, id, false, &st, e);
	if (r >= 0)
		r = state_status(&st, &status, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		/* One torn state must not hide the others. */
		log_warn("%s: %s", id, e->msg);
		return 0;
	}
	json_array_append_new(all, state_to_oci(&st, status, true));
	return 0;
}

enum { COL_ID, COL_PID, COL_STATUS, COL_BUNDLE, COL_CREATED, COL_OWNER, COLUMNS };

static const struct { const char *title, *key; } columns[COLUMNS] = {
	[COL_ID] = { "ID", "id" }, [COL_PID] = { "PID", "pid" },
	[COL_STATUS] = { "STATUS", "status" }, [COL_BUNDLE] = { "BUNDLE", "bundle" },
	[COL_CREATED] = { "CREATED", "created" }, [COL_OWNER] = { "OWNER", "owner" },
};

/* The cell as text; number is scratch for the pid, absent once stopped. */
static const char *cell(const json_t *container, size_t column, char number[24])
{
	const json_t *v = json_object_get(container, columns[column].key);

	if (column != COL_PID)
		return json_is_string(v) ? json_string_value(v) : "";
	snprintf(number, 24, "%lld", (long long)json_integer_value(v));
	return number;
}

static void print_table(const json_t *all)
{
	int width[COLUMNS];
	char number[24];
	const json_t *container;
	size_t i;

	/* Never narrower than runc's 12, which scripts may cut at. */
	for (size_t c = 0; c < COLUMNS; c++) {
		width[c] = 12;
		json_array_foreach(all, i, container) {
			int len = (int)strlen(cell(container, c, number)) + 3;
			if (len > width[c])
				width[c] = len;
		}
	}
	for (size_t c = 0; c < COLUMNS; c++)
		printf("%-*s", c + 1 < COLUMNS ? width[c] : 0, columns[c].title);
	putchar('\n');
	json_array_foreach(all, i, container) {
		for (size_t c = 0; c < COLUMNS; c++)
			printf("%-*s", c + 1 < COLUMNS ? width[c] : 0,
			       cell(container, c, number));
		putchar('\n');
	}
}

static int list(struct call *c, struct err *e)
{
	const struct list_args *a = c->target;
	char **ids = NULL;
	size_t n = 0;

	int r = state_list(c->rt, &ids, &n, e);
	if (r < 0)
		return r;
	CLEANUP_JSON json_t *all = json_array();
	for (size_t i = 0; i < n; i++) {
		if (a->quiet)
			puts(ids[i]);
		else if (r >= 0)
			r = add_container(c->rt, ids[i], all, e);
		free(ids[i]);
	}
	free(ids);
	if (r < 0)
		return r;
	if (a->quiet)
		return verb_flush(e);
	if (a->json)
		return verb_print_json(all, JSON_COMPACT, e);
	print_table(all);
	return verb_flush(e);
}

const struct verb verb_list = {
	.name = "list",
	.args = "",
	.summary = "list containers",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct list_args),
	.run = list,
};
