#pragma once
/* engine/instance_json.h - lists of strings and pairs as JSON.  Layer: engine. */
#include <jansson.h>

#include "oci/spec.h"

/* New references. */
json_t *strings_to_json(const struct oci_strv *v);
json_t *pairs_to_json(const struct oci_kvs *v);
