/* cli/isle/cp.c - isle cp: files between an instance and the host. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "engine/life.h"
#include "image/tree.h"

struct cp_options {
	bool archive, follow;
};

#define AT(member) offsetof(struct cp_options, member)

static const struct option options[] = {
	{ "archive", 'a', OPT_FLAG, AT(archive), NULL, "keep owner and group", NULL },
	{ "follow-link", 'L', OPT_FLAG, AT(follow), NULL,
	  "copy what a symlink SOURCE points to", NULL },
	OPTION_HELP,
};

/* One end: "NAME:PATH" is an instance's, all else the host's. */
struct end {
	struct instance in;
	bool inside;
	const char *path;
	int rootfd;
};

static void end_release(struct end *end)
{
	fd_close(&end->rootfd);
	if (end->inside)
		instance_release(&end->in);
}

/*
 * A path that begins with '/' or '.' is the host's, whatever colons are in it (Docker).
 * The running instance's root has its mounts; of an ended one there is the overlay.
 */
static int end_open(struct isle_call *c, const char *text, bool read_only, struct end *end,
		    struct err *e)
{
	const char *colon = strchr(text, ':');
	const struct wall *wall;

	end->path = text;
	if (text[0] == '/' || text[0] == '.' || !colon)
		return 0;
	CLEANUP_FREE char *name = xasprintf("%.*s", (int)(colon - text), text);
	int r = instance_find(c->eng, name, !read_only, &end->in, e);
	if (r < 0)
		return r;
	end->inside = true;
	end->path = colon[1] ? colon + 1 : "/";
	if (end->in.status.pid > 0) {
		r = engine_wall(end->in.config.wall, &wall, e);
		r = r < 0 ? r : wall->root(&c->eng->host, end->in.id, e);
	} else {
		r = life_mount(c->eng, &end->in, read_only, e);
	}
	end->rootfd = r;
	return r < 0 ? r : 0;
}

static struct tree_place place(const struct end *end, const char *text)
{
	return (struct tree_place){ .rootfd = end->inside ? end->rootfd : AT_FDCWD,
				    .path = end->path, .label = text };
}

static int copy(struct isle_call *c, const struct end *from, const struct end *to,
		struct err *e)
{
	const struct cp_options *o = c->target;
	const struct tree_place src = place(from, c->argv[0]), dst = place(to, c->argv[1]);
	const struct tree_cp_options how = {
		.follow = o->follow, .archive = o->archive,
		.uid = to->inside ? 0 : getuid(), .gid = to->inside ? 0 : getgid(),
	};

	if (!from->inside && strcmp(from->path, "-") == 0)
		return tree_cp_from_tar(STDIN_FILENO, &dst, &how, e);
	if (!to->inside && strcmp(to->path, "-") == 0) {
		if (isatty(STDOUT_FILENO))
			return err_set(e, EINVAL, "a tar stream is not for a terminal: give a file "
				       "or a pipe");
		return tree_cp_to_tar(&src, STDOUT_FILENO, &how, e);
	}
	return tree_cp(&src, &dst, &how, e);
}

static int cp(struct isle_call *c, struct err *e)
{
	CLEANUP(end_release) struct end from = { .rootfd = -1, .in.lockfd = -1 };
	CLEANUP(end_release) struct end to = { .rootfd = -1, .in.lockfd = -1 };

	int r = end_open(c, c->argv[0], true, &from, e);
	if (r >= 0)
		r = end_open(c, c->argv[1], false, &to, e);
	if (r < 0)
		return r;
	if (from.inside == to.inside)
		return err_set(e, EINVAL, from.inside
			       ? "files of two instances: copy to the host first, then from it"
			       : "one of SOURCE and TARGET has to be INSTANCE:PATH");
	return copy(c, &from, &to, e);
}

const struct command command_cp = {
	.name = "cp",
	.aliases = "container cp",
	.args = "SOURCE TARGET",
	.summary = "copy files between an instance and the host",
	.examples = "  isle cp web:/etc/nginx ./conf\n  isle cp - web:/srv < site.tar\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct cp_options),
	.min_args = 2,
	.max_args = 2,
	.run = cp,
};
