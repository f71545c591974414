/*
 * oci/image.c - image-spec documents by tables; see image.h.
 *
 * Docker's schema 2 documents have the members of the OCI ones under the same names, so one
 * table serves both; only the media types differ.
 */
#include "oci/image.h"

#include <errno.h>
#include <string.h>

#include "base/json_tree.h"
#include "oci/table.h"

/* What registries take at most (distribution-spec, "Pushing Manifests"): 4 MiB. */
#define DOCUMENT_BYTES_MAX (4u << 20)
#define CONFIG_BYTES_MAX (8u << 20)     /* blobs have no such bound; real ones stay below 1 MiB */
#define INDEX_ENTRIES_MAX 1000
#define LAYERS_MAX 500                  /* as many lower directories as overlayfs stacks */
#define HISTORY_MAX 10000

#define V1_SIGNED "application/vnd.docker.distribution.manifest.v1"

static bool hex_run(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") == n && s[n] == '\0';
}

bool image_digest_valid(const char *digest)
{
	if (strncmp(digest, "sha256:", 7) == 0)
		return hex_run(digest + 7, 64);
	return strncmp(digest, "sha512:", 7) == 0 && hex_run(digest + 7, 128);
}

static bool one_of(const char *s, const char *const *list)
{
	while (*list && strcmp(*list, s) != 0)
		list++;
	return *list != NULL;
}

/* ---- descriptor.md ---------------------------------------------------------- */

static const struct oci_field platform_fields[] = {
	F_STRING("os", struct image_platform, os),
	F_STRING("architecture", struct image_platform, architecture),
	F_STRING("variant", struct image_platform, variant),
	F_END
};

static const struct oci_table platform_table = {
	.section = "image-index.md", .fields = platform_fields,
};

static const struct oci_field descriptor_fields[] = {
	F_STRING("mediaType", struct image_descriptor, media_type, .flags = OCI_REQUIRED),
	F_STRING("digest", struct image_descriptor, digest, .flags = OCI_REQUIRED),
	F_INT("size", struct image_descriptor, size_bytes, .flags = OCI_REQUIRED,
	      RANGE(0, INT64_MAX)),
	F_OBJECT("platform", offsetof(struct image_descriptor, platform), &platform_table),
	F_STRING_MAP("annotations", struct image_descriptor, annotations),
	F_STRINGS("urls", struct image_descriptor, urls),
	F_END
};

static int check_descriptor(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct image_descriptor *d = object;

	if (image_digest_valid(d->digest))
		return 0;
	return oci_walk_error(w, json_tree_member(v, "digest"), "digest",
			      "expected \"sha256:\" and 64 hex digits, found \"%.80s\"", d->digest);
}

static const struct oci_table descriptor_table = {
	.section = "descriptor.md", .size = sizeof(struct image_descriptor),
	.fields = descriptor_fields, .check = check_descriptor,
};

/* ---- image-index.md, manifest.md -------------------------------------------- */

/* Schema 1 (deprecated since 2017) has no config and no sizes: nothing to verify with. */
static int check_version(const struct oci_walk *w, const struct json_node *v)
{
	const struct json_node *version = json_tree_member(v, "schemaVersion");
	const struct json_node *type = json_tree_member(v, "mediaType");

	if ((version && version->kind == JSON_KIND_INT && version->magnitude == 1) ||
	    (type && type->kind == JSON_KIND_STRING &&
	     strncmp(type->s, V1_SIGNED, strlen(V1_SIGNED)) == 0))
		return err_set(w->e, EPROTONOSUPPORT, "%s: Docker schema 1 manifests are not "
			       "supported: have the image pushed again by Docker 1.10 or later",
			       w->name);
	if (!version || version->kind != JSON_KIND_INT || version->magnitude != 2 ||
	    version->negative || version->huge)
		return oci_walk_error(w, version ? version : v, "schemaVersion", "expected 2");
	return 0;
}

static int check_type(const struct oci_walk *w, const struct json_node *v,
		      const char *const *types)
{
	const struct json_node *type = json_tree_member(v, "mediaType");

	/* Optional in OCI 1.0; where it stands, it is what the document is. */
	if (!type || type->kind != JSON_KIND_STRING || one_of(type->s, types))
		return 0;
	return oci_walk_error(w, type, "mediaType", "expected %s, found \"%.120s\"", types[0],
			      type->s);
}

static int check_index(const struct oci_walk *w, const struct json_node *v, void *object)
{
	static const char *const types[] = { IMAGE_TYPE_INDEX, IMAGE_TYPE_DOCKER_LIST, NULL };
	const struct image_index *i = object;

	if (i->n_manifests > INDEX_ENTRIES_MAX)
		return oci_walk_error(w, v, "manifests", "%zu entries, at most %d are taken",
				      i->n_manifests, INDEX_ENTRIES_MAX);
	return check_type(w, v, types);
}

static const struct oci_field index_fields[] = {
	F_OBJECTS("manifests", struct image_index, manifests, n_manifests, &descriptor_table),
	F_END
};

static const struct oci_table index_table = {
	.section = "image-index.md", .fields = index_fields, .check = check_index,
};

bool image_layer_type_valid(const char *type)
{
	static const char *const types[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", NULL
	};

	return one_of(type, types);
}

static int check_manifest(const struct oci_walk *w, const struct json_node *v, void *object)
{
	static const char *const types[] = {
		IMAGE_TYPE_MANIFEST, IMAGE_TYPE_DOCKER_MANIFEST, NULL
	};
	static const char *const configs[] = {
		IMAGE_TYPE_CONFIG, IMAGE_TYPE_DOCKER_CONFIG, NULL
	};
	const struct image_manifest *m = object;
	int r = check_type(w, v, types);

	if (r < 0)
		return r;
	if (!one_of(m->config.media_type, configs))
		return oci_walk_error(w, json_tree_member(v, "config"), "config",
				      "\"%.120s\" is not an image but another artifact",
				      m->config.media_type);
	if (m->n_layers > LAYERS_MAX)
		return oci_walk_error(w, v, "layers", "%zu layers, at most %d are taken",
				      m->n_layers, LAYERS_MAX);
	for (size_t i = 0; i < m->n_layers; i++)
		if (!image_layer_type_valid(m->layers[i].media_type))
			return oci_walk_error(w, json_tree_member(v, "layers"), "layers",
					      "layer %zu is \"%.120s\", not a file system layer",
					      i + 1, m->layers[i].media_type);
	return 0;
}

static const struct oci_field manifest_fields[] = {
	F_OBJECT("config", offsetof(struct image_manifest, config), &descriptor_table,
		 .flags = OCI_REQUIRED),
	F_OBJECTS("layers", struct image_manifest, layers, n_layers, &descriptor_table),
	F_STRING_MAP("annotations", struct image_manifest, annotations),
	F_END
};

static const struct oci_table manifest_table = {
	.section = "manifest.md", .fields = manifest_fields, .check = check_manifest,
};

/* The version first: a schema 1 manifest lacks all that the tables require. */
static int read_document(const char *name, const char *p, size_t n, bool versioned,
			 const struct oci_table *t, struct arena *a, void *ret, struct err *e)
{
	const size_t max = versioned ? DOCUMENT_BYTES_MAX : CONFIG_BYTES_MAX;
	struct oci_walk w = { .name = name, .a = a, .e = e };
	const struct json_node *root;

	if (n > max)
		return err_set(e, EFBIG, "%s: %zu bytes, more than the %zu that are taken", name,
			       n, max);
	int r = json_tree_parse(name, p, n, a, &root, e);
	if (r == 0 && versioned)
		r = check_version(&w, root);
	return r < 0 ? r : oci_table_walk(&w, t, root, ret);
}

int image_index_parse(const char *name, const char *p, size_t n, struct arena *a,
		      struct image_index *ret, struct err *e)
{
	*ret = (struct image_index){ 0 };
	return read_document(name, p, n, true, &index_table, a, ret, e);
}

int image_manifest_parse(const char *name, const char *p, size_t n, struct arena *a,
			 struct image_manifest *ret, struct err *e)
{
	*ret = (struct image_manifest){ 0 };
	return read_document(name, p, n, true, &manifest_table, a, ret, e);
}

/* ---- config.md -------------------------------------------------------------- */

static const struct oci_field health_fields[] = {
	F_STRINGS("Test", struct image_healthcheck, test),
	F_INT("Interval", struct image_healthcheck, interval_ns, RANGE(0, INT64_MAX)),
	F_INT("Timeout", struct image_healthcheck, timeout_ns, RANGE(0, INT64_MAX)),
	F_INT("StartPeriod", struct image_healthcheck, start_period_ns, RANGE(0, INT64_MAX)),
	F_INT("Retries", struct image_healthcheck, retries, RANGE(0, INT32_MAX)),
	F_END
};

static const struct oci_table health_table = {
	.section = "moby: HealthConfig", .fields = health_fields,
};

/* "Volumes", "ExposedPorts": the keys of an object are a set. */
static const struct oci_field key_fields[] = { F_END };
static const struct oci_table key_table = {
	.section = "config.md", .size = sizeof(const char *), .fields = key_fields,
};

#define KEYS(k, m) { .key = k, .type = OCI_MAP, .sub = &key_table, \
	.offset = offsetof(struct image_config, m) }

static const struct oci_field run_fields[] = {
	F_STRING("User", struct image_config, user),
	F_STRING("WorkingDir", struct image_config, working_dir),
	F_STRING("StopSignal", struct image_config, stop_signal),
	F_STRINGS("Env", struct image_config, env),
	F_STRINGS("Entrypoint", struct image_config, entrypoint),
	F_STRINGS("Cmd", struct image_config, cmd),
	F_STRINGS("Shell", struct image_config, shell),
	KEYS("Volumes", volumes),
	KEYS("ExposedPorts", exposed_ports),
	F_STRING_MAP("Labels", struct image_config, labels),
	F_OBJECT_SEEN("Healthcheck", struct image_config, health.set,
		      offsetof(struct image_config, health), &health_table),
	F_END
};

static const struct oci_table run_table = { .section = "config.md", .fields = run_fields };

static const struct oci_field rootfs_fields[] = {
	F_STRINGS("diff_ids", struct image_config, diff_ids),
	F_END
};

static const struct oci_table rootfs_table = { .section = "config.md", .fields = rootfs_fields };

static const struct oci_field history_fields[] = {
	F_STRING("created", struct image_history, created),
	F_STRING("created_by", struct image_history, created_by),
	F_STRING("comment", struct image_history, comment),
	F_BOOL("empty_layer", struct image_history, empty_layer),
	F_END
};

static const struct oci_table history_table = {
	.section = "config.md", .size = sizeof(struct image_history), .fields = history_fields,
};

static const struct oci_field config_fields[] = {
	F_STRING("os", struct image_config, platform.os),
	F_STRING("architecture", struct image_config, platform.architecture),
	F_STRING("variant", struct image_config, platform.variant),
	F_STRING("created", struct image_config, created),
	F_STRING("author", struct image_config, author),
	F_OBJECT("config", 0, &run_table),
	F_OBJECT("rootfs", 0, &rootfs_table, .flags = OCI_REQUIRED),
	F_OBJECTS("history", struct image_config, history, n_history, &history_table),
	F_END
};

/* A list made from keys lacks the NULL behind it that oci_strv promises. */
static void end_list(struct arena *a, struct oci_strv *list)
{
	const char **v = arena_calloc(a, list->n + 1, sizeof(*v));

	for (size_t i = 0; i < list->n; i++)
		v[i] = list->v[i];
	list->v = v;
}

static int check_config(const struct oci_walk *w, const struct json_node *v, void *object)
{
	const struct json_node *rootfs = json_tree_member(v, "rootfs");
	struct image_config *c = object;

	if (c->diff_ids.n > LAYERS_MAX)
		return oci_walk_error(w, rootfs, "rootfs", "%zu layers, at most %d are taken",
				      c->diff_ids.n, LAYERS_MAX);
	if (c->n_history > HISTORY_MAX)
		return oci_walk_error(w, v, "history", "%zu entries, at most %d are taken",
				      c->n_history, HISTORY_MAX);
	for (size_t i = 0; i < c->diff_ids.n; i++)
		if (!image_digest_valid(c->diff_ids.v[i]))
			return oci_walk_error(w, rootfs, "rootfs", "DiffID %zu is \"%.80s\", not "
					      "\"sha256:\" and 64 hex digits", i + 1,
					      c->diff_ids.v[i]);
	end_list(w->a, &c->volumes);
	end_list(w->a, &c->exposed_ports);
	return 0;
}

static const struct oci_table config_table = {
	.section = "config.md", .fields = config_fields, .check = check_config,
};

int image_config_parse(const char *name, const char *p, size_t n, struct arena *a,
		       struct image_config *ret, struct err *e)
{
	*ret = (struct image_config){ 0 };
	return read_document(name, p, n, false, &config_table, a, ret, e);
}
