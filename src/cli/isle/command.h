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
	int status;                     /* out: exit status; of a failure too, where not 0 */
};

struct command {
	const char *name;               /* "run", "network create" */
	const char *aliases;            /* other full names, "image ls, image list", or NULL */
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

extern const struct command command_attach, command_commit, command_container_prune,
	command_cp, command_create, command_diff, command_doctor, command_events, command_exec,
	command_export, command_history, command_image_inspect, command_image_prune,
	command_images, command_import, command_info, command_inspect, command_kill,
	command_load, command_login, command_logout, command_logs, command_network_connect,
	command_network_create, command_network_disconnect, command_network_inspect,
	command_network_ls, command_network_prune, command_network_rm, command_pause,
	command_port, command_ps, command_pull, command_push, command_rename, command_restart,
	command_rm, command_rmi, command_run, command_save, command_start, command_stats,
	command_stop, command_system_check, command_system_df, command_system_prune,
	command_system_reap, command_system_start, command_tag, command_top, command_unpause,
	command_update, command_version, command_volume_create, command_volume_inspect,
	command_volume_ls, command_volume_prune, command_volume_rm, command_wait;

/* A heading of "isle --help" and the commands below it. */
struct command_topic {
	const char *title;
	const struct command *const *commands;
	size_t n;
};
extern const struct command_topic command_topics[];     /* in cli/isle/commands.c */
extern const size_t n_command_topics;

/*
 * The command that argv[0..argc) begins with; *ret_words is how many words its name took.
 * NULL when there is none: then *ret_group says whether argv[0] is the first word of some.
 */
const struct command *command_find(char **argv, int argc, int *ret_words, bool *ret_group);
/* -EINVAL that names what is nearest. */
MUST_CHECK int command_unknown(char **argv, int argc, struct err *e);
