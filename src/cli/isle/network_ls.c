/* cli/isle/network_ls.c - isle network ls. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"

#define SHORT_ID 12

struct ls_options {
	struct oci_strv filters;
	struct output_style style;
};

#define AT(member) offsetof(struct ls_options, member)

static const struct option options[] = {
	{ "filter", 'f', OPT_STRINGS, AT(filters), "KEY=VALUE",
	  "only some: dangling=true, driver, id, label, name, scope, type=custom|builtin", NULL },
	{ "format", 0, OPT_STRING, AT(style.format), "TEMPLATE",
	  "print by a template: table, json, '{{.Name}}'", NULL },
	{ "no-trunc", 0, OPT_FLAG, AT(style.no_trunc), NULL, "whole IDs", NULL },
	{ "quiet", 'q', OPT_FLAG, AT(style.quiet), NULL, "IDs alone", NULL },
	OPTION_HELP,
};

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

static bool builtin(const json_t *row)
{
	return strcmp(text(row, "Driver"), "bridge") != 0 ||
	       strcmp(text(row, "Name"), NET_DEFAULT) == 0;
}

static int match_dangling(const json_t *row, const char *value)
{
	bool unused = json_object_size(json_object_get(row, "Containers")) == 0;

	return (unused && !builtin(row)) ==
	       (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static int match_driver(const json_t *row, const char *value)
{
	return strcmp(text(row, "Driver"), value) == 0;
}

static int match_id(const json_t *row, const char *value)
{
	return strncmp(text(row, "Id"), value, strlen(value)) == 0;
}

static int match_label(const json_t *row, const char *value)
{
	size_t n = strcspn(value, "=");
	CLEANUP_FREE char *key = xasprintf("%.*s", (int)n, value);
	const char *have = json_string_value(json_object_get(json_object_get(row, "Labels"), key));

	return have && (!value[n] || strcmp(have, value + n + 1) == 0);
}

static int match_name(const json_t *row, const char *value)
{
	return strstr(text(row, "Name"), value) != NULL;
}

static int match_scope(const json_t *row, const char *value)
{
	return strcmp(text(row, "Scope"), value) == 0;
}

static int match_type(const json_t *row, const char *value)
{
	return strcmp(builtin(row) ? "builtin" : "custom", value) == 0;
}

static const char *truth(const json_t *row, const char *key)
{
	return json_is_true(json_object_get(row, key)) ? "true" : "false";
}

/* What ls shows of an inspected network: words, as Docker's. */
static json_t *ls_row(const json_t *n, bool no_trunc)
{
	CLEANUP(buf_release) struct buf labels = BUF_INIT(1 << 20);
	CLEANUP_FREE char *id = xasprintf("%.*s", no_trunc ? 64 : SHORT_ID, text(n, "Id"));
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(n, "Labels"), key, value)
		buf_printf(&labels, "%s%s=%s", labels.len ? "," : "", key,
			   json_string_value(value));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
			 "CreatedAt", text(n, "Created"), "Driver", text(n, "Driver"), "ID", id,
			 "IPv4", truth(n, "EnableIPv4"), "IPv6", truth(n, "EnableIPv6"),
			 "Internal", truth(n, "Internal"), "Labels", labels.data ? labels.data : "",
			 "Name", text(n, "Name"), "Scope", text(n, "Scope"));
}

static int ls(struct isle_call *c, struct err *e)
{
	static const struct output_filter known[] = {
		{ "dangling", match_dangling }, { "driver", match_driver }, { "id", match_id },
		{ "label", match_label }, { "name", match_name }, { "scope", match_scope },
		{ "type", match_type },
	};
	static const struct output_column columns[] = {
		{ "NETWORK ID", "ID" }, { "NAME", "Name" }, { "DRIVER", "Driver" },
		{ "SCOPE", "Scope" },
	};
	struct ls_options *o = c->target;
	CLEANUP_JSON json_t *all = NULL, *rows = json_array();
	json_t *n;
	size_t i;

	int r = net_network_inspect(&c->eng->net, NULL, &all, e);
	if (r >= 0)
		r = output_filter(&o->filters, known, ARRAY_LEN(known), all, e);
	if (r < 0)
		return r;
	json_array_foreach(all, i, n)
		(void)json_array_append_new(rows, ls_row(n, o->style.no_trunc));
	o->style.quiet_field = "ID";
	return output_rows(&o->style, columns, ARRAY_LEN(columns), rows, e);
}

const struct command command_network_ls = {
	.name = "network ls",
	.aliases = "network list",
	.args = "",
	.summary = "list networks",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct ls_options),
	.run = ls,
};
