#pragma once
/*
 * oci/image.h - image-spec documents as structs: index, manifest, config.  Layer: oci.
 *
 * Untrusted: registries and archives send them.  OCI 1.1 and Docker v2 schema 2 media
 * types; sizes, digests and counts are bounded here (image-spec descriptor.md, manifest.md,
 * image-index.md, config.md; Docker's "Image Manifest Version 2, Schema 2").  Strings hang in
 * the arena given.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "oci/spec.h"

#define IMAGE_TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define IMAGE_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define IMAGE_TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define IMAGE_TYPE_LAYER "application/vnd.oci.image.layer.v1.tar"       /* + "+gzip", "+zstd" */
#define IMAGE_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define IMAGE_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define IMAGE_TYPE_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

struct image_platform {
	const char *os, *architecture, *variant;        /* variant may be NULL */
};

struct image_descriptor {
	const char *media_type;
	const char *digest;             /* "sha256:<64 hex>" or sha512, checked */
	uint64_t size_bytes;
	struct image_platform platform; /* index entries; os NULL: none given */
	struct oci_kvs annotations;
	struct oci_strv urls;
};

struct image_index {
	struct image_descriptor *manifests;
	size_t n_manifests;
};

struct image_manifest {
	struct image_descriptor config;
	struct image_descriptor *layers;        /* bottom first */
	size_t n_layers;
	struct oci_kvs annotations;
};

struct image_healthcheck {              /* Docker's extension of the config */
	bool set;
	struct oci_strv test;           /* NONE | CMD args... | CMD-SHELL line */
	uint64_t interval_ns, timeout_ns, start_period_ns;      /* 0: the default */
	unsigned retries;
};

struct image_history {
	const char *created, *created_by, *comment;
	bool empty_layer;
};

struct image_config {
	struct image_platform platform;
	const char *created, *author;
	const char *user, *working_dir, *stop_signal;   /* NULL where absent */
	struct oci_strv env, entrypoint, cmd, shell;
	struct oci_strv volumes, exposed_ports;         /* "80/tcp" */
	struct oci_kvs labels;
	struct image_healthcheck health;
	struct oci_strv diff_ids;                       /* rootfs.diff_ids, checked digests */
	struct image_history *history;
	size_t n_history;
};

/*
 * name is what messages call the document.  At most 4 MiB (a config: 8), 1000 entries of an
 * index, 500 layers.  Docker schema 1 is -EPROTONOSUPPORT; an artifact that is no image, or a
 * layer of an unknown type, is -EINVAL.
 */
MUST_CHECK int image_index_parse(const char *name, const char *p, size_t n, struct arena *a,
				 struct image_index *ret, struct err *e);
MUST_CHECK int image_manifest_parse(const char *name, const char *p, size_t n, struct arena *a,
				    struct image_manifest *ret, struct err *e);
MUST_CHECK int image_config_parse(const char *name, const char *p, size_t n, struct arena *a,
				  struct image_config *ret, struct err *e);
/* A media type of a layer that can be unpacked: a tar, plain or compressed. */
bool image_layer_type_valid(const char *type);
/* "sha256:" and 64 lower-case hex digits, or sha512 and 128. */
bool image_digest_valid(const char *digest);
