#pragma once
/* image/commit.h - what an instance changed as one more layer of an image.  Layer: image. */
#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "image/store.h"

struct commit_options {
	const struct image *base;
	int upperfd;                    /* the instance's overlay upper directory */
	const char *const *skip;        /* names in it that are not the instance's */
	size_t n_skip;
	/*
	 * What the instance runs with, in the keys of an image's "config", which it replaces;
	 * borrowed.
	 */
	json_t *config;
	const char *author, *message;   /* or NULL */
	const char *const *changes;     /* Dockerfile instructions, applied last */
	size_t n_changes;
	const char *name;               /* full, or NULL */
};

/* *ret_id is a's.  Nobody should write to the upper directory meanwhile. */
MUST_CHECK int commit_upper(const struct store *s, const struct commit_options *o,
			    struct arena *a, const char **ret_id, struct err *e);
