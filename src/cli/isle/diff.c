/* cli/isle/diff.c - isle diff: what an instance changed of its image's files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "engine/instance.h"
#include "image/diff.h"

static const struct option options[] = { OPTION_HELP };

/*
 * The files that stand below our mounts of the same names are made by the start, not by the
 * program: Docker keeps them in a layer of their own, which its diff does not show.
 */
static bool is_ours(const struct diff_change *d)
{
	static const char *const files[] = { "/etc/hostname", "/etc/hosts", "/etc/resolv.conf" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (d->kind == 'A' && strcmp(d->path, files[i]) == 0)
			return true;
	return false;
}

/* "C /etc" stands for what changed below it: for nothing, if that was ours alone. */
static bool stands_alone(const struct diff_change *v, size_t i, size_t n)
{
	size_t k = i + 1;

	if (v[i].kind != 'C' || strcmp(v[i].path, "/etc") != 0)
		return false;
	while (k < n && is_ours(&v[k]))
		k++;
	return k > i + 1 && (k == n || strncmp(v[k].path, "/etc/", 5) != 0);
}

static int diff(struct isle_call *c, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	struct diff_change *v;
	size_t n;

	int r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r < 0)
		return r;
	CLEANUP_FREE char *path = instance_path(c->eng, in.id, "upper");
	CLEANUP_FD int upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		return err_sys(e, errno, "open %s", path);
	const char **layers = arena_calloc(&in.arena, in.config.layers.n + 1, sizeof(*layers));
	for (size_t i = 0; i < in.config.layers.n; i++)
		layers[i] = arena_printf(&in.arena, "%s/%s", c->eng->root, in.config.layers.v[i]);
	const struct diff_options o = {
		.layers = layers, .n_layers = in.config.layers.n, .rootless = c->eng->rootless,
	};
	r = diff_list(upper, &o, &in.arena, &v, &n, e);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (!is_ours(&v[i]) && !stands_alone(v, i, n))
			printf("%c %s\n", v[i].kind, v[i].path);
	return r < 0 ? r : output_flush(e);
}

const struct command command_diff = {
	.name = "diff",
	.aliases = "container diff",
	.args = "INSTANCE",
	.summary = "list the files an instance added (A), changed (C), deleted (D)",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = 1,
	.run = diff,
};
