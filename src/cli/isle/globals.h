#pragma once
/* cli/isle/globals.h - the options ahead of the command.  Layer: cli. */
#include "cli/options.h"
#include "engine/engine.h"

struct globals {
	struct engine_options engine;
	bool version;
};

extern const struct option_set global_set;
