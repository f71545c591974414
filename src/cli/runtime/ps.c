/* cli/runtime/ps.c - isle-runtime ps: the processes of a container, as the host sees them. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/runtime/verb.h"

struct ps_args {
	bool json;
};

static const struct option options[] = {
	{ "format", 'f', OPT_PARSED, offsetof(struct ps_args, json), "FORMAT",
	  "format of the output: table or json (default table)", verb_parse_format },
	OPTION_HELP,
};

struct pids {
	pid_t *v;
	size_t n;
};

static void pids_release(struct pids *p)
{
	free(p->v);
}

static bool has_pid(const struct pids *pids, long pid)
{
	for (size_t i = 0; i < pids->n; i++) {
		if (pids->v[i] == pid)
			return true;
	}
	return false;
}

static int print_pids(const struct pids *pids, struct err *e)
{
	CLEANUP_JSON json_t *j = json_array();

	for (size_t i = 0; i < pids->n; i++)
		json_array_append_new(j, json_integer(pids->v[i]));
	return verb_print_json(j, 0, e);
}

/* Which word of ps's title line is "PID", or -1. */
static int pid_column(char *title)
{
	CLEANUP_FREE char *copy = xstrdup(title);
	char *rest = copy, *word;

	for (int i = 0; (word = strtok_r(rest, " \t\n", &rest)); i++) {
		if (strcmp(word, "PID") == 0)
			return i;
	}
	return -1;
}

static long word_number(const char *line, int column)
{
	const char *p = line + strspn(line, " \t");

	for (; column > 0; column--) {
		p += strcspn(p, " \t");
		p += strspn(p, " \t");
	}
	return strtol(p, NULL, 10);
}

/* Print the title and the lines of f whose PID is one of pids. */
static int filter(FILE *f, const struct pids *pids, struct err *e)
{
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;

	if (getline(&line, &size, f) <= 0)
		return err_set(e, EIO, "ps printed nothing");
	int column = pid_column(line);
	if (column < 0)
		return err_set(e, EINVAL, "ps printed no column PID to find the container's "
			       "processes by");
	fputs(line, stdout);
	while (getline(&line, &size, f) > 0) {
		if (has_pid(pids, word_number(line, column)))
			fputs(line, stdout);
	}
	return verb_flush(e);
}

/* Run "ps ARGS..." (default -ef, as runc), its output in *ret_fd. */
static int spawn_ps(char **args, size_t n, pid_t *ret_pid, int *ret_fd, struct err *e)
{
	static char name[] = "ps", all[] = "-ef";
	CLEANUP_FREE char **argv = xcalloc(n + 3, sizeof(*argv));
	posix_spawn_file_actions_t fa;
	int p[2];

	if (n > 0 && strcmp(args[0], "--") == 0)
		args++, n--;
	argv[0] = name;
	argv[1] = all;
	if (n > 0)
		memcpy(argv + 1, args, n * sizeof(*argv));
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for ps");
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, p[1], STDOUT_FILENO);
	int r = posix_spawnp(ret_pid, name, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(p[1]);
	if (r != 0) {
		close(p[0]);
		return err_sys(e, r, "run ps (package procps)");
	}
	*ret_fd = p[0];
	return 0;
}

static int print_ps(char **args, size_t n, const struct pids *pids, struct err *e)
{
	pid_t pid;
	int fd = -1, status = 0;
	int r = spawn_ps(args, n, &pid, &fd, e);

	if (r < 0)
		return r;
	FILE *f = fdopen(fd, "r");
	r = f ? filter(f, pids, e) : err_sys(e, errno, "read from ps");
	if (f)
		fclose(f);
	else
		close(fd);
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0 || status != 0) {
		/* ps has said on stderr what is wrong with its arguments. */
		return err_set(e, EINVAL, "ps failed with status %d",
			       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
	return r;
}

static int ps(struct call *c, struct err *e)
{
	const struct ps_args *a = c->target;
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	CLEANUP(pids_release) struct pids pids = { 0 };

	int r = state_load(c->rt, c->argv[0], false, &st, e);
	if (r >= 0)
		r = cgroup_pids(&st.cgroup, &pids.v, &pids.n, e);
	if (r < 0)
		return r;
	if (a->json)
		return print_pids(&pids, e);
	return print_ps(c->argv + 1, c->argc - 1, &pids, e);
}

const struct verb verb_ps = {
	.name = "ps",
	.args = "CONTAINER-ID [PS-OPTION...]",
	.summary = "show the processes of a container",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct ps_args),
	.min_args = 1,
	.max_args = VERB_ARGS_ANY,
	.stop_after = 1,
	.run = ps,
};
