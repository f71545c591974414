#pragma once
/*
 * image/diff.h - what an instance changed: the list of `isle diff`.  Layer: image; no library.
 *
 * An overlayfs upper directory is compared with the layers below it: A added, C changed,
 * D deleted.  Docker's rules: a directory above a change is C; what is below a new directory
 * is listed, too; a deleted directory is one line.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct diff_change {
	char kind;                      /* 'A', 'C', 'D' */
	const char *path;               /* "/etc/motd" */
};

struct diff_options {
	const char *const *layers;      /* absolute, bottom first: struct image's */
	size_t n_layers;
	bool rootless;                  /* user.overlay xattrs */
};

/* Sorted by path; the array and its strings are a's. */
MUST_CHECK int diff_list(int upperfd, const struct diff_options *o, struct arena *a,
			 struct diff_change **ret, size_t *ret_n, struct err *e);
