#pragma once
/*
 * image/pull.h - an image from a registry into the store.  Layer: image.
 *
 *	manifest (index -> platform -> manifest)   digest checked
 *	config                                     size, digest, as many DiffIDs as layers
 *	layers, a few threads        size, digest, DiffID; then visible
 *	image_commit()                             durable
 *
 * A layer is inflated and unpacked while it arrives.  What has arrived of it is kept in the
 * store's tmp by digest: the next pull, of any process, hashes and unpacks that from disk
 * and asks for the rest by Range.
 */
#include "image/ingest.h"
#include "image/progress.h"
#include "image/registry_client.h"

#define MANIFEST_BYTES_MAX (4u << 20)   /* distribution spec, "Pushing Manifests" */
#define CONFIG_BYTES_MAX (8u << 20)

struct pull_options {
	struct image_platform platform; /* wanted of an index */
	bool platform_given;            /* by the user: an image of another one is refused */
	struct client_options client;   /* stop is set by the pull itself */
	struct progress *progress;
};

struct pull_result {                    /* strings hang in the arena given */
	const char *id;                 /* of the image: its config's digest */
	const char *digest;             /* of what the name stands for: index or manifest */
	const char *name;               /* full reference */
	bool fresh;                     /* not what the name stood for before */
};

/*
 * ref is resolved (registries_resolve()).  Blocks.  The line of a failure names the host and
 * the path; -EACCES and -ENOENT as client_do().
 */
MUST_CHECK int image_pull(const struct store *s, const struct registries *regs,
			  const struct reference *ref, const struct pull_options *o,
			  struct arena *a, struct pull_result *ret, struct err *e);
