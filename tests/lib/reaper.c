/*
 * tests/lib/reaper.c - run a program as a child of a subreaper.
 *
 * Every orphan below comes to this process instead of init, so the harness can
 * list what a runtime left running: the children of $TAP_REAPER.  Zombies are
 * collected at once, as init would.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char pid[16];
	int status;

	if (argc < 2)
		return 2;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 2;
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("TAP_REAPER", pid, 1);
	/* The terminal's signals are for the script; it ends, then so do we. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);

	pid_t child = fork();
	if (child < 0)
		return 2;
	if (child == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	for (;;) {
		pid_t p = waitpid(-1, &status, 0);

		if (p < 0 && errno != EINTR)
			return 2;
		if (p == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}
