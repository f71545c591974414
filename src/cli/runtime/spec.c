/* cli/runtime/spec.c - isle-runtime spec: a config.json to begin with. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/runtime/verb.h"
#include "oci/default.h"

struct spec_args {
	const char *bundle;
	bool rootless;
};

static const struct option options[] = {
	{ "bundle", 'b', OPT_STRING, offsetof(struct spec_args, bundle), "DIR",
	  "write it there (default: the current directory)", NULL },
	{ "rootless", 0, OPT_FLAG, offsetof(struct spec_args, rootless), NULL,
	  "for a user without privileges: a user namespace, no cgroup limits", NULL },
	OPTION_HELP,
};

/* config.json is the user's work once it is there: never overwritten. */
static int write_new(const char *dir, const struct buf *b, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/config.json", dir);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, "file %s exists; remove it first", path);
	if (fd < 0)
		return err_sys(e, errno, "create %s", path);
	int r = fd_write_all(fd, b->data, b->len);
	if (r < 0) {
		unlink(path);
		return err_sys(e, -r, "write %s", path);
	}
	return 0;
}

static int spec(struct call *c, struct err *e)
{
	const struct spec_args *a = c->target;
	CLEANUP(buf_release) struct buf b = BUF_INIT(JSON_BYTES_MAX);
	CLEANUP_JSON json_t *j = oci_default_spec(a->rootless, geteuid(), getegid());

	json_add(&b, j, JSON_INDENT(4));
	buf_add_str(&b, "\n");
	return write_new(a->bundle ? a->bundle : ".", &b, e);
}

const struct verb verb_spec = {
	.name = "spec",
	.args = "",
	.summary = "write a config.json to begin with",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct spec_args),
	.run = spec,
};
