/* cli/image/save.c - isle save: images into a tar or a layout.  Layer: cli. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/image/verb.h"
#include "image/archive.h"

struct target {
	const char *output, *format;
};

static const struct option options[] = {
	{ "format", 0, OPT_STRING, offsetof(struct target, format), "FORMAT",
	  "docker-archive or oci-archive: a tar that is both (the default); oci-dir: a directory",
	  NULL },
	{ "output", 'o', OPT_STRING, offsetof(struct target, output), "FILE",
	  "write there (default: standard output)", NULL },
	OPTION_HELP,
};

/* By a name: under that one.  By an ID: under all tags it has. */
static int add(struct image_call *c, const char *what, struct arena *a, struct images_save *out,
	       struct err *e)
{
	struct err ignored = { 0 };
	struct reference ref;

	int r = image_find(c->store, what, a, &out->image, e);
	if (r < 0)
		return r;
	out->names = out->image.names;
	out->n_names = out->image.n_tags;
	if (strncmp(out->image.id + 7, what, strlen(what)) == 0 ||
	    strcmp(out->image.id, what) == 0 || reference_parse(what, a, &ref, &ignored) < 0)
		return 0;
	if (!ref.tag && !ref.digest)
		ref.tag = "latest";
	const char **name = arena_calloc(a, 1, sizeof(*name));
	*name = reference_format(&ref, a);
	out->names = name;
	out->n_names = ref.digest ? 0 : 1;
	return 0;
}

static int write_layout(struct image_call *c, const char *dir, const struct images_save *list,
			struct err *e)
{
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make %s", dir);
	CLEANUP_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open %s", dir);
	return images_save_layout(c->store, fd, list, c->argc, e);
}

/* Under its name only when it is whole: a full disk leaves no half archive. */
static int write_file(struct image_call *c, const char *path, const struct images_save *list,
		      struct err *e)
{
	CLEANUP_FREE char *part = xasprintf("%s.part", path);
	struct stat st;
	bool special = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
	CLEANUP_FD int fd = open(special ? path : part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				 0666);

	if (fd < 0)
		return err_sys(e, errno, "write %s", path);
	int r = images_save_tar(c->store, fd, list, c->argc, e);
	if (special)
		return r;
	if (r == 0 && rename(part, path) < 0)
		r = err_sys(e, errno, "rename %s", part);
	if (r < 0 && unlink(part) < 0)
		log_debug("remove %s: %s", part, err_text(errno));
	return r;
}

static int save(struct image_call *c, struct err *e)
{
	static const char *const formats[] = { "docker-archive", "oci-archive", "oci-dir" };
	CLEANUP(arena_release) struct arena a = { 0 };
	const struct target *t = c->target;
	size_t format = 0;
	int r = 0;

	while (t->format && format < ARRAY_LEN(formats) && strcmp(t->format, formats[format]) != 0)
		format++;
	if (format == ARRAY_LEN(formats))
		return err_set(e, EINVAL, "--format: expected docker-archive, oci-archive or "
			       "oci-dir, found \"%s\"", t->format);
	bool layout = format == 2;
	if (layout && !t->output)
		return err_set(e, EINVAL, "--format oci-dir: name the directory with -o");
	if (!t->output && isatty(STDOUT_FILENO))
		return err_set(e, EINVAL, "an archive is nothing for a terminal: use -o FILE or "
			       "a pipe");
	struct images_save *list = arena_calloc(&a, c->argc, sizeof(*list));
	for (size_t i = 0; r == 0 && i < c->argc; i++)
		r = add(c, c->argv[i], &a, &list[i], e);
	if (r < 0)
		return r;
	if (layout)
		return write_layout(c, t->output, list, e);
	if (t->output)
		return write_file(c, t->output, list, e);
	return images_save_tar(c->store, STDOUT_FILENO, list, c->argc, e);
}

const struct image_verb verb_save = {
	.name = "save",
	.args = "IMAGE...",
	.summary = "write images into a tar that docker, podman and isle read",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct target),
	.min_args = 1,
	.max_args = (size_t)-1,
	.run = save,
};
