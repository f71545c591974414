/* cli/isle/program.c - see program.h */
#include "cli/isle/program.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define GLOBALS_MAX 8

struct words {
	const char **v;
	size_t n;
};

static void add(struct words *w, const char *option, const char *value)
{
	if (!value)
		return;
	w->v[w->n++] = option;
	w->v[w->n++] = value;
}

static const char **command_line(const char *program, const char *root, const char *run_root,
				 bool debug, const char *verb, const char *const *argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	struct words w = { .v = xcalloc(n + GLOBALS_MAX + 2, sizeof(*w.v)) };
	w.v[w.n++] = program;
	add(&w, "--root", root);
	add(&w, "--run-root", run_root);
	if (debug)
		w.v[w.n++] = "--debug";
	if (verb)
		w.v[w.n++] = verb;
	memcpy(w.v + w.n, argv, n * sizeof(*argv));
	return w.v;
}

int program_become_image(const struct engine_options *o, const char *verb, char **argv,
			 struct err *e)
{
	CLEANUP_FREE char *program = NULL;

	int r = engine_program("isle-image", &program, e);
	if (r < 0)
		return r;
	/* "image pull" is its verb "pull". */
	const char *space = strrchr(verb, ' ');
	CLEANUP_FREE const char **line = command_line(program, o->root, o->run_root, o->debug,
						      space ? space + 1 : verb,
						      (const char *const *)argv);
	signal(SIGPIPE, SIG_DFL);
	execv(program, (char *const *)line);
	return err_sys(e, errno, "execute %s", program);
}

int program_run_image(const struct engine *eng, const char *const *argv, int out,
		      int *ret_status, struct err *e)
{
	CLEANUP_FREE char *program = NULL;
	int status;

	int r = engine_program("isle-image", &program, e);
	if (r < 0)
		return r;
	CLEANUP_FREE const char **line = command_line(program, eng->root, eng->run_root, false,
						      NULL, argv);
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		if (out >= 0 && dup2(out, STDOUT_FILENO) < 0)
			_exit(1);
		execv(program, (char *const *)line);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for %s", program);
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}
