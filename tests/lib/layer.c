/*
 * layer - the functions of image/{unpack,pack,diff,tree}.h from a command line, for tests.
 *
 *	layer unpack FILE DIR [rootless]        digest, DiffID, sizes on one line
 *	layer pack DIR FILE [layer]             a gzip stream; the same line
 *	layer diff UPPER [LAYER...]             layers bottom first
 *	layer cp [-aL] ROOT PATH ROOT PATH      a path "-" is a tar stream
 *	layer rm DIR NAME
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/diff.h"
#include "image/pack.h"
#include "image/tree.h"
#include "image/unpack.h"

static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int do_unpack(char **v, struct err *e)
{
	const struct layer_options o = { .rootless = v[2] != NULL };
	struct layer_result r;
	int fd = open(v[0], O_RDONLY | O_CLOEXEC);
	int k = layer_unpack_fd(fd, open_dir(v[1]), &o, &r, e);

	if (k == 0)
		printf("%s %s %" PRIu64 " %" PRIu64 "\n", r.digest, r.diff_id, r.size_bytes,
		       r.unpacked_bytes);
	return k;
}

static int do_pack(char **v, struct err *e)
{
	const struct pack_options o = { .layer = v[2] != NULL, .gzip = true, .level = 1 };
	struct pack_result r;
	int fd = open(v[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int k = pack_tree(open_dir(v[0]), fd, &o, &r, e);

	if (k == 0)
		printf("%s %s %" PRIu64 " %" PRIu64 "\n", r.digest, r.diff_id, r.size_bytes,
		       r.unpacked_bytes);
	return k;
}

static int do_diff(char **v, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct diff_options o = { .layers = (const char *const *)v + 1 };
	struct diff_change *c;
	size_t n;
	int r;

	while (v[o.n_layers + 1])
		o.n_layers++;
	r = diff_list(open_dir(v[0]), &o, &a, &c, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		printf("%c %s\n", c[i].kind, c[i].path);
	return r;
}

static int do_cp(char **v, struct err *e)
{
	struct tree_cp_options o = { 0 };

	if (v[0][0] == '-') {
		o.archive = strchr(v[0], 'a') != NULL;
		o.follow = strchr(v[0], 'L') != NULL;
		v++;
	}
	const struct tree_place src = { .rootfd = open_dir(v[0]), .path = v[1] };
	const struct tree_place dst = { .rootfd = open_dir(v[2]), .path = v[3] };

	if (!strcmp(v[1], "-"))
		return tree_cp_from_tar(STDIN_FILENO, &dst, &o, e);
	if (!strcmp(v[3], "-"))
		return tree_cp_to_tar(&src, STDOUT_FILENO, &o, e);
	return tree_cp(&src, &dst, &o, e);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	const char *verb = argc > 3 || (argc > 2 && !strcmp(argv[1], "diff")) ? argv[1] : "";
	int r;

	if (!strcmp(verb, "unpack"))
		r = do_unpack(argv + 2, &e);
	else if (!strcmp(verb, "pack"))
		r = do_pack(argv + 2, &e);
	else if (!strcmp(verb, "diff"))
		r = do_diff(argv + 2, &e);
	else if (!strcmp(verb, "cp") && argc > 5)
		r = do_cp(argv + 2, &e);
	else if (!strcmp(verb, "rm"))
		r = tree_remove_at(open_dir(argv[2]), argv[3], &e);
	else
		r = err_set(&e, 22, "usage: layer unpack|pack|diff|cp|rm ...");
	if (r < 0)
		fprintf(stderr, "layer: %s\n", e.msg);
	return r < 0;
}
