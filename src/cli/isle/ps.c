/* cli/isle/ps.c - isle ps. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/disk_use.h"
#include "cli/isle/output.h"
#include "cli/isle/ps_filter.h"
#include "cli/isle/ps_text.h"
#include "engine/instance.h"
#include "engine/life.h"

struct ps_options {
	bool all, latest, size;
	unsigned last;
	struct oci_strv filters;
	struct output_style style;
};

#define AT(member) offsetof(struct ps_options, member)

static const struct option options[] = {
	{ "all", 'a', OPT_FLAG, AT(all), NULL, "those too that do not run", NULL },
	{ "filter", 'f', OPT_STRINGS, AT(filters), "KEY=VALUE",
	  "only some: name, id, label, status, ancestor, network, volume ...", NULL },
	{ "format", 0, OPT_STRING, AT(style.format), "TEMPLATE",
	  "print by a template: table, json, '{{.Names}}'", NULL },
	{ "last", 'n', OPT_UINT, AT(last), "N", "the N that were created last", NULL },
	{ "latest", 'l', OPT_FLAG, AT(latest), NULL, "the one that was created last", NULL },
	{ "no-trunc", 0, OPT_FLAG, AT(style.no_trunc), NULL, "cut nothing short", NULL },
	{ "quiet", 'q', OPT_FLAG, AT(style.quiet), NULL, "IDs alone", NULL },
	{ "size", 's', OPT_FLAG, AT(size), NULL, "how much each has written", NULL },
	OPTION_HELP,
};

/* json_t of heap text, which is freed. */
static json_t *text(char *s)
{
	json_t *j = json_string(s);

	free(s);
	return j ? j : json_string("?");
}

static char *size_text(struct engine *eng, const struct instance *in)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_FREE char *upper = instance_path(eng, in->id, "upper");
	struct image image = { 0 };
	uint64_t own = disk_use(upper);

	if (!in->image_id || image_find(&eng->store, in->image_id, &a, &image, NULL) < 0)
		image.size_bytes = 0;
	CLEANUP_FREE char *written = output_size(own);
	CLEANUP_FREE char *whole = output_size(own + image.size_bytes);
	return xasprintf("%s (virtual %s)", written, whole);
}

static char *created_text(int64_t ns)
{
	char buf[64] = "";
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
	return xstrdup(buf);
}

static size_t count_volumes(const struct instance_config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_mounts; i++)
		n += strcmp(c->mounts[i].type, "volume") == 0;
	return n;
}

static json_t *row(struct engine *eng, const struct instance *in, const struct ps_options *o,
		   int64_t now_ns)
{
	bool trunc = !o->style.no_trunc;
	const struct instance_config *c = &in->config;
	CLEANUP_FREE char *age = output_duration((now_ns - in->created_ns) / 1000000000);
	CLEANUP_FREE char *running_for = xasprintf("%s ago", age);
	CLEANUP_FREE char *volumes = xasprintf("%zu", count_volumes(c));
	json_t *j = json_object();

	json_object_set_new(j, "Command", text(ps_command_text(c, trunc)));
	json_object_set_new(j, "CreatedAt", text(created_text(in->created_ns)));
	json_object_set_new(j, "ID", json_stringn(in->id, trunc ? 12 : strlen(in->id)));
	json_object_set_new(j, "Image", json_string(c->image ? c->image : ""));
	json_object_set_new(j, "Labels", text(ps_labels_text(&c->labels)));
	json_object_set_new(j, "LocalVolumes", json_string(volumes));
	json_object_set_new(j, "Mounts", text(ps_mounts_text(c, trunc)));
	json_object_set_new(j, "Names", json_string(in->name));
	json_object_set_new(j, "Networks", text(ps_networks_text(c)));
	json_object_set_new(j, "Ports", text(ps_ports_text(c, instance_is_up(in))));
	json_object_set_new(j, "RunningFor", json_string(running_for));
	json_object_set_new(j, "Size", o->size ? text(size_text(eng, in)) : json_string("0B"));
	json_object_set_new(j, "State", json_string(instance_state_name(in->status.state)));
	json_object_set_new(j, "Status", text(ps_status_text(&in->status, now_ns)));
	json_object_set_new(j, "Wall", json_string(c->wall ? c->wall : ""));
	return j;
}

static int print(struct engine *eng, const struct ps_options *o, const struct instance *list,
		 size_t n, bool all, struct err *e)
{
	static const struct output_column columns[] = {
		{ "CONTAINER ID", "ID" }, { "IMAGE", "Image" }, { "COMMAND", "Command" },
		{ "CREATED", "RunningFor" }, { "STATUS", "Status" }, { "PORTS", "Ports" },
		{ "NAMES", "Names" }, { "SIZE", "Size" },
	};
	struct output_style style = o->style;
	unsigned last = o->latest ? 1 : o->last;
	CLEANUP_JSON json_t *rows = json_array();
	struct ps_options sized = *o;
	struct timespec now;

	/* Measuring takes a walk of each instance's files: only for who asked. */
	sized.size = o->size || (style.format && strstr(style.format, ".Size"));
	clock_gettime(CLOCK_REALTIME, &now);
	style.quiet_field = "ID";
	for (size_t i = n; i-- > 0; ) {
		if (last && json_array_size(rows) == last)
			break;
		if (all || last || instance_is_up(&list[i]))
			json_array_append_new(rows, row(eng, &list[i], &sized,
				(int64_t)now.tv_sec * 1000000000 + now.tv_nsec));
	}
	return output_rows(&style, columns, ARRAY_LEN(columns) - !o->size, rows, e);
}

/* One whose keeper was killed still says "running": cleaning up makes that true or ends it. */
static int list_true(struct engine *eng, struct instance **ret, size_t *ret_n, struct err *e)
{
	bool lost = false;

	int r = instance_list(eng, ret, ret_n, e);
	for (size_t i = 0; r == 0 && i < *ret_n; i++)
		lost = lost || (*ret)[i].lost;
	if (!lost)
		return r;
	instance_list_free(*ret, *ret_n);
	r = engine_sweep(eng, e);
	return r < 0 ? r : instance_list(eng, ret, ret_n, e);
}

static int ps(struct isle_call *c, struct err *e)
{
	const struct ps_options *o = c->target;
	struct instance *list;
	bool all = o->all;
	size_t n;

	int r = list_true(c->eng, &list, &n, e);
	if (r < 0)
		return r;
	r = ps_filter(c->eng, &o->filters, list, &n, &all, e);
	if (r >= 0)
		r = print(c->eng, o, list, n, all, e);
	instance_list_free(list, n);
	return r;
}

const struct command command_ps = {
	.name = "ps",
	.aliases = "container ls, container list, container ps",
	.args = "",
	.summary = "list instances",
	.examples = "  isle ps -a --filter status=exited --format '{{.Names}} {{.Status}}'\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct ps_options),
	.run = ps,
};
