#pragma once
/*
 * container/cgroup_impl.h - what the files of the control group topic share.
 * Layer: container; included by cgroup*.c and their unit test only.
 *
 *   cgroup.c            the interface: make, join, freeze, kill, remove
 *   cgroup_exec.c       the group that a process of "exec" joins
 *   cgroup_plan.c       where the groups go: hierarchies, paths, the saved form
 *   cgroup_dir.c        one group as a directory: read, write, walk, remove
 *   cgroup_write.c      a run of limits, the first failure explained
 *   cgroup_v1.c         v1: cpuset and devices of a fresh group, limits
 *   cgroup_v2.c         v2: subtree_control, limits
 *   cgroup_convert.c    v1 numbers into v2 numbers; no input or output
 *   cgroup_devices.c    device rules: defaults, folding
 *   cgroup_devices_bpf.c  the same as a program, for v2
 *   cgroup_systemd.c    scopes, by way of the helper program isle-systemd
 *   cgroup_systemd_property.c  annotations as properties of a scope
 *   cgroup_stats.c      counters into JSON
 */
#include "container/cgroup.h"

#include <stdint.h>

/* A line of a cgroup file; longer ones are not read by this topic. */
#define CGROUP_VALUE_MAX 4096

/* --- cgroup_plan.c ------------------------------------------------------ */

/* "a/../../b//c" -> "b/c": no leading '/', never above the start.  Caller frees. */
char *cgroup_clean_path(const char *path);
/*
 * Fill h[] from the text of /proc/self/cgroup and, where given, of
 * /proc/self/mountinfo; without it the mounts are looked for where every
 * distribution puts them.  path is linux.cgroupsPath or the container's id.
 * Returns -EAGAIN when mountinfo is needed to tell.
 */
MUST_CHECK int cgroup_plan_v1(struct cgroup *cg, const char *own, const char *mountinfo,
			      const char *path, bool want_unified, struct err *e);
/* The path of the caller in the unified hierarchy, of /proc/self/cgroup's text,
 * or NULL.  Caller frees. */
char *cgroup_own_v2(const char *own);
/* Does the list, separated by commas or blanks, hold the word? */
bool cgroup_list_has(const char *list, const char *word);
/* The hierarchy of a v1 controller or NULL; on v2 the only one.  "": the v2 one. */
struct cgroup_hierarchy *cgroup_find(const struct cgroup *cg, const char *controller);
/* The v2 hierarchy: the only one, or the one beside v1 ones, or NULL. */
struct cgroup_hierarchy *cgroup_unified(const struct cgroup *cg);
/* Take h[i] out. */
void cgroup_forget(struct cgroup *cg, size_t i);
/* "mount" "path"; caller frees. */
char *cgroup_dir(const struct cgroup_hierarchy *h);

/* --- cgroup.c ------------------------------------------------------------ */

/* mkdir -p of the group, subtree_control or cpuset included: 1 made, 0 was there. */
MUST_CHECK int cgroup_make_dir(const struct cgroup_hierarchy *h, struct err *e);
bool cgroup_is_v2_tree(const struct cgroup_hierarchy *h);
/* Does -errno say that this user may not? */
bool cgroup_is_refusal(int r);
/* Open h's join_fd, of the group or of one below it ("": none). */
MUST_CHECK int cgroup_open_procs(struct cgroup_hierarchy *h, const char *below, struct err *e);
/* -EBUSY if one of the groups is there and has processes or is frozen. */
MUST_CHECK int cgroup_refuse_occupied(const struct cgroup *cg, struct err *e);

/* --- cgroup_dir.c: none of these sets an error message --------------------- */

/* Write value to dir/file with one write(2). */
MUST_CHECK int cgd_write(const char *dir, const char *file, const char *value);
/* Read dir/file into ret, terminated, the last newline cut; -EFBIG past n. */
MUST_CHECK int cgd_read(const char *dir, const char *file, char *ret, size_t n);
/* Read a number; "max" and numbers past INT64_MAX give UINT64_MAX. */
MUST_CHECK int cgd_read_u64(const char *dir, const char *file, uint64_t *ret);
/* The number after "key " in a flat keyed file. */
MUST_CHECK int cgd_read_key(const char *dir, const char *file, const char *key,
			    uint64_t *ret);
bool cgd_has(const char *dir, const char *file);
/* Call fn for dir and every group below it, children first, until fn is < 0. */
MUST_CHECK int cgd_walk(const char *dir, int (*fn)(const char *dir, void *arg), void *arg);
/* Remove dir and every group below: 0, -EBUSY while there are processes. */
MUST_CHECK int cgd_remove(const char *dir);

struct cgroup_pidlist {
	pid_t *v;
	size_t n, cap;
};
/* Append the processes of dir, and with below of the groups below it. */
MUST_CHECK int cgd_pids(const char *dir, bool below, struct cgroup_pidlist *l);

/* --- limits: a run of writes in which the first failure stays ------------- */

struct cgroup_writer {
	const struct cgroup *cg;
	struct err *e;
	int rc;                 /* 0, or the first failure; later writes do nothing */
};

/* Write to file of the group that controller governs; a failure is told. */
void cgw_put(struct cgroup_writer *w, const char *controller, const char *file,
	     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* As cgw_put(), but the failure is returned and not told. */
MUST_CHECK int cgw_try(struct cgroup_writer *w, const char *controller, const char *file,
		       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Tell why value could not be written to file. */
void cgw_fail(struct cgroup_writer *w, int rc, const char *controller, const char *file,
	      const char *value);
/* Does the group have that file? */
bool cgw_has(const struct cgroup_writer *w, const char *controller, const char *file);
/* As cgd_read_u64() */
MUST_CHECK int cgw_get(const struct cgroup_writer *w, const char *controller,
		       const char *file, uint64_t *ret);

/* --- cgroup_v1.c, cgroup_v2.c ------------------------------------------- */

MUST_CHECK int cgroup_v1_fill_cpuset(const struct cgroup_hierarchy *h, struct err *e);
MUST_CHECK int cgroup_v1_set(const struct cgroup *cg, const struct oci_resources *r,
			     struct err *e);
MUST_CHECK int cgroup_v1_set_devices(const struct cgroup *cg, const struct oci_resources *r,
				     struct err *e);
/* Hand the controllers of the root down to the parent of the group. */
MUST_CHECK int cgroup_v2_make(const struct cgroup_hierarchy *h, struct err *e);
MUST_CHECK int cgroup_v2_set(const struct cgroup *cg, const struct oci_resources *r,
			     struct err *e);
MUST_CHECK int cgroup_v2_set_devices(const struct cgroup *cg, const struct oci_resources *r,
				     struct err *e);
/* The hugepage limits, also used for the unified half of a hybrid host. */
void cgroup_v2_put_hugepages(struct cgroup_writer *w, const struct oci_resources *r);

/* rdma.max is the same on both. */
void cgroup_put_rdma(struct cgroup_writer *w, const struct oci_resources *r);

/* --- cgroup_convert.c ---------------------------------------------------- */

/* cpu.shares 2..262144 -> cpu.weight 1..10000; 0 stays 0 (unset). */
uint64_t cgroup_shares_to_weight(uint64_t shares);
/* blkio.weight 10..1000 -> io.weight 1..10000; 0 stays 0. */
uint64_t cgroup_blkio_to_io_weight(uint64_t weight);
/* memory+swap and memory (bytes, -1 none, 0 unset) -> memory.swap.max in *ret
 * (-1 "max").  Returns 1 when it is to be written, 0 when not, -EINVAL. */
MUST_CHECK int cgroup_swap_to_v2(int64_t memsw, int64_t memory, int64_t *ret, struct err *e);
/* pids.limit -> what to write; runtime-spec 1.3: 0 is a limit, -1 none. */
void cgroup_pids_limit(int64_t limit, char ret[24]);

/* --- cgroup_devices.c ----------------------------------------------------- */

#define DEV_READ 1u
#define DEV_WRITE 2u
#define DEV_MKNOD 4u
#define DEV_ALL 7u

struct dev_rule {
	int64_t major, minor;   /* -1: any */
	unsigned access;        /* DEV_* */
	char type;              /* 'a', 'b', 'c' */
	bool allow;
	bool builtin;           /* not the document's */
};

struct dev_rules {
	struct dev_rule *v;
	size_t n, cap;
};

/* The rules of the document in their order, then those every container gets. */
MUST_CHECK int dev_rules_make(const struct oci_resources *r, struct dev_rules *ret,
			      struct err *e);
void dev_rules_release(struct dev_rules *l);

/* What v1 can hold: a default, and exceptions to it. */
struct dev_fold {
	bool allow;             /* the default */
	struct dev_rules except;        /* each of them is the opposite */
};
/* -EINVAL where a rule would cut a hole into a wider one, which v1 cannot say. */
MUST_CHECK int dev_fold(const struct dev_rules *l, struct dev_fold *ret, struct err *e);
/* "c 1:3 rwm" */
void dev_rule_print(const struct dev_rule *r, char ret[80]);

/* The fold as a list again: the default as an 'a' rule, then the exceptions. */
void dev_unfold(const struct dev_fold *f, struct dev_rules *ret);

/* --- cgroup_devices_bpf.c -------------------------------------------------- */

#define DEV_PROGRAM_MAX 4096    /* instructions, the least limit any kernel has */
struct bpf_insn;
/*
 * BPF_PROG_TYPE_CGROUP_DEVICE deciding as the rules in order do, the last that
 * matches winning, none meaning refusal.  Returns the instructions in ret[max] or
 * -E2BIG.
 */
MUST_CHECK int dev_program(const struct dev_rules *l, struct bpf_insn *ret, size_t max);
/* BPF_PROG_LOAD; a descriptor or -errno. */
MUST_CHECK int dev_program_load(const struct bpf_insn *insns, size_t n);
/* Is the caller outside the first user namespace, where device rules are not its
 * to set? */
bool cgroup_in_userns(void);

/* --- cgroup_systemd.c ----------------------------------------------------- */

/* unit, slice, and in *ret_path (caller frees) the absolute path of the scope. */
MUST_CHECK int cgroup_systemd_plan(const struct cgroup_request *rq, struct cgroup *cg,
				   char **ret_path, struct err *e);
/* "a-b.slice" -> "/a.slice/a-b.slice"; caller frees; NULL when not a slice name. */
char *cgroup_slice_expand(const char *slice);
/* "0-2,7" -> "87", bytes of a mask from the low one on, as the helper takes an "ay".
 * Caller frees; NULL with *e if malformed. */
char *cgroup_list_to_mask(const char *what, const char *list, struct err *e);
/* An annotation's name and GVariant text as an argument of the helper; caller frees. */
MUST_CHECK int cgroup_systemd_property(const char *name, const char *value, char **ret,
				       struct err *e);
MUST_CHECK int cgroup_systemd_start(struct cgroup *cg, const struct cgroup_request *rq,
				    struct err *e);
/* Put pid into the groups that systemd does not look after. */
MUST_CHECK int cgroup_systemd_join(const struct cgroup *cg, pid_t pid, struct err *e);
MUST_CHECK int cgroup_systemd_set(const struct cgroup *cg, const struct oci_resources *r,
				  struct err *e);
MUST_CHECK int cgroup_systemd_stop(const struct cgroup *cg, struct err *e);
