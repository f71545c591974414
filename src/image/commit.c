/* image/commit.c - see commit.h */
#include "image/commit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "image/change.h"
#include "image/ingest.h"
#include "image/pack.h"
#include "image/unpack.h"

#define GZIP_LEVEL 1                    /* time counts more than size here */
#define DOCUMENT_BYTES_MAX (8u << 20)   /* of a config, oci/image.h */

/*
 * Packed, then unpacked from what was packed: the store gets the very layer that whoever
 * pulls the image will get.
 */
static int bring_layer(const struct ingest *g, const struct commit_options *o,
		       struct layer_result *ret, struct err *e)
{
	CLEANUP_INGEST_BLOB struct ingest_blob b = INGEST_BLOB_INIT;
	CLEANUP_INGEST_LAYER struct ingest_layer l = INGEST_LAYER_INIT;
	const struct pack_options pack = {
		.layer = true, .rootless = g->store->rootless, .gzip = true, .level = GZIP_LEVEL,
		.skip = o->skip, .n_skip = o->n_skip,
	};
	struct pack_result packed;

	int r = ingest_blob_new(g, &b, e);
	if (r == 0)
		r = pack_tree(o->upperfd, b.fd, &pack, &packed, e);
	if (r < 0)
		return r;
	const struct layer_options unpack = {
		.what = packed.digest, .digest = packed.digest, .diff_id = packed.diff_id,
		.size_bytes = packed.size_bytes, .rootless = g->store->rootless,
	};
	if (lseek(b.fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "read the packed layer");
	r = ingest_layer_open(g, packed.diff_id, true, &l, e);
	if (r < 0)
		return r;
	/* The same changes again: only the digests are wanted, and the blob may be there. */
	r = layer_unpack_fd(b.fd, r == 1 ? -1 : l.dirfd, &unpack, ret, e);
	if (r == 0)
		r = ingest_blob_commit(&b, packed.digest, e);
	return r == 0 && l.dirfd >= 0 ? ingest_layer_commit(&l, packed.diff_id, e) : r;
}

/* The command of the instance as one line: what `isle history` shows. */
static char *command_line(json_t *config)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(DOCUMENT_BYTES_MAX);
	json_t *word;
	size_t i;

	buf_add(&b, "", 0);
	json_array_foreach(json_object_get(config, "Cmd"), i, word)
		buf_printf(&b, "%s%s", i ? " " : "", json_string_value(word));
	return xstrdup(b.data);
}

/* The array called key in object, made where there is none. */
static json_t *array_in(json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	if (!json_is_array(v)) {
		v = json_array();
		json_object_set_new(object, key, v);
	}
	return v;
}

static int set_text(json_t *object, const char *key, const char *text, const char *what,
		    struct err *e)
{
	if (!text)
		return 0;
	if (json_object_set_new(object, key, json_string(text)) < 0)
		return err_set(e, EINVAL, "the %s is not UTF-8", what);
	return 0;
}

/* What no instance says of itself stays as the base has it. */
static void keep_base(json_t *config, const json_t *base)
{
	json_t *volumes = json_object_get(base, "Volumes");
	json_t *shell = json_object_get(base, "Shell");

	if (shell)
		json_object_set(config, "Shell", shell);
	if (!json_is_object(volumes))
		return;
	if (!json_is_object(json_object_get(config, "Volumes")))
		json_object_set_new(config, "Volumes", json_object());
	json_object_update(json_object_get(config, "Volumes"), volumes);
}

/* doc: the base's configuration, which becomes the new image's. */
static int change_config(json_t *doc, const struct commit_options *o, const char *diff_id,
			 struct err *e)
{
	/* Docker's: of the container the base was made in. */
	static const char *const dropped[] = {
		"author", "container", "container_config", "docker_version", "id", "parent",
	};
	CLEANUP_JSON json_t *config = json_deep_copy(o->config);
	CLEANUP_FREE char *line = command_line(config);
	json_t *rootfs = json_object_get(doc, "rootfs");
	char now[TIME_RFC3339_MAX];

	keep_base(config, json_object_get(doc, "config"));
	int r = changes_apply(config, o->changes, o->n_changes, e);
	if (r < 0)
		return r;
	time_rfc3339(now);
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		json_object_del(doc, dropped[i]);
	json_object_set(doc, "config", config);
	json_object_set_new(doc, "created", json_string(now));
	if (diff_id)
		json_array_append_new(array_in(rootfs, "diff_ids"), json_string(diff_id));
	json_t *entry = json_pack("{s:s, s:s}", "created", now, "created_by", line);
	r = set_text(doc, "author", o->author, "author", e);
	if (r == 0)
		r = set_text(entry, "author", o->author, "author", e);
	if (r == 0)
		r = set_text(entry, "comment", o->message, "message", e);
	json_array_append_new(array_in(doc, "history"), entry);
	return r;
}

static int make_config(const struct store *s, const struct commit_options *o,
		       const char *diff_id, struct buf *b, struct err *e)
{
	CLEANUP(buf_release) struct buf base = BUF_INIT(DOCUMENT_BYTES_MAX);
	CLEANUP_JSON json_t *doc = NULL;

	int r = store_blob_read(s, o->base->id, &base, e);
	if (r == 0)
		r = json_parse(o->base->id, base.data, base.len, &doc, e);
	if (r == 0)
		r = change_config(doc, o, diff_id, e);
	if (r < 0)
		return r;
	json_add(b, doc, JSON_COMPACT);
	return b->overflow ? err_set(e, E2BIG, "the image's configuration becomes larger than "
				     "%u bytes", DOCUMENT_BYTES_MAX) : 0;
}

/* The base's manifest may be Docker's, ours is OCI's: the layers' names change with it. */
static const char *layer_type(const char *type)
{
	const char *end = strrchr(type, '.');

	if (strncmp(type, "application/vnd.docker.", 23) != 0 || !end)
		return type;
	return strcmp(end, ".gzip") == 0 ? IMAGE_TYPE_LAYER "+gzip" :
	       strcmp(end, ".zstd") == 0 ? IMAGE_TYPE_LAYER "+zstd" : IMAGE_TYPE_LAYER;
}

static json_t *descriptor(const char *type, const char *digest, uint64_t size_bytes)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
			 (json_int_t)size_bytes);
}

static void make_manifest(const struct image_manifest *base, const struct layer_result *layer,
			  const struct buf *config, struct buf *b)
{
	CLEANUP_JSON json_t *doc = NULL;
	json_t *layers = json_array();
	char digest[DIGEST_TEXT_MAX];

	for (size_t i = 0; i < base->n_layers; i++)
		json_array_append_new(layers, descriptor(layer_type(base->layers[i].media_type),
							 base->layers[i].digest,
							 base->layers[i].size_bytes));
	json_array_append_new(layers, descriptor(layer->media_type, layer->digest,
						 layer->size_bytes));
	digest_of(config->data, config->len, digest);
	doc = json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType",
			IMAGE_TYPE_MANIFEST, "config",
			descriptor(IMAGE_TYPE_CONFIG, digest, config->len), "layers", layers);
	json_add(b, doc, JSON_COMPACT);
}

int commit_upper(const struct store *s, const struct commit_options *o, struct arena *a,
		 const char **ret_id, struct err *e)
{
	CLEANUP(buf_release) struct buf config = BUF_INIT(DOCUMENT_BYTES_MAX);
	CLEANUP(buf_release) struct buf manifest = BUF_INIT(DOCUMENT_BYTES_MAX);
	CLEANUP(buf_release) struct buf dry = BUF_INIT(DOCUMENT_BYTES_MAX);
	CLEANUP_INGEST struct ingest g = INGEST_INIT;
	struct image_manifest base = { 0 };
	struct layer_result layer = { 0 };

	/* A wrong instruction is told before gigabytes are packed. */
	int r = make_config(s, o, NULL, &dry, e);
	if (r == 0)
		r = image_manifest_load(s, o->base, a, &base, e);
	if (r == 0)
		r = ingest_begin(s, &g, e);
	if (r == 0)
		r = bring_layer(&g, o, &layer, e);
	if (r == 0)
		r = make_config(s, o, layer.diff_id, &config, e);
	if (r < 0)
		return r;
	make_manifest(&base, &layer, &config, &manifest);
	const struct ingest_image in = {
		.manifest = manifest.data, .manifest_len = manifest.len, .config = config.data,
		.config_len = config.len, .names = &o->name, .n_names = o->name ? 1 : 0,
	};
	return image_commit(&g, &in, a, ret_id, e);
}
