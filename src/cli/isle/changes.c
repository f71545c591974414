/* cli/isle/changes.c - see changes.h */
#include "cli/isle/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

bool change_is_ours(const struct diff_change *d)
{
	static const char *const files[] = { "/etc/hostname", "/etc/hosts", "/etc/resolv.conf" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (d->kind == 'A' && strcmp(d->path, files[i]) == 0)
			return true;
	return false;
}

int changes_of(struct engine *eng, struct instance *in, struct diff_change **ret, size_t *ret_n,
	       struct err *e)
{
	const struct oci_strv *l = &in->config.layers;
	CLEANUP_FREE char *path = instance_path(eng, in->id, "upper");
	CLEANUP_FD int upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (upper < 0)
		return err_sys(e, errno, "open %s", path);
	const char **layers = arena_calloc(&in->arena, l->n + 1, sizeof(*layers));
	for (size_t i = 0; i < l->n; i++)
		layers[i] = arena_printf(&in->arena, "%s/%s", eng->root, l->v[i]);
	const struct diff_options o = {
		.layers = layers, .n_layers = l->n, .rootless = eng->rootless,
	};
	return diff_list(upper, &o, &in->arena, ret, ret_n, e);
}
