#pragma once
/*
 * cli/image/verb.h - one verb of isle-image: a file, a table of options.  Layer: cli.
 *
 * main() reads the options into a zeroed target, checks the number of arguments, opens the
 * store unless no_store says that there is no need, and calls run.  Only main() prints
 * errors and ends the process.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/options.h"
#include "image/registries.h"
#include "image/store.h"

struct image_call {
	const struct store *store;      /* NULL with no_store */
	const struct registries *registries;
	void *target;                   /* the verb's options */
	char **argv;                    /* positional arguments */
	size_t argc;
	int status;                     /* out: exit status, when the verb succeeds */
};

struct image_verb {
	const char *name;
	const char *args;
	const char *summary;            /* one line, lower case */
	struct option_set options;
	size_t target_size;
	size_t min_args, max_args;
	bool no_store;
	int (*run)(struct image_call *c, struct err *e);
};

extern const struct image_verb verb_commit, verb_import, verb_load, verb_login, verb_logout,
	verb_pull, verb_push, verb_save;
