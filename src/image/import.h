#pragma once
/* image/import.h - a tar of a file system as an image of one layer.  Layer: image. */
#include "base/arena.h"
#include "base/err.h"
#include "image/store.h"

struct import_options {
	const char *source;             /* for the history: "-", a file's name */
	const char *message;            /* or NULL */
	const char *const *changes;     /* Dockerfile instructions */
	size_t n_changes;
	const struct image_platform *platform;
	const char *name;               /* full, or NULL */
};

/* fd: the tar, plain, gzip or zstd, to its end.  *ret_id is a's. */
MUST_CHECK int image_import(const struct store *s, int fd, const struct import_options *o,
			    struct arena *a, const char **ret_id, struct err *e);
