/* cli/isle/volume_ls.c - isle volume ls. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "engine/volume.h"

struct ls_options {
	struct oci_strv filters;
	struct output_style style;
};

#define AT(member) offsetof(struct ls_options, member)

static const struct option options[] = {
	{ "filter", 'f', OPT_STRINGS, AT(filters), "KEY=VALUE",
	  "only some: dangling=true, driver, label, name", NULL },
	{ "format", 0, OPT_STRING, AT(style.format), "TEMPLATE",
	  "print by a template: table, json, '{{.Name}}'", NULL },
	{ "quiet", 'q', OPT_FLAG, AT(style.quiet), NULL, "names alone", NULL },
	OPTION_HELP,
};

static int match_dangling(const json_t *v, const char *value)
{
	json_t *count = json_object_get(json_object_get(v, "UsageData"), "RefCount");
	bool unused = json_integer_value(count) == 0;

	return unused == (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static int match_driver(const json_t *v, const char *value)
{
	return strcmp(json_string_value(json_object_get(v, "Driver")), value) == 0;
}

static int match_name(const json_t *v, const char *value)
{
	return strstr(json_string_value(json_object_get(v, "Name")), value) != NULL;
}

static int match_label(const json_t *v, const char *value)
{
	size_t len = strcspn(value, "=");
	CLEANUP_FREE char *key = xasprintf("%.*s", (int)len, value);
	const char *have = json_string_value(json_object_get(json_object_get(v, "Labels"), key));

	return have && (!value[len] || strcmp(have, value + len + 1) == 0);
}

/* What ls shows of an inspected volume; labels become one word. */
static json_t *row(json_t *v)
{
	CLEANUP(buf_release) struct buf labels = BUF_INIT(1 << 20);
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(v, "Labels"), key, value)
		buf_printf(&labels, "%s%s=%s", labels.len ? "," : "", key,
			   json_string_value(value));
	return json_pack("{s:s, s:s, s:s, s:O, s:O, s:s, s:s, s:s}", "Availability", "N/A",
			 "Driver", "local", "Labels", labels.data ? labels.data : "", "Mountpoint",
			 json_object_get(v, "Mountpoint"), "Name", json_object_get(v, "Name"),
			 "Scope", "local", "Size", "N/A", "Status", "N/A");
}

static int ls(struct isle_call *c, struct err *e)
{
	static const struct output_filter known[] = {
		{ "dangling", match_dangling }, { "driver", match_driver },
		{ "label", match_label }, { "name", match_name },
	};
	static const struct output_column columns[] = {
		{ "DRIVER", "Driver" }, { "VOLUME NAME", "Name" },
	};
	struct ls_options *o = c->target;
	CLEANUP_JSON json_t *all = NULL, *rows = json_array();
	json_t *v;
	size_t i;

	int r = volume_inspect(c->eng, NULL, &all, e);
	if (r >= 0)
		r = output_filter(&o->filters, known, ARRAY_LEN(known), all, e);
	if (r < 0)
		return r;
	json_array_foreach(all, i, v)
		json_array_append_new(rows, row(v));
	o->style.quiet_field = "Name";
	return output_rows(&o->style, columns, ARRAY_LEN(columns), rows, e);
}

const struct command command_volume_ls = {
	.name = "volume ls",
	.aliases = "volume list",
	.args = "",
	.summary = "list volumes",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct ls_options),
	.run = ls,
};
