#pragma once
/*
 * container/lifecycle.h - ending containers: shared by delete, run and a create that
 * finds what a killed one left.  Layer: container, private to it.
 */
#include <stdbool.h>

#include "base/err.h"
#include "container/state.h"

/*
 * If <root>/<id> was left by a killed create or run (nobody holds its lock, status
 * creating), kill and remove all of it and return 0; -EEXIST when it is a container.
 */
MUST_CHECK int lifecycle_clean_torn(const struct runtime *rt, const char *id,
				    struct err *e);
/*
 * Remove a container whose init has ended: processes left in its group, the group,
 * resctrl group, poststop hooks (failures are warnings), the state directory.
 * st is locked by the caller.
 */
MUST_CHECK int lifecycle_destroy(const struct runtime *rt, struct state *st,
				 struct err *e);
/* SIGKILL the init and wait, at most 10 s, until it is gone. */
MUST_CHECK int lifecycle_kill_init(const struct state *st, struct err *e);
/* The state JSON as hooks get it on stdin; heap. */
char *lifecycle_state_json(const struct state *st, enum container_status s);
