/* base/db.c - see db.h */
#include "base/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/db_index.h"
#include "base/fd.h"
#include "base/mem.h"

/* Statements are a handful per command; each is prepared once. */
#define CACHE_MAX 64
#define WAL_PAUSE_MS 5

struct db_stmt {
	struct db *db;
	sqlite3_stmt *st;
	char *sql;
	bool busy;
};

struct db {
	sqlite3 *lite;
	char *path;
	int index;                      /* db_index_hold(): outlives lite */
	unsigned depth;                 /* of db_begin() */
	bool broken;                    /* an inner step was rolled back: no commit */
	struct db_stmt *cache[CACHE_MAX];
	size_t n_cache;
};

/* sqlite's codes as errno, for callers that tell failures apart. */
static int code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EUCLEAN;
	default:
		return EIO;
	}
}

static int fail(const struct db *db, int rc, const char *what, struct err *e)
{
	int ext = sqlite3_extended_errcode(db->lite);

	if (ext == SQLITE_CONSTRAINT_UNIQUE || ext == SQLITE_CONSTRAINT_PRIMARYKEY)
		return err_set(e, EEXIST, "%s: %s", db->path, sqlite3_errmsg(db->lite));
	if ((rc & 0xff) == SQLITE_BUSY)
		return err_set(e, EBUSY, "%s is held by another command for more than %d s: "
			       "see who has it open with fuser(1)", db->path, DB_BUSY_MS / 1000);
	/* Were it for the index, the next command would fail the same. */
	if (code_of(rc) == EUCLEAN || code_of(rc) == EIO)
		db_index_doubt(db->path);
	return err_set(e, code_of(rc), "%s: %s: %s", db->path, what, sqlite3_errmsg(db->lite));
}

static int exec_sql(struct db *db, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(db->lite, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(db, rc, sql, e);
}

static int user_version(struct db *db, int *ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	int r = db_query(db, &q, e, "PRAGMA user_version", "");

	if (r < 0)
		return r;
	*ret = q ? (int)db_int(q, 0) : 0;
	return 0;
}

static int make_tables(struct db *db, const struct db_schema *schemas, size_t n, int version,
		       struct err *e)
{
	char text[64];
	int have;

	int r = db_begin(db, e);
	if (r < 0)
		return r;
	/* Another command may have done it while we waited. */
	r = user_version(db, &have, e);
	for (size_t i = 0; r == 0 && have != version && i < n; i++) {
		r = exec_sql(db, schemas[i].sql, e);
		if (r < 0)
			err_prefix(e, "tables of %s", schemas[i].area);
	}
	if (r == 0 && have != version) {
		snprintf(text, sizeof(text), "PRAGMA user_version = %d", version);
		r = exec_sql(db, text, e);
	}
	if (r == 0)
		return db_commit(db, e);
	db_rollback(db);
	return r;
}

/*
 * sqlite does not wait here: of two that have both read and want to change the journal one
 * must let go.  The other has it done when we ask again.
 */
static int set_wal(struct db *db, struct err *e)
{
	const struct timespec pause = { .tv_nsec = WAL_PAUSE_MS * 1000000 };

	for (int waited_ms = 0; ; waited_ms += WAL_PAUSE_MS) {
		int r = exec_sql(db, "PRAGMA journal_mode = WAL", e);

		if (r != -EBUSY || waited_ms >= DB_BUSY_MS)
			return r;
		(void)nanosleep(&pause, NULL);
	}
}

static int prepare_file(struct db *db, const struct db_schema *schemas, size_t n, int version,
			struct err *e)
{
	int keep = 1, have;

	sqlite3_busy_timeout(db->lite, DB_BUSY_MS);
	sqlite3_extended_result_codes(db->lite, 1);
	/* Triggers and views could not come from us; and nothing is paid for at the end. */
	sqlite3_db_config(db->lite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->lite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_file_control(db->lite, NULL, SQLITE_FCNTL_PERSIST_WAL, &keep);
	int r = user_version(db, &have, e);
	if (r < 0)
		return r;
	if (have > version)
		return err_set(e, EPROTO, "%s was written by a newer isle (tables %d, this one "
			       "knows %d): use that one", db->path, have, version);
	if (have != version) {
		r = set_wal(db, e);
		if (r == 0)
			r = make_tables(db, schemas, n, version, e);
		if (r < 0)
			return r;
	}
	return exec_sql(db, "PRAGMA synchronous = NORMAL", e);
}

int db_open(const char *path, const struct db_schema *schemas, size_t n, int version,
	    struct db **ret, struct err *e)
{
	/* sqlite gives a new file the umask's mode, and its companions this file's. */
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	/* Later this would give up sqlite's locks on it. */
	fd_close(&fd);
	struct db *db = xcalloc(1, sizeof(*db));
	db->path = xstrdup(path);
	db->index = db_index_hold(path);
	int rc = sqlite3_open_v2(path, &db->lite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				 NULL);
	int r = rc == SQLITE_OK ? prepare_file(db, schemas, n, version, e) :
				  fail(db, rc, "open", e);
	if (r < 0) {
		db_close(db);
		return r;
	}
	if (db->index < 0)
		db_index_made(path);
	*ret = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->n_cache; i++) {
		sqlite3_finalize(db->cache[i]->st);
		free(db->cache[i]->sql);
		free(db->cache[i]);
	}
	sqlite3_close_v2(db->lite);
	fd_close(&db->index);
	free(db->path);
	free(db);
}

int db_durable(struct db *db, struct err *e)
{
	return exec_sql(db, "PRAGMA synchronous = FULL", e);
}

int db_begin(struct db *db, struct err *e)
{
	if (db->depth == 0) {
		int r = exec_sql(db, "BEGIN IMMEDIATE", e);

		if (r < 0)
			return r;
		db->broken = false;
	}
	db->depth++;
	return 0;
}

int db_commit(struct db *db, struct err *e)
{
	if (db->depth == 0 || db->broken)
		return err_set(e, EPERM, "%s: the transaction was undone", db->path);
	if (db->depth > 1) {
		db->depth--;
		return 0;
	}
	int r = exec_sql(db, "COMMIT", e);
	if (r < 0)
		return r;               /* still open: the caller rolls back */
	db->depth = 0;
	return 0;
}

void db_rollback(struct db *db)
{
	if (db->depth == 0)
		return;
	/* The outermost decides when it ends; until then nothing more can be kept. */
	if (!db->broken)
		sqlite3_exec(db->lite, "ROLLBACK", NULL, NULL, NULL);
	db->broken = true;
	db->depth--;
}

/* ---- statements ------------------------------------------------------------ */

static int prepare(struct db *db, const char *sql, struct db_stmt **ret, struct err *e)
{
	for (size_t i = 0; i < db->n_cache; i++) {
		struct db_stmt *s = db->cache[i];

		if (!s->busy && strcmp(s->sql, sql) == 0) {
			s->busy = true;
			*ret = s;
			return 0;
		}
	}
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db->lite, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return fail(db, rc, sql, e);
	struct db_stmt *s = xcalloc(1, sizeof(*s));
	s->db = db;
	s->st = st;
	s->sql = xstrdup(sql);
	s->busy = true;
	if (db->n_cache < CACHE_MAX)
		db->cache[db->n_cache++] = s;
	else
		s->db = NULL;           /* not kept: db_end() frees it */
	*ret = s;
	return 0;
}

static int bind_values(sqlite3_stmt *st, const char *fmt, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; *fmt && rc == SQLITE_OK; fmt++, i++) {
		if (*fmt == 'i') {
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
		} else if (*fmt == 's') {
			rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else {
			const void *p = va_arg(ap, const void *);

			rc = sqlite3_bind_blob64(st, i, p, va_arg(ap, size_t), SQLITE_STATIC);
		}
	}
	return rc;
}

static int step(const struct db *db, struct db_stmt *s, struct err *e)
{
	int rc = sqlite3_step(s->st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : fail(db, rc, s->sql, e);
}

static int query_va(struct db *db, struct db_stmt **ret, struct err *e, const char *sql,
		    const char *fmt, va_list ap)
{
	*ret = NULL;
	if (db->depth > 0 && db->broken)
		return err_set(e, EPERM, "%s: the transaction was undone", db->path);
	struct db_stmt *s = NULL;
	int r = prepare(db, sql, &s, e);
	if (!s)
		return r;
	int rc = bind_values(s->st, fmt, ap);
	r = rc == SQLITE_OK ? step(db, s, e) : fail(db, rc, sql, e);
	if (r < 0)
		db_end(s);
	else
		*ret = s;
	return r;
}

int db_query(struct db *db, struct db_stmt **ret, struct err *e, const char *sql,
	     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = query_va(db, ret, e, sql, fmt, ap);
	va_end(ap);
	return r;
}

int db_next(struct db_stmt *q, struct err *e)
{
	int rc = sqlite3_step(q->st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return err_set(e, code_of(rc), "%s: %s", q->sql,
		       sqlite3_errmsg(sqlite3_db_handle(q->st)));
}

int64_t db_int(struct db_stmt *q, int column)
{
	return sqlite3_column_int64(q->st, column);
}

const char *db_text(struct db_stmt *q, int column)
{
	return (const char *)sqlite3_column_text(q->st, column);
}

const void *db_blob(struct db_stmt *q, int column, size_t *ret_n)
{
	const void *p = sqlite3_column_blob(q->st, column);

	*ret_n = (size_t)sqlite3_column_bytes(q->st, column);
	return p;
}

void db_end(struct db_stmt *q)
{
	if (!q)
		return;
	sqlite3_reset(q->st);
	sqlite3_clear_bindings(q->st);
	q->busy = false;
	if (!q->db) {
		sqlite3_finalize(q->st);
		free(q->sql);
		free(q);
	}
}

int db_run(struct db *db, struct err *e, const char *sql, const char *fmt, ...)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	va_list ap;

	va_start(ap, fmt);
	int r = query_va(db, &q, e, sql, fmt, ap);
	va_end(ap);
	return r < 0 ? r : sqlite3_changes(db->lite);
}
