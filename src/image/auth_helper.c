/*
 * image/auth_helper.c - docker-credential-NAME, the programs that keep secrets for Docker.
 * Layer: image.
 *
 * Protocol (docker-credential-helpers): "get" reads the server's name from its standard
 * input and writes {"ServerURL","Username","Secret"}; the user "<token>" means that the
 * secret is an identity token.  A failure writes one line to standard output and exits 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "image/auth.h"

#define ANSWER_BYTES_MAX (64u << 10)

/* Its process, or -errno. */
static pid_t spawn(const char *program, const char *verb, int in, int out)
{
	char *argv[] = { (char *)program, (char *)verb, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (r == 0)
		r = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r != 0 ? -r : pid;
}

/* Its status, and what it wrote in *out. */
static int run(const char *program, const char *verb, const char *input, struct buf *out,
	       int *ret_status, struct err *e)
{
	/* In a file of memory, so that neither side can make the other wait. */
	CLEANUP_FD int in = fd_sealed("credential", input, strlen(input), 0);
	CLEANUP_FD int from = -1;
	CLEANUP_FD int to = -1;
	int fds[2];

	if (in < 0)
		return err_sys(e, -in, "run %s", program);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "run %s", program);
	from = fds[0];
	to = fds[1];
	pid_t pid = spawn(program, verb, in, to);

	if (pid == -ENOENT)
		return err_set(e, ENOENT, "run %s: there is no such program in PATH; install it, "
			       "or take it out of the file", program);
	if (pid < 0)
		return err_sys(e, -pid, "run %s", program);
	fd_close(&to);
	int r = fd_read_buf(from, out);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? err_sys(e, -r, "read what %s says", program) : 0;
}

static int read_answer(const char *program, const struct buf *out, struct arena *a,
		       struct auth_credentials *ret, struct err *e)
{
	const struct json_node *root, *user, *secret;
	int r = json_tree_parse(program, out->data ? out->data : "", out->len, a, &root, e);

	if (r < 0)
		return r;
	user = json_tree_member(root, "Username");
	secret = json_tree_member(root, "Secret");
	if (!user || user->kind != JSON_KIND_STRING || !secret ||
	    secret->kind != JSON_KIND_STRING)
		return err_set(e, EPROTO, "%s: its answer has no Username and Secret", program);
	*ret = (struct auth_credentials){ .source = program };
	if (strcmp(user->s, "<token>") == 0) {
		ret->identity_token = secret->s;
	} else {
		ret->username = user->s;
		ret->password = secret->s;
	}
	return 1;
}

int auth_helper(const char *helper, const char *verb, const char *input, struct arena *a,
		struct auth_credentials *ret, struct err *e)
{
	const char *program = arena_printf(a, "docker-credential-%s", helper);
	CLEANUP(buf_release) struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
	int status = 0;

	if (strchr(helper, '/'))
		return err_set(e, EINVAL, "credential helper \"%s\": a name was expected, "
			       "not a path", helper);
	int r = run(program, verb, input, &out, &status, e);

	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		const char *said = out.data ? out.data : "";

		/* The words that the protocol fixes for "there are none". */
		if (strstr(said, "credentials not found"))
			return 0;
		return err_set(e, EIO, "%s %s failed: %.*s", program, verb,
			       (int)strcspn(said, "\r\n"), said);
	}
	return strcmp(verb, "get") == 0 ? read_answer(program, &out, a, ret, e) : 0;
}
