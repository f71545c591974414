/*
 * image/archive_save.c - images out of the store, as tars and layouts; see archive.h.
 *
 * The tar is an OCI layout with docker's manifest.json beside it, whose paths lead into
 * blobs/: Docker, Podman, skopeo and isle each find what they look for, and digests stay.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/archive.h"
#include "image/ingest.h"
#include "image/store_rows.h"

#define COPY_BYTES (256u << 10)
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"     /* image-layout.md, "oci-layout file" */
#define NAME_ANNOTATION "io.containerd.image.name"
#define REF_ANNOTATION "org.opencontainers.image.ref.name"

struct writer {                         /* of files: into a tar, or into a directory */
	const struct store *s;
	struct archive *tar;            /* or NULL */
	int dir;
	struct arena a;
	struct oci_strv done;           /* digests that are written */
};

static int tar_error(struct writer *w, struct err *e)
{
	const char *why = archive_error_string(w->tar);

	return err_set(e, EIO, "write the archive: %s", why ? why : "failed");
}

static int tar_header(struct writer *w, const char *path, uint64_t size, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_size(entry, (int64_t)size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	/* No time: the same images give the same bytes. */
	archive_entry_set_mtime(entry, 0, 0);
	int c = archive_write_header(w->tar, entry);
	archive_entry_free(entry);
	return c < ARCHIVE_WARN ? tar_error(w, e) : 0;
}

static int write_document(struct writer *w, const char *path, const char *text, size_t n,
			  struct err *e)
{
	if (w->tar) {
		int r = tar_header(w, path, n, e);

		if (r == 0 && archive_write_data(w->tar, text, n) != (la_ssize_t)n)
			r = tar_error(w, e);
		return r;
	}
	int r = file_replace_at(w->dir, path, text, n, 0644);
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

static int open_out(struct writer *w, const char *path, uint64_t size, struct err *e)
{
	struct stat st;

	if (mkdirat(w->dir, "blobs", 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make blobs");
	CLEANUP_FREE char *parent = xasprintf("%.12s", path);   /* "blobs/sha256" */
	if (mkdirat(w->dir, parent, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make %s", parent);
	if (fstatat(w->dir, path, &st, 0) == 0 && (uint64_t)st.st_size == size)
		return -EEXIST;
	int fd = openat(w->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? err_sys(e, errno, "write %s", path) : fd;
}

static int write_blob(struct writer *w, const char *digest, struct err *e)
{
	CLEANUP_FREE char *p = xmalloc(COPY_BYTES);
	CLEANUP_FD int out = -1;
	char name[STORE_NAME_MAX];
	uint64_t size = 0;
	ssize_t n;
	int r;

	for (size_t i = 0; i < w->done.n; i++)
		if (strcmp(w->done.v[i], digest) == 0)
			return 0;
	strv_add(&w->a, &w->done, digest);
	CLEANUP_FD int in = store_blob_open(w->s, digest, &size, e);
	if (in < 0)
		return err_prefix(e, "run \"isle system check\"");
	store_blob_name(digest, name);
	const char *path = arena_printf(&w->a, "blobs/%s", name);
	if (w->tar) {
		r = tar_header(w, path, size, e);
	} else {
		r = out = open_out(w, path, size, e);
		if (r == -EEXIST)
			return 0;
	}
	while (r >= 0 && (n = fd_read_all(in, p, COPY_BYTES)) != 0) {
		if (n < 0)
			return err_sys(e, (int)-n, "read blob %s", digest);
		if (w->tar)
			r = archive_write_data(w->tar, p, (size_t)n) == n ? 0 : tar_error(w, e);
		else if ((r = fd_write_all(out, p, (size_t)n)) < 0)
			err_sys(e, -r, "write %s", path);
	}
	return r < 0 ? r : 0;
}

/* ---- documents --------------------------------------------------------------- */

static json_t *index_entry(const char *type, const char *digest, uint64_t size,
			   const char *name)
{
	json_t *v = json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
			      (json_int_t)size);
	const char *tag = name ? strrchr(name, ':') : NULL;

	if (name)
		json_object_set_new(v, "annotations", json_pack("{s:s, s:s}", NAME_ANNOTATION,
				    name, REF_ANNOTATION, tag ? tag + 1 : name));
	return v;
}

/* The manifest's own words for what it is; an OCI one may leave them out. */
static const char *manifest_type(const struct image_manifest *m)
{
	return strcmp(m->config.media_type, IMAGE_TYPE_DOCKER_CONFIG) == 0 ?
	       IMAGE_TYPE_DOCKER_MANIFEST : IMAGE_TYPE_MANIFEST;
}

static json_t *docker_entry(struct writer *w, const struct images_save *s,
			    const struct image_manifest *m)
{
	char name[STORE_NAME_MAX];
	json_t *tags = json_array(), *layers = json_array();

	for (size_t i = 0; i < s->n_names; i++)
		json_array_append_new(tags, json_string(s->names[i]));
	for (size_t i = 0; i < m->n_layers; i++) {
		store_blob_name(m->layers[i].digest, name);
		json_array_append_new(layers,
				      json_string(arena_printf(&w->a, "blobs/%s", name)));
	}
	store_blob_name(m->config.digest, name);
	return json_pack("{s:s, s:o, s:o}", "Config", arena_printf(&w->a, "blobs/%s", name),
			 "RepoTags", tags, "Layers", layers);
}

static int save_one(struct writer *w, const struct images_save *s, json_t *index,
		    json_t *docker, struct err *e)
{
	struct image_manifest m;
	uint64_t size;

	int r = image_manifest_load(w->s, &s->image, &w->a, &m, e);
	if (r == 0)
		r = write_blob(w, s->image.manifest, e);
	if (r == 0)
		r = write_blob(w, m.config.digest, e);
	for (size_t i = 0; r == 0 && i < m.n_layers; i++)
		r = write_blob(w, m.layers[i].digest, e);
	if (r < 0)
		return r;
	CLEANUP_FD int fd = store_blob_open(w->s, s->image.manifest, &size, e);
	if (fd < 0)
		return fd;
	for (size_t i = 0; i < s->n_names; i++)
		json_array_append_new(index, index_entry(manifest_type(&m), s->image.manifest,
							 size, s->names[i]));
	if (s->n_names == 0)
		json_array_append_new(index, index_entry(manifest_type(&m), s->image.manifest,
							 size, NULL));
	json_array_append_new(docker, docker_entry(w, s, &m));
	return 0;
}

/* Entries of an index.json that is there already, but for names that come anew. */
static int keep_others(struct writer *w, json_t *manifests, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);
	CLEANUP_JSON json_t *old = NULL;
	json_t *v, *mine;
	size_t i, k;

	int r = file_read_at(w->dir, "index.json", &b);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(e, -r, "read index.json");
	r = json_parse("index.json", b.data ? b.data : "", b.len, &old, e);
	if (r < 0)
		return r;
	size_t n = json_array_size(manifests);
	json_array_foreach(json_object_get(old, "manifests"), i, v) {
		bool same = false;

		for (k = 0; k < n && !same; k++) {
			mine = json_array_get(manifests, k);
			same = json_equal(json_object_get(v, "annotations"),
					  json_object_get(mine, "annotations")) &&
			       (json_object_get(v, "annotations") ||
				json_equal(json_object_get(v, "digest"),
					   json_object_get(mine, "digest")));
		}
		if (!same)
			json_array_append(manifests, v);
	}
	return 0;
}

static int save_all(struct writer *w, const struct images_save *list, size_t n, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);
	CLEANUP(buf_release) struct buf d = BUF_INIT(STORE_DOCUMENT_MAX);
	CLEANUP_JSON json_t *manifests = json_array();
	CLEANUP_JSON json_t *docker = json_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = save_one(w, &list[i], manifests, docker, e);
	if (r == 0 && !w->tar)
		r = keep_others(w, manifests, e);
	if (r < 0)
		return r;
	CLEANUP_JSON json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
					       IMAGE_TYPE_INDEX, "manifests", manifests);
	json_add(&b, index, JSON_COMPACT);
	r = write_document(w, "oci-layout", LAYOUT, strlen(LAYOUT), e);
	if (r == 0 && w->tar) {
		json_add(&d, docker, JSON_COMPACT);
		r = write_document(w, "manifest.json", d.data, d.len, e);
	}
	return r == 0 ? write_document(w, "index.json", b.data, b.len, e) : r;
}

int images_save_tar(const struct store *s, int fd, const struct images_save *list, size_t n,
		    struct err *e)
{
	struct writer w = { .s = s, .tar = archive_write_new(), .dir = -1 };
	int r = 0;

	if (!w.tar)
		return err_set(e, ENOMEM, "out of memory");
	/* ustar where it will do, pax for files past 8 GiB. */
	archive_write_set_format_pax_restricted(w.tar);
	archive_write_set_bytes_in_last_block(w.tar, 1);
	if (archive_write_open_fd(w.tar, fd) != ARCHIVE_OK)
		r = tar_error(&w, e);
	if (r == 0)
		r = save_all(&w, list, n, e);
	if (r == 0 && archive_write_close(w.tar) != ARCHIVE_OK)
		r = tar_error(&w, e);
	archive_write_free(w.tar);
	arena_release(&w.a);
	return r;
}

int images_save_layout(const struct store *s, int dirfd, const struct images_save *list,
		       size_t n, struct err *e)
{
	struct writer w = { .s = s, .dir = dirfd };
	int r = save_all(&w, list, n, e);

	arena_release(&w.a);
	return r;
}
