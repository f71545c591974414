/*
 * tests/lib/killnth.c - SIGKILL a program as it enters its Nth system call.
 *
 *	killnth [-f] N PROGRAM ARGS...
 *
 * -f counts the calls of its children too (the program itself is what is killed,
 * at the moment one of them is at its step).  Children are let go, not killed:
 * what becomes of them is what the test wants to see.  Exit 0: it was killed;
 * 3: it ended before its Nth call; 2: it could not be run.  The number of calls seen is printed.
 *
 * Seized, not attached (ptrace(2)): a child attached to by its birth has a SIGSTOP to take,
 * and where we end before it does, it stops for good, with every lock it inherited.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXEC_FAILED 99          /* no status of the program's own */

static long n_calls, kill_at;
static pid_t program;

/* One stop of a traced process.  Returns true once the program was killed. */
static bool step(pid_t p, int status)
{
	int sig = WSTOPSIG(status);
	long data = 0;

	if (sig == (SIGTRAP | 0x80)) {
		struct __ptrace_syscall_info info;

		if (ptrace(PTRACE_GET_SYSCALL_INFO, p, sizeof(info), &info) > 0 &&
		    info.op == PTRACE_SYSCALL_INFO_ENTRY && ++n_calls == kill_at) {
			kill(program, SIGKILL);
			if (p != program)
				ptrace(PTRACE_DETACH, p, 0, 0);
			return true;
		}
	} else if (status >> 16 == 0) {
		data = sig;     /* no event of ptrace but a signal: pass it on */
	}
	ptrace(PTRACE_SYSCALL, p, 0, data);
	return false;
}

/* The program, held back until it is seized; calls count from its exec. */
static pid_t spawn(char **argv, bool follow)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
		(follow ? PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK : 0);
	int gate[2];
	char c;

	if (pipe2(gate, O_CLOEXEC) < 0)
		return -1;
	pid_t p = fork();
	if (p == 0) {
		close(gate[1]);
		if (read(gate[0], &c, 1) != 1)
			_exit(EXEC_FAILED);
		execvp(argv[0], argv);
		_exit(EXEC_FAILED);
	}
	if (p > 0 && (ptrace(PTRACE_SEIZE, p, 0, options) < 0 || write(gate[1], "g", 1) != 1))
		p = -1;
	close(gate[0]);
	close(gate[1]);
	return p;
}

int main(int argc, char **argv)
{
	bool follow = argc > 1 && strcmp(argv[1], "-f") == 0;
	int status;

	argv += 1 + follow;
	argc -= 1 + follow;
	if (argc < 2)
		return 2;
	kill_at = atol(argv[0]);
	program = spawn(argv + 1, follow);
	if (program < 0)
		return 2;

	bool killed = false;
	for (;;) {
		/* Of any: the program is not reaped before its threads, which are traced too. */
		pid_t p = waitpid(-1, &status, __WALL);

		if (p < 0 && errno == EINTR)
			continue;
		if (p < 0)
			break;
		if (WIFSTOPPED(status)) {
			if (!killed)
				killed = step(p, status);
		} else if (p == program) {
			break;
		}
	}
	printf("%ld\n", n_calls);
	if (!killed && WIFEXITED(status) && WEXITSTATUS(status) == EXEC_FAILED)
		return 2;
	return killed ? 0 : 3;
}
