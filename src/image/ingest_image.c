/* image/ingest_image.c - an image into the tables, last of all; see ingest.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "image/ingest.h"
#include "image/store_rows.h"

struct draft {                          /* of one image_commit() */
	const struct ingest *g;
	const struct ingest_image *in;
	struct arena *a;
	struct image_manifest manifest;
	struct image_config config;
	char manifest_digest[STORE_NAME_MAX];
	struct store_count *layers;     /* bytes as told, where told */
};

static int check_digests(struct draft *d, struct err *e)
{
	const struct ingest_image *in = d->in;
	char have[STORE_NAME_MAX];

	store_digest(in->manifest_digest, in->manifest, in->manifest_len, d->manifest_digest);
	if (in->manifest_digest && strcmp(in->manifest_digest, d->manifest_digest) != 0)
		return err_set(e, EBADMSG, "the manifest's digest is %s, expected %s",
			       d->manifest_digest, in->manifest_digest);
	int r = image_manifest_parse(d->manifest_digest, in->manifest, in->manifest_len, d->a,
				     &d->manifest, e);
	if (r < 0)
		return r;
	const char *id = d->manifest.config.digest;
	store_digest(id, in->config, in->config_len, have);
	if (strcmp(have, id) != 0)
		return err_set(e, EBADMSG, "the config's digest is %s, expected %s", have, id);
	r = image_config_parse(id, in->config, in->config_len, d->a, &d->config, e);
	if (r < 0)
		return r;
	if (d->config.diff_ids.n != d->manifest.n_layers)
		return err_set(e, EINVAL, "manifest %s has %zu layers, its config %zu",
			       d->manifest_digest, d->manifest.n_layers, d->config.diff_ids.n);
	return 0;
}

static int count_layer(const struct draft *d, size_t i, struct store_count *ret, struct err *e)
{
	const char *diff_id = d->config.diff_ids.v[i];
	CLEANUP_STMT struct db_stmt *q = NULL;

	if (!store_layer_has(d->g->store, diff_id))
		return err_set(e, ENOENT, "layer %s is missing", diff_id);
	/* Another image's layer was counted when that came. */
	int r = db_query(d->g->store->db, &q, e, "SELECT size, tally FROM layer WHERE "
			 "diff_id = ?", "s", diff_id);
	if (r > 0)
		*ret = (struct store_count){ (uint64_t)db_int(q, 0), (uint64_t)db_int(q, 1) };
	if (r != 0)
		return r < 0 ? r : 0;
	r = store_tree_count(d->g->layers, diff_id + 7, ret, e);
	if (r == 0 && d->in->layer_bytes && d->in->layer_bytes[i] > 0)
		ret->bytes = d->in->layer_bytes[i];
	return r;
}

static int check_files(struct draft *d, struct err *e)
{
	char path[STORE_NAME_MAX];
	struct stat st;

	d->layers = arena_calloc(d->a, d->manifest.n_layers + 1, sizeof(*d->layers));
	for (size_t i = 0; i < d->manifest.n_layers; i++) {
		const struct image_descriptor *l = &d->manifest.layers[i];

		store_blob_name(l->digest, path);
		if (fstatat(d->g->blobs, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(e, ENOENT, "blob %s is missing", l->digest);
		if ((uint64_t)st.st_size != l->size_bytes)
			return err_set(e, EINVAL, "blob %s has %lld bytes, its manifest says %llu",
				       l->digest, (long long)st.st_size,
				       (unsigned long long)l->size_bytes);
		int r = count_layer(d, i, &d->layers[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_blobs(struct draft *d, struct err *e)
{
	const struct ingest_image *in = d->in;
	int r = ingest_bytes(d->g, d->manifest_digest, in->manifest, in->manifest_len, e);

	if (r == 0)
		r = ingest_bytes(d->g, d->manifest.config.digest, in->config, in->config_len, e);
	/* The names in the directories, before the table tells of them. */
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(store_algorithms); i++)
		r = store_sync_dir(d->g->blobs, store_algorithms[i], e);
	return r == 0 ? store_sync_dir(d->g->layers, ".", e) : r;
}

static int add_blob(const struct draft *d, const char *digest, uint64_t size, struct err *e)
{
	int r = db_run(d->g->store->db, e, "INSERT OR REPLACE INTO image_blob "
		       "(image, digest, size) VALUES (?, ?, ?)", "ssi",
		       d->manifest.config.digest, digest, (int64_t)size);

	return r < 0 ? r : 0;
}

static int add_layers(const struct draft *d, uint64_t *ret_sum, struct err *e)
{
	struct db *db = d->g->store->db;
	const char *id = d->manifest.config.digest;
	int r = 0;

	*ret_sum = 0;
	for (size_t i = 0; r >= 0 && i < d->manifest.n_layers; i++) {
		const char *diff_id = d->config.diff_ids.v[i];

		*ret_sum += d->layers[i].bytes;
		r = add_blob(d, d->manifest.layers[i].digest, d->manifest.layers[i].size_bytes, e);
		if (r >= 0)
			r = db_run(db, e, "INSERT OR REPLACE INTO layer (diff_id, size, tally) "
				   "VALUES (?, ?, ?)", "sii", diff_id,
				   (int64_t)d->layers[i].bytes, (int64_t)d->layers[i].tally);
		if (r >= 0)
			r = db_run(db, e, "INSERT OR REPLACE INTO image_layer "
				   "(image, position, diff_id) VALUES (?, ?, ?)", "sis", id,
				   (int64_t)i, diff_id);
	}
	return r < 0 ? r : 0;
}

static int add_rows(const struct draft *d, struct err *e)
{
	struct db *db = d->g->store->db;
	const char *id = d->manifest.config.digest;
	uint64_t sum;
	int64_t created = 0;

	/* A time nobody can read is no reason to refuse an image. */
	if (d->config.created && time_rfc3339_parse(d->config.created, &created) < 0)
		created = 0;
	int r = add_layers(d, &sum, e);
	if (r == 0)
		r = add_blob(d, d->manifest_digest, d->in->manifest_len, e);
	if (r == 0)
		r = add_blob(d, id, d->in->config_len, e);
	if (r == 0)
		r = db_run(db, e, "INSERT OR REPLACE INTO image (id, manifest, created, size) "
			   "VALUES (?, ?, ?, ?)", "ssii", id, d->manifest_digest, created,
			   (int64_t)sum);
	for (size_t i = 0; r >= 0 && i < d->in->n_names; i++)
		r = db_run(db, e, "INSERT OR REPLACE INTO image_name (name, image, manifest) "
			   "VALUES (?, ?, ?)", "sss", d->in->names[i], id, d->manifest_digest);
	return r < 0 ? r : 0;
}

int image_commit(const struct ingest *g, const struct ingest_image *i, struct arena *a,
		 const char **ret_id, struct err *e)
{
	struct draft d = { .g = g, .in = i, .a = a };

	int r = check_digests(&d, e);
	if (r == 0)
		r = check_files(&d, e);
	if (r == 0)
		r = write_blobs(&d, e);
	if (r == 0)
		r = db_durable(g->store->db, e);
	if (r == 0)
		r = db_begin(g->store->db, e);
	if (r < 0)
		return r;
	r = add_rows(&d, e);
	if (r == 0)
		r = db_commit(g->store->db, e);
	if (r < 0)
		db_rollback(g->store->db);
	else
		*ret_id = d.manifest.config.digest;
	return r;
}
