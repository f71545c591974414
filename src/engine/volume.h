#pragma once
/* engine/volume.h - named and anonymous volumes: <root>/volumes/<name>/_data.  Layer: engine. */
#include <jansson.h>

#include "engine/engine.h"

extern const struct db_schema volume_schema;

/* name NULL: an anonymous one, named by 64 hex digits in *ret (the arena's).  Existing: fine. */
MUST_CHECK int volume_make(struct engine *eng, const char *name, const struct oci_kvs *labels,
			   bool anonymous, struct arena *a, const char **ret, struct err *e);
/* Note that instance uses it, in the caller's transaction. */
MUST_CHECK int volume_hold(struct engine *eng, const char *name, const char *instance,
			   struct err *e);
/* anonymous: remove those that were anonymous and that nobody uses any more. */
MUST_CHECK int volume_unhold(struct engine *eng, const char *instance, bool anonymous,
			     struct err *e);
/* -EBUSY names the instances that use it. */
MUST_CHECK int volume_remove(struct engine *eng, const char *name, bool force, struct err *e);
/* name NULL: all; Docker's field names. */
MUST_CHECK int volume_inspect(struct engine *eng, const char *name, json_t **ret,
			      struct err *e);
MUST_CHECK int volume_prune(struct engine *eng, bool named_too, json_t **ret, struct err *e);
