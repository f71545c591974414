/* cli/isle/exec.c - isle exec: one more program in a running instance. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/run_values.h"
#include "engine/exec.h"

struct exec_options {
	bool detach, interactive, tty, privileged;
	const char *user, *cwd;
	struct oci_strv env, env_files;
};

#define AT(member) offsetof(struct exec_options, member)

static const struct option options[] = {
	{ "detach", 'd', OPT_FLAG, AT(detach), NULL, "do not wait for it to end", NULL },
	{ "env", 'e', OPT_STRINGS, AT(env), "NAME[=VALUE]", "set an environment variable", NULL },
	{ "env-file", 0, OPT_STRINGS, AT(env_files), "FILE",
	  "read environment variables from FILE", NULL },
	{ "interactive", 'i', OPT_FLAG, AT(interactive), NULL, "keep standard input open", NULL },
	{ "privileged", 0, OPT_FLAG, AT(privileged), NULL, "give it all capabilities", NULL },
	{ "tty", 't', OPT_FLAG, AT(tty), NULL, "give it a terminal", NULL },
	{ "user", 'u', OPT_STRING, AT(user), "USER[:GROUP]",
	  "run as this user, by name or number", NULL },
	{ "workdir", 'w', OPT_STRING, AT(cwd), "DIR", "directory to start in", NULL },
	OPTION_HELP,
};

/* Standard input ends at once; of a detached one nobody listens to the rest. */
static int close_stdio(bool all, struct err *e)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "open /dev/null");
	for (int to = 0; to <= (all ? STDERR_FILENO : STDIN_FILENO); to++)
		if (dup2(fd, to) < 0)
			return err_sys(e, errno, "give the program /dev/null");
	if (fd > STDERR_FILENO)
		close(fd);
	return 0;
}

static int check(const struct exec_options *o, struct err *e)
{
	if (o->detach && o->tty)
		return err_set(e, EINVAL, "option --tty: nobody would hold the terminal of a "
			       "detached program");
	if (o->cwd && o->cwd[0] != '/')
		return err_set(e, EINVAL, "option --workdir: \"%s\" is not an absolute path",
			       o->cwd);
	if (o->tty && o->interactive && !isatty(STDIN_FILENO))
		return err_set(e, ENOTTY, "the input device is not a TTY: leave -t out, or give "
			       "it a terminal");
	return 0;
}

static int check_state(const struct instance *in, struct err *e)
{
	if (in->status.state == INSTANCE_PAUSED)
		return err_set(e, EBUSY, "instance %s is paused: unpause it before exec", in->name);
	if (in->status.state != INSTANCE_RUNNING)
		return err_set(e, ESRCH, "instance %s is not running: it is %s", in->name,
			       instance_state_name(in->status.state));
	return 0;
}

static int read_env(const struct exec_options *o, struct arena *a, struct oci_strv *ret,
		    struct err *e)
{
	for (size_t i = 0; i < o->env_files.n; i++)
		if (env_file_parse(o->env_files.v[i], a, ret, e) < 0)
			return err_prefix(e, "option --env-file");
	for (size_t i = 0; i < o->env.n; i++)
		if (env_parse(o->env.v[i], a, ret, e) < 0)
			return err_prefix(e, "option --env");
	return 0;
}

static int exec_in(struct isle_call *c, struct instance *in, struct err *e)
{
	const struct exec_options *o = c->target;
	CLEANUP(oci_spec_release) struct oci_spec spec = { 0 };
	struct exec_change change = {
		.args = { (const char **)c->argv + 1, c->argc - 1 }, .user = o->user,
		.cwd = o->cwd, .tty = o->tty, .privileged = o->privileged,
	};
	struct oci_process process;
	const struct wall_exec how = { .process = &process, .detach = o->detach };
	const struct wall *wall;

	int r = read_env(o, &in->arena, &change.env, e);
	if (r >= 0)
		r = exec_process_make(c->eng, in, &change, &spec, &process, e);
	if (r >= 0)
		r = engine_wall(in->config.wall, &wall, e);
	if (r >= 0 && (!o->interactive || o->detach))
		r = close_stdio(o->detach, e);
	if (r < 0)
		return r;
	r = wall->exec(&c->eng->host, in->id, &how, &c->status, e);
	if (r < 0)
		c->status = wall->exit_code(e);
	return r;
}

static int exec(struct isle_call *c, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };

	int r = check(c->target, e);
	if (r >= 0)
		r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r >= 0)
		r = check_state(&in, e);
	return r < 0 ? r : exec_in(c, &in, e);
}

const struct command command_exec = {
	.name = "exec",
	.aliases = "container exec",
	.args = "INSTANCE COMMAND [ARG...]",
	.summary = "run one more program in a running instance",
	.examples = "  isle exec -it web sh\n  isle exec -u www-data -e DEBUG=1 web ./job\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct exec_options),
	.min_args = 2,
	.max_args = COMMAND_ARGS_ANY,
	.stop_after = 2,
	.run = exec,
};
