/*
 * The store: what was reported committed is there after a kill at any step.
 */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sha2.h"
#include "image/ingest.h"
#include "image/tree.h"

struct room {
	char root[64];
	struct db *db;
	struct store s;
};

static void room_open(struct room *m, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/isle.db", m->root);

	assert_int_equal(db_open(path, &image_schema, 1, 1, &m->db, e), 0);
	assert_int_equal(store_open(m->db, m->root, false, &m->s, e), 0);
}

static void room_close(struct room *m)
{
	store_close(&m->s);
	db_close(m->db);
	m->db = NULL;
}

static int setup(void **state)
{
	struct room *m = xcalloc(1, sizeof(*m));
	struct err e = { 0 };

	snprintf(m->root, sizeof(m->root), "/tmp/isle-test-store.XXXXXX");
	assert_non_null(mkdtemp(m->root));
	/* No configuration of the host's: short names are what the tests say. */
	setenv("XDG_CONFIG_HOME", m->root, 1);
	room_open(m, &e);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct room *m = *state;
	struct err e = { 0 };

	room_close(m);
	assert_int_equal(tree_remove_at(AT_FDCWD, m->root, &e), 0);
	free(m);
	return 0;
}

static void digest_of(const char *s, char ret[SHA2_HEX_MAX + 8])
{
	struct sha2 h;
	char hex[SHA2_HEX_MAX];

	sha2_init(&h, 256);
	sha2_add(&h, s, strlen(s));
	sha2_end(&h, hex);
	snprintf(ret, SHA2_HEX_MAX + 8, "sha256:%s", hex);
}

/* Bring in image number n with one layer of its own and one shared by all. */
static int bring(const struct store *s, int n, const char *name, char ret_id[80],
		 struct err *e)
{
	char blob[2][SHA2_HEX_MAX + 8], diff[2][SHA2_HEX_MAX + 8], id[SHA2_HEX_MAX + 8];
	CLEANUP_INGEST struct ingest g = INGEST_INIT;
	CLEANUP(arena_release) struct arena a = { 0 };
	char *text[2] = { arena_printf(&a, "blob shared"), arena_printf(&a, "blob %d", n) };

	int r = ingest_begin(s, &g, e);
	for (int i = 0; r >= 0 && i < 2; i++) {
		CLEANUP_INGEST_BLOB struct ingest_blob b = INGEST_BLOB_INIT;
		CLEANUP_INGEST_LAYER struct ingest_layer l = INGEST_LAYER_INIT;

		digest_of(text[i], blob[i]);
		digest_of(blob[i], diff[i]);
		r = ingest_blob_open(&g, blob[i], strlen(text[i]), true, &b, e);
		if (r == 0) {
			/* What an earlier one left is a prefix of it. */
			r = fd_write_all(b.fd, text[i] + b.have_bytes,
					 strlen(text[i]) - b.have_bytes);
			if (r == 0)
				r = ingest_blob_commit(&b, blob[i], e);
		}
		if (r < 0)
			break;
		r = ingest_layer_open(&g, diff[i], true, &l, e);
		if (r == 0) {
			int fd = openat(l.dirfd, "file", O_WRONLY | O_CREAT | O_EXCL, 0644);

			assert_true(fd >= 0);
			assert_int_equal(fd_write_all(fd, text[i], strlen(text[i])), 0);
			close(fd);
			assert_int_equal(mkdirat(l.dirfd, "dir", 0), 0);
			r = ingest_layer_commit(&l, diff[i], e);
		}
	}
	if (r < 0)
		return r;
	char *config = arena_printf(&a, "{\"os\":\"linux\",\"architecture\":\"amd64\","
		"\"created\":\"2024-01-0%dT00:00:00Z\",\"config\":{\"Labels\":{\"n\":\"%d\"}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}", n % 9 + 1, n,
		diff[0], diff[1]);
	digest_of(config, id);
	char *manifest = arena_printf(&a, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\""
		IMAGE_TYPE_CONFIG "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":["
		"{\"mediaType\":\"" IMAGE_TYPE_LAYER "\",\"digest\":\"%s\",\"size\":%zu},"
		"{\"mediaType\":\"" IMAGE_TYPE_LAYER "\",\"digest\":\"%s\",\"size\":%zu}]}", id,
		strlen(config), blob[0], strlen(text[0]), blob[1], strlen(text[1]));
	struct ingest_image in = {
		.manifest = manifest, .manifest_len = strlen(manifest), .config = config,
		.config_len = strlen(config), .names = &name, .n_names = 1,
	};
	const char *got;
	r = image_commit(&g, &in, &a, &got, e);
	if (r == 0)
		snprintf(ret_id, 80, "%s", got);
	return r;
}

#define CHECK(expr) do { int check_r = (expr); if (check_r < 0) \
	fail_msg("%s: %s", #expr, e.msg); } while (0)

static void count_line(void *arg, bool mended, const char *line)
{
	(void)mended;
	(void)line;
	(*(int *)arg)++;
}

static void test_bring_and_find(void **state)
{
	struct room *m = *state;
	CLEANUP(arena_release) struct arena a = { 0 };
	struct err e = { 0 };
	char id[80], other[80], prefix[16];
	struct image i, *list;
	size_t n;

	CHECK(bring(&m->s, 1, "host.test/app:1", id, &e));
	CHECK(bring(&m->s, 2, "local:latest", other, &e));
	CHECK(image_find(&m->s, "host.test/app:1", &a, &i, &e));
	assert_string_equal(i.id, id);
	assert_int_equal(i.n_layers, 2);
	assert_int_equal(i.n_tags, 1);
	assert_int_equal(i.size_bytes, strlen("blob shared") + strlen("blob 1"));
	assert_string_equal(i.config.labels.v[0].value, "1");
	assert_int_equal(access(i.layers[1], F_OK), 0);
	CHECK(image_find(&m->s, "local", &a, &i, &e));
	assert_string_equal(i.id, other);
	snprintf(prefix, sizeof(prefix), "%.12s", id + 7);
	CHECK(image_find(&m->s, prefix, &a, &i, &e));
	assert_string_equal(i.id, id);
	CHECK(image_find(&m->s, id, &a, &i, &e));
	assert_int_equal(image_find(&m->s, "host.test/app:2", &a, &i, &e), -ENOENT);
	assert_string_equal(e.msg, "no such image: host.test/app:2");
	assert_int_equal(image_find(&m->s, "abc", &a, &i, &e), -ENOENT);
	CHECK(image_list(&m->s, &a, &list, &n, &e));
	assert_int_equal(n, 2);
	assert_string_equal(list[0].id, other);         /* the newer one first */
	/* A name moves; the image it left is dangling. */
	CHECK(bring(&m->s, 3, "local:latest", id, &e));
	CHECK(image_find(&m->s, other, &a, &i, &e));
	assert_int_equal(i.n_names, 0);
}

static void test_by_digest(void **state)
{
	struct room *m = *state;
	CLEANUP(arena_release) struct arena a = { 0 };
	struct err e = { 0 };
	struct image i;
	char id[80];

	CHECK(bring(&m->s, 1, "host.test/app:1", id, &e));
	CHECK(image_find(&m->s, id, &a, &i, &e));
	/* The manifest's digest names it within its repository, and in no other. */
	CHECK(image_find(&m->s, arena_printf(&a, "host.test/app@%s", i.manifest), &a, &i, &e));
	assert_string_equal(i.id, id);
	assert_int_equal(image_find(&m->s, arena_printf(&a, "host.test/ap@%s", i.manifest), &a,
				    &i, &e), -ENOENT);
}

static void test_remove_and_prune(void **state)
{
	struct room *m = *state;
	CLEANUP(arena_release) struct arena a = { 0 };
	struct image_prune_report report;
	struct err e = { 0 };
	struct oci_strv layers, users;
	char id[80], other[80];
	const char *held;
	struct image i;

	CHECK(bring(&m->s, 1, "one:latest", id, &e));
	CHECK(bring(&m->s, 2, "two:latest", other, &e));
	CHECK(image_find(&m->s, "one", &a, &i, &e));
	CHECK(image_hold(&m->s, &i, "user1", &e));
	CHECK(image_users(&m->s, id, &a, &users, &e));
	assert_int_equal(users.n, 1);
	assert_int_equal(image_remove(&m->s, id, false, &e), -EBUSY);
	CHECK(image_remove(&m->s, id, true, &e));
	assert_int_equal(image_find(&m->s, "one", &a, &i, &e), -ENOENT);
	CHECK(image_prune(&m->s, false, &report, &e));
	assert_int_equal(report.layers, 0);             /* somebody stands on it */
	assert_int_equal(report.blobs, 3);              /* layer 1, config, manifest */
	CHECK(image_held(&m->s, "user1", &a, &held, &layers, &e));
	assert_string_equal(held, id);
	assert_int_equal(layers.n, 2);
	assert_int_equal(access(layers.v[1], F_OK), 0);
	CHECK(image_unhold(&m->s, "user1", &e));
	CHECK(image_prune(&m->s, false, &report, &e));
	assert_int_equal(report.layers, 1);             /* the shared one is image two's */
	assert_int_equal(access(layers.v[0], F_OK), 0);
	assert_int_not_equal(access(layers.v[1], F_OK), 0);
	/* An image that has gone since it was found is not held. */
	CHECK(image_find(&m->s, "two", &a, &i, &e));
	CHECK(image_remove(&m->s, i.id, false, &e));
	assert_int_equal(image_hold(&m->s, &i, "user2", &e), -ENOENT);
}

static void test_prune_waits_for_nobody(void **state)
{
	struct room *m = *state;
	CLEANUP_INGEST struct ingest g = INGEST_INIT;
	struct image_prune_report report;
	struct err e = { 0 };

	CHECK(ingest_begin(&m->s, &g, &e));
	CHECK(image_prune(&m->s, true, &report, &e));
	assert_true(report.busy);
}

static void test_resume(void **state)
{
	struct room *m = *state;
	struct image_prune_report report;
	char digest[SHA2_HEX_MAX + 8];
	struct ingest g = INGEST_INIT;
	struct ingest_blob b = INGEST_BLOB_INIT, c = INGEST_BLOB_INIT;
	struct err e = { 0 };

	digest_of("hello", digest);
	CHECK(ingest_begin(&m->s, &g, &e));
	assert_int_equal(ingest_blob_open(&g, digest, 5, true, &b, &e), 0);
	assert_int_equal(b.have_bytes, 0);
	assert_int_equal(fd_write_all(b.fd, "hel", 3), 0);
	assert_int_equal(ingest_blob_open(&g, digest, 5, false, &c, &e), -EAGAIN);
	ingest_blob_close(&b);
	ingest_end(&g);
	CHECK(image_prune(&m->s, false, &report, &e));
	CHECK(ingest_begin(&m->s, &g, &e));
	assert_int_equal(ingest_blob_open(&g, digest, 5, true, &b, &e), 0);
	assert_int_equal(b.have_bytes, 3);
	assert_int_equal(fd_write_all(b.fd, "lo", 2), 0);
	CHECK(ingest_blob_commit(&b, digest, &e));
	assert_int_equal(ingest_blob_open(&g, digest, 5, true, &b, &e), 1);
	assert_int_equal(ingest_blob_open(&g, digest, 6, true, &b, &e), -EINVAL);
	ingest_end(&g);
	/* Part of an interrupted pull, for all that is known: only who asks loses it. */
	CHECK(image_prune(&m->s, false, &report, &e));
	assert_int_equal(report.blobs, 0);
	CHECK(image_prune(&m->s, true, &report, &e));
	assert_int_equal(report.blobs, 1);
}

static void test_check_finds(void **state)
{
	struct room *m = *state;
	CLEANUP(arena_release) struct arena a = { 0 };
	struct image_manifest manifest;
	struct err e = { 0 };
	struct image i;
	char id[80];
	int lines = 0;

	CHECK(bring(&m->s, 1, "one:latest", id, &e));
	assert_int_equal(image_check(&m->s, true, count_line, &lines, &e), 0);
	assert_int_equal(lines, 0);
	CHECK(image_find(&m->s, "one", &a, &i, &e));
	CHECK(image_manifest_load(&m->s, &i, &a, &manifest, &e));
	/* A byte of a blob, a file of a layer, a whole layer. */
	char *path = arena_printf(&a, "%s/blobs/sha256/%s", m->root,
				  manifest.layers[1].digest + 7);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "X", 1, 0), 1);
	close(fd);
	assert_int_equal(image_check(&m->s, false, count_line, &lines, &e), 0);
	assert_int_equal(image_check(&m->s, true, count_line, &lines, &e), 1);
	assert_int_equal(unlink(arena_printf(&a, "%s/file", i.layers[0])), 0);
	assert_int_equal(tree_remove_at(AT_FDCWD, i.layers[1], &e), 0);
	assert_int_equal(image_check(&m->s, false, count_line, &lines, &e), 3);
	/* A leftover is mended without asking. */
	assert_int_equal(mkdir(arena_printf(&a, "%s/tmp/abc.work", m->root), 0700), 0);
	lines = 0;
	assert_int_equal(image_check(&m->s, false, count_line, &lines, &e), 3);
	assert_int_equal(lines, 4);
	/* A config that is gone is said so. */
	unlink(arena_printf(&a, "%s/blobs/sha256/%s", m->root, id + 7));
	assert_int_equal(image_find(&m->s, "one", &a, &i, &e), -EUCLEAN);
	assert_non_null(strstr(e.msg, "isle system check"));
}

/* ---- kills ------------------------------------------------------------------- */

#define KILL_IMAGES 2

/* Child: bring images, telling of each one that was reported in. */
static void bring_all(struct room *m, int *reported)
{
	struct err e = { 0 };
	char id[80], name[32];

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	room_open(m, &e);
	for (int i = 0; i < KILL_IMAGES; i++) {
		snprintf(name, sizeof(name), "image%d:latest", i);
		if (bring(&m->s, i, name, id, &e) < 0)
			_exit(1);
		*reported = i + 1;
	}
	_exit(0);
}

/* Kill it at its nth system call; false when it ended before. */
static bool kill_at(struct room *m, int *reported, long nth)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		bring_all(m, reported);
	assert_int_equal(waitpid(child, &status, 0), child);
	for (long k = 0; k < nth; k++) {
		ptrace(PTRACE_SYSCALL, child, NULL, NULL);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	return true;
}

static void check_after(struct room *m, int reported)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct image_prune_report report;
	struct err e = { 0 };
	struct image i;
	char name[32], id[80];
	int lines = 0;

	for (int k = 0; k < reported; k++) {
		snprintf(name, sizeof(name), "image%d", k);
		CHECK(image_find(&m->s, name, &a, &i, &e));
	}
	/* What is in the table is whole, reported or not; the rest is swept. */
	assert_int_equal(image_check(&m->s, true, count_line, &lines, &e), 0);
	CHECK(image_prune(&m->s, true, &report, &e));
	CHECK(bring(&m->s, 0, "image0:latest", id, &e));
	assert_int_equal(image_check(&m->s, true, count_line, &lines, &e), 0);
}

static void test_kill_at_every_step(void **state)
{
	struct room *m = *state;
	char root[sizeof(m->root)];
	int *reported = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			     0);
	struct err e = { 0 };
	bool killed = true;
	/* Entries and exits of system calls; every third keeps it short and hits both. */
	long step = getenv("ISLE_TEST_EVERY_STEP") ? 1 : 7, n = 1;

	memcpy(root, m->root, sizeof(root));
	for (; killed; n += step) {
		room_close(m);
		CHECK(tree_remove_at(AT_FDCWD, root, &e));
		assert_int_equal(mkdir(root, 0700), 0);
		*reported = 0;
		killed = kill_at(m, reported, n);
		room_open(m, &e);
		check_after(m, *reported);
	}
	assert_true(n > 100);
	assert_int_equal(*reported, KILL_IMAGES);
	munmap(reported, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bring_and_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_and_prune, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prune_waits_for_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_finds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill_at_every_step, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
