/*
 * cli/init/main.c - isle-pid1, process 1 of an instance run with --init.
 *
 *	isle-pid1 -- PROGRAM [ARG...]
 *
 * As the first process of a pid namespace it has two duties the program was not written
 * for (pid_namespaces(7)): to reap children whose parents have gone, and to hand on signals,
 * which the kernel does not deliver to a process 1 that has no handler.  It exits as the
 * program does, with 128 + signal where one ended it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_FOUND 127
#define EXIT_CANNOT 126
#define EXIT_ERROR 125

static void say(const char *what, const char *why)
{
	static const char name[] = "isle-pid1: ";
	const char *part[] = { name, what, ": ", why, "\n" };

	for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (write(STDERR_FILENO, part[i], strlen(part[i])) < 0)
			return;
}

/* In the child: a group of its own, in front of the terminal if there is one. */
static int run_program(char **argv, const sigset_t *old)
{
	sigset_t ttou;

	setpgid(0, 0);
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);      /* what tcsetpgrp() gets as a background group */
	sigprocmask(SIG_BLOCK, &ttou, NULL);
	(void)tcsetpgrp(STDIN_FILENO, getpgrp());
	sigprocmask(SIG_SETMASK, old, NULL);
	execvp(argv[0], argv);
	say(argv[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT;
}

/* All that have ended; 1 when the program is among them. */
static int reap(pid_t program, int *ret_status)
{
	int status, seen = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != program)
			continue;
		*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		seen = 1;
	}
	return seen;
}

int main(int argc, char **argv)
{
	sigset_t all, old;
	int status = EXIT_ERROR;

	if (argc > 1 && strcmp(argv[1], "--") == 0) {
		argv++;
		argc--;
	}
	if (argc < 2) {
		say("usage", "isle-pid1 -- PROGRAM [ARG...]");
		return EXIT_ERROR;
	}
	/* Signals are taken one at a time below; those of our own faults stay deadly. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGTRAP);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t program = fork();
	if (program < 0) {
		say("fork", strerror(errno));
		return EXIT_ERROR;
	}
	if (program == 0)
		return run_program(argv + 1, &old);
	for (;;) {
		siginfo_t info;
		int sig = sigwaitinfo(&all, &info);

		if (sig == SIGCHLD && reap(program, &status))
			return status;
		if (sig > 0 && sig != SIGCHLD)
			(void)kill(program, sig);
	}
}
