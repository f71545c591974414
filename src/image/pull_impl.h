#pragma once
/*
 * image/pull_impl.h - what pull*.c share.  Layer: image, private to them.
 */
#include "image/digest.h"
#include "image/pull.h"

/* A document of the registry, its digest checked. */
struct pull_document {
	const char *bytes;
	size_t n;
	const char *digest;
	const char *media_type;
};

struct pull_job {                       /* one layer; each digest once */
	const struct image_descriptor *layer;
	const char *diff_id;
	uint64_t unpacked_bytes;        /* out; 0 when it was there */
};

struct pull {
	const struct store *store;
	struct client *client;
	struct ingest in;
	struct progress *progress;
	struct arena *a;                /* the first thread's */
	atomic_bool stop;
	struct pull_job *jobs;
	size_t n_jobs;
};

/*
 * What ref names, or the manifest that an index has for o's platform: *ret.  *ret_top is the
 * digest of what the name itself stands for.
 */
MUST_CHECK int pull_manifest(struct pull *p, struct http *h, const struct reference *ref,
			     const struct pull_options *o, struct pull_document *ret,
			     const char **ret_top, struct err *e);
/* The config that m names, parsed and checked against m. */
MUST_CHECK int pull_config(struct pull *p, struct http *h, const struct image_manifest *m,
			   struct pull_document *ret, struct image_config *ret_config,
			   struct err *e);
/* Bring the layer of job i into the store: pull_jobs.h; arg is the struct pull. */
MUST_CHECK int pull_layer(void *arg, struct http *h, size_t i, struct err *e);
