#pragma once
/* cli/isle/freeze.h - pausing and resuming, for pause, unpause and commit.  Layer: cli. */
#include "cli/isle/command.h"
#include "engine/instance.h"

/*
 * Freeze in, which runs, or let it go on, which is paused.  Its keeper is told, so that
 * health checks and STOP know, and so is who listens to events.
 */
MUST_CHECK int freeze(struct isle_call *c, const struct instance *in, bool on, struct err *e);
