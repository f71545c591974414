/*
 * test_inroot.c - walks below a hostile root, by openat2 and without it.
 *
 * Every case runs twice: as the host allows, and with a seccomp filter that answers
 * ENOSYS to openat2.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/inroot.h"

#define RACE_ROUNDS 2000        /* of five calls */

/* base/root is the root, base/outside what must never be reached. */
struct tree {
	char base[64];
	int base_fd, root, outside;
};

static void put(int dir, const char *name, const char *text)
{
	CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int setup(void **state)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	strcpy(t->base, "/tmp/isle-inroot-XXXXXX");
	assert_non_null(mkdtemp(t->base));
	t->base_fd = open(t->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->base_fd, "root", 0755), 0);
	assert_int_equal(mkdirat(t->base_fd, "outside", 0755), 0);
	t->root = openat(t->base_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	t->outside = openat(t->base_fd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->root, "dir", 0755), 0);
	put(t->root, "dir/file", "inside");
	put(t->outside, "file", "outside");
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;
	CLEANUP_FREE char *rm = xasprintf("rm -rf %s", t->base);

	close(t->base_fd);
	close(t->root);
	close(t->outside);
	assert_int_equal(system(rm), 0);
	free(t);
	return 0;
}

/* The text of the file at path, as seen through the walk, or the error. */
static void check_text(struct tree *t, const char *path, const char *text)
{
	char buf[64] = "";
	CLEANUP_FD int fd = inroot_open(t->root, path, O_RDONLY, 0);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(-fd));
	assert_true(read(fd, buf, sizeof(buf) - 1) >= 0);
	assert_string_equal(buf, text);
}

static void check_error(struct tree *t, const char *path, int flags, int code)
{
	CLEANUP_FD int fd = inroot_open(t->root, path, flags, 0600);

	if (fd != -code)
		fail_msg("%s: %d instead of %d", path, fd, -code);
}

static void test_plain(void **state)
{
	struct tree *t = *state;

	check_text(t, "dir/file", "inside");
	check_text(t, "/dir/file", "inside");
	check_text(t, "//dir/./file", "inside");
	check_text(t, "../../../dir/../dir/file", "inside");
	check_error(t, "", O_PATH, ENOENT);
	check_error(t, "none", O_PATH, ENOENT);
	check_error(t, "none/file", O_PATH, ENOENT);
	check_error(t, "dir/file/x", O_PATH, ENOTDIR);
	check_error(t, "dir/file/", O_PATH, ENOTDIR);
	check_error(t, "dir/file/..", O_PATH, ENOTDIR);
	check_error(t, "dir", O_WRONLY, EISDIR);
	check_error(t, "dir/file", O_PATH | O_DIRECTORY, ENOTDIR);

	struct stat a, b;
	CLEANUP_FD int fd = inroot_open(t->root, "/..", O_PATH | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a) | fstat(t->root, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_links(void **state)
{
	struct tree *t = *state;

	assert_int_equal(symlinkat("/dir", t->root, "abs"), 0);
	assert_int_equal(symlinkat("../../outside", t->root, "up"), 0);
	assert_int_equal(symlinkat("/../outside/file", t->root, "upfile"), 0);
	assert_int_equal(symlinkat("dir/file", t->root, "rel"), 0);
	assert_int_equal(symlinkat("abs/../rel", t->root, "twice"), 0);
	assert_int_equal(symlinkat("loop2", t->root, "loop1"), 0);
	assert_int_equal(symlinkat("loop1", t->root, "loop2"), 0);
	check_text(t, "abs/file", "inside");
	check_text(t, "rel", "inside");
	check_text(t, "twice", "inside");
	check_error(t, "up/file", O_RDONLY, ENOENT);
	check_error(t, "upfile", O_RDONLY, ENOENT);
	check_error(t, "loop1", O_RDONLY, ELOOP);
	check_error(t, "loop1/x", O_RDONLY, ELOOP);
	check_error(t, "rel", O_RDONLY | O_NOFOLLOW, ELOOP);
	check_error(t, "abs", O_PATH | O_DIRECTORY | O_NOFOLLOW, ENOTDIR);

	struct stat st;
	CLEANUP_FD int link = inroot_open(t->root, "rel", O_PATH | O_NOFOLLOW, 0);
	assert_true(link >= 0);
	assert_int_equal(fstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void test_link_count(void **state)
{
	struct tree *t = *state;
	char name[16], text[16];

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(text, sizeof(text), "l%d", i - 1);
		assert_int_equal(symlinkat(i ? text : "dir/file", t->root, name), 0);
	}
	check_text(t, "l39", "inside");         /* forty links */
	check_error(t, "l40", O_RDONLY, ELOOP);
}

/* /proc stands in for a procfs in the image: its jumping links lead out of any root. */
static void test_magic_links(void **state)
{
	static const char *const jumps[] = { "self/root", "self/root/etc", "self/exe", "self/fd/0",
					     "self/cwd/.", "self/ns/mnt" };
	CLEANUP_FD int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++)
		assert_int_equal(inroot_open(proc, jumps[i], O_RDONLY, 0), -ELOOP);
	CLEANUP_FD int fd = inroot_open(proc, "self/status", O_RDONLY, 0);
	assert_true(fd >= 0);
	CLEANUP_FD int mounts = inroot_open(proc, "mounts", O_RDONLY, 0);
	assert_true(mounts >= 0);
}

static void test_create(void **state)
{
	struct tree *t = *state;
	struct stat st;

	assert_int_equal(symlinkat("/dir/new", t->root, "dangling"), 0);
	assert_int_equal(symlinkat("../outside/new", t->root, "up"), 0);
	CLEANUP_FD int a = inroot_open(t->root, "dangling", O_WRONLY | O_CREAT, 0600);
	assert_true(a >= 0);
	assert_int_equal(fstatat(t->root, "dir/new", &st, 0), 0);
	check_error(t, "up", O_WRONLY | O_CREAT, ENOENT);
	check_error(t, "dangling", O_WRONLY | O_CREAT | O_EXCL, EEXIST);
	check_error(t, "none/new", O_WRONLY | O_CREAT, ENOENT);
}

static void test_mkdir_all(void **state)
{
	struct tree *t = *state;
	struct stat st;

	umask(0);
	assert_int_equal(symlinkat("/made/here", t->root, "dangling"), 0);
	assert_int_equal(symlinkat("../../../outside", t->root, "up"), 0);
	CLEANUP_FD int a = inroot_mkdir_all(t->root, "/a/b/../c/d", 0711);
	CLEANUP_FD int b = inroot_mkdir_all(t->root, "dangling/x", 0755);
	CLEANUP_FD int c = inroot_mkdir_all(t->root, "up/y", 0755);
	CLEANUP_FD int again = inroot_mkdir_all(t->root, "/a/c/d", 0700);
	assert_true(a >= 0 && b >= 0 && c >= 0 && again >= 0);
	assert_int_equal(fstatat(t->root, "a/c/d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(fstatat(t->root, "made/here/x", &st, 0), 0);
	assert_int_equal(fstatat(t->root, "outside/y", &st, 0), 0);
	assert_int_equal(inroot_mkdir_all(t->root, "dir/file/x", 0755), -ENOTDIR);
	assert_int_equal(inroot_mkdir_all(t->root, "dir/file", 0755), -ENOTDIR);
	umask(022);
}

static void test_touch(void **state)
{
	struct tree *t = *state;
	struct stat st;

	assert_int_equal(symlinkat("/../outside/made", t->root, "up"), 0);
	CLEANUP_FD int a = inroot_touch(t->root, "dir/file", 0600);
	CLEANUP_FD int b = inroot_touch(t->root, "p/q/new", 0640);
	CLEANUP_FD int c = inroot_touch(t->root, "up", 0600);
	CLEANUP_FD int d = inroot_touch(t->root, "dir", 0600);
	assert_true(a >= 0 && b >= 0 && c >= 0 && d >= 0);
	check_text(t, "dir/file", "inside");
	assert_int_equal(fstatat(t->root, "p/q/new", &st, 0), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(fstatat(t->root, "outside/made", &st, 0), 0);
	assert_int_equal(inroot_touch(t->root, "none/", 0600), -EISDIR);
}

static void test_parent(void **state)
{
	struct tree *t = *state;
	const char *base;
	struct stat st;

	CLEANUP_FD int a = inroot_parent(t->root, "/x/y/node", 0755, &base);
	assert_true(a >= 0);
	assert_string_equal(base, "node");
	assert_int_equal(fstatat(t->root, "x/y", &st, 0), 0);
	CLEANUP_FD int b = inroot_parent(t->root, "node", 0755, &base);
	assert_true(b >= 0);
	assert_int_equal(inroot_parent(t->root, "/", 0755, &base), -EINVAL);
	assert_int_equal(inroot_parent(t->root, "x/..", 0755, &base), -EINVAL);
	assert_int_equal(inroot_parent(t->root, "x/", 0755, &base), -EINVAL);
}

/* Swap a directory and a symlink that leads out, until killed. */
static pid_t start_swapper(struct tree *t, const char *target)
{
	assert_int_equal(mkdirat(t->root, "swap", 0755), 0);
	assert_int_equal(symlinkat(target, t->root, "lure"), 0);

	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			renameat2(t->root, "swap", t->root, "lure", RENAME_EXCHANGE);
	}
	return pid;
}

static void check_inside(struct tree *t, int fd)
{
	char link[64], path[PATH_MAX], want[128];

	if (fd < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t k = readlink(link, path, sizeof(path) - 1);
	assert_true(k > 0);
	path[k] = 0;
	snprintf(want, sizeof(want), "%s/root", t->base);
	if (strncmp(path, want, strlen(want)) != 0)
		fail_msg("reached %s", path);
	close(fd);
}

static void race(struct tree *t, const char *target)
{
	pid_t pid = start_swapper(t, target);
	struct stat before, after;
	char path[64];

	assert_int_equal(fstat(t->outside, &before), 0);
	for (int i = 0; i < RACE_ROUNDS; i++) {
		const char *base;

		snprintf(path, sizeof(path), "swap/sub%d/new", i % 16);
		check_inside(t, inroot_mkdir_all(t->root, path, 0755));
		snprintf(path, sizeof(path), "swap/f%d", i % 64);
		check_inside(t, inroot_touch(t->root, path, 0600));
		check_inside(t, inroot_open(t->root, "swap/../swap/made", O_WRONLY | O_CREAT,
					    0600));
		check_inside(t, inroot_open(t->root, "swap/file", O_RDONLY, 0));
		check_inside(t, inroot_parent(t->root, "swap/node", 0755, &base));
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);

	/* Nothing was made or removed outside. */
	assert_int_equal(fstat(t->outside, &after), 0);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_nlink, after.st_nlink);
}

static void test_race_relative(void **state)
{
	race(*state, "../outside");
}

static void test_race_absolute(void **state)
{
	struct tree *t = *state;
	CLEANUP_FREE char *target = xasprintf("%s/outside", t->base);

	race(t, target);
}

static void refuse_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_LEN(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("seccomp");
		exit(1);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_plain), CASE(test_links), CASE(test_link_count),
		CASE(test_magic_links), CASE(test_create), CASE(test_mkdir_all),
		CASE(test_touch), CASE(test_parent), CASE(test_race_relative),
		CASE(test_race_absolute),
	};
	int failed = cmocka_run_group_tests_name("inroot, openat2", tests, NULL, NULL);

	refuse_openat2();
	return failed + cmocka_run_group_tests_name("inroot, openat2 refused", tests, NULL, NULL);
}
