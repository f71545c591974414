#pragma once
/*
 * image/push.h - an image of the store to a registry, byte for byte.  Layer: image.
 *
 * distribution spec, "Pushing": HEAD each blob; what lacks is mounted from another
 * repository of the host, where the image has a name there, or else sent; the manifest last.
 * The compressed layers are those of the store, so digests stay what they were.
 */
#include "image/progress.h"
#include "image/registry_client.h"
#include "image/store.h"

struct push_options {
	struct client_options client;   /* stop is set by the push itself */
	struct progress *progress;
};

struct push_result {                    /* strings hang in the arena given */
	const char *digest;             /* of the manifest */
	size_t manifest_bytes;
};

/* ref is resolved and has a tag; an image of that name is in the store.  Blocks. */
MUST_CHECK int image_push(const struct store *s, const struct registries *regs,
			  const struct reference *ref, const struct push_options *o,
			  struct arena *a, struct push_result *ret, struct err *e);
