/*
 * tests/lib/killnth.c - SIGKILL a program as it enters its Nth system call.
 *
 *	killnth [-f] N PROGRAM ARGS...
 *
 * -f counts the calls of its children too (the program itself is what is killed,
 * at the moment one of them is at its step).  Children are let go, not killed:
 * what becomes of them is what the test wants to see.  Exit 0: it was killed;
 * 3: it ended before its Nth call; 2: it could not be run.  The number of calls seen is printed.
 */
#include <errno.h>
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
	} else if (sig != SIGTRAP && !(sig == SIGSTOP && p != program)) {
		data = sig;     /* a real signal: pass it on */
	}
	ptrace(PTRACE_SYSCALL, p, 0, data);
	return false;
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
	program = fork();
	if (program == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[1], argv + 1);
		_exit(EXEC_FAILED);
	}
	if (program < 0 || waitpid(program, &status, 0) < 0)
		return 2;
	ptrace(PTRACE_SETOPTIONS, program, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
	       (follow ? PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK : 0));
	ptrace(PTRACE_SYSCALL, program, 0, 0);

	bool killed = false;
	for (;;) {
		pid_t p = waitpid(killed ? program : -1, &status, __WALL);

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
