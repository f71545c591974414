#pragma once
/*
 * container/container.h - the life of a container, as the verbs call it.
 * Layer: container.  Each call is one verb of runtime.md#operations or of runc's
 * command line, takes the container's lock as it needs, and leaves nothing behind
 * when it fails.  Messages use runc's words, which engines match on.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "container/state.h"
#include "oci/spec.h"

struct create_opts {
	const char *bundle;             /* NULL: the current directory */
	const char *config;             /* NULL: config.json of the bundle */
	const char *rootfs;             /* absolute, in place of root.path; or NULL */
	const char *pid_file, *console_socket, *pidfd_socket;
	bool no_pivot, no_new_keyring;
	unsigned preserve_fds;
	pid_t *ret_pid;                 /* or NULL: the container's init */
};

MUST_CHECK int container_create(const struct runtime *rt, const char *id,
				const struct create_opts *o, struct err *e);
MUST_CHECK int container_start(const struct runtime *rt, const char *id, struct err *e);

struct run_opts {
	struct create_opts create;
	bool detach;
	bool keep;                      /* do not delete when it ends */
};
/* create, start and, unless detached, forward signals and the terminal, wait, delete.
 * *ret_status is the exit code (128 + signal). */
MUST_CHECK int container_run(const struct runtime *rt, const char *id,
			     const struct run_opts *o, int *ret_status, struct err *e);

MUST_CHECK int container_kill(const struct runtime *rt, const char *id, int sig,
			      bool all, struct err *e);
MUST_CHECK int container_delete(const struct runtime *rt, const char *id, bool force,
				struct err *e);
MUST_CHECK int container_pause(const struct runtime *rt, const char *id, struct err *e);
MUST_CHECK int container_resume(const struct runtime *rt, const char *id, struct err *e);
/* Device rules are left alone: rewriting them would deny devices for a moment. */
MUST_CHECK int container_update(const struct runtime *rt, const char *id,
				const struct oci_resources *r, struct err *e);

struct exec_opts {
	const struct oci_process *process;      /* complete, or NULL: from the fields below */
	/* Laid over the process of the container's own config.json: */
	struct oci_strv args;
	struct oci_strv env;                    /* added, an equal name replaces */
	const char *cwd;
	bool user_set;
	uid_t uid;
	gid_t gid;
	uint32_t *additional_gids;
	size_t n_additional_gids;
	struct oci_strv caps;                   /* --cap: added to all sets but ambient */
	bool no_new_privs_set, no_new_privs;
	const char *apparmor, *process_label;
	bool tty;
	/* For both: */
	bool detach, ignore_paused;
	const char *pid_file, *console_socket, *pidfd_socket;
	struct oci_strv cgroups;                /* groups below the container's */
	unsigned preserve_fds;
	pid_t *ret_pid;                 /* or NULL: the process, known when it was executed */
};
MUST_CHECK int container_exec(const struct runtime *rt, const char *id,
			      const struct exec_opts *o, int *ret_status, struct err *e);

/* 126, 127 when e tells that the program could not be executed, else 1. */
int container_exit_code(const struct err *e);
