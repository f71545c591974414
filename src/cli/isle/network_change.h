#pragma once
/*
 * cli/isle/network_change.h - the networks in an instance's configuration.  Layer: cli.
 *
 * An instance whose list is empty is on the one network_mode names, unless that is "none",
 * "host" or "container:ID".  What is added hangs in the instance's arena, but for strings
 * given; saving is the caller's.
 */
#include "engine/instance.h"

/* By name or ID: its name and ID, the arena's.  -ENOENT. */
MUST_CHECK int network_known(struct engine *eng, const char *what, struct arena *a,
			     const char **ret_name, const char **ret_id, struct err *e);
bool network_has(const struct instance *in, const char *name);
void network_add(struct instance *in, const struct instance_network *to);
void network_drop(struct instance *in, const char *name);
/* It has a namespace that lives. */
bool network_is_live(const struct instance *in);
