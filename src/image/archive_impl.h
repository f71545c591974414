#pragma once
/* image/archive_impl.h - one load: sources and results.  Layer: image, inside only. */
#include "image/archive.h"
#include "image/ingest.h"
#include "image/store_files.h"

struct json_node;

#define ARCHIVE_PATH_MAX 1024           /* bytes of an entry's name that means anything */
#define ARCHIVE_ENTRIES_MAX 20000       /* names remembered */
#define ARCHIVE_DOCUMENTS_MAX (64u << 20)       /* bytes of all documents kept in memory */

/* A file of the archive: a document kept, a blob in the store, or another name of one. */
struct images_file {
	const char *path;               /* "manifest.json", without "./" */
	const char *text;               /* document, or NULL */
	size_t len;
	const char *digest;             /* of the blob, or NULL */
	uint64_t size_bytes;
	const char *link;               /* path it stands for, or NULL */
};

struct images_docker {                  /* one entry of manifest.json */
	const struct images_file *config;
	const struct json_node *layers;
	char config_digest[STORE_NAME_MAX];
	struct oci_strv names;          /* full ones, as they were typed */
};

struct images_load {
	struct ingest in;
	const char *name;               /* of the archive, for messages */
	const struct images_options *o;
	struct arena *a;
	int layout;                     /* directory of an OCI layout; -1: a tar, read already */
	struct images_file *entries;  /* of a tar */
	size_t n_entries, documents_bytes;
	struct images_docker *docker;
	size_t n_docker;
	struct images_image *images;   /* out */
	size_t n_images;
};

/* Read all of the tar fd: documents into memory, blobs into the store. */
MUST_CHECK int images_read_tar(struct images_load *l, int fd, struct err *e);
/* By path, links followed; NULL when there is none. */
const struct images_file *images_file(const struct images_load *l, const char *path);
/* The document at path ("index.json"): 1 there, 0 not.  *ret is l->a's. */
MUST_CHECK int images_document(struct images_load *l, const char *path, const char **ret,
				size_t *ret_n, struct err *e);
/* Have the blob that d describes in the store, verified. */
MUST_CHECK int images_blob(struct images_load *l, const struct image_descriptor *d,
			    struct err *e);
/*
 * Unpack the layers of the manifest and note the image under names, unless it came in
 * already or is not the one to be picked.
 */
MUST_CHECK int images_bring(struct images_load *l, const char *manifest, size_t manifest_len,
			     const struct oci_strv *names, struct err *e);
/* docker's manifest.json: read into l->docker; then, the images that no index.json told of. */
MUST_CHECK int images_read_docker(struct images_load *l, const char *text, size_t n,
				  struct err *e);
MUST_CHECK int images_load_docker(struct images_load *l, struct err *e);
