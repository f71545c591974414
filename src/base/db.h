#pragma once
/*
 * base/db.h - sqlite for what must survive: one file, WAL, short transactions.
 * Layer: base.  Linked by `isle` and its image program alone (library isle-db).
 *
 * One connection a process.  Readers never wait for a writer; a second writer waits
 * up to DB_BUSY_MS.  A commit is atomic against kill -9; against a power cut it is so
 * too, and is durable once db_durable() was called before it (a commit then costs an
 * fsync: for what a user was told is there, a pulled image).  Closing never
 * checkpoints, so a command does not pay for its predecessors.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DB_BUSY_MS 20000

struct db;
struct db_stmt;

/* One area's tables, as statements for sqlite3_exec: CREATE TABLE IF NOT EXISTS ... */
struct db_schema {
	const char *area;               /* "image": for messages */
	const char *sql;
};

/*
 * Open or create path (mode 0600).  The schemas are run, in one transaction, when the
 * file's user_version is not version; a newer version than ours is -EPROTO and says so.
 */
MUST_CHECK int db_open(const char *path, const struct db_schema *schemas, size_t n,
		       int version, struct db **ret, struct err *e);
void db_close(struct db *db);                   /* NULL is accepted */
static inline void db_cleanup(struct db **db)
{
	db_close(*db);
}
#define CLEANUP_DB __attribute__((cleanup(db_cleanup)))

/* From here on commits of this connection reach the disk before they return. */
MUST_CHECK int db_durable(struct db *db, struct err *e);

/* BEGIN IMMEDIATE; nests by counting: only the outermost commits. */
MUST_CHECK int db_begin(struct db *db, struct err *e);
MUST_CHECK int db_commit(struct db *db, struct err *e);
/* Undo all since the outermost begin; nothing outside of one. */
void db_rollback(struct db *db);

/*
 * Run sql with the values of fmt bound to its "?", and step once.  fmt, one letter each:
 * i int64_t, s const char * (NULL: null), b (const void *, size_t).  Copies nothing: the
 * values must live until db_end().  1 a row is there, 0 none, -errno.  -EEXIST for a
 * violated UNIQUE or PRIMARY KEY.  *ret is prepared from a cache and must be given to
 * db_end(); it is NULL on failure.
 *
 *	CLEANUP_STMT struct db_stmt *q = NULL;
 *	int r = db_query(db, &q, e, "SELECT a FROM t WHERE b = ?", "s", name);
 *	for (; r > 0; r = db_next(q, e))
 *		use(db_text(q, 0));
 */
MUST_CHECK int db_query(struct db *db, struct db_stmt **ret, struct err *e, const char *sql,
			const char *fmt, ...);
MUST_CHECK int db_next(struct db_stmt *q, struct err *e);
int64_t db_int(struct db_stmt *q, int column);
/* Until the next step; NULL for null. */
const char *db_text(struct db_stmt *q, int column);
const void *db_blob(struct db_stmt *q, int column, size_t *ret_n);
void db_end(struct db_stmt *q);                 /* NULL is accepted */
static inline void db_stmt_cleanup(struct db_stmt **q)
{
	db_end(*q);
}
#define CLEANUP_STMT __attribute__((cleanup(db_stmt_cleanup)))

/* A statement without rows: as db_query(), ended.  Returns the number of changed rows. */
MUST_CHECK int db_run(struct db *db, struct err *e, const char *sql, const char *fmt, ...);
