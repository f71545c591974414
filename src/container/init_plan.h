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
 * The runtime writes an init plan (struct init_plan of init/plan.h, one sealed memfd)
 * before the clone; isle-init maps it, and does, in this order:
 *
 *   closes every descriptor but stdio, the preserved ones and those of the request;
 *   exec only: clone(CLONE_PARENT) into the joined pid namespace, PID on sync_fd;
 *   session and terminal; hard rlimits raised, scheduler, I/O priority, CPU affinity
 *   (exec), memory policy, personality; the LSM label of the coming exec;
 *   cwd as root (made if missing, but not for exec), umask, HOME from the container's
 *   passwd when unset or empty;
 *   bounding set, groups, gid, uid; cwd as the user if root was refused; the cwd must be
 *   inside the root (CVE-2024-21626); args[0] looked up as the user will see it;
 *   READY on sync_fd, then it waits for struct init_commit, which may be there already;
 *   with start_fd >= 0: closes sync_fd, accepts connections until one brings
 *   INIT_START_BYTE, and keeps that one as the channel for errors;
 *   startContainer hooks, as the payload's user with its capabilities;
 *   rlimits, ambient capabilities, no_new_privs, seccomp, capabilities, execve.
 *
 * A failure is a struct init_msg on sync_fd, or after the start on its connection.  A
 * successful exec closes the channel: the reader sees end of file.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "container/init/plan.h"
#include "container/seccomp.h"
#include "oci/spec.h"

struct init_request {
	const struct oci_process *process;      /* without args: start will fail, in words */
	const struct oci_hooks *start_hooks;    /* startContainer, or NULL */
	const char *state_json;                 /* for those hooks; its "pid":0 becomes the
						 * pid inside the container */
	const struct seccomp_program *seccomp;  /* or NULL */
	int listener_fd;                        /* connected socket of listenerPath, or -1 */
	const char *listener_msg;               /* container process state; its "pid":0 become
						 * the pid of init_commit */
	const struct oci_memory_policy *memory_policy;  /* or NULL */
	const unsigned long *personality;       /* or NULL */
	bool fork_into_pidns;                   /* exec: become a child first */
	bool setsid, set_ctty;                  /* ctty: stdin is the slave */
	bool userns_setgroups_denied;           /* do not call setgroups */
	bool keep_groups;                       /* the caller's groups stay (annotation) */
	unsigned preserve_fds;                  /* 3..3+n-1 stay open */
	int sync_fd;                            /* SOCK_SEQPACKET to the runtime */
	int start_fd;                           /* listening SOCK_SEQPACKET unix socket or -1 */
	int procfs_fd;                          /* of procfs_open() when a label is to be
						 * written, or -1 */
	bool apparmor, selinux;                 /* which label file the host's LSM has */
};

struct init_exec {
	int stub_fd, plan_fd;   /* sealed memfds, at 3 + preserve_fds or above */
	int keep[4];            /* the request's descriptors, or -1 */
};
#define INIT_EXEC_NONE { -1, -1, { -1, -1, -1, -1 } }

/* What isle-init sets beside the process: personality, memoryPolicy; keep_groups. */
void init_request_linux(struct init_request *rq, const struct oci_spec *spec);
/*
 * In the runtime: write both memfds.  The request's descriptors must be at
 * 3 + preserve_fds or above (they are when the preserved ones are all open).
 */
MUST_CHECK int init_prepare(const struct init_request *rq, struct init_exec *ret,
			    struct err *e);
/* In the child: never returns on success.  stdio is in place already. */
int init_exec_stub(const struct init_exec *x, struct err *e);
/* Closes the two memfds; the request's descriptors stay the caller's. */
void init_exec_release(struct init_exec *x);

/* An INIT_MSG_ERROR as an error.  Returns -e->code. */
int init_msg_error(const struct init_msg *m, struct err *e);
