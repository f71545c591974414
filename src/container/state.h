#pragma once
/*
 * container/state.h - what the runtime keeps of a container: <root>/<id>/.
 * Layer: container.
 *
 *   state.json    this struct; replaced by rename, never half written
 *   config.json   the bundle's document as it was at create
 *   start.sock    isle-init listens here from create until start
 *
 * The directory itself is the lock (flock): create, start and delete take it; so
 * do pause, resume and update.  A directory without a lock holder and with status
 * "creating" is what a killed create left: the next create or delete --force cleans it.
 */
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "container/cgroup.h"
#include "oci/spec.h"

enum container_status {
	STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED
};

struct runtime {                        /* the global options, as the verbs see them */
	const char *root;               /* directory of states */
	enum cgroup_manager cgroup_manager;
	bool rootless;                  /* decided: --rootless, or euid != 0 or a user namespace */
	bool debug;
};

struct state {
	char *id;
	char *bundle;                   /* absolute */
	char *rootfs;                   /* absolute */
	char *created;                  /* RFC 3339 */
	char *oci_version;
	uid_t owner;
	pid_t pid;                      /* of the init, 0 while unknown */
	unsigned long long pid_start;   /* field 22 of /proc/PID/stat: guards against reuse */
	bool creating;                  /* true until create has committed */
	bool started;                   /* start has been done */
	unsigned ns_flags;              /* CLONE_NEW* the container has of its own */
	bool has_process;               /* a start is possible */
	bool has_poststart, has_poststop;       /* spares parsing config.json */
	json_t *annotations;            /* object or NULL */
	struct cgroup cgroup;
	char *intel_rdt_group;          /* resctrl directory we made, or NULL */
	int dirfd;                      /* <root>/<id>; holds the flock when locked */
};

/* ids: [A-Za-z0-9_+.-], not "." or "..", at most 255 bytes. */
MUST_CHECK int state_check_id(const char *id, struct err *e);
/* mkdir and lock; -EEXIST "container with given ID already exists"; cleans what
 * a killed create left. *st is empty but for id and dirfd. */
MUST_CHECK int state_new(const struct runtime *rt, const char *id, struct state *st,
			 struct err *e);
/* -ENOENT "container does not exist".  lock: take the directory's lock, waiting. */
MUST_CHECK int state_load(const struct runtime *rt, const char *id, bool lock,
			  struct state *st, struct err *e);
MUST_CHECK int state_save(struct state *st, struct err *e);
/* Let the lock go and take it again; -ENOENT if the directory is no longer ours. */
void state_unlock(const struct state *st);
MUST_CHECK int state_relock(const struct runtime *rt, const struct state *st,
			    struct err *e);
/* Remove the directory. */
MUST_CHECK int state_remove(const struct runtime *rt, struct state *st, struct err *e);
void state_release(struct state *st);

MUST_CHECK int state_status(const struct state *st, enum container_status *ret,
			    struct err *e);
/* State letter and start time (field 22) of /proc/PID/stat; -ESRCH when it is gone. */
MUST_CHECK int proc_stat_read(pid_t pid, char *ret_state, unsigned long long *ret_start);
const char *status_name(enum container_status s);
/* A pidfd of the init, checked against pid_start; -ESRCH when it is gone. */
MUST_CHECK int state_pidfd(const struct state *st);
/* The state object of runtime.md#state (ociVersion, id, status, pid, bundle,
 * annotations); extended adds runc's rootfs, created, owner.  New reference. */
json_t *state_to_oci(const struct state *st, enum container_status s, bool extended);
/* The stored document, parsed. */
MUST_CHECK int state_load_spec(const struct state *st, struct oci_spec *spec,
			       struct err *e);
/* All ids below rt->root, sorted; caller frees each and the list. */
MUST_CHECK int state_list(const struct runtime *rt, char ***ret, size_t *ret_n,
			  struct err *e);
