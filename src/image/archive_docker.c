/*
 * image/archive_docker.c - what `docker save` writes, into the store; see archive.h.
 *
 * manifest.json (moby image/spec, "Combined Image JSON + Filesystem Changeset Format"):
 *	[{"Config": PATH, "RepoTags": [NAME:TAG, ...], "Layers": [PATH, ...]}, ...]
 * Layers are tars, bottom first, compressed or not.  There is no manifest with digests in
 * it: one is made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json_tree.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "image/archive_impl.h"
#include "image/decompress.h"
#include "image/store_rows.h"

#define IMAGES_MAX 1000
#define LAYERS_MAX 500

/* By its first bytes, as whoever unpacks it tells, too: RFC 1952, RFC 8878. */
static int media_type(const struct images_load *l, const char *digest, const char **ret,
		      struct err *e)
{
	static const unsigned char zstd[4] = { 0x28, 0xb5, 0x2f, 0xfd };
	unsigned char head[4] = { 0 };
	CLEANUP_FD int fd = store_blob_open(l->in.store, digest, NULL, e);

	if (fd < 0)
		return fd;
	if (pread(fd, head, sizeof(head), 0) < 0)
		return err_sys(e, errno, "read blob %s", digest);
	*ret = head[0] == 0x1f && head[1] == 0x8b ? IMAGE_TYPE_LAYER "+gzip" :
	       memcmp(head, zstd, sizeof(zstd)) == 0 ? IMAGE_TYPE_LAYER "+zstd" :
	       IMAGE_TYPE_LAYER;
	return 0;
}

static void put_descriptor(struct json_writer *w, const char *key, const char *type,
			   const char *digest, uint64_t size)
{
	json_open(w, key, '{');
	json_put_string(w, "mediaType", type);
	json_put_string(w, "digest", digest);
	json_put_int(w, "size", (int64_t)size);
	json_close(w, '}');
}

static int put_layers(struct images_load *l, const struct json_node *layers,
		      struct json_writer *w, struct err *e)
{
	int r = 0;

	json_open(w, "layers", '[');
	for (const struct json_node *c = layers->first; r == 0 && c; c = c->next) {
		const struct images_file *f = c->kind == JSON_KIND_STRING ? images_file(l, c->s)
									  : NULL;
		const char *type = NULL;

		if (!f || !f->digest)
			return err_set(e, ENOENT, "%s: manifest.json:%u: a layer that is not "
				       "there", l->name, c->line);
		r = media_type(l, f->digest, &type, e);
		if (r == 0)
			put_descriptor(w, NULL, type, f->digest, f->size_bytes);
	}
	json_close(w, ']');
	return r;
}

static void read_names(const struct images_load *l, const struct json_node *tags,
		       struct oci_strv *ret)
{
	if (!tags || tags->kind != JSON_KIND_LIST)
		return;
	for (const struct json_node *c = tags->first; c; c = c->next) {
		struct err ignored = { 0 };
		struct reference ref;

		if (c->kind != JSON_KIND_STRING ||
		    reference_parse(c->s, l->a, &ref, &ignored) < 0 ||
		    ref.transport != REFERENCE_REGISTRY)
			continue;
		if (!ref.tag && !ref.digest)
			ref.tag = "latest";
		strv_add(l->a, ret, reference_format(&ref, l->a));
	}
}

static int read_one(struct images_load *l, const struct json_node *v, struct err *e)
{
	const struct json_node *config = json_tree_member(v, "Config");
	const struct json_node *layers = json_tree_member(v, "Layers");
	struct images_docker *d = &l->docker[l->n_docker];

	if (!config || config->kind != JSON_KIND_STRING || !layers ||
	    layers->kind != JSON_KIND_LIST || layers->n > LAYERS_MAX)
		return err_set(e, EINVAL, "%s: manifest.json:%u: expected \"Config\" and at most "
			       "%d \"Layers\"", l->name, v->line, LAYERS_MAX);
	d->layers = layers;
	d->config = images_file(l, config->s);
	if (!d->config)
		return err_set(e, ENOENT, "%s: manifest.json names the config %s, which is not "
			       "there", l->name, config->s);
	if (d->config->digest)
		memcpy(d->config_digest, d->config->digest, strlen(d->config->digest) + 1);
	else
		store_digest(NULL, d->config->text, d->config->len, d->config_digest);
	read_names(l, json_tree_member(v, "RepoTags"), &d->names);
	l->n_docker++;
	return 0;
}

int images_read_docker(struct images_load *l, const char *text, size_t n, struct err *e)
{
	const struct json_node *root;
	int r = json_tree_parse(arena_printf(l->a, "%s: manifest.json", l->name), text, n, l->a,
				&root, e);

	if (r < 0)
		return r;
	if (root->kind != JSON_KIND_LIST || root->n > IMAGES_MAX)
		return err_set(e, EINVAL, "%s: manifest.json: expected a list of at most %d "
			       "images", l->name, IMAGES_MAX);
	l->docker = arena_calloc(l->a, root->n + 1u, sizeof(*l->docker));
	for (const struct json_node *c = root->first; r == 0 && c; c = c->next)
		r = read_one(l, c, e);
	return r;
}

static int load_one(struct images_load *l, const struct images_docker *d, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);
	struct json_writer w = { .b = &b };
	uint64_t size = d->config->size_bytes;
	int r = 0;

	if (d->config->text) {
		size = d->config->len;
		r = ingest_bytes(&l->in, d->config_digest, d->config->text, size, e);
	}
	if (r < 0)
		return r;
	json_open(&w, NULL, '{');
	json_put_int(&w, "schemaVersion", 2);
	json_put_string(&w, "mediaType", IMAGE_TYPE_MANIFEST);
	put_descriptor(&w, "config", IMAGE_TYPE_CONFIG, d->config_digest, size);
	r = put_layers(l, d->layers, &w, e);
	json_close(&w, '}');
	return r < 0 ? r : images_bring(l, b.data, b.len, &d->names, e);
}

int images_load_docker(struct images_load *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_docker; i++)
		r = load_one(l, &l->docker[i], e);
	return r;
}
