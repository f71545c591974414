/* Unit tests of base/db.h. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/db.h"
#include "base/fd.h"
#include "base/mem.h"

static const struct db_schema schema[] = {
	{ "first", "CREATE TABLE IF NOT EXISTS t(a TEXT PRIMARY KEY, n INTEGER)" },
	{ "second", "CREATE TABLE IF NOT EXISTS u(b BLOB)" },
};

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/isle-db.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/isle.db", dir);
	return 0;
}

static int drop_dir(void **state)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-boot", "-kept" };
	char name[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		unlink(name);
	}
	return rmdir(dir);
}

static struct db *open_or_fail(void)
{
	struct err e = { 0 };
	struct db *db = NULL;

	if (db_open(path, schema, ARRAY_LEN(schema), 3, &db, &e) < 0)
		fail_msg("%s", e.msg);
	return db;
}

static int64_t count(struct db *db)
{
	struct err e = { 0 };
	CLEANUP_STMT struct db_stmt *q = NULL;

	assert_int_equal(db_query(db, &q, &e, "SELECT count(*) FROM t", ""), 1);
	return db_int(q, 0);
}

static void test_rows(void **state)
{
	(void)state;
	CLEANUP_DB struct db *db = open_or_fail();
	struct err e = { 0 };
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(db_run(db, &e, "INSERT INTO t VALUES(?, ?)", "si", "x", (int64_t)5), 1);
	assert_int_equal(db_run(db, &e, "INSERT INTO t VALUES(?, ?)", "si", "y", INT64_MAX), 1);
	assert_int_equal(db_run(db, &e, "INSERT INTO t VALUES(?, ?)", "si", "x", (int64_t)6),
			 -EEXIST);
	assert_non_null(strstr(e.msg, path));

	CLEANUP_STMT struct db_stmt *q = NULL;
	int n = 0, r = db_query(db, &q, &e, "SELECT a, n FROM t ORDER BY a", "");
	for (; r > 0; r = db_next(q, &e), n++)
		assert_string_equal(db_text(q, 0), n ? "y" : "x");
	assert_int_equal(r, 0);
	assert_int_equal(n, 2);

	CLEANUP_STMT struct db_stmt *none = NULL;
	assert_int_equal(db_query(db, &none, &e, "SELECT n FROM t WHERE a = ?", "s", "z"), 0);
	assert_int_equal(db_run(db, &e, "DELETE FROM t", ""), 2);
}

static void test_blob_and_null(void **state)
{
	(void)state;
	CLEANUP_DB struct db *db = open_or_fail();
	struct err e = { 0 };
	size_t n;

	assert_int_equal(db_run(db, &e, "INSERT INTO u VALUES(?)", "b", "a\0b", (size_t)3), 1);
	assert_int_equal(db_run(db, &e, "INSERT INTO u VALUES(?)", "s", NULL), 1);
	CLEANUP_STMT struct db_stmt *q = NULL;
	assert_int_equal(db_query(db, &q, &e, "SELECT b FROM u ORDER BY rowid", ""), 1);
	const void *p = db_blob(q, 0, &n);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "a\0b", 3);
	assert_int_equal(db_next(q, &e), 1);
	assert_null(db_text(q, 0));
}

static void test_nested_transactions(void **state)
{
	(void)state;
	CLEANUP_DB struct db *db = open_or_fail();
	struct err e = { 0 };

	assert_int_equal(db_begin(db, &e), 0);
	assert_int_equal(db_begin(db, &e), 0);
	assert_int_equal(db_run(db, &e, "INSERT INTO t VALUES('a', 1)", ""), 1);
	assert_int_equal(db_commit(db, &e), 0);
	db_rollback(db);
	assert_int_equal(count(db), 0);

	/* An inner failure takes the outer with it, and says so instead of keeping half. */
	assert_int_equal(db_begin(db, &e), 0);
	assert_int_equal(db_begin(db, &e), 0);
	db_rollback(db);
	assert_int_equal(db_run(db, &e, "INSERT INTO t VALUES('b', 1)", ""), -EPERM);
	assert_int_equal(db_commit(db, &e), -EPERM);
	db_rollback(db);
	assert_int_equal(db_begin(db, &e), 0);
	assert_int_equal(db_run(db, &e, "INSERT INTO t VALUES('c', 1)", ""), 1);
	assert_int_equal(db_commit(db, &e), 0);
	assert_int_equal(count(db), 1);
}

static void test_newer_tables(void **state)
{
	(void)state;
	struct err e = { 0 };
	struct db *db = open_or_fail();

	db_close(db);
	assert_int_equal(db_open(path, schema, ARRAY_LEN(schema), 2, &db, &e), -EPROTO);
	assert_non_null(strstr(e.msg, "newer isle"));
}

static void test_not_a_database(void **state)
{
	(void)state;
	struct err e = { 0 };
	struct db *db;
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	for (int i = 0; i < 4096; i++)
		fputs("rubbish", f);
	fclose(f);
	assert_int_equal(db_open(path, schema, ARRAY_LEN(schema), 1, &db, &e), -EUCLEAN);
	assert_non_null(strstr(e.msg, path));
}

/* A writer killed at any moment leaves whole transactions: pairs of rows. */
static void test_killed_writer(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct err e = { 0 };
			struct db *db = open_or_fail();

			for (int64_t i = round * 100000; ; i++)
				if (db_begin(db, &e) < 0 ||
				    db_run(db, &e, "INSERT INTO t VALUES(?, 1)", "i", i) < 0 ||
				    db_run(db, &e, "INSERT INTO t VALUES(?, 1)", "i", -i - 1) < 0 ||
				    db_commit(db, &e) < 0)
					_exit(1);
		}
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 + round * 700000 }, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		CLEANUP_DB struct db *db = open_or_fail();
		assert_int_equal(count(db) % 2, 0);
	}
	CLEANUP_DB struct db *db = open_or_fail();
	assert_true(count(db) > 0);
}

/* In a child, where nothing may be asserted: the runner would go on twice. */
static int add_pair(int64_t i)
{
	CLEANUP_DB struct db *db = NULL;
	struct err e = { 0 };

	int r = db_open(path, schema, ARRAY_LEN(schema), 3, &db, &e);
	if (r == 0)
		r = db_begin(db, &e);
	if (r == 0)
		r = db_run(db, &e, "INSERT INTO t VALUES(?, 1)", "i", i);
	if (r > 0)
		r = db_run(db, &e, "INSERT INTO t VALUES(?, 1)", "i", -i);
	if (r > 0)
		r = db_commit(db, &e);
	if (r < 0)
		fprintf(stderr, "# a writer: %s\n", e.msg);
	return r;
}

/* The first two commands on a host, at the same time. */
static void test_made_by_many(void **state)
{
	enum { OPENERS = 4 };
	int status;

	for (int round = 0; round < 25; round++) {
		for (int i = 0; i < OPENERS; i++) {
			pid_t pid = fork();

			assert_true(pid >= 0);
			if (pid == 0)
				_exit(add_pair(i + 1) < 0);
		}
		for (int i = 0; i < OPENERS; i++) {
			assert_true(wait(&status) > 0);
			assert_int_equal(status, 0);
		}
		CLEANUP_DB struct db *db = open_or_fail();
		assert_int_equal(count(db), 2 * OPENERS);
		assert_int_equal(drop_dir(state), 0);
		assert_int_equal(make_dir(state), 0);
	}
}

/* Several at once, each opening anew for every pair: the index goes from hand to hand. */
static void test_killed_commands(void **state)
{
	enum { WRITERS = 4 };
	pid_t pid[WRITERS];
	struct err e = { 0 };
	int status;

	(void)state;
	db_close(open_or_fail());
	for (int64_t round = 1; round <= 10; round++) {
		for (int w = 0; w < WRITERS; w++) {
			int64_t first = (round * WRITERS + w) * 1000000;

			pid[w] = fork();
			assert_true(pid[w] >= 0);
			if (pid[w] == 0)
				for (int64_t i = first; add_pair(i) == 0; i++)
					;
			if (pid[w] == 0)
				_exit(1);
		}
		for (int w = 0; w < WRITERS; w++) {
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 + round * 300000 }, NULL);
			assert_int_equal(kill(pid[w], SIGKILL), 0);
			assert_int_equal(waitpid(pid[w], &status, 0), pid[w]);
			assert_true(WIFSIGNALED(status));
		}
	}
	CLEANUP_DB struct db *db = open_or_fail();
	CLEANUP_STMT struct db_stmt *q = NULL;
	assert_int_equal(count(db) % 2, 0);
	assert_true(count(db) > 0);
	assert_int_equal(db_query(db, &q, &e, "PRAGMA integrity_check", ""), 1);
	assert_string_equal(db_text(q, 0), "ok");
}

/* --- the WAL's index, kept or made anew ------------------------------------------- */

static char *file_of(const char *suffix)
{
	return xasprintf("%s%s", path, suffix);
}

static void copy(const char *from, const char *to)
{
	CLEANUP_FREE char *a = file_of(from), *b = file_of(to);
	CLEANUP_FD int in = open(a, O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int out = open(b, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static char data[1 << 20];
	ssize_t n = read(in, data, sizeof(data));

	assert_true(n > 0 && (size_t)n < sizeof(data));
	assert_int_equal(write(out, data, (size_t)n), n);
}

/* walformat.html: the last four bytes of the header are of no use, and gone when it is remade. */
#define UNUSED_OFFSET 132
#define MARK "kept"

static void mark_index(void)
{
	CLEANUP_FREE char *name = file_of("-shm");
	CLEANUP_FD int fd = open(name, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, MARK, 4, UNUSED_OFFSET), 4);
}

static bool index_kept(void)
{
	CLEANUP_FREE char *name = file_of("-shm");
	CLEANUP_FD int fd = open(name, O_RDONLY | O_CLOEXEC);
	char is[4];

	assert_int_equal(pread(fd, is, 4, UNUSED_OFFSET), 4);
	return memcmp(is, MARK, 4) == 0;
}

static void insert(const char *a)
{
	CLEANUP_DB struct db *db = open_or_fail();
	struct err e = { 0 };

	assert_int_equal(db_run(db, &e, "INSERT INTO t VALUES(?, 1)", "s", a), 1);
}

static void expect(int64_t rows, bool kept)
{
	CLEANUP_DB struct db *db = open_or_fail();

	assert_int_equal(count(db), rows);
	assert_int_equal(index_kept(), kept);
}

static void test_index_kept(void **state)
{
	(void)state;
	insert("a");
	mark_index();
	insert("b");
	expect(2, true);
	/* Another WAL, with fewer frames, than the index is of: a restored backup. */
	copy("-wal", "-kept");
	insert("c");
	mark_index();
	copy("-kept", "-wal");
	expect(2, false);
	/* The other way round: an index that is older than its WAL. */
	copy("-shm", "-kept");
	insert("c");
	copy("-kept", "-shm");
	mark_index();
	expect(3, false);
	/* Nor is one believed whose WAL was begun anew meanwhile. */
	mark_index();
	expect(3, true);
	CLEANUP_FREE char *wal = file_of("-wal");
	assert_int_equal(truncate(wal, 0), 0);
	expect(0, false);
}

static void test_index_of_another_boot(void **state)
{
	(void)state;
	CLEANUP_FREE char *note = file_of("-boot");

	insert("a");
	mark_index();
	CLEANUP_FD int fd = open(note, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "00000000", 8, 0), 8);
	expect(1, false);
	mark_index();
	expect(1, true);
	/* An index that lost its WAL's frames in the power cut, say. */
	assert_int_equal(unlink(note), 0);
	expect(1, false);
	/* A copy of all of them, in other files. */
	CLEANUP_FREE char *shm = file_of("-shm"), *kept = file_of("-kept");
	copy("-shm", "-kept");
	mark_index();
	assert_int_equal(rename(kept, shm), 0);
	mark_index();
	expect(1, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_blob_and_null, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_nested_transactions, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_newer_tables, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_not_a_database, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_killed_writer, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_made_by_many, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_killed_commands, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_index_kept, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_index_of_another_boot, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
