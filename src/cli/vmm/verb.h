#pragma once
/*
 * cli/vmm/verb.h - one verb of isle-vmm: a file, a table of options.  Layer: cli.
 *
 * main() reads the options into a zeroed target, checks the number of arguments and calls
 * run.  Only main() prints errors and ends the process.
 */
#include <stddef.h>

#include "base/err.h"
#include "cli/options.h"

struct vmm_call {
	void *target;                   /* the verb's options */
	char **argv;                    /* positional arguments */
	size_t argc;
	int status;                     /* out: exit status, when the verb succeeds */
};

struct vmm_verb {
	const char *name;
	const char *args;
	const char *summary;            /* one line, lower case */
	struct option_set options;
	size_t target_size;
	size_t min_args, max_args;
	int (*run)(struct vmm_call *c, struct err *e);
};

extern const struct vmm_verb verb_device;
extern const struct vmm_verb verb_probe;
extern const struct vmm_verb verb_run;
