/* image/store.c - the tables, and finding what is in them; see store.h */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha2.h"
#include "image/ingest.h"
#include "image/reference.h"
#include "image/registries.h"
#include "image/store_files.h"
#include "image/store_rows.h"

#define ID_HEX 64
#define ID_PREFIX_MIN 4

/*
 * image_layer outlives its image while image_user has rows for it: that is how a removed
 * image's layers stay below the instances that stand on them.
 */
const struct db_schema image_schema = {
	.area = "image",
	.sql =
	"CREATE TABLE IF NOT EXISTS image (id TEXT PRIMARY KEY, manifest TEXT NOT NULL,"
	"  created INTEGER NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS image_name (name TEXT PRIMARY KEY, image TEXT NOT NULL,"
	"  manifest TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS image_name_image ON image_name (image);"
	/* What each manifest of an image needs: itself, the config, the layers' blobs. */
	"CREATE TABLE IF NOT EXISTS image_blob (image TEXT NOT NULL, digest TEXT NOT NULL,"
	"  size INTEGER NOT NULL, PRIMARY KEY (image, digest)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS image_layer (image TEXT NOT NULL, position INTEGER NOT NULL,"
	"  diff_id TEXT NOT NULL, PRIMARY KEY (image, position)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS layer (diff_id TEXT PRIMARY KEY, size INTEGER NOT NULL,"
	"  tally INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS image_user (user TEXT PRIMARY KEY, image TEXT NOT NULL)"
	"  WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS image_user_image ON image_user (image);"
	/* Files that nobody may need any more: image_prune() looks, and removes at once. */
	"CREATE TABLE IF NOT EXISTS image_doomed (digest TEXT PRIMARY KEY) WITHOUT ROWID;"
};

int store_open(struct db *db, const char *root, bool rootless, struct store *ret,
	       struct err *e)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "open %s", root);
	*ret = (struct store){ .db = db, .root = root, .rootfd = fd, .rootless = rootless };
	return 0;
}

void store_close(struct store *s)
{
	fd_close(&s->rootfd);
}

/* ---- blobs ------------------------------------------------------------------- */

int store_blob_open(const struct store *s, const char *digest, uint64_t *ret_size_bytes,
		    struct err *e)
{
	char name[STORE_NAME_MAX], path[STORE_NAME_MAX + 8];
	struct stat st;

	if (!image_digest_valid(digest))
		return err_set(e, EINVAL, "\"%.150s\" is not a digest", digest);
	store_blob_name(digest, name);
	snprintf(path, sizeof(path), "blobs/%s", name);
	CLEANUP_FD int fd = openat(s->rootfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "blob %s is missing", digest);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "open blob %s", digest);
	if (ret_size_bytes)
		*ret_size_bytes = (uint64_t)st.st_size;
	return take_fd(fd);
}

void store_digest(const char *like, const void *p, size_t n, char ret[STORE_NAME_MAX])
{
	char hex[SHA2_HEX_MAX];
	struct sha2 h;
	const char *algorithm = like ? store_algorithm(like) : store_algorithms[0];

	sha2_init(&h, strcmp(algorithm, "sha512") == 0 ? 512 : 256);
	sha2_add(&h, p, n);
	sha2_end(&h, hex);
	snprintf(ret, STORE_NAME_MAX, "%s:%s", algorithm, hex);
}

int store_blob_read(const struct store *s, const char *digest, struct buf *b, struct err *e)
{
	char have[STORE_NAME_MAX];
	size_t start = b->len;
	CLEANUP_FD int fd = store_blob_open(s, digest, NULL, e);

	if (fd < 0)
		return fd;
	int r = fd_read_buf(fd, b);
	if (r < 0)
		return err_sys(e, -r, "read blob %s", digest);
	store_digest(digest, b->data ? b->data + start : "", b->len - start, have);
	if (strcmp(have, digest) != 0)
		return err_set(e, EUCLEAN, "blob %s is torn: its bytes are %s", digest, have);
	return 0;
}

int image_manifest_load(const struct store *s, const struct image *i, struct arena *a,
			struct image_manifest *ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);

	int r = store_blob_read(s, i->manifest, &b, e);
	if (r < 0)
		return r;
	return image_manifest_parse(i->manifest, b.data ? b.data : "", b.len, a, ret, e);
}

bool store_layer_has(const struct store *s, const char *diff_id)
{
	char path[STORE_NAME_MAX + 8];

	snprintf(path, sizeof(path), "layers/%.128s", image_digest_valid(diff_id) ?
		 diff_id + 7 : "-");
	return faccessat(s->rootfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- rows to structs --------------------------------------------------------- */

void strv_add(struct arena *a, struct oci_strv *list, const char *text)
{
	/* Doubled at every power of two. */
	if ((list->n & (list->n + 1)) == 0 || !list->v) {
		const char **v = arena_calloc(a, 2 * list->n + 2, sizeof(*v));

		for (size_t i = 0; i < list->n; i++)
			v[i] = list->v[i];
		list->v = v;
	}
	list->v[list->n++] = arena_strdup(a, text);
	list->v[list->n] = NULL;
}

int store_strings(const struct store *s, struct arena *a, struct oci_strv *ret,
		  struct err *e, const char *sql, const char *key)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	*ret = (struct oci_strv){ 0 };
	int r = db_query(s->db, &q, e, sql, "s", key);
	for (; r > 0; r = db_next(q, e))
		strv_add(a, ret, db_text(q, 0));
	return r;
}

static int load_config(const struct store *s, struct arena *a, struct image *i, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(STORE_DOCUMENT_MAX);

	int r = store_blob_read(s, i->id, &b, e);
	if (r == 0)
		r = image_config_parse(i->id, b.data ? b.data : "", b.len, a, &i->config, e);
	if (r == 0 || (r != -ENOENT && r != -EUCLEAN))
		return r;
	e->code = EUCLEAN;
	err_prefix(e, "image %s is damaged", i->n_names ? i->names[0] : i->id);
	char why[ERR_MSG_MAX];
	memcpy(why, e->msg, sizeof(why));
	return err_set(e, EUCLEAN, "%.800s; run \"isle system check\", then pull it again", why);
}

/* Fill ret from the row of id; manifest NULL: the image's latest. */
static int load(const struct store *s, const char *id, const char *manifest, struct arena *a,
		struct image *ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	struct oci_strv digests = { 0 }, ids = { 0 };
	struct image i = { 0 };

	int r = db_query(s->db, &q, e, "SELECT id, manifest, created, size FROM image WHERE id = ?",
			 "s", id);
	if (r <= 0)
		return r < 0 ? r : err_set(e, ENOENT, "no such image: %.200s", id);
	i.id = arena_strdup(a, db_text(q, 0));
	i.manifest = arena_strdup(a, manifest ? manifest : db_text(q, 1));
	i.created = db_int(q, 2);
	i.size_bytes = (uint64_t)db_int(q, 3);
	struct oci_strv names = { 0 };
	r = store_strings(s, a, &names, e, "SELECT name FROM image_name WHERE image = ? AND "
			  "name NOT LIKE '%@%' ORDER BY name", i.id);
	if (r == 0)
		r = store_strings(s, a, &digests, e, "SELECT name FROM image_name WHERE image = ? "
				  "AND name LIKE '%@%' ORDER BY name", i.id);
	if (r == 0)
		r = store_strings(s, a, &ids, e, "SELECT diff_id FROM image_layer WHERE image = ? "
				  "ORDER BY position", i.id);
	if (r < 0)
		return r;
	i.n_tags = names.n;
	for (size_t k = 0; k < digests.n; k++)
		strv_add(a, &names, digests.v[k]);
	i.names = names.v;
	i.n_names = names.n;
	i.diff_ids = ids.v;
	i.n_layers = ids.n;
	const char **layers = arena_calloc(a, ids.n + 1, sizeof(*layers));
	for (size_t k = 0; k < ids.n; k++)
		layers[k] = arena_printf(a, "%s/layers/%s", s->root, ids.v[k] + 7);
	i.layers = layers;
	r = load_config(s, a, &i, e);
	if (r == 0)
		*ret = i;
	return r;
}

int image_list(const struct store *s, struct arena *a, struct image **ret, size_t *ret_n,
	       struct err *e)
{
	struct oci_strv ids = { 0 };
	CLEANUP_STMT struct db_stmt *q = NULL;

	int r = db_query(s->db, &q, e, "SELECT id FROM image ORDER BY created DESC, id", "");
	for (; r > 0; r = db_next(q, e))
		strv_add(a, &ids, db_text(q, 0));
	if (r < 0)
		return r;
	struct image *list = arena_calloc(a, ids.n + 1, sizeof(*list));
	size_t n = 0;
	for (size_t k = 0; k < ids.n; k++) {
		struct err why = { 0 };

		r = load(s, ids.v[k], NULL, a, &list[n], &why);
		if (r == 0)
			n++;
		else if (r == -EUCLEAN)
			log_warn("%s", why.msg);
		else if (r != -ENOENT)          /* removed meanwhile */
			return err_set(e, why.code, "%s", why.msg);
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

int image_layer_sizes(const struct store *s, const struct image *i, struct arena *a,
		      uint64_t **ret, struct err *e)
{
	uint64_t *sizes = arena_calloc(a, i->n_layers + 1, sizeof(*sizes));
	int r = 0;

	for (size_t k = 0; r >= 0 && k < i->n_layers; k++) {
		CLEANUP_STMT struct db_stmt *q = NULL;

		r = db_query(s->db, &q, e, "SELECT size FROM layer WHERE diff_id = ?", "s",
			     i->diff_ids[k]);
		if (r > 0)
			sizes[k] = (uint64_t)db_int(q, 0);
	}
	*ret = sizes;
	return r < 0 ? r : 0;
}

/* ---- finding ----------------------------------------------------------------- */

/* 1 found, 0 not. */
static int by_name(const struct store *s, const char *name, struct arena *a,
		   struct image *ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	int r = db_query(s->db, &q, e, "SELECT image, manifest FROM image_name WHERE name = ?",
			 "s", name);
	if (r <= 0)
		return r;
	r = load(s, db_text(q, 0), db_text(q, 1), a, ret, e);
	return r < 0 ? r : 1;
}

/* "repo@digest" where the digest is that of the manifest of a tag in the same repository. */
static int by_manifest(const struct store *s, const struct reference *ref, struct arena *a,
		       struct image *ret, struct err *e)
{
	struct reference bare = { .domain = ref->domain, .path = ref->path };
	const char *repo = reference_format(&bare, a);
	size_t n = strlen(repo);
	CLEANUP_STMT struct db_stmt *q = NULL;

	int r = db_query(s->db, &q, e, "SELECT image, manifest, name FROM image_name "
			 "WHERE manifest = ?", "s", ref->digest);
	for (; r > 0; r = db_next(q, e)) {
		const char *name = db_text(q, 2);

		if (strncmp(name, repo, n) == 0 && (name[n] == ':' || name[n] == '@')) {
			r = load(s, db_text(q, 0), db_text(q, 1), a, ret, e);
			return r < 0 ? r : 1;
		}
	}
	return r;
}

/* A digest says more than a tag beside it. */
static int by_reference(const struct store *s, const struct reference *ref, struct arena *a,
			struct image *ret, struct err *e)
{
	struct reference full = *ref;

	if (full.digest)
		full.tag = NULL;
	else if (!full.tag)
		full.tag = "latest";
	int r = by_name(s, reference_format(&full, a), a, ret, e);
	return r == 0 && full.digest ? by_manifest(s, &full, a, ret, e) : r;
}

static int by_text(const struct store *s, const char *what, struct arena *a,
		   struct image *ret, struct err *e)
{
	CLEANUP_REGISTRIES struct registries conf = { 0 };
	struct err ignored = { 0 };
	struct reference ref;

	/* Not a name: perhaps an ID. */
	if (reference_parse(what, a, &ref, &ignored) < 0 ||
	    ref.transport != REFERENCE_REGISTRY)
		return 0;
	int r = by_reference(s, &ref, a, ret, e);
	if (r != 0 || ref.domain)
		return r;
	r = registries_load(NULL, &conf, e);
	if (r < 0)
		return r;
	if (registries_resolve(&conf, a, &ref, &ignored) < 0)
		return 0;               /* no default registry: there is no longer name */
	return by_reference(s, &ref, a, ret, e);
}

/* 1 found, 0 not.  hex: 4 to 64 digits, of a sha256 ID. */
static int by_id(const struct store *s, const char *hex, struct arena *a, struct image *ret,
		 struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	char low[ID_HEX + 8], high[ID_HEX + 9];

	snprintf(low, sizeof(low), "sha256:%.64s", hex);
	snprintf(high, sizeof(high), "%sg", low);               /* past every hex digit */
	int r = db_query(s->db, &q, e, "SELECT id FROM image WHERE id >= ? AND id < ? LIMIT 2",
			 "ss", low, high);
	if (r <= 0)
		return r;
	const char *id = arena_strdup(a, db_text(q, 0));
	r = db_next(q, e);
	if (r > 0)
		return err_set(e, EEXIST, "image ID %s is ambiguous: give more digits", hex);
	if (r == 0)
		r = load(s, id, NULL, a, ret, e);
	return r < 0 ? r : 1;
}

int image_find_name(const struct store *s, const char *name, struct arena *a,
		    struct image *ret, struct err *e)
{
	int r = by_name(s, name, a, ret, e);

	if (r == 0)
		return err_set(e, ENOENT, "no such image: %.300s", name);
	return r < 0 ? r : 0;
}

int image_find(const struct store *s, const char *what, struct arena *a, struct image *ret,
	       struct err *e)
{
	bool prefixed = strncmp(what, "sha256:", 7) == 0;
	const char *hex = prefixed ? what + 7 : what;
	size_t n = strlen(hex);
	bool is_hex = n >= ID_PREFIX_MIN && n <= ID_HEX &&
		      strspn(hex, "0123456789abcdef") == n;
	int r = 0;

	/* A whole ID goes before names, a prefix of one behind them. */
	if (!(is_hex && (prefixed || n == ID_HEX)))
		r = by_text(s, what, a, ret, e);
	if (r == 0 && is_hex)
		r = by_id(s, hex, a, ret, e);
	if (r == 0)
		return err_set(e, ENOENT, "no such image: %.300s", what);
	return r < 0 ? r : 0;
}
