/* cli/runtime/restore.c - isle-runtime restore: a container from files. */
#include "base/mem.h"
#include "cli/runtime/criu_options.h"
#include "cli/runtime/verb.h"
#include "container/checkpoint.h"

#define AT(member) offsetof(struct restore_opts, member)

static const struct option options[] = {
	{ "bundle", 'b', OPT_STRING, AT(bundle), "DIR",
	  "directory of config.json and the root file system (default: the current one)", NULL },
	{ "console-socket", 0, OPT_STRING, AT(console_socket), "SOCKET",
	  "unix socket that gets the terminal's master side", NULL },
	{ "pid-file", 0, OPT_STRING, AT(pid_file), "FILE",
	  "write the container's process ID to FILE", NULL },
	{ "detach", 'd', OPT_FLAG, AT(detach), NULL,
	  "do not wait for the container to end", NULL },
	{ "no-subreaper", 0, OPT_FLAG, AT(no_subreaper), NULL,
	  "do not reap processes that outlive their parent", NULL },
	{ "no-pivot", 0, OPT_FLAG, AT(no_pivot), NULL,
	  "refused, since criu always changes the root with pivot_root", NULL },
	CRIU_OPTIONS(struct restore_opts, criu),
	{ "lsm-profile", 0, OPT_STRING, AT(lsm_profile), "TYPE:NAME",
	  "AppArmor or SELinux label of the restored processes", NULL },
	{ "lsm-mount-context", 0, OPT_STRING, AT(lsm_mount_context), "CONTEXT",
	  "SELinux context of the restored mounts", NULL },
	OPTION_HELP,
};

static int restore(struct call *c, struct err *e)
{
	struct restore_opts *o = c->target;

	o->criu.program = c->criu;
	return container_restore(c->rt, c->argv[0], o, &c->status, e);
}

const struct verb verb_restore = {
	.name = "restore",
	.args = "CONTAINER-ID",
	.summary = "bring a container back from a checkpoint",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct restore_opts),
	.min_args = 1,
	.max_args = 1,
	.run = restore,
};
