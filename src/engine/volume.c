/* engine/volume.c - see volume.h */
#include "engine/volume.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "image/tree.h"

#define NAME_LEN_MAX 255
#define ANONYMOUS_BYTES 32              /* 64 hex digits */

/*
 * A volume that is being removed keeps its row until its files are gone, so that a killed
 * removal is finished by whoever meets the row next.
 */
const struct db_schema volume_schema = {
	.area = "volume",
	.sql = "CREATE TABLE IF NOT EXISTS volumes ("
	       " name TEXT PRIMARY KEY, created INTEGER NOT NULL, anonymous INTEGER NOT NULL,"
	       " labels TEXT NOT NULL, removing INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
	       "CREATE TABLE IF NOT EXISTS volume_users ("
	       " volume TEXT NOT NULL, instance TEXT NOT NULL,"
	       " PRIMARY KEY (volume, instance)) WITHOUT ROWID;"
	       "CREATE INDEX IF NOT EXISTS volume_users_instance ON volume_users (instance);",
};

/* --- making ----------------------------------------------------------------- */

static int name_check(const char *name, struct err *e)
{
	size_t n = strlen(name);

	/* It is a directory's name too: never one with a '/', nor "..". */
	if (n < 2 || n > NAME_LEN_MAX || !isalnum((unsigned char)name[0]))
		goto bad;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			goto bad;
	return 0;
bad:
	return err_set(e, EINVAL, "\"%s\" is not a volume's name: 2 to %d of letters, digits, '_', "
		       "'.', '-', a letter or digit first", name, NAME_LEN_MAX);
}

static int random_name(struct arena *a, const char **ret, struct err *e)
{
	unsigned char bytes[ANONYMOUS_BYTES];
	char *name = arena_alloc(a, 2 * sizeof(bytes) + 1);

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_sys(e, errno, "read random bytes");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
	*ret = name;
	return 0;
}

static char *labels_text(const struct oci_kvs *labels)
{
	CLEANUP_JSON json_t *j = json_object();

	for (size_t i = 0; labels && i < labels->n; i++)
		json_object_set_new(j, labels->v[i].key, json_string(labels->v[i].value));
	return json_dumps(j, JSON_COMPACT);
}

static int make_directory(struct engine *eng, const char *name, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/volumes/%s/_data", eng->root, name);
	/* Who may look inside is up to the modes of what the instance puts there. */
	CLEANUP_FREE char *outer = xasprintf("%s/volumes", eng->root);
	int r = engine_mkdir_all(outer, 0711, e);

	return r < 0 ? r : engine_mkdir_all(path, 0755, e);
}

/* 1: a row is there; *ret_removing says that its files are on their way out. */
static int look_up(struct engine *eng, const char *name, bool *ret_removing, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(eng->db, &q, e, "SELECT removing FROM volumes WHERE name = ?", "s", name);

	*ret_removing = r > 0 && db_int(q, 0);
	return r;
}

static int files_remove(struct engine *eng, const char *name, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/volumes", eng->root);
	CLEANUP_FD int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	return tree_remove_at(dir, name, e);
}

/* The second half of a removal. */
static int finish_removal(struct engine *eng, const char *name, struct err *e)
{
	int r = files_remove(eng, name, e);

	return r < 0 ? r : db_run(eng->db, e, "DELETE FROM volumes WHERE name = ? AND removing = 1",
				  "s", name);
}

int volume_make(struct engine *eng, const char *name, const struct oci_kvs *labels,
		bool anonymous, struct arena *a, const char **ret, struct err *e)
{
	CLEANUP_FREE char *text = labels_text(labels);
	bool removing = false;
	int r = name ? name_check(name, e) : random_name(a, &name, e);

	if (r >= 0)
		r = db_begin(eng->db, e);
	if (r < 0)
		return r;
	r = look_up(eng, name, &removing, e);
	if (r > 0 && removing)
		r = finish_removal(eng, name, e);
	if (r == 0 || removing)
		r = r < 0 ? r : db_run(eng->db, e, "INSERT INTO volumes (name, created, anonymous, "
				       "labels) VALUES (?, ?, ?, ?)", "siis", name,
				       (int64_t)time(NULL), (int64_t)anonymous, text);
	if (r >= 0)
		r = make_directory(eng, name, e);
	if (r >= 0)
		r = db_commit(eng->db, e);
	if (r < 0) {
		db_rollback(eng->db);
		return r;
	}
	*ret = arena_strdup(a, name);
	return 0;
}

int volume_hold(struct engine *eng, const char *name, const char *instance, struct err *e)
{
	int r = db_run(eng->db, e, "INSERT OR IGNORE INTO volume_users (volume, instance) "
		       "VALUES (?, ?)", "ss", name, instance);

	return r < 0 ? r : 0;
}

/* --- removing --------------------------------------------------------------- */

/* Names of one column, the first of each row; *ret is an array. */
static int names_query(struct engine *eng, const char *sql, const char *value, json_t **ret,
		       struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(eng->db, &q, e, sql, value ? "s" : "", value);

	*ret = json_array();
	for (; r > 0; r = db_next(q, e))
		json_array_append_new(*ret, json_string(db_text(q, 0)));
	return r;
}

/* Says that it goes, unless somebody uses it: 1 marked, 0 used. */
static int mark(struct engine *eng, const char *name, struct err *e)
{
	return db_run(eng->db, e, "UPDATE volumes SET removing = 1 WHERE name = ? AND NOT EXISTS "
		      "(SELECT 1 FROM volume_users WHERE volume = volumes.name)", "s", name);
}

int volume_unhold(struct engine *eng, const char *instance, bool anonymous, struct err *e)
{
	CLEANUP_JSON json_t *names = NULL;
	json_t *name;
	size_t i;
	int r = names_query(eng, "SELECT volume FROM volume_users JOIN volumes ON name = volume "
			    "WHERE instance = ? AND anonymous", instance, &names, e);

	if (r >= 0)
		r = db_run(eng->db, e, "DELETE FROM volume_users WHERE instance = ?", "s",
			   instance);
	if (r < 0 || !anonymous)
		return r < 0 ? r : 0;
	json_array_foreach(names, i, name) {
		r = mark(eng, json_string_value(name), e);
		if (r > 0)
			r = finish_removal(eng, json_string_value(name), e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int in_use(struct engine *eng, const char *name, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(512);
	CLEANUP_JSON json_t *users = NULL;
	json_t *user;
	size_t i;
	int r = names_query(eng, "SELECT instance FROM volume_users WHERE volume = ?", name, &users,
			    e);

	if (r < 0)
		return r;
	json_array_foreach(users, i, user)
		buf_printf(&text, "%s%.12s", i ? ", " : "", json_string_value(user));
	return err_set(e, EBUSY, "volume %s is in use by %s: remove that first", name,
		       text.data ? text.data : "an instance");
}

int volume_remove(struct engine *eng, const char *name, bool force, struct err *e)
{
	bool removing;
	int r = look_up(eng, name, &removing, e);

	if (r == 0)
		return force ? 0 : err_set(e, ENOENT, "no such volume: %s", name);
	if (r > 0)
		r = mark(eng, name, e);
	if (r < 0)
		return r;
	return r == 0 ? in_use(eng, name, e) : finish_removal(eng, name, e);
}

int volume_prune(struct engine *eng, bool named_too, json_t **ret, struct err *e)
{
	CLEANUP_JSON json_t *names = NULL;
	json_t *name;
	size_t i;
	int r = names_query(eng, named_too ? "SELECT name FROM volumes ORDER BY name"
			    : "SELECT name FROM volumes WHERE anonymous OR removing ORDER BY name",
			    NULL, &names, e);

	*ret = json_array();
	if (r < 0)
		return r;
	json_array_foreach(names, i, name) {
		r = mark(eng, json_string_value(name), e);
		if (r > 0)
			r = finish_removal(eng, json_string_value(name), e);
		if (r < 0)
			return r;
		if (r > 0)
			json_array_append(*ret, name);
	}
	return 0;
}

/* --- showing ---------------------------------------------------------------- */

static json_t *describe(struct engine *eng, struct db_stmt *q)
{
	CLEANUP_FREE char *path = xasprintf("%s/volumes/%s/_data", eng->root, db_text(q, 0));
	char when[TIME_RFC3339_MAX];
	json_t *labels = NULL;
	const char *text = db_text(q, 3);

	time_rfc3339_at(db_int(q, 1), 0, when);
	if (json_parse("labels", text, strlen(text), &labels, NULL) < 0)
		labels = json_object();
	if (db_int(q, 2))
		json_object_set_new(labels, "isle.volume.anonymous", json_string(""));
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:{}, s:s, s:{s:I}}", "CreatedAt", when,
			 "Driver", "local", "Labels", labels, "Mountpoint", path, "Name",
			 db_text(q, 0), "Options", "Scope", "local", "UsageData", "RefCount",
			 (json_int_t)db_int(q, 4));
}

int volume_inspect(struct engine *eng, const char *name, json_t **ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(eng->db, &q, e,
			 "SELECT name, created, anonymous, labels, (SELECT COUNT(*) FROM "
			 "volume_users WHERE volume = name) FROM volumes WHERE NOT removing "
			 "AND (? IS NULL OR name = ?) ORDER BY name", "ss", name, name);

	if (r == 0 && name)
		return err_set(e, ENOENT, "no such volume: %s", name);
	if (r < 0)
		return r;
	if (name) {
		*ret = describe(eng, q);
		return 0;
	}
	*ret = json_array();
	for (; r > 0; r = db_next(q, e))
		json_array_append_new(*ret, describe(eng, q));
	if (r < 0) {
		json_decref(*ret);
		*ret = NULL;
	}
	return r;
}
