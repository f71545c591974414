/* cli/image/load.c - isle load: images from a tar or a layout.  Layer: cli. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/image/verb.h"
#include "image/archive.h"
#include "image/platform.h"

struct target {
	const char *input, *platform;
	bool quiet;
};

static const struct option options[] = {
	{ "input", 'i', OPT_STRING, offsetof(struct target, input), "FILE",
	  "a tar, an OCI layout's directory, or oci:DIR[:TAG], oci-archive:FILE[:TAG], "
	  "docker-archive:FILE[:NAME] (default: standard input)", NULL },
	{ "platform", 0, OPT_STRING, offsetof(struct target, platform), "OS/ARCH[/VARIANT]",
	  "of an image for several, this one (default: this host's)", NULL },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct target, quiet), NULL, "print nothing", NULL },
	OPTION_HELP,
};

static void print_images(const struct images_image *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < list[i].n_names; k++)
			printf("Loaded image: %s\n", list[i].names[k]);
		if (list[i].n_names == 0)
			printf("Loaded image ID: %s\n", list[i].id);
	}
}

static int load_path(struct image_call *c, const char *path, const struct images_options *o,
		     struct arena *a, struct images_image **ret, size_t *ret_n, struct err *e)
{
	struct stat st;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "open %s", path);
	if (S_ISDIR(st.st_mode))
		return images_load_layout(c->store, fd, path, o, a, ret, ret_n, e);
	return images_load_tar(c->store, fd, path, o, a, ret, ret_n, e);
}

static int load(struct image_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct target *t = c->target;
	struct image_platform platform;
	struct images_options o = { .platform = &platform };
	struct images_image *list = NULL;
	struct reference ref;
	size_t n = 0;
	int r = 0;

	platform_host(&platform);
	if (t->platform)
		r = platform_parse(t->platform, &a, &platform, e);
	if (r < 0)
		return r;
	if (!t->input && isatty(STDIN_FILENO))
		return err_set(e, EINVAL, "standard input is a terminal: name a file with -i");
	if (!t->input) {
		r = images_load_tar(c->store, STDIN_FILENO, "standard input", &o, &a, &list, &n, e);
	} else {
		const char *path = t->input;
		struct err ignored = { 0 };

		if (reference_parse(path, &a, &ref, &ignored) == 0 &&
		    ref.transport != REFERENCE_REGISTRY) {
			path = ref.path;
			o.pick = ref.tag;
		}
		r = load_path(c, path, &o, &a, &list, &n, e);
	}
	/* Those before a bad one are in. */
	if (!t->quiet)
		print_images(list, n);
	return r;
}

const struct image_verb verb_load = {
	.name = "load",
	.args = "",
	.summary = "take images from a tar or an OCI layout",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct target),
	.run = load,
};
