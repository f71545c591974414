#pragma once
/*
 * container/foreground.h - isle-runtime standing between its caller and a container
 * process: terminal relay, signals passed on, exit status.  Layer: container.
 */
#include <signal.h>
#include <sys/types.h>

#include "base/err.h"

/* Block every signal that is passed on later; *ret_old is for the child.  Before clone. */
void foreground_block_signals(sigset_t *ret_old);

/*
 * Wait for the child pid.  Signals we get are sent to it (SIGCHLD and SIGURG aside;
 * SIGWINCH resizes).  With a terminal (master >= 0), our stdin and stdout are relayed to
 * it, stdin in raw mode until the return.
 * *ret_status is the exit code, 128 + signal when it was killed.
 */
MUST_CHECK int foreground_wait(pid_t pid, int master, int *ret_status, struct err *e);
