/*
 * image/pull_document.c - manifests and configs from a registry, checked.  Layer: image.
 *
 * distribution spec, "Pulling manifests": GET /v2/<name>/manifests/<tag or digest>.
 */
#include <errno.h>
#include <string.h>

#include "base/json_tree.h"
#include "base/mem.h"
#include "image/platform.h"
#include "image/pull_impl.h"

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

static const char *const manifest_headers[] = {
	"Accept: " OCI "index.v1+json, " OCI "manifest.v1+json, "
		DOCKER "distribution.manifest.list.v2+json, "
		DOCKER "distribution.manifest.v2+json",
	NULL
};

static int check_digest(const char *what, const char *digest, const char *p, size_t n,
			struct err *e)
{
	CLEANUP_DIGEST struct digest *d = NULL;
	char text[DIGEST_TEXT_MAX];
	int r = digest_new(digest, &d, e);

	if (r < 0)
		return r;
	digest_add(d, p, n);
	digest_text(d, text);
	if (strcmp(text, digest) != 0)
		return err_set(e, EBADMSG, "%s: the registry sent other bytes than asked for: "
			       "expected %s, got %s", what, digest, text);
	return 0;
}

/* GET path, whole: bytes hang in p->a. */
static int get_document(struct pull *p, struct http *h, const char *path, uint64_t max_bytes,
			struct pull_document *ret, struct http_answer *ans, struct err *e)
{
	struct client_request q = {
		.http = { .method = "GET", .headers = manifest_headers,
			  .body_max_bytes = max_bytes },
		.path = path,
	};
	int r = client_do(p->client, h, &q, ans, e);

	if (r < 0)
		return r;
	ret->bytes = arena_strndup(p->a, ans->body.data ? ans->body.data : "", ans->body.len);
	ret->n = ans->body.len;
	ret->media_type = arena_strdup(p->a, ans->content_type ? ans->content_type : "");
	return 0;
}

/* The document says itself what it is; the header may have been made up by a proxy. */
static int decide_type(const char *what, struct arena *a, struct pull_document *d,
		       bool *ret_index, struct err *e)
{
	const struct json_node *root, *type, *version;
	int r = json_tree_parse(what, d->bytes, d->n, a, &root, e);

	if (r < 0)
		return r;
	version = json_tree_member(root, "schemaVersion");
	if (strncmp(d->media_type, DOCKER "distribution.manifest.v1+",
		    strlen(DOCKER "distribution.manifest.v1+")) == 0 ||
	    (version && version->kind == JSON_KIND_INT && version->magnitude == 1))
		return err_set(e, ENOTSUP, "%s has a manifest of Docker's schema 1, which is "
			       "unsafe and not read; push the image again with a current tool",
			       what);
	type = json_tree_member(root, "mediaType");
	if (type && type->kind == JSON_KIND_STRING)
		d->media_type = type->s;
	*ret_index = json_tree_member(root, "manifests") != NULL;
	if (*ret_index == (json_tree_member(root, "layers") != NULL))
		return err_set(e, EPROTO, "%s: neither a manifest nor an index (type \"%s\")",
			       what, d->media_type);
	return 0;
}

/* Read the manifest or index at digest or, when that is NULL, at tag. */
static int fetch(struct pull *p, struct http *h, const char *what, const char *tag,
		 const char *digest, struct pull_document *ret, bool *ret_index, struct err *e)
{
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	const char *path = arena_printf(p->a, "manifests/%s", digest ? digest : tag);
	char text[DIGEST_TEXT_MAX];
	int r = get_document(p, h, path, MANIFEST_BYTES_MAX, ret, &ans, e);

	if (r < 0)
		return r;
	/* The registry's own word for what it meant to send. */
	if (!digest && ans.digest && image_digest_valid(ans.digest))
		digest = arena_strdup(p->a, ans.digest);
	if (digest) {
		r = check_digest(what, digest, ret->bytes, ret->n, e);
		if (r < 0)
			return r;
		ret->digest = digest;
	} else {
		digest_of(ret->bytes, ret->n, text);
		ret->digest = arena_strdup(p->a, text);
	}
	return decide_type(what, p->a, ret, ret_index, e);
}

int pull_manifest(struct pull *p, struct http *h, const struct reference *ref,
		  const struct pull_options *o, struct pull_document *ret,
		  const char **ret_top, struct err *e)
{
	const char *what = reference_format(ref, p->a);
	const struct image_descriptor *chosen;
	struct image_index index;
	bool is_index;
	int r = fetch(p, h, what, ref->tag, ref->digest, ret, &is_index, e);

	if (r < 0)
		return r;
	*ret_top = ret->digest;
	if (!is_index)
		return 0;
	r = image_index_parse(what, ret->bytes, ret->n, p->a, &index, e);
	if (r < 0)
		return r;
	r = platform_choose(&index, &o->platform, p->a, &chosen, e);
	if (r < 0)
		return err_prefix(e, "%s", what);
	r = fetch(p, h, what, NULL, chosen->digest, ret, &is_index, e);
	if (r < 0)
		return r;
	if (ret->n != chosen->size_bytes)
		return err_set(e, EBADMSG, "%s: manifest %s has %zu bytes, its index says %llu",
			       what, chosen->digest, ret->n,
			       (unsigned long long)chosen->size_bytes);
	if (is_index)
		return err_set(e, EPROTO, "%s: an index within an index, %s", what,
			       chosen->digest);
	return 0;
}

static int read_config(struct pull *p, struct http *h, const struct image_descriptor *d,
		       struct pull_document *ret, struct err *e)
{
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_BYTES_MAX);

	*ret = (struct pull_document){ .digest = d->digest };
	if (d->size_bytes > CONFIG_BYTES_MAX)
		return err_set(e, EPROTO, "config %s: %llu bytes are more than %u", d->digest,
			       (unsigned long long)d->size_bytes, CONFIG_BYTES_MAX);
	if (store_blob_read(p->store, d->digest, &b, NULL) == 0) {
		ret->bytes = arena_strndup(p->a, b.data ? b.data : "", b.len);
		ret->n = b.len;
		return 0;
	}
	int r = get_document(p, h, arena_printf(p->a, "blobs/%s", d->digest), d->size_bytes, ret,
			     &ans, e);

	if (r < 0)
		return err_prefix(e, "config of the image");
	ret->digest = d->digest;
	if (ret->n != d->size_bytes)
		return err_set(e, EBADMSG, "config %s has %zu bytes, its manifest says %llu",
			       d->digest, ret->n, (unsigned long long)d->size_bytes);
	return check_digest("config", d->digest, ret->bytes, ret->n, e);
}

int pull_config(struct pull *p, struct http *h, const struct image_manifest *m,
		struct pull_document *ret, struct image_config *ret_config, struct err *e)
{
	const char *type = m->config.media_type;

	if (type && strcmp(type, OCI "config.v1+json") != 0 &&
	    strcmp(type, DOCKER "container.image.v1+json") != 0)
		return err_set(e, ENOTSUP, "this is no image to run: its config is of type \"%s\"",
			       type);
	int r = read_config(p, h, &m->config, ret, e);

	if (r < 0)
		return r;
	r = image_config_parse("config", ret->bytes, ret->n, p->a, ret_config, e);
	if (r < 0)
		return r;
	if (ret_config->diff_ids.n != m->n_layers)
		return err_set(e, EPROTO, "the manifest has %zu layers, the config %zu DiffIDs",
			       m->n_layers, ret_config->diff_ids.n);
	return 0;
}
