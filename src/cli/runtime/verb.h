#pragma once
/*
 * cli/runtime/verb.h - one verb of isle-runtime: a file, a table of options, a
 * section of isle-runtime(8).  Layer: cli.
 *
 * main() reads the options into a zeroed target, checks the number of arguments,
 * and calls run; the verb does its work through container/ and returns.  Only
 * main() prints errors and ends the process.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/options.h"
#include "container/state.h"

struct call {
	const struct runtime *rt;
	const char *criu;       /* --criu, or NULL: "criu" in PATH */
	void *target;           /* the verb's options, as verb->options filled them */
	char **argv;            /* positional arguments */
	size_t argc;
	int status;             /* out: exit status, when the verb succeeds */
};

struct verb {
	const char *name;
	const char *args;       /* "CONTAINER-ID [SIGNAL]" */
	const char *summary;    /* one line, lower case */
	struct option_set options;
	size_t target_size;
	size_t min_args, max_args;      /* VERB_ARGS_ANY: no maximum */
	size_t stop_after;      /* options_parse() */
	int exit_failed;        /* exit status when run fails; 0: container_exit_code() */
	int (*run)(struct call *c, struct err *e);
};

#define VERB_ARGS_ANY ((size_t)-1)

extern const struct verb verb_checkpoint, verb_create, verb_delete, verb_events, verb_exec,
	verb_features, verb_keeper, verb_kill, verb_list, verb_pause, verb_ps, verb_restore,
	verb_resume, verb_run, verb_spec, verb_start, verb_state, verb_update;

/* All of them, in the order help lists them. */
extern const struct verb *const verbs[];
extern const size_t n_verbs;

const struct verb *verb_find(const char *name);

/* --format of list and ps: "table" or "json"; the target is a bool, true for json. */
MUST_CHECK int verb_parse_format(const char *s, void *target, struct err *e);
/* Print j, followed by a newline, on stdout. */
MUST_CHECK int verb_print_json(const json_t *j, size_t flags, struct err *e);
/* Flush stdout; a full disk or a closed pipe is an error, not silence. */
MUST_CHECK int verb_flush(struct err *e);
