#pragma once
/* cli/isle/ps_filter.h - isle ps --filter.  Layer: cli. */
#include "engine/instance.h"

/*
 * Drop from list[0..*n) what the filters leave out, releasing it.  "status=" and "exited="
 * ask for instances that do not run, too: *ret_all is then set, else left alone.  -EINVAL
 * for an unknown key or a value that the key does not take.
 */
MUST_CHECK int ps_filter(struct engine *eng, const struct oci_strv *filters,
			 struct instance *list, size_t *n, bool *ret_all, struct err *e);
