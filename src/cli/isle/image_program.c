/*
 * cli/isle/image_program.c - the commands that are verbs of isle-image: their options and
 * their help are that program's (cli/image/).
 */
#include "cli/isle/command.h"

#define PROGRAM(word, aliases_, args_, summary_) \
	const struct command command_##word = { \
		.name = #word, .aliases = aliases_, .args = args_, .summary = summary_, \
		.max_args = COMMAND_ARGS_ANY, .no_engine = true, .program = true, \
	}

PROGRAM(import, "image import", "FILE|- [NAME[:TAG]]", "make an image of a tar of a file system");
PROGRAM(load, "image load", "[-i FILE]", "take images from a tar or an OCI layout");
PROGRAM(login, NULL, "[REGISTRY]", "keep credentials for a registry");
PROGRAM(logout, NULL, "[REGISTRY]", "forget credentials for a registry");
PROGRAM(pull, "image pull", "NAME[:TAG]", "fetch an image from a registry");
PROGRAM(push, "image push", "NAME[:TAG]", "send an image to a registry");
PROGRAM(save, "image save", "IMAGE...", "write images into a tar");
