/* cli/runtime/exec.c - isle-runtime exec: one more process in a running container. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/values.h"
#include "cli/runtime/verb.h"
#include "container/container.h"

struct user_arg {
	bool set;
	uid_t uid;
	gid_t gid;
};

struct exec_args {
	struct exec_opts o;
	const char *process;
	struct user_arg user;
	struct oci_strv gids;
	bool no_new_privs;
};

static int parse_user(const char *s, void *target, struct err *e)
{
	struct user_arg *u = target;

	u->set = true;
	return value_user(s, &u->uid, &u->gid, e);
}

#define AT(member) offsetof(struct exec_args, member)

static const struct option options[] = {
	{ "process", 'p', OPT_STRING, AT(process), "FILE",
	  "the process object of config.json; COMMAND is then not given", NULL },
	{ "console-socket", 0, OPT_STRING, AT(o.console_socket), "SOCKET",
	  "unix socket that gets the terminal's master side", NULL },
	{ "pidfd-socket", 0, OPT_STRING, AT(o.pidfd_socket), "SOCKET",
	  "unix socket that gets a descriptor of the process", NULL },
	{ "pid-file", 0, OPT_STRING, AT(o.pid_file), "FILE",
	  "write the process ID to FILE", NULL },
	{ "detach", 'd', OPT_FLAG, AT(o.detach), NULL,
	  "do not wait for the process to end", NULL },
	{ "tty", 't', OPT_FLAG, AT(o.tty), NULL, "give the process a terminal", NULL },
	{ "user", 'u', OPT_PARSED, AT(user), "UID[:GID]", "run as this user", parse_user },
	{ "additional-gids", 'g', OPT_STRINGS, AT(gids), "GID",
	  "a further group (repeatable)", NULL },
	{ "cwd", 0, OPT_STRING, AT(o.cwd), "DIR", "directory to start in", NULL },
	{ "env", 'e', OPT_STRINGS, AT(o.env), "KEY=VALUE",
	  "add to the container's environment (repeatable)", NULL },
	{ "cap", 'c', OPT_STRINGS, AT(o.caps), "CAP",
	  "add a capability (repeatable)", NULL },
	{ "no-new-privs", 0, OPT_FLAG, AT(no_new_privs), NULL,
	  "never gain privileges through execve(2)", NULL },
	{ "preserve-fds", 0, OPT_UINT, AT(o.preserve_fds), "N",
	  "pass N more descriptors, from 3 on, to the process", NULL },
	{ "cgroup", 0, OPT_STRINGS, AT(o.cgroups), "[V1-CONTROLLER,...:]PATH",
	  "run in this cgroup below the container's (repeatable)", NULL },
	{ "ignore-paused", 0, OPT_FLAG, AT(o.ignore_paused), NULL,
	  "enter a paused container too; the process waits until it is resumed", NULL },
	{ "apparmor", 0, OPT_STRING, AT(o.apparmor), "PROFILE",
	  "AppArmor profile of the process", NULL },
	{ "process-label", 0, OPT_STRING, AT(o.process_label), "LABEL",
	  "SELinux label of the process", NULL },
	OPTION_HELP,
};

static int read_process(const char *path, struct arena *a, struct oci_process **ret,
			struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(JSON_BYTES_MAX);
	/* Engines write it beside their own files; "-" is standard input. */
	int r = strcmp(path, "-") == 0 ? fd_read_buf(STDIN_FILENO, &b)
				       : file_read_at(AT_FDCWD, path, &b);

	if (r < 0)
		return err_sys(e, -r, "read process file %s", path);
	return oci_process_parse(path, b.data, b.len, a, ret, e);
}

static int check_lists(const struct exec_opts *o, struct err *e)
{
	for (size_t i = 0; i < o->env.n; i++) {
		const char *eq = strchr(o->env.v[i], '=');

		if (!eq || eq == o->env.v[i])
			return err_set(e, EINVAL, "option --env: \"%s\" is not KEY=VALUE",
				       o->env.v[i]);
	}
	return 0;
}

/* Below the container's group, never beside it. */
static int check_cgroup(const char *path, struct err *e)
{
	const char *p = strrchr(path, ':');

	for (p = p ? p + 1 : path; *p; p += strcspn(p, "/")) {
		p += strspn(p, "/");
		if (strcspn(p, "/") == 2 && strncmp(p, "..", 2) == 0)
			return err_set(e, EINVAL, "option --cgroup: bad sub cgroup path: \"%s\" "
				       "leaves the container's cgroup", path);
	}
	return 0;
}

static int exec_args_check(struct exec_args *a, const struct call *c, struct err *e)
{
	if (a->process && c->argc > 1)
		return err_set(e, EINVAL, "exec: both --process %s and the command \"%s\" are "
			       "given", a->process, c->argv[1]);
	if (!a->process && c->argc < 2)
		return err_set(e, EINVAL, "exec: process args cannot be empty: give a command or "
			       "--process FILE");
	int r = 0;
	for (size_t i = 0; r == 0 && i < a->o.cgroups.n; i++)
		r = check_cgroup(a->o.cgroups.v[i], e);
	return r < 0 ? r : check_lists(&a->o, e);
}

static int read_gids(const struct oci_strv *list, struct arena *a, uint32_t **ret,
		     struct err *e)
{
	*ret = arena_calloc(a, list->n, sizeof(**ret));
	for (size_t i = 0; i < list->n; i++) {
		if (value_id(list->v[i], *ret + i, e) < 0)
			return err_prefix(e, "option --additional-gids");
	}
	return 0;
}

static int exec(struct call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena arena = { 0 };
	struct exec_args *a = c->target;
	struct oci_process *process = NULL;

	int r = exec_args_check(a, c, e);
	if (r >= 0)
		r = read_gids(&a->gids, &arena, &a->o.additional_gids, e);
	if (r >= 0 && a->process)
		r = read_process(a->process, &arena, &process, e);
	if (r < 0)
		return r;

	/* argv ends with the NULL that oci_strv wants: the command is the tail of ours. */
	a->o.process = process;
	a->o.args = (struct oci_strv){ (const char **)c->argv + 1, c->argc - 1 };
	a->o.user_set = a->user.set;
	a->o.uid = a->user.uid;
	a->o.gid = a->user.gid;
	a->o.n_additional_gids = a->gids.n;
	a->o.no_new_privs_set = a->o.no_new_privs = a->no_new_privs;
	return container_exec(c->rt, c->argv[0], &a->o, &c->status, e);
}

const struct verb verb_exec = {
	.name = "exec",
	.args = "CONTAINER-ID [COMMAND [ARGUMENT...]]",
	.summary = "run one more process in a running container",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct exec_args),
	.min_args = 1,
	.max_args = VERB_ARGS_ANY,
	.stop_after = 2,
	/* The program's own statuses are 0 to 255 too; this is the one that runc took. */
	.exit_failed = 255,
	.run = exec,
};
