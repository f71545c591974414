#pragma once
/*
 * container/cgroup.h - the control group of one container, whichever way the host
 * lays them out: v1 (and hybrid), v2, or v2/v1 through systemd.  Layer: container.
 *
 * cgroup.c chooses; cgroup_v1.c, cgroup_v2.c and cgroup_systemd.c do.  Resources
 * come in as the runtime-spec has them (v1 units) and are converted for v2
 * (config-linux.md#control-groups; the conversion runc and crun agreed on).
 *
 * Moving a process costs milliseconds when another process does it (the kernel
 * takes cgroup_threadgroup_rwsem); a single-threaded process that writes "0" to
 * "tasks" of a v1 group itself pays microseconds.  So the joiner gets descriptors
 * and joins by itself: cgroup_join_self().
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "oci/spec.h"

enum cgroup_manager { CGROUP_CGROUPFS, CGROUP_SYSTEMD, CGROUP_DISABLED };
enum cgroup_mode { CGROUP_MODE_NONE, CGROUP_MODE_V1, CGROUP_MODE_V2 };

#define CGROUP_HIERARCHIES_MAX 20

struct cgroup_hierarchy {       /* v1: one a mounted hierarchy; v2: exactly one */
	char *controllers;      /* "cpu,cpuacct", "name=systemd"; "" on v2 */
	char *mount;            /* "/sys/fs/cgroup/cpu" */
	char *path;             /* below mount, starts with '/' */
	int join_fd;            /* tasks / cgroup.procs of the group, or -1 */
	bool entered;           /* cgroup_birth(): made, and nothing is left to join */
};

struct cgroup {
	enum cgroup_manager manager;
	enum cgroup_mode mode;
	bool rootless;
	char *unit, *slice;     /* systemd: "isle-ID.scope", parent slice */
	bool systemd_told;      /* systemd: the scope has been started with its limits */
	bool join_may_fail;     /* rootless exec: a group out of reach is not entered */
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
	size_t n;
};

struct cgroup_request {
	enum cgroup_manager manager;
	bool rootless;          /* a group that cannot be made and is not needed is skipped */
	const char *id;
	const char *path;       /* linux.cgroupsPath or NULL; "slice:prefix:name" for systemd */
	const struct oci_resources *resources;  /* or NULL */
	const struct oci_kvs *annotations;      /* org.systemd.property.* */
	pid_t systemd_pid;      /* CGROUP_SYSTEMD, cgroup_make(): see there */
};

/*
 * Work out where the group goes without making it: cg is filled but for
 * join_fd.  Saved in the state before anything is made, so that a killed create
 * can be cleaned.  A group that exists and is frozen, or that holds processes, is
 * refused here (-EBUSY, runc's words), before a state could make a later clean-up
 * believe that those processes are its own.  cgroup_release() in any case.
 */
MUST_CHECK int cgroup_plan(const struct cgroup_request *rq, struct cgroup *cg,
			   struct err *e);
/*
 * Make the group and open join_fd; refusals as cgroup_plan().  Limits are not
 * set, but for device rules and what a v1 cpuset must have before a process may
 * enter.  On failure what was made is removed and cg holds no group any more, so
 * that cgroup_kill_all() and cgroup_remove() then do nothing.
 *
 * CGROUP_SYSTEMD differs: systemd makes a scope only around a process.  So call it
 * after clone3(2), systemd_pid being the child, which waits.  When this returns the
 * child is in every group, join_fd stay -1 and cgroup_join_self() has nothing to do;
 * only then may the child go on (a cgroup namespace is made after that).  It runs
 * the helper program isle-systemd and waits for systemd's job, some milliseconds.
 */
MUST_CHECK int cgroup_make(struct cgroup *cg, const struct cgroup_request *rq,
			   struct err *e);
/* Enter, called by the process itself; async-signal-safe, no allocation. */
MUST_CHECK int cgroup_join_self(const struct cgroup *cg, struct err *e);
/*
 * A descriptor of the group in the v2 tree (of a hybrid host too) for CLONE_INTO_CGROUP:
 * a process is born there in no time, and moves there only through the kernel's slow
 * path, also by itself.  Ahead of cgroup_make() it makes that one group, if it is new.
 * From then on cgroup_make() and cgroup_join_self() leave that tree alone.  -1: no such
 * tree, or it cannot be had; then everything is joined as usual.  The caller closes.
 */
int cgroup_birth(struct cgroup *cg);
/* Set limits (create and update; r may be NULL or a partial document).  Device
 * rules are not among them. */
MUST_CHECK int cgroup_set(const struct cgroup *cg, const struct oci_resources *r,
			  struct err *e);
/*
 * Open join_fd of a group loaded from the state.  subs are groups below it, as
 * "exec --cgroup" has them: "PATH", or on v1 "cpu,memory:PATH".  init is
 * the container's first process: where a v2 group hands controllers down and so
 * cannot hold processes itself, the new one goes where init is.  Rootless, a group
 * that the kernel does not let this user enter (from another session, say) is left
 * out, as runc does; one of subs that was asked for is not.
 */
MUST_CHECK int cgroup_open_join(struct cgroup *cg, const struct oci_strv *subs, pid_t init,
				struct err *e);
MUST_CHECK int cgroup_freeze(const struct cgroup *cg, bool freeze, struct err *e);
/* 1 frozen, 0 not, -errno. */
MUST_CHECK int cgroup_is_frozen(const struct cgroup *cg);
/* The processes of the group and of groups below, as this pid namespace numbers
 * them.  *ret is allocated, *ret_n its length. */
MUST_CHECK int cgroup_pids(const struct cgroup *cg, pid_t **ret, size_t *ret_n,
			   struct err *e);
/* Signal all of them: cgroup.kill for SIGKILL on v2, else freeze, signal, thaw. */
MUST_CHECK int cgroup_kill_all(const struct cgroup *cg, int sig, struct err *e);
/* Remove the group and all below, bounded wait for dying processes.  Missing: fine. */
MUST_CHECK int cgroup_remove(const struct cgroup *cg, struct err *e);
/* Append the object "data" of runc's "events --stats" (cpu, memory, pids, blkio,
 * hugetlb, and on v2 the same names filled from v2 files): a new reference. */
MUST_CHECK int cgroup_stats(const struct cgroup *cg, json_t **ret, struct err *e);
/*
 * A descriptor that poll(2) reports readable when the kernel may have killed for
 * memory: v1 an eventfd, v2 an inotify of memory.events (any of its counters).
 * On both it also becomes readable when the group goes away.  After a wake-up call
 * cgroup_oom_drain(), then cgroup_oom_count(): a count that grew is an OOM event; a
 * failure (-ENOENT, -ENODEV) means that the group is gone, so stop.
 */
MUST_CHECK int cgroup_oom_fd(const struct cgroup *cg, struct err *e);
MUST_CHECK int cgroup_oom_drain(int fd);
/* Processes of the group killed for memory so far. */
MUST_CHECK int cgroup_oom_count(const struct cgroup *cg, uint64_t *ret);

json_t *cgroup_save(const struct cgroup *cg);
MUST_CHECK int cgroup_load(const json_t *j, struct cgroup *cg, struct err *e);
void cgroup_release(struct cgroup *cg);
