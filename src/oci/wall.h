#pragma once
/*
 * oci/wall.h - the one interface between the engine and what isolates.  Layer: oci.
 *
 * A wall takes an OCI bundle and runs it: as a container (container/wall.c), as a virtual
 * machine (vm/wall.c, to come).  The engine chooses a table and knows no more.  An
 * instance's ID is the same in both.  Operations block until done, take the wall's own
 * lock on the instance, and leave nothing behind when they fail; messages are one line.
 */
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

struct wall_host {                      /* where a wall keeps what lives while the host is up */
	const char *state_dir;          /* absolute; "<run-root>/runtime" */
	bool systemd_cgroup;
	bool rootless;
};

struct wall_create {
	const char *bundle;             /* directory with config.json; root.path may be absolute */
	const char *console_socket;     /* gets the pty's master when process.terminal; else NULL */
	bool no_new_keyring;
};

struct wall_exec {
	const struct oci_process *process;      /* complete; terminal too */
	bool detach;                    /* return when it runs; *ret_status is 0 */
	const char *pid_file;           /* or NULL */
	pid_t *ret_pid;                 /* or NULL: the process, a child of the caller */
	const char *console_socket;     /* of a detached one with a terminal, or NULL */
};

enum wall_status { WALL_CREATED, WALL_RUNNING, WALL_PAUSED, WALL_STOPPED };

struct wall {
	const char *name;               /* "container": what --wall and ps show */

	/*
	 * Make everything but run nothing.  The caller's stdin, stdout and stderr become the
	 * program's (without a terminal).  *ret_pid is a process of this host, a descendant
	 * of the caller whose parent is the nearest subreaper once create's process has
	 * ended: its wait status is the program's.
	 */
	int (*create)(const struct wall_host *h, const char *id, const struct wall_create *o,
		      pid_t *ret_pid, struct err *e);
	/* Returns when the program was executed; its failure to be (127, 126) is this error. */
	int (*start)(const struct wall_host *h, const char *id, struct err *e);
	/*
	 * With the caller's stdio; without detach waits, relays terminal and signals;
	 * *ret_status is the exit code, 128 + signal.  A program that cannot be executed is
	 * an error that container_exit_code() of the wall turns into 126 or 127: exit_code.
	 */
	int (*exec)(const struct wall_host *h, const char *id, const struct wall_exec *o,
		    int *ret_status, struct err *e);
	int (*exit_code)(const struct err *e);
	/* all: every process of the instance, else the first alone. */
	int (*signal)(const struct wall_host *h, const char *id, int sig, bool all,
		      struct err *e);
	int (*pause)(const struct wall_host *h, const char *id, struct err *e);
	int (*resume)(const struct wall_host *h, const char *id, struct err *e);
	int (*update)(const struct wall_host *h, const char *id,
		      const struct oci_resources *r, struct err *e);
	int (*status)(const struct wall_host *h, const char *id, enum wall_status *ret,
		      pid_t *ret_pid, struct err *e);
	/* runc's "events --stats" object: a new reference. */
	int (*stats)(const struct wall_host *h, const char *id, json_t **ret, struct err *e);
	/* Processes, as numbered on this host; *ret is the heap's. */
	int (*pids)(const struct wall_host *h, const char *id, pid_t **ret, size_t *ret_n,
		    struct err *e);
	/* Processes killed for want of memory so far, and a descriptor readable at a new one. */
	int (*oom_count)(const struct wall_host *h, const char *id, uint64_t *ret,
			 struct err *e);
	int (*oom_fd)(const struct wall_host *h, const char *id, struct err *e);
	/* force: kill first.  An instance that is not there is -ENOENT. */
	int (*remove)(const struct wall_host *h, const char *id, bool force, struct err *e);
	/* A directory descriptor of the running instance's root, mounts included, for cp. */
	int (*root)(const struct wall_host *h, const char *id, struct err *e);
};
