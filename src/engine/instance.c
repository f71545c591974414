/* engine/instance.c - the table of instances and their locks; see instance.h */
#include "engine/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/instance_impl.h"
#include "engine/names.h"

const struct db_schema instance_schema = {
	.area = "instance",
	.sql = "CREATE TABLE IF NOT EXISTS instances ("
	       "id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
	       "image TEXT, wall TEXT NOT NULL, config TEXT NOT NULL,"
	       "active INTEGER NOT NULL DEFAULT 0, removing INTEGER NOT NULL DEFAULT 0,"
	       "stopped INTEGER NOT NULL DEFAULT 0"
	       ") WITHOUT ROWID;"
	       /* What a killed command left is looked for at every run. */
	       "CREATE INDEX IF NOT EXISTS instances_unfinished ON instances(id) "
	       "WHERE removing = 1 OR active = 1;",
};

#define COLUMNS "id, name, created, image, wall, config, active, removing, stopped"

void instance_release(struct instance *in)
{
	json_decref(in->status.health_log);
	fd_close(&in->lockfd);
	arena_release(&in->arena);
	*in = (struct instance){ .lockfd = -1 };
}

char *instance_path(const struct engine *eng, const char *id, const char *file)
{
	return file ? xasprintf("%s/instances/%s/%s", eng->root, id, file) :
		      xasprintf("%s/instances/%s", eng->root, id);
}

char *instance_bundle_path(const struct engine *eng, const char *id, const char *file)
{
	return file ? xasprintf("%s/%s/%s", eng->bundles_dir, id, file) :
		      xasprintf("%s/%s", eng->bundles_dir, id);
}

int instance_write_bundle(struct engine *eng, const char *id, const char *name, const char *p,
			  size_t n, unsigned mode, struct err *e)
{
	CLEANUP_FREE char *path = instance_bundle_path(eng, id, NULL);
	CLEANUP_FD int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : file_replace_at(dir, name, p, n, mode);

	return r < 0 ? err_sys(e, -r, "write %s/%s", path, name) : 0;
}

int instance_write_file(struct engine *eng, const char *id, const char *name, const char *p,
			size_t n, unsigned mode, struct err *e)
{
	CLEANUP_FD int dir = openat(eng->instancesfd, id, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : file_replace_at(dir, name, p, n, mode);

	return r < 0 ? err_sys(e, -r, "write %s/instances/%s/%s", eng->root, id, name) : 0;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- rows ------------------------------------------------------------------- */

static int read_row(struct engine *eng, struct db_stmt *q, struct instance *ret, struct err *e)
{
	struct arena *a = &ret->arena;
	CLEANUP_JSON json_t *config = NULL;
	const char *text = db_text(q, 5);

	ret->lockfd = -1;
	ret->id = arena_strdup(a, db_text(q, 0));
	ret->name = arena_strdup(a, db_text(q, 1));
	ret->created_ns = db_int(q, 2);
	ret->image_id = arena_strdup(a, db_text(q, 3));
	ret->active = (enum instance_active)db_int(q, 6);
	ret->removing = db_int(q, 7) != 0;
	ret->stopped = db_int(q, 8) != 0;
	int r = json_parse(ret->name, text, strlen(text), &config, e);
	if (r == 0)
		r = instance_config_from_json(config, a, &ret->config, e);
	if (r < 0)
		return err_prefix(e, "instance %s in the database", ret->name);
	ret->config.wall = arena_strdup(a, db_text(q, 4));
	return instance_read_status(eng, ret, e);
}

/* The row where is true of; 1, or 0 for none.  *ret is filled when 1. */
static int find_row(struct engine *eng, const char *sql, const char *fmt, const char *v1,
		    const char *v2, struct instance *ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = fmt[1] ? db_query(eng->db, &q, e, sql, fmt, v1, v2) :
			 db_query(eng->db, &q, e, sql, fmt, v1);

	if (r <= 0)
		return r;
	r = read_row(eng, q, ret, e);
	if (r < 0) {
		instance_release(ret);
		return r;
	}
	r = db_next(q, e);
	if (r == 0)
		return 1;
	instance_release(ret);
	return r < 0 ? r : err_set(e, EEXIST, "%s is the beginning of several instances' IDs: "
				   "give more of it", v1);
}

static bool is_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n > 0 && !s[n] && n <= ID_HEX;
}

static int find(struct engine *eng, const char *what, struct instance *ret, struct err *e)
{
	/* inspect shows "/name". */
	if (what[0] == '/')
		what++;
	int r = find_row(eng, "SELECT " COLUMNS " FROM instances WHERE id = ?", "s", what, NULL,
			 ret, e);
	if (r == 0)
		r = find_row(eng, "SELECT " COLUMNS " FROM instances WHERE name = ?", "s", what,
			     NULL, ret, e);
	if (r == 0 && is_hex(what)) {
		CLEANUP_FREE char *end = xasprintf("%sg", what);        /* g follows f */

		r = find_row(eng, "SELECT " COLUMNS " FROM instances WHERE id >= ? AND id < ? "
			     "LIMIT 2", "ss", what, end, ret, e);
	}
	if (r == 0)
		return err_set(e, ENOENT, "no such instance: %.100s", what);
	return r < 0 ? r : 0;
}

/* --- the lock --------------------------------------------------------------- */

int instance_lock(struct engine *eng, struct instance *in, bool wait, struct err *e)
{
	char lock[ID_HEX + 8];

	if (in->lockfd >= 0)
		return 0;
	if (mkdirat(eng->instancesfd, in->id, 0710) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make directory %s/instances/%s", eng->root, in->id);
	snprintf(lock, sizeof(lock), "%.64s/lock", in->id);
	CLEANUP_FD int fd = openat(eng->instancesfd, lock,
				   O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "open %s/instances/%s", eng->root, lock);
	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		return err_sys(e, errno, "lock %s/instances/%s", eng->root, lock);
	}
	in->lockfd = take_fd(fd);
	return 0;
}

/*
 * While we waited, the instance may have changed or gone; and its directory, which
 * instance_lock() made anew, with it.
 */
static int lock_and_read_again(struct engine *eng, struct instance *in, bool wait, struct err *e)
{
	struct instance now = { .lockfd = -1 };

	int r = instance_lock(eng, in, wait, e);
	if (r < 0)
		return r;
	r = find_row(eng, "SELECT " COLUMNS " FROM instances WHERE id = ?", "s", in->id, NULL,
		     &now, e);
	if (r == 0) {
		instance_remove_dir(eng, in->id);
		return err_set(e, ENOENT, "no such instance: %s (it was removed just now)",
			       in->name);
	}
	if (r < 0)
		return r;
	now.lockfd = take_fd(in->lockfd);
	instance_release(in);
	*in = now;
	return 0;
}

int instance_find(struct engine *eng, const char *what, bool lock, struct instance *ret,
		  struct err *e)
{
	*ret = (struct instance){ .lockfd = -1 };
	int r = find(eng, what, ret, e);
	if (r == 0 && lock)
		r = lock_and_read_again(eng, ret, true, e);
	if (r == 0 && ret->lost)
		r = instance_refresh(eng, ret, e);
	if (r < 0)
		instance_release(ret);
	return r;
}

int instance_find_unlocked(struct engine *eng, const char *id, struct instance *ret, struct err *e)
{
	*ret = (struct instance){ .lockfd = -1 };
	int r = find(eng, id, ret, e);
	if (r == 0)
		r = lock_and_read_again(eng, ret, false, e);
	if (r < 0)
		instance_release(ret);
	return r;
}

int instance_list(struct engine *eng, struct instance **ret, size_t *ret_n, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	struct instance *v = NULL;
	size_t n = 0, cap = 0;

	int r = db_query(eng->db, &q, e, "SELECT " COLUMNS " FROM instances ORDER BY created, id",
			 "");
	for (; r > 0; r = db_next(q, e)) {
		if (n == cap) {
			cap = cap ? 2 * cap : 16;
			v = xreallocarray(v, cap, sizeof(*v));
		}
		v[n] = (struct instance){ .lockfd = -1 };
		r = read_row(eng, q, &v[n++], e);
		if (r < 0)
			break;
	}
	if (r < 0) {
		instance_list_free(v, n);
		return r;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

void instance_list_free(struct instance *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		instance_release(&v[i]);
	free(v);
}

/* --- making and changing ------------------------------------------------------ */

static int name_taken(struct engine *eng, const char *name, char *ret_id, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(eng->db, &q, e, "SELECT id FROM instances WHERE name = ?", "s", name);

	if (r > 0)
		snprintf(ret_id, ID_HEX + 1, "%s", db_text(q, 0));
	return r;
}

int instance_check_name_free(struct engine *eng, const char *name, struct err *e)
{
	char id[ID_HEX + 1];

	int r = name_check(name, e);
	if (r == 0)
		r = name_taken(eng, name, id, e);
	if (r > 0)
		return err_set(e, EEXIST, "the name \"%s\" is in use by instance %.12s: remove or "
			       "rename that one, or choose another name", name, id);
	return r;
}

int instance_new(struct engine *eng, const char *name, struct instance *ret, struct err *e)
{
	char id[ID_HEX + 1], other[ID_HEX + 1];

	*ret = (struct instance){ .lockfd = -1 };
	int r = name_make_id(id, e);
	ret->id = arena_strdup(&ret->arena, id);
	ret->created_ns = now_ns();
	ret->status.error = ret->status.health = "";
	ret->config.stop_timeout_s = -1;
	if (r == 0 && name) {
		r = instance_check_name_free(eng, name, e);
		ret->name = arena_strdup(&ret->arena, name);
	}
	for (unsigned tries = 0; r == 0 && !ret->name && tries < 8; tries++) {
		r = name_make(tries, &ret->arena, &ret->name, e);
		if (r == 0 && name_taken(eng, ret->name, other, e) > 0)
			ret->name = NULL;
	}
	if (r == 0 && !ret->name)       /* a crowd of thousands: any name will do */
		ret->name = arena_printf(&ret->arena, "isle_%.12s", ret->id);
	if (r < 0)
		instance_release(ret);
	return r;
}

static int write_row(struct engine *eng, struct instance *in, const char *sql, struct err *e)
{
	CLEANUP_JSON json_t *config = instance_config_to_json(&in->config);
	CLEANUP_FREE char *text = json_dumps(config, JSON_COMPACT);

	if (!text)
		return err_set(e, EINVAL, "instance %s: its configuration is no UTF-8", in->name);
	return db_run(eng->db, e, sql, "sisssiiis", in->name, in->created_ns, in->image_id,
		      in->config.wall, text, (int64_t)in->active, (int64_t)in->removing,
		      (int64_t)in->stopped, in->id);
}

int instance_insert(struct engine *eng, struct instance *in, struct err *e)
{
	int r = write_row(eng, in, "INSERT INTO instances (name, created, image, wall, config, "
			  "active, removing, stopped, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", e);
	if (r != -EEXIST)
		return r < 0 ? r : 0;
	/* Another command took the name since we looked. */
	struct err why;
	r = instance_check_name_free(eng, in->name, &why);
	return r < 0 ? err_set(e, why.code, "%s", why.msg) : -EEXIST;
}

int instance_save(struct engine *eng, struct instance *in, struct err *e)
{
	int r = write_row(eng, in, "UPDATE instances SET name = ?, created = ?, image = ?, "
			  "wall = ?, config = ?, active = ?, removing = ?, stopped = ? "
			  "WHERE id = ?", e);
	if (r == -EEXIST)
		return err_set(e, EEXIST, "the name \"%s\" is in use by another instance",
			       in->name);
	return r < 0 ? r : r == 0 ? err_set(e, ENOENT, "no such instance: %s", in->name) : 0;
}

int instance_mark(struct engine *eng, struct instance *in, enum instance_active active,
		  struct err *e)
{
	int r = db_run(eng->db, e, "UPDATE instances SET active = ?, removing = ?, stopped = ? "
		       "WHERE id = ?", "iiis", (int64_t)active, (int64_t)in->removing,
		       (int64_t)in->stopped, in->id);
	if (r >= 0)
		in->active = active;
	return r < 0 ? r : 0;
}
