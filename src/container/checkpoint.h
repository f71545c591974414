#pragma once
/*
 * container/checkpoint.h - freeze a container into files and bring it back, through
 * the program criu.  Layer: container.  Words and defaults are runc's.
 *
 * criu runs as a child with its log in the work directory; when it fails, the error
 * carries the last error line of that log and where the log is.
 */
#include <stdbool.h>

#include "base/err.h"
#include "container/state.h"

/* What both ways take. */
struct criu_opts {
	const char *program;            /* NULL: "criu" in PATH */
	const char *image_path;         /* NULL: "checkpoint" in the current directory */
	const char *work_path;          /* NULL: the image path */
	const char *manage_cgroups;     /* "soft", "full", "strict", "ignore", "none"; NULL: soft */
	const char *empty_ns;           /* "network" or NULL */
	bool tcp_established, ext_unix_sk, shell_job, file_locks, auto_dedup, lazy_pages;
	const char *status_fd;          /* number of a descriptor told when criu is ready; NULL */
};

struct checkpoint_opts {
	struct criu_opts criu;
	const char *parent_path;        /* of an earlier pre-dump, relative to the image path */
	const char *page_server;        /* "ADDRESS:PORT" */
	bool leave_running, tcp_skip_in_flight, pre_dump, link_remap;
};

/* Dump the container; unless it is left running or only pre-dumped, it has ended and
 * is deleted, as runc does. */
MUST_CHECK int container_checkpoint(const struct runtime *rt, const char *id,
				    const struct checkpoint_opts *o, struct err *e);

struct restore_opts {
	struct criu_opts criu;
	const char *bundle;             /* NULL: the current directory */
	const char *pid_file, *console_socket;
	const char *lsm_profile;        /* "apparmor:NAME" or "selinux:LABEL" */
	const char *lsm_mount_context;
	bool detach, no_subreaper, no_pivot;
};

/* Make the container id anew from the images.  Unless detached, wait for it and delete it;
 * *ret_status is then its exit code. */
MUST_CHECK int container_restore(const struct runtime *rt, const char *id,
				 const struct restore_opts *o, int *ret_status,
				 struct err *e);
