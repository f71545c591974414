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
#include "image/digest.h"
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

/* The config as a blob, whatever its name was. */
static int take_config(struct images_load *l, const char *path, char digest[DIGEST_TEXT_MAX],
		       uint64_t *ret_size, struct err *e)
{
	const struct images_file *f = images_file(l, path);

	if (!f)
		return err_set(e, ENOENT, "%s: manifest.json names the config %s, which is not "
			       "there", l->name, path);
	if (f->digest) {
		memcpy(digest, f->digest, strlen(f->digest) + 1);
		*ret_size = f->size_bytes;
		return 0;
	}
	digest_of(f->text, f->len, digest);
	*ret_size = f->len;
	return ingest_bytes(&l->in, digest, f->text, f->len, e);
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

/* Full names; 1 when picked, or nothing was to be picked. */
static int read_names(const struct images_load *l, const struct json_node *tags,
		      struct oci_strv *ret)
{
	bool picked = !l->o->pick;

	for (const struct json_node *c = tags ? tags->first : NULL; c; c = c->next) {
		struct err ignored = { 0 };
		struct reference ref;

		if (c->kind != JSON_KIND_STRING ||
		    reference_parse(c->s, l->a, &ref, &ignored) < 0 ||
		    ref.transport != REFERENCE_REGISTRY)
			continue;
		if (!ref.tag && !ref.digest)
			ref.tag = "latest";
		const char *name = reference_format(&ref, l->a);
		picked = picked || strcmp(l->o->pick, name) == 0;
		strv_add(l->a, ret, name);
	}
	return picked;
}

static int load_one(struct images_load *l, const struct json_node *v, struct err *e)
{
	const struct json_node *config = json_tree_member(v, "Config");
	const struct json_node *layers = json_tree_member(v, "Layers");
	const struct json_node *tags = json_tree_member(v, "RepoTags");
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);
	struct json_writer w = { .b = &b };
	char digest[DIGEST_TEXT_MAX];
	struct oci_strv names = { 0 };
	uint64_t size = 0;

	if (!config || config->kind != JSON_KIND_STRING || !layers ||
	    layers->kind != JSON_KIND_LIST || layers->n > LAYERS_MAX)
		return err_set(e, EINVAL, "%s: manifest.json:%u: expected \"Config\" and at most "
			       "%d \"Layers\"", l->name, v->line, LAYERS_MAX);
	if (tags && tags->kind != JSON_KIND_LIST)
		tags = NULL;
	if (!read_names(l, tags, &names))
		return 0;
	int r = take_config(l, config->s, digest, &size, e);
	if (r < 0)
		return r;
	json_open(&w, NULL, '{');
	json_put_int(&w, "schemaVersion", 2);
	json_put_string(&w, "mediaType", IMAGE_TYPE_MANIFEST);
	put_descriptor(&w, "config", IMAGE_TYPE_CONFIG, digest, size);
	r = put_layers(l, layers, &w, e);
	json_close(&w, '}');
	return r < 0 ? r : images_bring(l, b.data, b.len, &names, e);
}

int images_load_docker(struct images_load *l, const char *text, size_t n, struct err *e)
{
	const struct json_node *root;
	int r = json_tree_parse(arena_printf(l->a, "%s: manifest.json", l->name), text, n, l->a,
				&root, e);

	if (r < 0)
		return r;
	if (root->kind != JSON_KIND_LIST || root->n > IMAGES_MAX)
		return err_set(e, EINVAL, "%s: manifest.json: expected a list of at most %d "
			       "images", l->name, IMAGES_MAX);
	for (const struct json_node *c = root->first; r == 0 && c; c = c->next)
		r = load_one(l, c, e);
	return r;
}
