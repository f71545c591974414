#pragma once
/* engine/event.h - what happened: <root>/events.json, a JSON line each, rotated.  Layer: engine. */
#include <jansson.h>

#include "engine/engine.h"

/* In <root>; what was full before it is EVENT_FILE ".1". */
#define EVENT_FILE "events.json"

/*
 * Append {time, timeNano, Type, Action, Actor: {ID, Attributes}} (Docker's names).  type:
 * "container", "image", "network", "volume".  attributes is taken over, may be NULL.
 * A failure to write is logged at debug level: it undoes no work.
 */
void event_add(struct engine *eng, const char *type, const char *action, const char *id,
	       json_t *attributes);
