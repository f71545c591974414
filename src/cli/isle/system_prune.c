/* cli/isle/system_prune.c - isle system prune: remove what nothing uses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/confirm.h"
#include "cli/isle/output.h"
#include "engine/life.h"
#include "engine/volume.h"

struct prune_options {
	bool all, force, volumes;
};

static const struct option options[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct prune_options, all), NULL,
	  "images that have a name but no instance too, and downloads that could be resumed",
	  NULL },
	{ "force", 'f', OPT_FLAG, offsetof(struct prune_options, force), NULL,
	  "do not ask", NULL },
	{ "volumes", 0, OPT_FLAG, offsetof(struct prune_options, volumes), NULL,
	  "anonymous volumes too", NULL },
	OPTION_HELP,
};

static int prune_instances(struct engine *eng, struct err *e)
{
	struct instance *list;
	size_t n;

	int r = instance_list(eng, &list, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };

		if (list[i].status.pid > 0)
			continue;
		r = instance_find(eng, list[i].id, true, &in, e);
		if (r == 0 && in.status.pid == 0)
			r = life_remove(eng, &in, false, false, e);
		if (r == 0)
			puts(list[i].id);
		if (r == -ENOENT || r == -EBUSY)
			r = 0;          /* removed, or started, since we looked */
	}
	instance_list_free(list, n);
	return r;
}

/* Unnamed images, or with all those without an instance. */
static int prune_images(struct engine *eng, bool all, struct err *e)
{
	struct arena a = { 0 };
	struct image *list;
	size_t n;

	int r = image_list(&eng->store, &a, &list, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (list[i].n_tags > 0 && !all)
			continue;
		r = image_remove(&eng->store, list[i].id, false, e);
		if (r == 0)
			puts(list[i].id);
		if (r == -EBUSY || r == -ENOENT)
			r = 0;          /* an instance stands on it */
	}
	arena_release(&a);
	return r;
}

static void print_names(const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		puts(json_string_value(name));
}

static int prune(struct isle_call *c, struct err *e)
{
	const struct prune_options *o = c->target;
	struct image_prune_report report = { 0 };
	CLEANUP_JSON json_t *networks = NULL, *volumes = NULL;

	int r = confirm(o->force, "This removes all stopped instances, unused networks and "
			"unused images.", e);
	if (r <= 0)
		return r;
	r = engine_sweep(c->eng, e);
	if (r == 0)
		r = prune_instances(c->eng, e);
	if (r == 0)
		r = net_network_prune(&c->eng->net, &networks, e);
	if (r == 0)
		r = prune_images(c->eng, o->all, e);
	if (r == 0 && o->volumes)
		r = volume_prune(c->eng, false, &volumes, e);
	if (r == 0)
		r = image_prune(&c->eng->store, o->all, &report, e);
	print_names(networks);
	print_names(volumes);
	if (r < 0)
		return r;
	CLEANUP_FREE char *size = output_size(report.freed_bytes);
	printf("Total reclaimed space: %s\n", size);
	return output_flush(e);
}

const struct command command_system_prune = {
	.name = "system prune",
	.args = "",
	.summary = "remove stopped instances, unused networks and images",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct prune_options),
	.run = prune,
};
