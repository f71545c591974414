#pragma once
/*
 * container/criu.h - running the program criu: its arguments, its log, what of a container
 * lies outside and must be named to it.  Layer: container; for checkpoint.c and restore.c.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "container/cgroup.h"
#include "container/checkpoint.h"
#include "container/state.h"
#include "oci/spec.h"

#define CRIU_ARGS_MAX 512
#define CRIU_FDS_MAX 16

/* What stdio was, by criu's names for it, one JSON array of three strings; beside the
 * images, as runc leaves it. */
#define CRIU_STDIO_FILE "descriptors.json"

struct criu {
	struct arena arena;
	const char *argv[CRIU_ARGS_MAX + 1];
	size_t n;
	int keep[CRIU_FDS_MAX];         /* descriptors criu inherits, under the same number */
	size_t n_keep;
	bool keep_stdin;                /* --shell-job: its terminal is criu's stdin */
	const char *bind_root;          /* restore: made a mount, in a namespace of criu's own */
	char *image_dir;                /* absolute; arena */
	char *log;                      /* absolute; arena */
	pid_t pid;
	int sync;                       /* to the child: 'g' lets it go on */
	int (*at_namespaces)(void *arg, pid_t init, struct err *e);
	void *arg;
	int script;                     /* its action script, which asks us by these pipes */
	int asks[2], answers[2];
};

#define CRIU_INIT { .sync = -1, .script = -1, .asks = { -1, -1 }, .answers = { -1, -1 } }

/* verb is criu's; sets the arguments that every verb takes.  The image directory must
 * exist; make makes it (0700).  criu_release() in any case. */
MUST_CHECK int criu_init(struct criu *c, const char *verb, const struct criu_opts *o,
			 bool make, struct err *e);
void criu_release(struct criu *c);

/* One argument; past the maximum it is dropped and criu_spawn() fails. */
void criu_arg(struct criu *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Two arguments. */
void criu_opt(struct criu *c, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* fd will be criu's under its own number; owned by the caller. */
void criu_keep(struct criu *c, int fd);

/* The mounts of spec that come from outside of the container: on dump (bundle NULL) of
 * the container whose init is pid they get their name, on restore their source. */
MUST_CHECK int criu_external_mounts(struct criu *c, const struct oci_spec *spec,
				    const struct cgroup *cg, pid_t pid,
				    const char *bundle, struct err *e);

/*
 * On restore: fn is called once, from criu_finish(), when criu has made init and its
 * namespaces and nothing in them.  criu waits meanwhile; fn failing ends it, and is what
 * criu_finish() then returns.
 */
MUST_CHECK int criu_at_namespaces(struct criu *c,
				  int (*fn)(void *arg, pid_t init, struct err *e), void *arg,
				  struct err *e);

/*
 * Start criu as a child, which waits for criu_go().  join, if not NULL, is a group
 * that the child enters first.
 */
MUST_CHECK int criu_spawn(struct criu *c, const struct cgroup *join, struct err *e);
/* Let it run and wait for its end.  A failure carries the error from its log. */
MUST_CHECK int criu_finish(struct criu *c, struct err *e);
