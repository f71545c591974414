#pragma once
/*
 * container/create.h - what create.c (the runtime's side) and child.c (the new
 * process's side) share of one creation.  Layer: container, private to it.
 *
 * The two talk over one SOCK_SEQPACKET pair:
 *
 *   child                        runtime
 *     |  <---------- 'g'            maps written, scope made     (only if child_waits)
 *     |  <---------- 'j'            groups made, with their join descriptors (v1)
 *     |  CHILD_MSG_HOOKS -->        mounts stand, root not pivoted (only with such hooks)
 *     |  <---------- state JSON     runtime's hooks have run
 *   (exec isle-init)
 *     |  INIT_MSG_READY  -->        program found, identity taken
 *     |  <---------- 'c'            state saved: the container exists
 *     |  (end of file)  -->         run: the program was executed
 *
 * and INIT_MSG_ERROR at any point.  Before 'c' the child dies with the runtime.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "container/cgroup.h"
#include "container/container.h"
#include "container/init/plan.h"
#include "container/init_plan.h"
#include "container/label.h"
#include "container/namespaces.h"
#include "container/rdt.h"
#include "container/rootfs.h"
#include "container/seccomp.h"
#include "container/state.h"
#include "oci/spec.h"

#define CHILD_GO 'g'
#define CHILD_JOIN 'j'
#define CHILD_MSG_HOOKS 64      /* beside the INIT_MSG_* of init/plan.h */
#define STATE_JSON_MAX 65536

struct creation {
	const struct runtime *rt;
	const struct create_opts *o;
	bool run;                       /* container_run(): no waiting for start */
	struct state st;
	struct oci_spec spec;
	struct buf config;              /* the bytes of config.json */
	struct cgroup_request cgroup_rq;
	struct ns_set ns;
	struct rootfs *rootfs;          /* NULL when a mount namespace is joined */
	struct seccomp_program seccomp;
	struct init_exec init;
	int sync_p, sync_c;             /* the pair: runtime's end, child's end */
	int listen_fd;                  /* start.sock */
	int console_sock;               /* takes the pty's master, or -1 */
	int listener_fd;                /* seccomp agent, or -1 */
	int label_fd;                   /* of label_reserve(), or -1 */
	int notify_fd;                  /* run: of notify_bind(), or -1 */
	pid_t pid;
	int pidfd;
	const char *pidfd_socket;       /* --pidfd-socket or the annotation, or NULL */
	unsigned own_unshare;           /* CLONE_NEW* the child makes for itself */
	bool child_waits;               /* for CHILD_GO */
	bool child_hooks;               /* CHILD_MSG_HOOKS will come */
	bool groups_late;               /* CHILD_JOIN will come: groups are made beside the child */
	bool hooks_begun;               /* from here on a failure runs poststop */
};

/*
 * create.c: everything up to and with the 'c' byte.  On failure nothing is left
 * but *c, which creation_release() frees in any case.
 */
MUST_CHECK int creation_run(struct creation *c, struct err *e);
/* run: wait until the program was executed, or fail with why not. */
MUST_CHECK int creation_await_exec(struct creation *c, struct err *e);
/* Write the bare number, whole or not at all; path NULL: nothing. */
MUST_CHECK int pid_file_write(const char *path, pid_t pid, struct err *e);
/* Send the descriptor to the socket at path; NULL: nothing. */
MUST_CHECK int pidfd_socket_send(const char *path, int pidfd, struct err *e);
/* Kill the child, run poststop hooks if hooks had begun, remove group and state. */
void creation_undo(struct creation *c);
void creation_release(struct creation *c);

/* child.c: the new process.  sync_c is its end; never returns. */
_Noreturn void creation_child(struct creation *c);

/* child.c: wait for CHILD_JOIN, once; arg is the creation. */
MUST_CHECK int child_groups_wait(void *arg, struct err *e);

/* prepare.c: read the bundle, decide, and make what can be made before the clone. */
MUST_CHECK int creation_prepare(struct creation *c, const char *id, struct err *e);
/* The path of --root's seccomp cache, opened, or -1. */
int seccomp_cache_open(const struct runtime *rt);
/* The state JSON for hooks; heap. */
char *creation_state_json(const struct creation *c, enum container_status s);
/* Connect to linux.seccomp.listenerPath when the program notifies; fd or -1. */
MUST_CHECK int seccomp_listener_connect(const struct oci_seccomp *s,
					const struct seccomp_program *p, struct err *e);
/* The container process state for the listener (config-linux.md#containerprocessstate);
 * heap.  "pid" is 0, isle-init fills it. */
char *seccomp_listener_message(const struct oci_seccomp *s, json_t *state);
