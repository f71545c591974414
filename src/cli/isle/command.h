#pragma once
/*
 * cli/isle/command.h - one command of isle: a file, a table of options, a manual page.
 * Layer: cli.
 *
 * main() reads the global options, finds the command in a table (groups: "network ls",
 * "volume rm", "image inspect", "system df"), reads its options into a zeroed target,
 * checks the number of arguments, opens the engine where wanted, and calls run.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/options.h"
#include "engine/engine.h"

struct isle_call {
	struct engine *eng;             /* NULL unless the command wants it */
	const struct engine_options *globals;
	void *target;                   /* the command's options */
	char **argv;                    /* positional arguments */
	size_t argc;
	char **raw_argv;                /* all after the command's name, for programs we become */
	int status;                     /* out: exit status, when the command succeeds */
};

struct command {
	const char *name;               /* "run", "network create" */
	const char *alias;              /* another full name, or NULL: "ls" forms, "container ps" */
	const char *args;               /* "IMAGE [COMMAND [ARG...]]" */
	const char *summary;            /* one line, lower case */
	const char *examples;           /* shown by -h: lines, or NULL */
	struct option_set options;
	size_t target_size;
	size_t min_args, max_args;      /* COMMAND_ARGS_ANY: no maximum */
	size_t stop_after;              /* options_parse() */
	bool no_engine;                 /* eng stays NULL */
	bool program;                   /* options are another program's: main() reads none */
	int exit_failed;                /* exit status when run fails; 0: 1.  run, create: 125 */
	int (*run)(struct isle_call *c, struct err *e);
};

#define COMMAND_ARGS_ANY ((size_t)-1)

extern const struct command *const commands[];          /* in cli/isle/commands.c */
extern const size_t n_commands;
