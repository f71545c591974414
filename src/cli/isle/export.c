/* cli/isle/export.c - isle export: an instance's files as one tar stream. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "engine/life.h"
#include "image/tree.h"

struct export_options {
	const char *output;
};

static const struct option options[] = {
	{ "output", 'o', OPT_STRING, offsetof(struct export_options, output), "FILE",
	  "write to FILE instead of standard output", NULL },
	OPTION_HELP,
};

static int write_tar(int rootfd, int fd, struct err *e)
{
	const struct tree_place root = { .rootfd = rootfd, .path = "/." };
	const struct tree_cp_options all = { .archive = true };

	return tree_cp_to_tar(&root, fd, &all, e);
}

/* Written beside and renamed: a file with that name is whole. */
static int write_file(int rootfd, const char *path, struct err *e)
{
	CLEANUP_FREE char *part = xasprintf("%s.part-%d", path, getpid());
	CLEANUP_FD int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "make %s", part);
	r = write_tar(rootfd, fd, e);
	if (r >= 0 && rename(part, path) < 0)
		r = err_sys(e, errno, "rename %s to %s", part, path);
	if (r < 0)
		unlink(part);
	return r;
}

static int export(struct isle_call *c, struct err *e)
{
	const struct export_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };

	if (!o->output && isatty(STDOUT_FILENO))
		return err_set(e, EINVAL, "a tar stream is not for a terminal: use -o FILE or a "
			       "pipe");
	int r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r < 0)
		return r;
	/* The overlay without what is mounted in it: volumes are not exported (Docker). */
	CLEANUP_FD int root = life_mount(c->eng, &in, true, e);
	if (root < 0)
		return root;
	return o->output ? write_file(root, o->output, e) : write_tar(root, STDOUT_FILENO, e);
}

const struct command command_export = {
	.name = "export",
	.aliases = "container export",
	.args = "INSTANCE",
	.summary = "write an instance's files as a tar stream",
	.examples = "  isle export web | tar t\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct export_options),
	.min_args = 1,
	.max_args = 1,
	.run = export,
};
