/* image/archive_load.c - OCI layouts, as directories and in tars, into the store; see archive.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/archive_impl.h"
#include "image/digest.h"
#include "image/platform.h"
#include "image/store_rows.h"
#include "image/unpack.h"

#define COPY_BYTES (256u << 10)
#define NAME_ANNOTATION "io.containerd.image.name"      /* Docker, containerd: the full name */
#define REF_ANNOTATION "org.opencontainers.image.ref.name"      /* image-spec annotations.md */
#define INDEX_DEPTH_MAX 4

/* ---- blobs ------------------------------------------------------------------- */

/* Copy the blob file fd into the store, checking it on the way. */
static int copy_blob(struct images_load *l, int fd, const struct image_descriptor *d,
		     struct err *e)
{
	CLEANUP_INGEST_BLOB struct ingest_blob b = INGEST_BLOB_INIT;
	CLEANUP_DIGEST struct digest *sum = NULL;
	CLEANUP_FREE char *p = xmalloc(COPY_BYTES);
	char text[DIGEST_TEXT_MAX];
	ssize_t n;

	int r = ingest_blob_open(&l->in, d->digest, d->size_bytes, true, &b, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = ingest_blob_restart(&b, e);
	if (r == 0)
		r = digest_new(d->digest, &sum, e);
	while (r == 0 && (n = fd_read_all(fd, p, COPY_BYTES)) != 0) {
		if (n < 0)
			return err_sys(e, (int)-n, "%s: read blob %s", l->name, d->digest);
		digest_add(sum, p, (size_t)n);
		r = fd_write_all(b.fd, p, (size_t)n);
		if (r < 0)
			err_sys(e, -r, "write blob %s", d->digest);
	}
	if (r < 0)
		return r;
	digest_text(sum, text);
	if (strcmp(text, d->digest) != 0) {
		ingest_blob_discard(&b);
		return err_set(e, EBADMSG, "%s: blob %s has digest %s", l->name, d->digest, text);
	}
	return ingest_blob_commit(&b, d->digest, e);
}

int images_blob(struct images_load *l, const struct image_descriptor *d, struct err *e)
{
	char name[STORE_NAME_MAX];
	uint64_t size;
	struct stat st;

	CLEANUP_FD int have = store_blob_open(l->in.store, d->digest, &size, e);
	if (have >= 0 && size == d->size_bytes)
		return 0;
	if (have < 0 && (have != -ENOENT || l->layout < 0))
		return err_prefix(e, "%s", l->name);
	if (have >= 0)
		return err_set(e, EBADMSG, "%s: blob %s has %llu bytes, its descriptor says %llu",
			       l->name, d->digest, (unsigned long long)size,
			       (unsigned long long)d->size_bytes);
	store_blob_name(d->digest, name);
	CLEANUP_FREE char *path = xasprintf("blobs/%s", name);
	/* A symlink to another folder is how layouts share blobs; a fifo would make us wait. */
	CLEANUP_FD int fd = openat(l->layout, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s: open %s", l->name, path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size_bytes)
		return err_set(e, EBADMSG, "%s: %s has %lld bytes, its descriptor says %llu",
			       l->name, path, (long long)st.st_size,
			       (unsigned long long)d->size_bytes);
	return copy_blob(l, fd, d, e);
}

/* A small blob's bytes, in a. */
static int blob_text(struct images_load *l, const struct image_descriptor *d, const char **ret,
		     size_t *ret_n, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);

	if (d->size_bytes > STORE_DOCUMENT_MAX)
		return err_set(e, EFBIG, "%s: %s is too large for a document", l->name, d->digest);
	int r = images_blob(l, d, e);
	if (r == 0)
		r = store_blob_read(l->in.store, d->digest, &b, e);
	if (r < 0)
		return r;
	*ret = arena_strndup(l->a, b.data ? b.data : "", b.len);
	*ret_n = b.len;
	return 0;
}

int images_document(struct images_load *l, const char *path, const char **ret, size_t *ret_n,
		    struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);

	if (l->layout < 0) {
		const struct images_file *f = images_file(l, path);

		if (!f || !f->text)
			return 0;
		*ret = f->text;
		*ret_n = f->len;
		return 1;
	}
	int r = file_read_at(l->layout, path, &b);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(e, -r, "%s: read %s", l->name, path);
	*ret = arena_strndup(l->a, b.data ? b.data : "", b.len);
	*ret_n = b.len;
	return 1;
}

/* ---- one image --------------------------------------------------------------- */

static int bring_layer(struct images_load *l, const struct image_descriptor *d,
		       const char *diff_id, uint64_t *ret_bytes, struct err *e)
{
	CLEANUP_INGEST_LAYER struct ingest_layer layer = INGEST_LAYER_INIT;
	struct layer_options o = {
		.what = d->digest, .digest = d->digest, .diff_id = diff_id,
		.size_bytes = d->size_bytes, .rootless = l->in.store->rootless,
	};
	struct layer_result res;

	int r = images_blob(l, d, e);
	if (r == 0)
		r = ingest_layer_open(&l->in, diff_id, true, &layer, e);
	if (r != 0)
		return r < 0 ? r : 0;
	CLEANUP_FD int fd = store_blob_open(l->in.store, d->digest, NULL, e);
	if (fd < 0)
		return fd;
	r = layer_unpack_fd(fd, layer.dirfd, &o, &res, e);
	if (r < 0)
		return err_prefix(e, "%s", l->name);
	*ret_bytes = res.unpacked_bytes;
	return ingest_layer_commit(&layer, diff_id, e);
}

/* Docker's table has the names as they were typed; an entry of an index knows its own. */
static const struct oci_strv *docker_names(const struct images_load *l, const char *id)
{
	for (size_t i = 0; i < l->n_docker; i++)
		if (strcmp(l->docker[i].config_digest, id) == 0)
			return &l->docker[i].names;
	return NULL;
}

static bool is_new(const struct images_load *l, const char *id)
{
	for (size_t i = 0; i < l->n_images; i++)
		if (strcmp(l->images[i].id, id) == 0)
			return false;
	return true;
}

/* "NAME", "NAME:TAG" or a tag alone. */
static bool is_picked(const struct images_load *l, const struct oci_strv *names)
{
	const char *pick = l->o->pick;

	for (size_t i = 0; pick && i < names->n; i++) {
		const char *name = names->v[i], *tag = strrchr(name, ':');
		size_t n = tag ? (size_t)(tag - name) : strlen(name);

		if (strcmp(name, pick) == 0 || (tag && strcmp(tag + 1, pick) == 0) ||
		    (strncmp(name, pick, n) == 0 && !pick[n] && tag &&
		     strcmp(tag, ":latest") == 0))
			return true;
	}
	return !pick;
}

static void note(struct images_load *l, const char *id, const char *const *names, size_t n)
{
	struct images_image *v = arena_calloc(l->a, l->n_images + 1, sizeof(*v));

	if (l->n_images > 0)
		memcpy(v, l->images, l->n_images * sizeof(*v));
	v[l->n_images++] = (struct images_image){ .id = id, .names = names, .n_names = n };
	l->images = v;
}

int images_bring(struct images_load *l, const char *manifest, size_t manifest_len,
		 const struct oci_strv *names, struct err *e)
{
	struct image_manifest m = { 0 };
	struct image_config config = { 0 };
	struct ingest_image in = { .manifest = manifest, .manifest_len = manifest_len };

	int r = image_manifest_parse(l->name, manifest, manifest_len, l->a, &m, e);
	if (r < 0)
		return r;
	const struct oci_strv *typed = docker_names(l, m.config.digest);
	if (typed) {
		names = typed;
		if (!is_new(l, m.config.digest))
			return 0;
	}
	if (!is_picked(l, names))
		return 0;
	r = blob_text(l, &m.config, &in.config, &in.config_len, e);
	if (r == 0)
		r = image_config_parse(m.config.digest, in.config, in.config_len, l->a, &config, e);
	if (r < 0)
		return r;
	if (config.diff_ids.n != m.n_layers)
		return err_set(e, EINVAL, "%s: an image has %zu layers, its config %zu", l->name,
			       m.n_layers, config.diff_ids.n);
	uint64_t *bytes = arena_calloc(l->a, m.n_layers + 1, sizeof(*bytes));
	for (size_t i = 0; r == 0 && i < m.n_layers; i++)
		r = bring_layer(l, &m.layers[i], config.diff_ids.v[i], &bytes[i], e);
	if (r < 0)
		return r;
	in.names = l->o->n_names ? l->o->names : names->v;
	in.n_names = l->o->n_names ? l->o->n_names : names->n;
	in.layer_bytes = bytes;
	const char *id;
	r = image_commit(&l->in, &in, l->a, &id, e);
	if (r == 0)
		note(l, id, in.names, in.n_names);
	return r;
}

/* ---- index.json -------------------------------------------------------------- */

static const char *annotation(const struct image_descriptor *d, const char *key)
{
	for (size_t i = 0; i < d->annotations.n; i++)
		if (strcmp(d->annotations.v[i].key, key) == 0 && *d->annotations.v[i].value)
			return d->annotations.v[i].value;
	return NULL;
}

/* "/x/Busy Box.tar": "busy-box" is no guess worth making; "/x/busybox.tar" is "busybox". */
static const char *name_of_file(struct images_load *l)
{
	const char *base = strrchr(l->name, '/');
	struct reference ref;
	struct err ignored = { 0 };

	base = base ? base + 1 : l->name;
	char *name = arena_strndup(l->a, base, strcspn(base, "."));
	return reference_parse(name, l->a, &ref, &ignored) == 0 ? name : NULL;
}

/* The full name an entry gives its image: -EINVAL never; NULL where it gives none. */
static const char *entry_name(struct images_load *l, const struct image_descriptor *d)
{
	const char *full = annotation(d, NAME_ANNOTATION), *ref = annotation(d, REF_ANNOTATION);
	struct reference parsed;
	struct err ignored = { 0 };
	const char *text = full ? full : ref;

	/* A bare tag: the file's name has the rest. */
	if (!full && ref && !strpbrk(ref, ":/") && reference_tag_valid(ref)) {
		const char *file = name_of_file(l);

		text = file ? arena_printf(l->a, "%s:%s", file, ref) : NULL;
	}
	if (!text || reference_parse(text, l->a, &parsed, &ignored) < 0 ||
	    parsed.transport != REFERENCE_REGISTRY)
		return NULL;
	if (!parsed.tag && !parsed.digest)
		parsed.tag = "latest";
	return reference_format(&parsed, l->a);
}

static bool is_index(const struct image_descriptor *d)
{
	return strcmp(d->media_type, IMAGE_TYPE_INDEX) == 0 ||
	       strcmp(d->media_type, IMAGE_TYPE_DOCKER_LIST) == 0;
}

static int bring_entry(struct images_load *l, const struct image_descriptor *d,
		       const struct oci_strv *names, struct err *e)
{
	const char *text = "";
	struct image_index index;
	size_t n = 0;
	int r = blob_text(l, d, &text, &n, e);

	for (int depth = 0; r == 0 && is_index(d); depth++) {
		if (depth == INDEX_DEPTH_MAX)
			return err_set(e, EINVAL, "%s: indexes in indexes, more than %d deep",
				       l->name, INDEX_DEPTH_MAX);
		r = image_index_parse(d->digest, text, n, l->a, &index, e);
		if (r == 0)
			r = platform_choose(&index, l->o->platform, l->a, &d, e);
		if (r == 0)
			r = blob_text(l, d, &text, &n, e);
	}
	return r < 0 ? r : images_bring(l, text, n, names, e);
}

static bool no_image(const struct image_descriptor *d)
{
	/* Attestations that build tools put beside their images. */
	return d->platform.os && strcmp(d->platform.os, "unknown") == 0;
}

static int bring_index(struct images_load *l, const struct image_index *index, struct err *e)
{
	bool named = false;
	int r = 0;

	for (size_t i = 0; i < index->n_manifests; i++)
		named = named || entry_name(l, &index->manifests[i]);
	/* No names, several entries: one image, for several platforms. */
	if (!named && index->n_manifests > 1) {
		const struct image_descriptor *d;

		r = platform_choose(index, l->o->platform, l->a, &d, e);
		return r < 0 ? r : bring_entry(l, d, &(struct oci_strv){ 0 }, e);
	}
	for (size_t i = 0; r == 0 && i < index->n_manifests; i++) {
		const struct image_descriptor *d = &index->manifests[i];
		const char *name = entry_name(l, d);
		struct oci_strv names = { 0 };

		if (no_image(d))
			continue;
		if (name)
			strv_add(l->a, &names, name);
		r = bring_entry(l, d, &names, e);
	}
	return r;
}

/* ---- entry points ------------------------------------------------------------ */

static int bring_all(struct images_load *l, struct err *e)
{
	struct image_index index;
	const char *text = "";
	size_t n = 0;

	int docker = l->layout < 0 ? images_document(l, "manifest.json", &text, &n, e) : 0;
	int r = docker > 0 ? images_read_docker(l, text, n, e) : docker;
	if (r < 0)
		return r;
	r = images_document(l, "index.json", &text, &n, e);
	if (r == 0 && !docker)
		return err_set(e, EINVAL, "%s: neither an OCI layout (index.json) nor an image "
			       "archive of docker's (manifest.json)", l->name);
	if (r > 0) {
		/* The index first: its manifests keep their digests. */
		r = image_index_parse(arena_printf(l->a, "%s: index.json", l->name), text, n, l->a,
				      &index, e);
		if (r == 0)
			r = bring_index(l, &index, e);
	}
	return r < 0 ? r : images_load_docker(l, e);
}

/* An index's own blob, attestations, images that were not picked. */
static int sweep_rest(struct images_load *l, struct err *e)
{
	struct image_prune_report report;
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_entries; i++)
		if (l->entries[i].digest)
			r = store_doom(l->in.store, l->entries[i].digest, e);
	return r < 0 ? r : image_prune(l->in.store, false, &report, e);
}

static int finish(struct images_load *l, int r, struct images_image **ret, size_t *ret_n,
		  struct err *e)
{
	if (r == 0)
		r = bring_all(l, e);
	if (r == 0 && l->n_images == 0)
		r = l->o->pick ? err_set(e, ENOENT, "%s: no image called %s in it", l->name,
					 l->o->pick) :
				 err_set(e, ENOENT, "%s: there is no image in it", l->name);
	ingest_end(&l->in);
	struct err why = { 0 };
	if (sweep_rest(l, &why) < 0)
		log_debug("%s", why.msg);
	*ret = l->images;
	*ret_n = l->n_images;
	return r < 0 ? r : 0;
}

int images_load_tar(const struct store *s, int fd, const char *name,
		    const struct images_options *o, struct arena *a,
		    struct images_image **ret, size_t *ret_n, struct err *e)
{
	struct images_load l = { .in = INGEST_INIT, .name = name, .o = o, .a = a, .layout = -1 };
	int r = ingest_begin(s, &l.in, e);

	if (r == 0)
		r = images_read_tar(&l, fd, e);
	return finish(&l, r, ret, ret_n, e);
}

int images_load_layout(const struct store *s, int dirfd, const char *name,
		       const struct images_options *o, struct arena *a,
		       struct images_image **ret, size_t *ret_n, struct err *e)
{
	struct images_load l = { .in = INGEST_INIT, .name = name, .o = o, .a = a, .layout = dirfd };

	return finish(&l, ingest_begin(s, &l.in, e), ret, ret_n, e);
}
