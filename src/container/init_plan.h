#pragma once
/*
 * container/init_plan.h - the last step into a container.  Layer: container.
 *
 * The program that becomes the container's is never exec'd by isle-runtime itself.
 * The forked child first turns into isle-init: a tiny static program (container/init/,
 * musl) that lives inside isle-runtime as bytes and is exec'd from a sealed memfd.
 * So no process the container can see ever has the host's binary as /proc/PID/exe
 * (CVE-2019-5736), and a created container that waits for "start" weighs a few
 * dozen kilobytes instead of a runtime.
 *
 * The runtime writes an init plan (the struct in init/plan.h, one sealed memfd) before clone;
 * isle-init maps it, and does, in this order:
 *   exec only: clone(CLONE_PARENT) into the joined pid namespace, pid told on sync_fd;
 *   setsid and controlling terminal (if asked), rlimits, umask, scheduler, ioprio, oom_score_adj is the runtime's;
 *   groups, gid, uid with kept capabilities; cwd, checked to be inside the root (CVE-2024-21626);
 *   HOME from the container's /etc/passwd when unset; look up args[0] in PATH: ENOENT and
 *   EACCES are told now ("exec: \"x\": executable file not found in $PATH", "... : permission denied");
 *   READY on sync_fd, wait for COMMIT on it; when start_fd >= 0: accept one
 *   connection, read START_BYTE, keep it as the error channel (close-on-exec);
 *   startContainer hooks (forked, capabilities of the process, state JSON on stdin, timeout kills);
 *   LSM label, capability sets, no_new_privs, seccomp (listener sent by a helper sharing our descriptors,
 *   so a filter that notifies on everything works), close-on-exec on all but stdio and
 *   preserved descriptors, execve.
 * A failure is sent as struct err on sync_fd (before COMMIT) or the start connection, then exit.
 * A successful exec closes the channel: the reader sees end of file.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "container/seccomp.h"
#include "oci/spec.h"

struct init_request {
	const struct oci_process *process;
	const struct oci_hooks *start_hooks;    /* startContainer, or NULL */
	const char *state_json;                 /* for those hooks' stdin, pid already in it or "pid":0 replaced */
	const struct seccomp_program *seccomp;  /* or NULL */
	int listener_fd;                        /* connected socket of listenerPath, or -1 */
	const char *listener_msg;               /* container process state JSON; "pid" is filled by isle-init */
	bool fork_into_pidns;                   /* exec: become a child first */
	bool setsid, set_ctty;                  /* ctty: stdin is the slave */
	bool userns_setgroups_denied;           /* do not call setgroups */
	unsigned preserve_fds;                  /* 3..3+n-1 stay open */
	int sync_fd;                            /* SOCK_SEQPACKET to the runtime */
	int start_fd;                           /* listening SOCK_SEQPACKET unix socket or -1 */
	int procfs_fd;                          /* of procfs_open() when a label must be written, or -1 */
	bool apparmor, selinux;                 /* which label file the host's LSM has */
};

/* What isle-init says on sync_fd, one packet each: a struct init_msg of init/plan.h. */
enum init_msg_kind { INIT_MSG_PID = 1, INIT_MSG_READY, INIT_MSG_ERROR };
#define INIT_COMMIT_BYTE 'c'
#define INIT_START_BYTE 's'

struct init_exec {
	int stub_fd, plan_fd;   /* sealed memfds, above 3 + preserve_fds */
};

/* In the runtime: write both memfds. */
MUST_CHECK int init_prepare(const struct init_request *rq, struct init_exec *ret,
			    struct err *e);
/* In the child: never returns on success.  stdio is in place already. */
int init_exec_stub(const struct init_exec *x, struct err *e);
void init_exec_release(struct init_exec *x);
