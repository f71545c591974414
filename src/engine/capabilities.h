#pragma once
/* engine/capabilities.h - which capabilities an instance gets.  Layer: engine. */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/spec.h"

/*
 * Docker's rules: its 14 defaults (privileged: all), less drop, plus add; "ALL" in either,
 * names in any case, "CAP_" optional.  What this process itself does not have in its
 * bounding set cannot be given and is left out.  Bit n is capability n.
 */
MUST_CHECK int capabilities_resolve(bool privileged, const struct oci_strv *add,
				    const struct oci_strv *drop, uint64_t *ret, struct err *e);
