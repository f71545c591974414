/* cli/isle/system_df.c - isle system df: what takes the store's space. */
#include <stddef.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/disk_use.h"
#include "cli/isle/output.h"
#include "engine/instance.h"
#include "engine/volume.h"

struct df_options {
	const char *format;
};

static const struct option options[] = {
	{ "format", 0, OPT_STRING, offsetof(struct df_options, format), "TEMPLATE",
	  "print each kind by a template, or json", NULL },
	OPTION_HELP,
};

static void add_row(json_t *rows, const char *type, size_t total, size_t active, uint64_t size,
		    uint64_t free_able)
{
	CLEANUP_FREE char *text = output_size(size);
	CLEANUP_FREE char *back = output_size(free_able);
	CLEANUP_FREE char *shown = xasprintf("%s (%d%%)", back,
		size ? (int)((double)free_able * 100.0 / (double)size) : 0);

	json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:s, s:s}", "Type", type,
		"TotalCount", (json_int_t)total, "Active", (json_int_t)active, "Size", text,
		"Reclaimable", shown));
}

static int df_images(struct engine *eng, json_t *rows, struct err *e)
{
	struct arena a = { 0 };
	struct image *list;
	size_t n, active = 0;
	uint64_t free_able = 0;

	int r = image_list(&eng->store, &a, &list, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct oci_strv users;

		r = image_users(&eng->store, list[i].id, &a, &users, e);
		if (r < 0)
			break;
		active += users.n > 0;
		free_able += users.n ? 0 : list[i].size_bytes;
	}
	if (r == 0) {
		CLEANUP_FREE char *layers = xasprintf("%s/layers", eng->root);
		CLEANUP_FREE char *blobs = xasprintf("%s/blobs", eng->root);

		add_row(rows, "Images", n, active, disk_use(layers) + disk_use(blobs),
			free_able);
	}
	arena_release(&a);
	return r;
}

static int df_instances(struct engine *eng, json_t *rows, struct err *e)
{
	struct instance *list;
	size_t n, active = 0;
	uint64_t size = 0, free_able = 0;

	int r = instance_list(eng, &list, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		CLEANUP_FREE char *upper = instance_path(eng, list[i].id, "upper");
		bool runs = list[i].status.pid > 0;
		uint64_t bytes = disk_use(upper);

		size += bytes;
		active += runs;
		free_able += runs ? 0 : bytes;
	}
	instance_list_free(list, n);
	add_row(rows, "Containers", n, active, size, free_able);
	return 0;
}

static int df_volumes(struct engine *eng, json_t *rows, struct err *e)
{
	CLEANUP_JSON json_t *list = NULL;
	uint64_t size = 0, free_able = 0;
	size_t i, active = 0;
	json_t *v;

	int r = volume_inspect(eng, NULL, &list, e);
	if (r < 0)
		return r;
	json_array_foreach(list, i, v) {
		uint64_t bytes = disk_use(json_string_value(json_object_get(v, "Mountpoint")));
		json_t *usage = json_object_get(v, "UsageData");
		bool used = json_integer_value(json_object_get(usage, "RefCount")) > 0;

		size += bytes;
		active += used;
		free_able += used ? 0 : bytes;
	}
	add_row(rows, "Local Volumes", json_array_size(list), active, size, free_able);
	return 0;
}

static int df(struct isle_call *c, struct err *e)
{
	static const struct output_column columns[] = {
		{ "TYPE", "Type" }, { "TOTAL", "TotalCount" }, { "ACTIVE", "Active" },
		{ "SIZE", "Size" }, { "RECLAIMABLE", "Reclaimable" },
	};
	const struct df_options *o = c->target;
	struct output_style style = { .format = o->format };
	CLEANUP_JSON json_t *rows = json_array();

	int r = df_images(c->eng, rows, e);
	if (r == 0)
		r = df_instances(c->eng, rows, e);
	if (r == 0)
		r = df_volumes(c->eng, rows, e);
	return r < 0 ? r : output_rows(&style, columns, ARRAY_LEN(columns), rows, e);
}

const struct command command_system_df = {
	.name = "system df",
	.args = "",
	.summary = "show what takes the store's space",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct df_options),
	.run = df,
};
