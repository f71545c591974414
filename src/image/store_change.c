/* image/store_change.c - names, removal, who stands on an image; see store.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "image/store_rows.h"

/* Run body in a transaction: all of it or nothing. */
static int finish(const struct store *s, int r, struct err *e)
{
	if (r >= 0)
		r = db_commit(s->db, e);
	if (r < 0)
		db_rollback(s->db);
	return r < 0 ? r : 0;
}

/* 1 when the image is in the table. */
static int is_there(const struct store *s, const char *id, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	return db_query(s->db, &q, e, "SELECT 1 FROM image WHERE id = ?", "s", id);
}

static int no_image(const char *what, struct err *e)
{
	return err_set(e, ENOENT, "no such image: %.300s", what);
}

/* ---- names ------------------------------------------------------------------- */

int image_tag(const struct store *s, const struct image *i, const char *name, struct err *e)
{
	int r = db_durable(s->db, e);

	if (r == 0)
		r = db_begin(s->db, e);
	if (r < 0)
		return r;
	r = is_there(s, i->id, e);
	if (r == 0)
		r = no_image(i->id, e);
	if (r > 0)
		r = db_run(s->db, e, "INSERT OR REPLACE INTO image_name (name, image, manifest) "
			   "VALUES (?, ?, ?)", "sss", name, i->id, i->manifest);
	return finish(s, r, e);
}

int image_untag(const struct store *s, const char *name, struct err *e)
{
	int r = db_run(s->db, e, "DELETE FROM image_name WHERE name = ?", "s", name);

	if (r == 0)
		return no_image(name, e);
	return r < 0 ? r : 0;
}

/* ---- removal ----------------------------------------------------------------- */

static int check_users(const struct store *s, const char *id, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(s->db, &q, e, "SELECT user FROM image_user WHERE image = ? LIMIT 1",
			 "s", id);

	if (r <= 0)
		return r;
	return err_set(e, EBUSY, "unable to remove image %.12s (must be forced): instance %.12s "
		       "is using it", id + 7, db_text(q, 0));
}

int image_remove(const struct store *s, const char *id, bool force, struct err *e)
{
	int r = db_begin(s->db, e);

	if (r < 0)
		return r;
	r = force ? 0 : check_users(s, id, e);
	if (r == 0) {
		r = db_run(s->db, e, "DELETE FROM image WHERE id = ?", "s", id);
		if (r == 0)
			r = no_image(id, e);
	}
	if (r > 0)
		r = db_run(s->db, e, "DELETE FROM image_name WHERE image = ?", "s", id);
	if (r >= 0)
		r = db_run(s->db, e, "INSERT OR IGNORE INTO image_doomed SELECT digest FROM "
			   "image_blob WHERE image = ?1 UNION SELECT diff_id FROM image_layer "
			   "WHERE image = ?1", "s", id);
	if (r >= 0)
		r = db_run(s->db, e, "DELETE FROM image_blob WHERE image = ?", "s", id);
	if (r >= 0)
		r = db_run(s->db, e, "DELETE FROM image_layer WHERE image = ?1 AND NOT EXISTS "
			   "(SELECT 1 FROM image_user WHERE image = ?1)", "s", id);
	return finish(s, r, e);
}

int store_doom(const struct store *s, const char *digest, struct err *e)
{
	int r = db_run(s->db, e, "INSERT OR IGNORE INTO image_doomed VALUES (?)", "s", digest);

	return r < 0 ? r : 0;
}

/* ---- users ------------------------------------------------------------------- */

int image_hold(const struct store *s, const struct image *i, const char *user, struct err *e)
{
	int r = is_there(s, i->id, e);

	if (r <= 0)
		return r < 0 ? r : no_image(i->n_names ? i->names[0] : i->id, e);
	r = db_run(s->db, e, "INSERT OR REPLACE INTO image_user (user, image) VALUES (?, ?)", "ss",
		   user, i->id);
	return r < 0 ? r : 0;
}

int image_unhold(const struct store *s, const char *user, struct err *e)
{
	int r = db_begin(s->db, e);

	if (r < 0)
		return r;
	r = db_run(s->db, e, "INSERT OR IGNORE INTO image_doomed SELECT diff_id FROM "
		   "image_layer, image_user WHERE image_layer.image = image_user.image AND "
		   "image_user.user = ?1 AND NOT EXISTS (SELECT 1 FROM image WHERE "
		   "id = image_layer.image)", "s", user);
	/* Not the last user, or an image that is still there: its layers' rows stay. */
	if (r >= 0)
		r = db_run(s->db, e, "DELETE FROM image_layer WHERE "
			   "image = (SELECT image FROM image_user WHERE user = ?1) AND "
			   "NOT EXISTS (SELECT 1 FROM image WHERE id = image_layer.image) AND "
			   "NOT EXISTS (SELECT 1 FROM image_user WHERE "
			   "image = image_layer.image AND user <> ?1)", "s", user);
	if (r >= 0)
		r = db_run(s->db, e, "DELETE FROM image_user WHERE user = ?", "s", user);
	return finish(s, r, e);
}

int image_users(const struct store *s, const char *id, struct arena *a, struct oci_strv *ret,
		struct err *e)
{
	return store_strings(s, a, ret, e, "SELECT user FROM image_user WHERE image = ? "
			     "ORDER BY user", id);
}

int image_held(const struct store *s, const char *user, struct arena *a, const char **ret_id,
	       struct oci_strv *ret_layers, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	struct oci_strv ids;

	int r = db_query(s->db, &q, e, "SELECT image FROM image_user WHERE user = ?", "s", user);
	if (r <= 0)
		return r < 0 ? r : err_set(e, ENOENT, "instance %.12s stands on no image", user);
	*ret_id = arena_strdup(a, db_text(q, 0));
	r = store_strings(s, a, &ids, e, "SELECT diff_id FROM image_layer WHERE image = ? "
			  "ORDER BY position", *ret_id);
	if (r < 0)
		return r;
	*ret_layers = (struct oci_strv){ 0 };
	for (size_t i = 0; i < ids.n; i++)
		strv_add(a, ret_layers, arena_printf(a, "%s/layers/%s", s->root, ids.v[i] + 7));
	return 0;
}
