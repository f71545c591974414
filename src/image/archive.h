#pragma once
/*
 * image/archive.h - images in files: OCI layouts, their tars, `docker save` archives.
 * Layer: image.
 *
 *   oci:DIR              image-layout directory: oci-layout, index.json, blobs/
 *   oci-archive:FILE     a tar of one, compressed or not
 *   docker-archive:FILE  manifest.json, configs and layer tars
 *
 * Read through libarchive as a stream, so that standard input will do.  Archives are
 * untrusted: every blob is checked against the digest that names it, every layer against
 * its config's DiffID, and documents are bounded by oci/image.h.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "image/reference.h"
#include "image/store.h"

struct images_image {                  /* one that came in */
	const char *id;
	const char *const *names;       /* full names it got; none: dangling */
	size_t n_names;
};

struct images_options {
	const char *pick;               /* only the image of this name in it; NULL: all */
	const struct image_platform *platform;  /* of an index in an index; never NULL */
	/* Full names for the picked or only image instead of those written in it. */
	const char *const *names;
	size_t n_names;
};

/*
 * Bring in the images of a tar (an OCI layout's or docker's, whatever it holds) from fd, or
 * of the layout directory dirfd.  name is what messages call it.  All of it is read; strings
 * hang in a.
 */
MUST_CHECK int images_load_tar(const struct store *s, int fd, const char *name,
				const struct images_options *o, struct arena *a,
				struct images_image **ret, size_t *ret_n, struct err *e);
MUST_CHECK int images_load_layout(const struct store *s, int dirfd, const char *name,
				   const struct images_options *o, struct arena *a,
				   struct images_image **ret, size_t *ret_n, struct err *e);

struct images_save {                   /* one image to be written */
	struct image image;
	const char *const *names;       /* to write beside it */
	size_t n_names;
};

/* The images as one tar that is an OCI layout and docker's archive at once (Docker 25's form). */
MUST_CHECK int images_save_tar(const struct store *s, int fd, const struct images_save *list,
				size_t n, struct err *e);
/* Into the directory dirfd as an OCI layout; images of other names that are there stay. */
MUST_CHECK int images_save_layout(const struct store *s, int dirfd,
				   const struct images_save *list, size_t n, struct err *e);
