/*
 * image/push.c - an image of the store to a registry.  Layer: image.
 */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/json_tree.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/ingest.h"
#include "image/pull.h"
#include "image/pull_jobs.h"
#include "image/push.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define UPLOADS_MAX 5                   /* of one blob, each begun anew */

struct push {
	const struct store *store;
	struct client *client;
	struct progress *progress;
	const char *mount_from;         /* another repository with the same blobs, or NULL */
	struct image_descriptor *blobs; /* the layers, each once, and the configuration */
	size_t n_blobs;
	atomic_bool stop;
};

/* --- one blob ----------------------------------------------------------------- */

static int head_blob(struct push *p, struct http *h, const char *digest, struct err *e)
{
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	CLEANUP_FREE char *path = xasprintf("blobs/%s", digest);
	struct client_request q = {
		.http = { .method = "HEAD" }, .path = path, .missing_ok = true,
	};
	int r = client_do(p->client, h, &q, &ans, e);

	return r < 0 ? r : ans.status != 404;
}

/* 1 it was mounted, 0 *ret_place is where to send it. */
static int begin_upload(struct push *p, struct http *h, const char *digest, struct arena *a,
			const char **ret_place, struct err *e)
{
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	const char *path = "blobs/uploads/";
	struct client_request q = { .http = { .method = "POST", .body = "" } };

	if (p->mount_from)
		path = arena_printf(a, "blobs/uploads/?mount=%s&from=%s", digest, p->mount_from);
	q.path = path;
	int r = client_do(p->client, h, &q, &ans, e);

	if (r < 0)
		return r;
	if (ans.status == 201)
		return 1;
	if (ans.status != 202 || !ans.location || !*ans.location)
		return err_set(e, EPROTO, "POST %s: the registry gave no place for an upload (%d)",
			       ans.url, ans.status);
	/* Where it goes is for the registry to say; whatever it is asked, the digest is last. */
	*ret_place = arena_printf(a, "%s%cdigest=%s", ans.location,
				  strchr(ans.location, '?') ? '&' : '?', digest);
	return 0;
}

/* *ret_retry: a failure that another upload, begun anew, may not have. */
static int send_blob(struct push *p, struct http *h, size_t i, const char *place, bool *ret_retry,
		     struct err *e)
{
	static const char *const headers[] = { "Content-Type: application/octet-stream", NULL };
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	const struct image_descriptor *d = &p->blobs[i];
	atomic_uint_least64_t *sent = progress_counter(p->progress, i);
	uint64_t size;
	CLEANUP_FD int fd = store_blob_open(p->store, d->digest, &size, e);

	*ret_retry = false;
	if (fd < 0)
		return fd;
	struct client_request q = {
		.http = { .method = "PUT", .headers = headers, .body_fd = fd,
			  .body_bytes = size, .sent = sent },
		.url = place,
		.once = true,
	};

	atomic_store(sent, 0);
	progress_state(p->progress, i, "Pushing", size);
	int r = client_do(p->client, h, &q, &ans, e);

	*ret_retry = r < 0 && (ans.transient || ans.status == 429 || ans.status >= 500 ||
			       ans.status == 404 || ans.status == 416);
	return r;
}

static int push_blob(void *arg, struct http *h, size_t i, struct err *e)
{
	struct push *p = arg;
	const char *digest = p->blobs[i].digest;

	progress_state(p->progress, i, "Preparing", 0);
	for (unsigned uploads = 1; ; uploads++) {
		CLEANUP(arena_release) struct arena a = { 0 };
		const char *place = NULL;
		bool retry = false;
		int r = head_blob(p, h, digest, e);

		if (r > 0)
			progress_state(p->progress, i, uploads > 1 ? "Pushed" :
				       "Layer already exists", 0);
		if (r != 0)
			return r < 0 ? r : 0;
		r = begin_upload(p, h, digest, &a, &place, e);
		if (r > 0)
			progress_state(p->progress, i, "Mounted", 0);
		if (r != 0)
			return r < 0 ? r : 0;
		r = send_blob(p, h, i, place, &retry, e);
		if (r == 0)
			progress_state(p->progress, i, "Pushed", 0);
		if (r == 0 || !retry || uploads == UPLOADS_MAX)
			return r;
		log_debug("upload of %s: %s; again", digest, e->msg);
	}
}

/* --- the image ------------------------------------------------------------------ */

static void add_blob(struct push *p, const struct image_descriptor *d)
{
	for (size_t i = 0; i < p->n_blobs; i++)
		if (strcmp(p->blobs[i].digest, d->digest) == 0)
			return;
	p->blobs[p->n_blobs++] = *d;
}

static int push_blobs(struct push *p, const struct image_manifest *m, struct arena *a,
		      struct err *e)
{
	const char **names = arena_calloc(a, m->n_layers + 1, sizeof(*names));

	p->blobs = arena_calloc(a, m->n_layers + 1, sizeof(*p->blobs));
	for (size_t i = 0; i < m->n_layers; i++)
		add_blob(p, &m->layers[i]);
	add_blob(p, &m->config);
	for (size_t i = 0; i < p->n_blobs; i++)
		names[i] = p->blobs[i].digest;
	progress_items(p->progress, names, p->n_blobs);
	const struct jobs jobs = {
		.n = p->n_blobs, .run = push_blob, .arg = p, .client = p->client,
		.progress = p->progress, .stop = &p->stop,
	};

	return jobs_run(&jobs, e);
}

static int put_manifest(struct push *p, const struct image *image, const char *tag,
			struct arena *a, struct push_result *ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(MANIFEST_BYTES_MAX);
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	CLEANUP_HTTP struct http *h = NULL;
	const struct json_node *root = NULL, *type;
	int r = store_blob_read(p->store, image->manifest, &b, e);

	if (r == 0)
		r = json_tree_parse("manifest", b.data, b.len, a, &root, e);
	if (r == 0)
		r = client_http(p->client, &h, e);
	if (r < 0)
		return r;
	type = json_tree_member(root, "mediaType");
	const char *headers[] = {
		arena_printf(a, "Content-Type: %s", type && type->kind == JSON_KIND_STRING &&
			     !strpbrk(type->s, "\r\n") ? type->s : OCI_MANIFEST), NULL
	};
	struct client_request q = {
		.http = { .method = "PUT", .headers = headers, .body = b.data,
			  .body_bytes = b.len },
		.path = arena_printf(a, "manifests/%s", tag),
	};

	r = client_do(p->client, h, &q, &ans, e);
	if (r < 0)
		return r;
	if (ans.digest && strcmp(ans.digest, image->manifest) != 0)
		return err_set(e, EBADMSG, "%s: the registry noted %s for what we sent as %s",
			       ans.url, ans.digest, image->manifest);
	ret->digest = image->manifest;
	ret->manifest_bytes = b.len;
	return 0;
}

/* Another repository of the same host in which the image has a name. */
static const char *find_mount(const struct image *image, const struct reference *ref,
			      struct arena *a)
{
	for (size_t i = 0; i < image->n_names; i++) {
		struct reference other;

		if (reference_parse(image->names[i], a, &other, NULL) == 0 &&
		    other.transport == REFERENCE_REGISTRY && other.domain &&
		    strcmp(other.domain, ref->domain) == 0 && strcmp(other.path, ref->path) != 0)
			return other.path;
	}
	return NULL;
}

int image_push(const struct store *s, const struct registries *regs,
	       const struct reference *ref, const struct push_options *o, struct arena *a,
	       struct push_result *ret, struct err *e)
{
	const char *name = reference_format(ref, a);
	struct push p = { .store = s, .progress = o->progress };
	struct client_options co = o->client;
	CLEANUP_CLIENT struct client *client = NULL;
	struct image image;
	struct image_manifest m = { .n_layers = 0 };
	int r = image_find(s, name, a, &image, e);

	if (r >= 0)
		r = image_manifest_load(s, &image, a, &m, e);
	if (r < 0)
		return r;
	p.mount_from = find_mount(&image, ref, a);
	const struct client_target target = {
		.host = ref->domain, .path = ref->path, .mount_from = p.mount_from,
		.access = CLIENT_PUSH,
	};

	co.stop = &p.stop;
	r = client_new(regs, &target, &co, &client, e);
	if (r < 0)
		return r;
	p.client = client;
	r = push_blobs(&p, &m, a, e);
	if (r == 0)
		r = put_manifest(&p, &image, ref->tag, a, ret, e);
	return r < 0 ? err_prefix(e, "push %s", name) : 0;
}
