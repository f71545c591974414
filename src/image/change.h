#pragma once
/*
 * image/change.h - Dockerfile instructions applied to a config: commit and import -c.
 * Layer: image.
 *
 * CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and
 * WORKDIR, as the Dockerfile reference has them; any case.
 */
#include <jansson.h>

#include "base/err.h"

/* config is the "config" object of an image-spec configuration, changed in place. */
MUST_CHECK int change_apply(json_t *config, const char *instruction, struct err *e);
/*
 * Several in order.  As in a Dockerfile, an ENTRYPOINT with no CMD before it takes away the
 * command that config had: it was meant for another entrypoint.
 */
MUST_CHECK int changes_apply(json_t *config, const char *const *lines, size_t n,
			     struct err *e);
