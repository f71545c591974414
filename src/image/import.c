/* image/import.c - see import.h */
#include "image/import.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "image/change.h"
#include "image/ingest.h"
#include "image/unpack.h"

#define READ_BYTES (256u << 10)
#define DOCUMENT_BYTES_MAX (4u << 20)

/* The bytes to the blob and to whoever unpacks them, at once. */
static int pump(int fd, int out, struct layer_sink *sink, const char *source, struct err *e)
{
	CLEANUP_FREE char *p = xmalloc(READ_BYTES);
	ssize_t n;
	int r = 0;

	while (r >= 0 && (n = fd_read_all(fd, p, READ_BYTES)) != 0) {
		if (n < 0)
			return err_sys(e, (int)-n, "read %s", source);
		r = fd_write_all(out, p, (size_t)n);
		if (r < 0)
			return err_sys(e, -r, "write the layer of %s", source);
		r = layer_sink_write(sink, p, (size_t)n, e);
	}
	return r;
}

static int bring_layer(const struct ingest *g, int fd, const char *source,
		       struct layer_result *ret, struct err *e)
{
	CLEANUP_INGEST_BLOB struct ingest_blob b = INGEST_BLOB_INIT;
	CLEANUP_INGEST_LAYER struct ingest_layer l = INGEST_LAYER_INIT;
	struct layer_options o = { .what = source, .rootless = g->store->rootless };
	CLEANUP_LAYER_SINK struct layer_sink *sink = NULL;

	int r = ingest_blob_new(g, &b, e);
	if (r == 0)
		r = ingest_layer_open(g, NULL, true, &l, e);
	if (r == 0)
		r = layer_sink_new(l.dirfd, &o, &sink, e);
	if (r == 0)
		r = pump(fd, b.fd, sink, source, e);
	if (r == 0)
		r = layer_sink_finish(sink, ret, e);
	if (r == 0)
		r = ingest_blob_commit(&b, ret->digest, e);
	return r == 0 ? ingest_layer_commit(&l, ret->diff_id, e) : r;
}

static int make_config(const struct import_options *o, const char *diff_id, struct buf *b,
		       struct err *e)
{
	CLEANUP_FREE char *comment = o->message ? xstrdup(o->message) :
						  xasprintf("Imported from %s", o->source);
	CLEANUP_JSON json_t *config = json_object();
	char now[TIME_RFC3339_MAX];

	int r = changes_apply(config, o->changes, o->n_changes, e);
	if (r < 0)
		return r;
	time_rfc3339(now);
	CLEANUP_JSON json_t *doc = json_pack("{s:s, s:s, s:s, s:O, s:{s:s, s:[s]}, s:[{s:s, s:s}]}",
		"created", now, "architecture", o->platform->architecture, "os", o->platform->os,
		"config", config, "rootfs", "type", "layers", "diff_ids", diff_id, "history",
		"created", now, "comment", comment);
	if (!doc)
		return err_set(e, EINVAL, "the message is not UTF-8");
	if (o->platform->variant)
		json_object_set_new(doc, "variant", json_string(o->platform->variant));
	json_add(b, doc, JSON_COMPACT);
	return 0;
}

int image_import(const struct store *s, int fd, const struct import_options *o,
		 struct arena *a, const char **ret_id, struct err *e)
{
	CLEANUP(buf_release) struct buf config = BUF_INIT(DOCUMENT_BYTES_MAX);
	CLEANUP(buf_release) struct buf manifest = BUF_INIT(DOCUMENT_BYTES_MAX);
	CLEANUP(buf_release) struct buf dry = BUF_INIT(DOCUMENT_BYTES_MAX);
	CLEANUP_INGEST struct ingest g = INGEST_INIT;
	char digest[DIGEST_TEXT_MAX];
	struct layer_result layer = { 0 };

	/* A wrong instruction is told before gigabytes are read. */
	int r = make_config(o, "", &dry, e);
	if (r == 0)
		r = ingest_begin(s, &g, e);
	if (r == 0)
		r = bring_layer(&g, fd, o->source, &layer, e);
	if (r == 0)
		r = make_config(o, layer.diff_id, &config, e);
	if (r < 0)
		return r;
	digest_of(config.data, config.len, digest);
	CLEANUP_JSON json_t *doc = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:[{s:s, s:s, s:I}]}",
		"schemaVersion", 2, "mediaType", IMAGE_TYPE_MANIFEST, "config", "mediaType",
		IMAGE_TYPE_CONFIG, "digest", digest, "size", (json_int_t)config.len, "layers",
		"mediaType", layer.media_type, "digest", layer.digest, "size",
		(json_int_t)layer.size_bytes);
	json_add(&manifest, doc, JSON_COMPACT);
	struct ingest_image in = {
		.manifest = manifest.data, .manifest_len = manifest.len, .config = config.data,
		.config_len = config.len, .names = &o->name, .n_names = o->name ? 1 : 0,
		.layer_bytes = &layer.unpacked_bytes,
	};
	return image_commit(&g, &in, a, ret_id, e);
}
