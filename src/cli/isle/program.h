#pragma once
/*
 * cli/isle/program.h - other programs of isle's, run for a command.  Layer: cli.
 *
 * Registries, archives and layers are isle-image's: code that parses what strangers send is
 * not in the process that holds the engine.
 */
#include "engine/engine.h"

/* Replace this process by "isle-image --root ... VERB argv..."; only returns on failure. */
MUST_CHECK int program_become_image(const struct engine_options *o, const char *verb,
				    char **argv, struct err *e);

/*
 * Run it and wait.  argv begins with the verb, ends with NULL.  stdout is what it gets as
 * standard output, -1 for ours.  *ret_status is its exit status (128 + signal); its own
 * error line has been printed by then.
 */
MUST_CHECK int program_run_image(const struct engine *eng, const char *const *argv, int out,
				 int *ret_status, struct err *e);
