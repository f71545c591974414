/* image/archive_tar.c - the entries of a tar of images; see archive_impl.h */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/archive_impl.h"
#include "image/digest.h"

#define READ_BYTES (128u << 10)
#define DOCUMENT_BYTES_MAX (8u << 20)

static int tar_error(const struct images_load *l, struct archive *t, struct err *e)
{
	const char *why = archive_error_string(t);

	return err_set(e, EBADMSG, "%s: %s", l->name, why ? why : "not a tar archive");
}

static void end_archive(struct archive **t)
{
	archive_read_free(*t);
}

/* "./a/b" is "a/b"; "x/../y" inside is left as it is: it is then nobody's name. */
static const char *plain_path(const char *path)
{
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	return path;
}

static int add_file(struct images_load *l, const struct images_file *file, struct err *e)
{
	const size_t n = l->n_entries;

	if (n == ARCHIVE_ENTRIES_MAX)
		return err_set(e, EFBIG, "%s: more than %d files", l->name, ARCHIVE_ENTRIES_MAX);
	if ((n & (n - 1)) == 0) {
		struct images_file *v = arena_calloc(l->a, n ? 2 * n : 1, sizeof(*v));

		if (n > 0)
			memcpy(v, l->entries, n * sizeof(*v));
		l->entries = v;
	}
	l->entries[l->n_entries++] = *file;
	return 0;
}

/* "a/b/../c" below dir of path, lexically: what docker's old archives link to. */
static const char *link_target(struct arena *a, const char *path, const char *target)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	while (strncmp(target, "../", 3) == 0) {
		target += 3;
		while (n > 0 && path[n - 1] != '/')
			n--;
		if (n > 0)
			n--;
	}
	return n > 0 ? arena_printf(a, "%.*s/%s", (int)n, path, target) :
		       arena_strdup(a, target);
}

static bool is_document(const char *path)
{
	size_t n = strlen(path);

	return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

/* Old archives have these beside each layer; nothing in them is needed. */
static bool is_ignored(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strcmp(base, "json") == 0 || strcmp(base, "VERSION") == 0 ||
	       strcmp(base, "repositories") == 0 || strcmp(base, "oci-layout") == 0;
}

static int read_document(struct images_load *l, struct archive *t, struct images_file *file,
			 struct err *e)
{
	if (file->size_bytes > DOCUMENT_BYTES_MAX ||
	    l->documents_bytes + file->size_bytes > ARCHIVE_DOCUMENTS_MAX)
		return err_set(e, EFBIG, "%s: %s is too large", l->name, file->path);
	char *p = arena_alloc(l->a, file->size_bytes + 1);
	while (file->len < file->size_bytes) {
		la_ssize_t n = archive_read_data(t, p + file->len, file->size_bytes - file->len);

		if (n < 0)
			return tar_error(l, t, e);
		if (n == 0)
			break;
		file->len += (size_t)n;
	}
	l->documents_bytes += file->len;
	file->text = p;
	return 0;
}

/* "blobs/sha256/<hex>": the digest it must have; NULL for other names. */
static const char *named_digest(struct arena *a, const char *path)
{
	if (strncmp(path, "blobs/", 6) != 0)
		return NULL;
	char *digest = arena_strdup(a, path + 6);
	char *slash = strchr(digest, '/');
	if (slash)
		*slash = ':';
	return image_digest_valid(digest) ? digest : NULL;
}

static int read_blob(struct images_load *l, struct archive *t, struct images_file *file,
		     struct err *e)
{
	const char *want = named_digest(l->a, file->path);
	CLEANUP_INGEST_BLOB struct ingest_blob b = INGEST_BLOB_INIT;
	CLEANUP_DIGEST struct digest *d = NULL;
	CLEANUP_FREE char *p = xmalloc(READ_BYTES);
	char text[DIGEST_TEXT_MAX];
	uint64_t sum = 0;
	la_ssize_t n;

	file->digest = want;
	int r = want ? ingest_blob_open(&l->in, want, file->size_bytes, true, &b, e)
		     : ingest_blob_new(&l->in, &b, e);
	if (r != 0)
		return r < 0 ? r : 0;
	/* A download's first bytes are of no use: here all of them come anyway. */
	r = ingest_blob_restart(&b, e);
	if (r == 0)
		r = digest_new(want, &d, e);
	while (r == 0 && (n = archive_read_data(t, p, READ_BYTES)) != 0) {
		if (n < 0)
			return tar_error(l, t, e);
		sum += (uint64_t)n;
		digest_add(d, p, (size_t)n);
		r = fd_write_all(b.fd, p, (size_t)n);
		if (r < 0)
			err_sys(e, -r, "%s: write %s into the store", l->name, file->path);
	}
	if (r < 0)
		return r;
	digest_text(d, text);
	if (want && strcmp(text, want) != 0) {
		ingest_blob_discard(&b);
		return err_set(e, EBADMSG, "%s: %s has digest %s", l->name, file->path, text);
	}
	file->digest = arena_strdup(l->a, text);
	file->size_bytes = sum;
	return ingest_blob_commit(&b, text, e);
}

static int read_entry(struct images_load *l, struct archive *t, struct archive_entry *raw,
		      struct err *e)
{
	const char *path = archive_entry_pathname(raw), *soft = archive_entry_symlink(raw);
	const char *hard = archive_entry_hardlink(raw);
	struct images_file file = { 0 };
	int r = 0;

	if (!path || strlen(path) > ARCHIVE_PATH_MAX || archive_entry_size(raw) < 0)
		return err_set(e, EBADMSG, "%s: an entry has no name, or one of more than %d "
			       "bytes", l->name, ARCHIVE_PATH_MAX);
	file.path = arena_strdup(l->a, plain_path(path));
	file.size_bytes = (uint64_t)archive_entry_size(raw);
	if (hard)
		file.link = arena_strdup(l->a, plain_path(hard));
	else if (soft)
		file.link = link_target(l->a, file.path, soft);
	else if (archive_entry_filetype(raw) != AE_IFREG || is_ignored(file.path))
		return 0;
	else if (is_document(file.path))
		r = read_document(l, t, &file, e);
	else
		r = read_blob(l, t, &file, e);
	return r < 0 ? r : add_file(l, &file, e);
}

int images_read_tar(struct images_load *l, int fd, struct err *e)
{
	struct archive *t CLEANUP(end_archive) = archive_read_new();
	struct archive_entry *raw;
	int c, r = 0;

	if (!t)
		return err_set(e, ENOMEM, "%s: out of memory", l->name);
	/* A whole archive may be compressed; its blobs are looked into by others. */
	archive_read_support_format_tar(t);
	archive_read_support_filter_gzip(t);
	archive_read_support_filter_bzip2(t);
	archive_read_support_filter_xz(t);
	archive_read_support_filter_zstd(t);
	if (archive_read_open_fd(t, fd, READ_BYTES) != ARCHIVE_OK)
		return tar_error(l, t, e);
	while (r == 0 && (c = archive_read_next_header(t, &raw)) != ARCHIVE_EOF) {
		if (c < ARCHIVE_WARN)
			return tar_error(l, t, e);
		r = read_entry(l, t, raw, e);
	}
	return r;
}

const struct images_file *images_file(const struct images_load *l, const char *path)
{
	/* Bounded: a link may lead to itself. */
	for (int links = 0; links < 8; links++) {
		const struct images_file *found = NULL;

		/* As with tar, the last one of a name counts. */
		for (size_t i = 0; i < l->n_entries; i++)
			if (strcmp(l->entries[i].path, path) == 0)
				found = &l->entries[i];
		if (!found || !found->link)
			return found;
		path = found->link;
	}
	return NULL;
}
