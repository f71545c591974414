#pragma once
/* engine/instance_impl.h - between instance*.c and life*.c alone.  Layer: engine. */
#include "engine/instance.h"

/* Read status.json and look whether its keeper lives; changes nothing, sets lost. */
MUST_CHECK int instance_read_status(struct engine *eng, struct instance *in, struct err *e);
/* Whether a keeper holds <instance>/keeper.lock. */
MUST_CHECK int instance_keeper_lives(struct engine *eng, const char *id);
/* Write status.json as it stands in in: for a keeper that no longer can. */
MUST_CHECK int instance_write_status(struct engine *eng, struct instance *in, struct err *e);

/* Take <instance>/lock, making the directory; without wait -EWOULDBLOCK.  Held: nothing. */
MUST_CHECK int instance_lock(struct engine *eng, struct instance *in, bool wait, struct err *e);
/* As instance_find() with a lock, but -EWOULDBLOCK where another has that, and no refresh. */
MUST_CHECK int instance_find_unlocked(struct engine *eng, const char *id, struct instance *ret,
				      struct err *e);
/* The columns active, removing and stopped alone. */
MUST_CHECK int instance_mark(struct engine *eng, struct instance *in,
			     enum instance_active active, struct err *e);
/* Replace <instance>/name, whole or not at all. */
MUST_CHECK int instance_write_file(struct engine *eng, const char *id, const char *name,
				   const char *p, size_t n, unsigned mode, struct err *e);
/* The same in its bundle (instance_bundle_path()). */
MUST_CHECK int instance_write_bundle(struct engine *eng, const char *id, const char *name,
				     const char *p, size_t n, unsigned mode, struct err *e);
/* Remove <instance>/ with all below; what cannot be removed is logged at debug level. */
void instance_remove_dir(struct engine *eng, const char *id);

/* The members of Config and HostConfig that describe needs apart: new references. */
json_t *instance_json_mounts(struct engine *eng, const struct instance *in);
