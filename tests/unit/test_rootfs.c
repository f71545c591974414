/*
 * test_rootfs.c - root file systems set up for real, looked at from inside.
 *
 * Needs root.  Each case makes a bundle in a private mount namespace, takes it through
 * prepare, setup, pivot and seal, and checks in the child what a container would see.
 * All run twice: as the host allows, and with openat2 refused by a seccomp filter.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs.h"
#include "sys/calls.h"

#define PROC "{'destination':'/proc','type':'proc','source':'proc'}"
#define DEV "{'destination':'/dev','type':'tmpfs','source':'tmpfs'," \
	    "'options':['nosuid','strictatime','mode=755','size=65536k']}"
#define PTS "{'destination':'/dev/pts','type':'devpts','source':'devpts','options':" \
	    "['nosuid','noexec','newinstance','ptmxmode=0666','mode=0620']}"
#define SYS "{'destination':'/sys','type':'sysfs','source':'sysfs','options':" \
	    "['nosuid','noexec','nodev','ro']}"

enum { USERNS = 1, NO_PIVOT = 2, UNPRIVILEGED = 4, CONSOLE = 8, HOST_NET = 16 };

typedef void check_fn(struct err *e);

struct box {
	char base[64];          /* the bundle; base/rootfs is the root */
	const struct cgroup *cgroup;
	struct err e;           /* of the last run */
};

/* In the child: the first thing that is not so. */
#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			err_sys(e, errno ? errno : EPROTO, "line %d: %s", __LINE__, #cond); \
			return; \
		} \
	} while (0)

/* --- the bundle ------------------------------------------------------------ */

static void put(const struct box *b, const char *path, const char *text)
{
	CLEANUP_FREE char *full = xasprintf("%s/%s", b->base, path);
	CLEANUP_FD int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void make_dir(const struct box *b, const char *path, mode_t mode)
{
	CLEANUP_FREE char *full = xasprintf("%s/%s", b->base, path);

	assert_int_equal(mkdir(full, 0700), 0);
	assert_int_equal(chmod(full, mode), 0);
}

static void make_link(const struct box *b, const char *text, const char *path)
{
	CLEANUP_FREE char *full = xasprintf("%s/%s", b->base, path);

	assert_int_equal(symlink(text, full), 0);
}

static bool exists(const struct box *b, const char *path)
{
	CLEANUP_FREE char *full = xasprintf("%s/%s", b->base, path);
	struct stat st;

	return lstat(full, &st) == 0;
}

static int setup(void **state)
{
	struct box *b = xcalloc(1, sizeof(*b));

	umask(022);
	strcpy(b->base, "/tmp/isle-rootfs-XXXXXX");
	assert_non_null(mkdtemp(b->base));
	assert_int_equal(chmod(b->base, 0755), 0);
	make_dir(b, "rootfs", 0755);
	make_dir(b, "outside", 0755);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *rm = xasprintf("umount %s/src/sub 2>/dev/null; "
					  "rm -rf --one-file-system %s", b->base, b->base);

	assert_int_equal(system(rm), 0);
	free(b);
	return 0;
}

/* --- running --------------------------------------------------------------- */

static void bind_console(struct rootfs *r, struct err *e)
{
	int ptmx = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	CHECK(ptmx >= 0 && unlockpt(ptmx) == 0);
	int slave = open(ptsname(ptmx), O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(slave >= 0);
	(void)!rootfs_bind_console(r, slave, e);
}

static void in_child(struct rootfs *r, check_fn *check, int flags, int go, struct err *e)
{
	char c;

	if (read(go, &c, 1) != 1) {
		err_sys(e, EPIPE, "parent");
		return;
	}
	if ((flags & USERNS) && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)) {
		err_sys(e, errno, "setresuid");
		return;
	}
	if (rootfs_setup(r, e) < 0)
		return;
	if (flags & CONSOLE)
		bind_console(r, e);
	if (e->code || rootfs_pivot(r, e) < 0 || rootfs_seal(r, e) < 0)
		return;
	errno = 0;
	check(e);
}

static void write_maps(pid_t pid, int flags)
{
	char path[64], map[64];

	snprintf(map, sizeof(map), flags & UNPRIVILEGED ? "0 65534 1" : "0 100000 65536");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	assert_int_equal(file_write_at(AT_FDCWD, path, map), 0);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	assert_int_equal(file_write_at(AT_FDCWD, path, map), 0);
}

static void run_prepared(struct box *b, struct rootfs *r, check_fn *check, int flags)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 (flags & HOST_NET ? 0 : CLONE_NEWNET) |
			 (flags & USERNS ? CLONE_NEWUSER : 0),
		.exit_signal = SIGCHLD,
	};
	int go[2], told[2];

	assert_int_equal(pipe2(go, O_CLOEXEC) | pipe2(told, O_CLOEXEC), 0);
	pid_t pid = sys_clone3(&args);
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = { 0 };

		/* cmocka's handlers would carry on with the tests in here. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		in_child(r, check, flags, go[0], &e);
		_exit(fd_write_all(told[1], &e, sizeof(e)) < 0);
	}
	close(told[1]);
	if (flags & USERNS)
		write_maps(pid, flags);
	assert_int_equal(fd_write_all(go[1], "g", 1), 0);
	assert_int_equal(fd_read_all(told[0], &b->e, sizeof(b->e)), sizeof(b->e));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(go[0]);
	close(go[1]);
	close(told[0]);
}

/* root_more, mounts and os are pieces of config.json, ' for ". */
static int run_flags(struct box *b, const char *root_more, const char *mounts, const char *os,
		     check_fn *check, int flags)
{
	CLEANUP_FREE char *text = xasprintf("{'ociVersion':'1.0.0','root':{'path':'rootfs'%s},"
					    "'mounts':[%s],'linux':{%s}}", root_more, mounts, os);
	struct oci_spec spec;
	struct rootfs *r = NULL;
	struct rootfs_opts o = {
		.spec = &spec, .bundle = b->base, .userns_fd = -1, .cgroup = b->cgroup,
		.new_netns = !(flags & HOST_NET),
		.new_userns = flags & USERNS, .no_pivot = flags & NO_PIVOT,
		.rootless = flags & UNPRIVILEGED,
	};

	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	b->e = (struct err){ 0 };
	if (oci_spec_parse("config.json", text, strlen(text), &spec, &b->e) < 0)
		fail_msg("%s", b->e.msg);
	if ((flags & UNPRIVILEGED) && setresuid(65534, 65534, 0) < 0)
		fail_msg("setresuid");
	int n = rootfs_prepare(&o, &r, &b->e);
	if (flags & UNPRIVILEGED)
		assert_int_equal(setresuid(0, 0, 0), 0);
	if (n == 0)
		run_prepared(b, r, check, flags);
	rootfs_free(r);
	oci_spec_release(&spec);
	return -b->e.code;
}

static void run(struct box *b, const char *mounts, const char *os, check_fn *check)
{
	if (run_flags(b, "", mounts, os, check, 0) < 0)
		fail_msg("%s", b->e.msg);
}

static void nothing(struct err *e)
{
	(void)e;
}

/* The run fails with that code, and its message holds the words. */
static void fails(struct box *b, const char *mounts, const char *os, int code, const char *words)
{
	int n = run_flags(b, "", mounts, os, nothing, 0);

	if (n != -code || !strstr(b->e.msg, words))
		fail_msg("%d \"%s\" instead of %d \"%s\"", n, b->e.msg, -code, words);
}

/* --- looking, in the child --------------------------------------------------- */

static bool is_node(const char *path, unsigned maj, unsigned min, mode_t perm)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && (st.st_mode & 07777) == perm &&
	       st.st_rdev == makedev(maj, min);
}

static bool is_link(const char *path, const char *text)
{
	char buf[256];
	ssize_t k = readlink(path, buf, sizeof(buf));

	return k == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)k) == 0;
}

static bool has_text(const char *path, const char *text)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT(4096);

	return file_read_at(AT_FDCWD, path, &b) == 0 && strcmp(b.data, text) == 0;
}

static bool has_mode(const char *path, mode_t mode)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & 07777) == mode;
}

static bool has_flags(const char *path, unsigned long on, unsigned long off)
{
	struct statvfs s;

	return statvfs(path, &s) == 0 && (s.f_flag & on) == on && !(s.f_flag & off);
}

static bool cannot_create(const char *path, int code)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == code;
}

static bool mounts_mention(const char *text)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT(1 << 20);

	return file_read_at(AT_FDCWD, "/proc/self/mountinfo", &b) == 0 && strstr(b.data, text);
}

static bool dir_is_empty(const char *path)
{
	return rmdir(path) < 0 && errno != ENOTEMPTY;
}

/* --- cases ------------------------------------------------------------------- */

static void check_default(struct err *e)
{
	char cwd[64];

	CHECK(is_node("/dev/null", 1, 3, 0666));
	CHECK(is_node("/dev/zero", 1, 5, 0666));
	CHECK(is_node("/dev/full", 1, 7, 0666));
	CHECK(is_node("/dev/random", 1, 8, 0666));
	CHECK(is_node("/dev/urandom", 1, 9, 0666));
	CHECK(is_node("/dev/tty", 5, 0, 0666));
	CHECK(is_link("/dev/ptmx", "pts/ptmx"));
	CHECK(is_link("/dev/fd", "/proc/self/fd"));
	CHECK(is_link("/dev/stdin", "/proc/self/fd/0"));
	CHECK(is_link("/dev/stdout", "/proc/self/fd/1"));
	CHECK(is_link("/dev/stderr", "/proc/self/fd/2"));
	CHECK(has_flags("/dev", ST_NOSUID, ST_RDONLY | ST_NODEV));
	CHECK(has_flags("/dev/pts", ST_NOSUID | ST_NOEXEC, ST_RDONLY));
	CHECK(has_flags("/sys", ST_NOSUID | ST_NOEXEC | ST_NODEV | ST_RDONLY, 0));
	CHECK(has_flags("/", ST_RDONLY, 0));
	CHECK(cannot_create("/file", EROFS));
	CHECK(is_link("/proc/self", "1"));
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/") == 0);
	/* Masked, read-only, and the rest of /proc neither. */
	CHECK(has_text("/proc/timer_list", ""));
	CHECK(dir_is_empty("/sys/firmware"));
	CHECK(has_flags("/proc/sys", ST_RDONLY, 0));
	CHECK(has_flags("/proc", 0, ST_RDONLY));
	CHECK(access("/proc/not-there", F_OK) < 0);
	/* Nothing of the host is left. */
	CHECK(!mounts_mention("/sys/fs/cgroup"));
	CHECK(access("/work", F_OK) < 0 && access("/etc", F_OK) < 0);
}

static void test_default(void **state)
{
	struct box *b = *state;

	if (run_flags(b, ",'readonly':true", PROC "," DEV "," PTS "," SYS,
		      "'maskedPaths':['/proc/timer_list','/sys/firmware','/proc/not-there'],"
		      "'readonlyPaths':['/proc/sys','/proc/not-there','/proc/uptime/x']",
		      check_default, 0) < 0)
		fail_msg("%s", b->e.msg);
	/* With the root read-only too, what was needed in it was made before. */
	assert_true(exists(b, "rootfs/proc"));
}

static void check_no_pivot(struct err *e)
{
	CHECK(is_node("/dev/null", 1, 3, 0666));
	CHECK(access("/work", F_OK) < 0);
	CHECK(is_link("/proc/self", "1"));
	CHECK(chdir("..") == 0 && access("rootfs", F_OK) < 0);
}

static void test_no_pivot(void **state)
{
	struct box *b = *state;

	if (run_flags(b, "", PROC "," DEV, "", check_no_pivot, NO_PIVOT) < 0)
		fail_msg("%s", b->e.msg);
}

static void check_binds(struct err *e)
{
	CHECK(has_text("/data/file", "hello"));
	CHECK(has_flags("/data", ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC, 0));
	CHECK(cannot_create("/data/new", EROFS));
	CHECK(has_text("/etc/one", "hello"));
	CHECK(has_flags("/etc/one", 0, ST_RDONLY));
	CHECK(has_text("/kept", "hello"));
	CHECK(is_link("/copied", "src/file"));
	CHECK(has_flags("/relative", ST_NOATIME, 0));
	CHECK(cannot_create("/data/new", EROFS));
}

static void test_bind(void **state)
{
	struct box *b = *state;

	make_dir(b, "src", 0755);
	put(b, "src/file", "hello");
	make_link(b, "src/file", "link");
	run(b, "{'destination':'/data','source':'src','options':"
	    "['rbind','ro','nosuid','nodev','noexec']},"
	    "{'destination':'/etc/one','type':'bind','source':'src/file'},"
	    "{'destination':'/kept','type':'none','source':'link','options':['bind','Z']},"
	    "{'destination':'/copied','source':'link','options':['bind','copy-symlink']},"
	    "{'destination':'relative','source':'./src/../src','options':['bind','noatime']}",
	    "", check_binds);
	fails(b, "{'destination':'/x','source':'missing','options':['bind']}", "", ENOENT,
	      "missing at /x: no such file or directory");
	fails(b, "{'destination':'/x','options':['bind']}", "", EINVAL, "needs a source");
	fails(b, "{'destination':'/etc/one','source':'src','options':['bind']}", "", ENOTDIR,
	      "/etc/one");
}

static void check_recursive(struct err *e)
{
	CHECK(has_flags("/ro", ST_RDONLY, 0));
	CHECK(has_flags("/ro/sub", 0, ST_RDONLY));
	CHECK(has_flags("/rro", ST_RDONLY, 0));
	CHECK(has_flags("/rro/sub", ST_RDONLY | ST_NODEV | ST_NOATIME, 0));
	CHECK(has_text("/rro/sub/file", "below"));
	/* Not recursive: only what the mount point hides. */
	CHECK(access("/flat/sub/file", F_OK) < 0);
	/* A nosuid source stays so unless told otherwise. */
	CHECK(has_flags("/kept", ST_NOSUID, 0));
	CHECK(has_flags("/cleared", 0, ST_NOSUID));
}

static void test_bind_recursive(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *sub = xasprintf("%s/src/sub", b->base);

	make_dir(b, "src", 0755);
	make_dir(b, "src/sub", 0755);
	assert_int_equal(mount("tmpfs", sub, "tmpfs", MS_NOSUID, NULL), 0);
	put(b, "src/sub/file", "below");
	run(b, "{'destination':'/ro','source':'src','options':['rbind','ro']},"
	    "{'destination':'/rro','source':'src','options':['rbind','rro','rnodev','rnoatime']},"
	    "{'destination':'/flat','source':'src','options':['bind']},"
	    "{'destination':'/kept','source':'src/sub','options':['bind','ro']},"
	    "{'destination':'/cleared','source':'src/sub','options':['bind','suid']}",
	    "", check_recursive);
}

static void check_tmpfs(struct err *e)
{
	struct stat st;

	CHECK(has_mode("/had", 01751) && dir_is_empty("/had"));
	CHECK(has_mode("/given", 0700));
	CHECK(has_mode("/new", 01777));
	CHECK(has_flags("/sealed", ST_RDONLY, 0) && has_flags("/sealed/in", 0, ST_RDONLY));
	CHECK(has_text("/copy/deep/file", "text") && has_mode("/copy/deep", 02750));
	CHECK(has_mode("/copy/deep/file", 04711));
	CHECK(stat("/copy/deep/file", &st) == 0 && st.st_uid == 12 && st.st_gid == 34);
	CHECK(is_link("/copy/link", "/outside/secret"));
	CHECK(lstat("/copy/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(cannot_create("/copy/deep", EISDIR));
	CHECK(open("/copy/new", O_WRONLY | O_CREAT, 0600) >= 0);
}

static void test_tmpfs(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *file = xasprintf("%s/rootfs/copy/deep/file", b->base);
	CLEANUP_FREE char *fifo = xasprintf("%s/rootfs/copy/fifo", b->base);

	make_dir(b, "rootfs/had", 01751);
	put(b, "rootfs/had/hidden", "x");
	make_dir(b, "rootfs/given", 0755);
	make_dir(b, "rootfs/copy", 0755);
	make_dir(b, "rootfs/copy/deep", 02750);
	put(b, "rootfs/copy/deep/file", "text");
	assert_int_equal(chown(file, 12, 34) | chmod(file, 04711), 0);
	make_link(b, "/outside/secret", "rootfs/copy/link");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	run(b, "{'destination':'/had','type':'tmpfs','source':'tmpfs'},"
	    "{'destination':'/given','type':'tmpfs','options':['mode=0700','size=1m']},"
	    "{'destination':'/new','type':'tmpfs','options':['size=1m,nr_inodes=100']},"
	    "{'destination':'/sealed','type':'tmpfs','options':['ro']},"
	    "{'destination':'/sealed/in','type':'tmpfs'},"
	    "{'destination':'/copy','type':'tmpfs','options':['tmpcopyup']}", "", check_tmpfs);
	assert_false(exists(b, "rootfs/copy/new"));
	fails(b, "{'destination':'/x','type':'tmpfs','options':['bogus=1']}", "", EINVAL,
	      "bogus=1");
	fails(b, "{'destination':'/x','type':'nosuchfs'}", "", ENODEV, "nosuchfs");
}

static void check_uptime(struct err *e)
{
	CHECK(has_text("/proc/uptime", "fake"));
}

static void test_proc_guard(void **state)
{
	struct box *b = *state;

	put(b, "fake", "fake");
	make_link(b, "/proc/sys", "rootfs/way");
	fails(b, PROC ",{'destination':'/proc/sys/kernel','source':'outside',"
	      "'options':['bind']}", "", EPERM, "inside /proc");
	fails(b, PROC ",{'destination':'/way/kernel','source':'outside','options':['bind']}", "",
	      EPERM, "inside /proc");
	fails(b, PROC ",{'destination':'/tmp/../proc/self','type':'tmpfs'}", "", EPERM,
	      "inside /proc");
	fails(b, "{'destination':'/proc','source':'outside','options':['bind']}", "", EPERM,
	      "not of type proc");
	fails(b, "{'destination':'/proc','type':'tmpfs'}", "", EPERM, "not of type proc");
	run(b, PROC ",{'destination':'/proc/uptime','source':'fake','options':['bind','ro']}", "",
	    check_uptime);
}

static void test_proc_symlink(void **state)
{
	struct box *b = *state;

	make_dir(b, "rootfs/elsewhere", 0755);
	make_link(b, "elsewhere", "rootfs/proc");
	make_link(b, "/nowhere", "rootfs/sys");
	fails(b, PROC, "", ENOTDIR, "must be mounted on ordinary directory");
	fails(b, SYS, "", ENOTDIR, "must be mounted on ordinary directory");
}

static void check_escape(struct err *e)
{
	CHECK(is_node("/outside/null", 1, 3, 0666));
	CHECK(is_link("/outside/ptmx", "pts/ptmx"));
	CHECK(has_text("/outside/file", "hello"));
	CHECK(has_flags("/outside/tmp", ST_NOSUID, 0));
}

/* Whatever the image's links say, what is made is made inside. */
static void test_symlinked_dev(void **state)
{
	struct box *b = *state;

	put(b, "hello", "hello");
	make_link(b, "../../../../../../outside", "rootfs/dev");
	make_link(b, "/../outside", "rootfs/up");
	run(b, "{'destination':'/up/file','source':'hello','options':['bind']},"
	    "{'destination':'/up/tmp','type':'tmpfs','options':['nosuid']}", "", check_escape);
	assert_true(exists(b, "rootfs/outside/zero"));
	assert_false(exists(b, "outside/null") || exists(b, "outside/file") ||
		     exists(b, "outside/tmp"));
}

static void check_devices(struct err *e)
{
	struct stat st;

	CHECK(is_node("/dev/null", 1, 3, 0600));
	CHECK(is_node("/deep/down/zero", 1, 5, 0640));
	CHECK(stat("/deep/down/zero", &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
	CHECK(lstat("/dev/pipe", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(lstat("/dev/blk", &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == makedev(7, 0));
}

static void test_devices(void **state)
{
	struct box *b = *state;

	run(b, DEV, "'devices':[{'path':'/dev/null','type':'c','major':1,'minor':3,'fileMode':384},"
	    "{'path':'/deep/down/zero','type':'c','major':1,'minor':5,'fileMode':416,"
	    "'uid':5,'gid':6},{'path':'/dev/pipe','type':'p'},"
	    "{'path':'/dev/blk','type':'b','major':7,'minor':0}]", check_devices);

	/* Without a mount the image's /dev: what is right there stays, else an error. */
	put(b, "rootfs/dev/ptmx", "");
	run(b, "", "", nothing);
	run(b, "", "", nothing);
	put(b, "rootfs/dev/own", "a file");
	fails(b, "", "'devices':[{'path':'/dev/own','type':'c','major':1,'minor':3}]", EEXIST,
	      "/dev/own");
}

static void check_bound_dev(struct err *e)
{
	CHECK(dir_is_empty("/dev"));
}

static void test_bound_dev(void **state)
{
	struct box *b = *state;

	run(b, "{'destination':'/dev/','source':'outside','options':['bind']}", "",
	    check_bound_dev);
	assert_false(exists(b, "outside/null"));
}

static void check_console(struct err *e)
{
	struct stat st;

	CHECK(stat("/dev/console", &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 136);
}

/* CVE-2025-52565: a /dev/console of the image that is a link. */
static void test_console(void **state)
{
	struct box *b = *state;

	if (run_flags(b, "", DEV, "", check_console, CONSOLE) < 0)
		fail_msg("%s", b->e.msg);
	make_link(b, "/outside/secret", "rootfs/dev/console");
	assert_true(run_flags(b, "", "", "", nothing, CONSOLE) < 0);
	assert_non_null(strstr(b->e.msg, "/dev/console"));
	assert_false(exists(b, "rootfs/outside"));
}

static void check_masks(struct err *e)
{
	CHECK(is_node("/etc/secret", 1, 3, 0666));
	CHECK(is_node("/target", 1, 3, 0666));
	CHECK(dir_is_empty("/hidden") && cannot_create("/hidden/x", EROFS));
	CHECK(dir_is_empty("/hidden2") && cannot_create("/hidden2/x", EROFS));
	CHECK(has_flags("/fixed", ST_RDONLY, 0) && cannot_create("/fixed/x", EROFS));
	CHECK(has_text("/fixed/file", "x"));
	CHECK(has_flags("/", 0, ST_RDONLY));
}

/* CVE-2025-31133: the image's own /dev/null plays no part. */
static void test_masks(void **state)
{
	struct box *b = *state;

	make_dir(b, "rootfs/etc", 0755);
	put(b, "rootfs/etc/secret", "x");
	put(b, "rootfs/target", "x");
	make_link(b, "/target", "rootfs/link");
	make_dir(b, "rootfs/hidden", 0777);
	put(b, "rootfs/hidden/file", "x");
	make_dir(b, "rootfs/hidden2", 0777);
	make_dir(b, "rootfs/fixed", 0755);
	put(b, "rootfs/fixed/file", "x");
	run(b, DEV ",{'destination':'/dev/null','source':'rootfs/target','options':['bind']}",
	    "'maskedPaths':['/etc/secret','/link','/hidden','/hidden2','/no/such'],"
	    "'readonlyPaths':['/fixed','/no/such']", check_masks);
}

static void check_sysctl(struct err *e)
{
	CHECK(has_text("/proc/sys/kernel/msgmax", "4242\n"));
	CHECK(has_text("/proc/sys/net/ipv4/ip_forward", "1\n"));
	CHECK(has_text("/proc/sys/net/ipv4/conf/lo/forwarding", "0\n"));
}

static void test_sysctl(void **state)
{
	struct box *b = *state;

	run(b, PROC, "'sysctl':{'kernel.msgmax':'4242','net.ipv4.ip_forward':'1',"
	    "'net/ipv4/conf/lo/forwarding':'0'},'readonlyPaths':['/proc/sys']", check_sysctl);
	/* Works without a /proc in the container at all. */
	run(b, "", "'sysctl':{'kernel.msgmax':'4242'}", nothing);
	fails(b, "", "'sysctl':{'kernel.no_such':'1'}", ENOENT, "kernel.no_such");
}

/* CVE-2025-52881: writes to procfs land in procfs, whatever is mounted over the file. */
static void check_procfs(struct err *e)
{
	CHECK(has_text("/proc/sys/kernel/ns_last_pid", "fake"));
	CHECK(mount("/proc/sys/kernel/msgmnb", "/proc/sys/kernel/msgmax", NULL, MS_BIND,
		    NULL) == 0);

	CLEANUP_FD int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(procfs_write(proc, "sys/kernel/msgmax", "1", NULL) == -EXDEV);
	CHECK(procfs_write(proc, "sys/kernel/msgmni", "4321", NULL) == 0);
	CHECK(has_text("/proc/sys/kernel/msgmni", "4321\n"));

	CLEANUP_FD int fresh = procfs_open(NULL);
	CHECK(fresh >= 0 && procfs_write(fresh, "sys/kernel/msgmax", "4243", NULL) == 0);
	CHECK(umount2("/proc/sys/kernel/msgmax", 0) == 0);
	CHECK(has_text("/proc/sys/kernel/msgmax", "4243\n"));
}

static void test_procfs(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *fake = xasprintf("%s/fake", b->base);

	put(b, "fake", "fake");
	run(b, PROC ",{'destination':'/proc/sys/kernel/ns_last_pid','source':'fake',"
	    "'options':['bind']}", "'sysctl':{'kernel.ns_last_pid':'77'}", check_procfs);
	assert_true(has_text(fake, "fake"));
}

static void check_cgroup_v1(struct err *e)
{
	CHECK(has_text("/cg/cpu,cpuacct/file", "one"));
	CHECK(is_link("/cg/cpu", "cpu,cpuacct") && is_link("/cg/cpuacct", "cpu,cpuacct"));
	CHECK(has_text("/cg/systemd/file", "two"));
	CHECK(has_flags("/cg", ST_RDONLY | ST_NOSUID, 0));
	CHECK(has_flags("/cg/systemd", ST_RDONLY | ST_NOSUID, 0));
}

static void check_cgroup_v2(struct err *e)
{
	CHECK(has_text("/cg/file", "two") && has_flags("/cg", ST_RDONLY | ST_NOSUID, 0));
}

static void check_cgroup_none(struct err *e)
{
	CHECK(access("/cg/cpu/tasks", F_OK) == 0 || access("/cg/cgroup.procs", F_OK) == 0);
	CHECK(has_flags("/cg", ST_RDONLY, 0));
}

/* Directories stand in for the hierarchies: what is bound is what is asked for. */
static void test_cgroup(void **state)
{
	const char *mount = "{'destination':'/cg','type':'cgroup','source':'cgroup',"
			    "'options':['nosuid','ro']}";
	struct box *b = *state;
	CLEANUP_FREE char *one = xasprintf("%s/cpu,cpuacct", b->base);
	CLEANUP_FREE char *two = xasprintf("%s/systemd", b->base);
	struct cgroup cg = {
		.mode = CGROUP_MODE_V1, .n = 2,
		.h = {
			{ .controllers = (char *)"cpu,cpuacct", .mount = one,
			  .path = (char *)"/group" },
			{ .controllers = (char *)"name=systemd", .mount = two,
			  .path = (char *)"/group" },
		},
	};

	make_dir(b, "cpu,cpuacct", 0755);
	make_dir(b, "cpu,cpuacct/group", 0755);
	put(b, "cpu,cpuacct/group/file", "one");
	make_dir(b, "systemd", 0755);
	make_dir(b, "systemd/group", 0755);
	put(b, "systemd/group/file", "two");
	b->cgroup = &cg;
	run(b, mount, "", check_cgroup_v1);

	struct cgroup v2 = { .mode = CGROUP_MODE_V2, .n = 1, .h = { cg.h[1] } };
	v2.h[0].controllers = (char *)"";
	b->cgroup = &v2;
	run(b, mount, "", check_cgroup_v2);
	b->cgroup = NULL;
	run(b, mount, "", check_cgroup_none);
}

static void check_host_sys(struct err *e)
{
	CHECK(access("/sys/class/net", F_OK) == 0 && has_flags("/sys", ST_RDONLY, 0));
}

/* The sysfs of a network namespace that is not the user namespace's cannot be mounted. */
static void test_host_sysfs(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *root = xasprintf("%s/rootfs", b->base);

	assert_int_equal(chown(root, 100000, 100000), 0);
	if (run_flags(b, "", SYS, "", check_host_sys, USERNS | HOST_NET) < 0)
		fail_msg("%s", b->e.msg);
}

static void check_idmap(struct err *e)
{
	struct stat st;

	CHECK(stat("/data/file", &st) == 0 && st.st_uid == 100000 && st.st_gid == 200000);
	CHECK(stat("/plain/file", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
}

static void test_idmap(void **state)
{
	struct box *b = *state;

	make_dir(b, "src", 0755);
	put(b, "src/file", "hello");
	run(b, "{'destination':'/data','source':'src','options':['rbind','ridmap'],"
	    "'uidMappings':[{'containerID':0,'hostID':100000,'size':10}],"
	    "'gidMappings':[{'containerID':0,'hostID':200000,'size':10}]},"
	    "{'destination':'/plain','source':'src','options':['bind']}", "", check_idmap);
	fails(b, "{'destination':'/x','source':'src','options':['bind','idmap']}", "", EINVAL,
	      "idmap needs mappings");
}

static void check_userns(struct err *e)
{
	struct stat st;

	CHECK(is_node("/dev/null", 1, 3, 0666) && is_node("/dev/tty", 5, 0, 0666));
	/* Not the host's node, whose owner would be nobody in here. */
	CHECK(stat("/dev/zero", &st) == 0 && st.st_uid == 0);
	CHECK(is_link("/dev/fd", "/proc/self/fd"));
	CHECK(is_link("/proc/self", "1"));
	CHECK(has_flags("/sys", ST_RDONLY, 0));
	CHECK(has_text("/data/file", "hello") && has_flags("/data", ST_RDONLY, 0));
	CHECK(has_text("/proc/timer_list", ""));
	CHECK(stat("/mapped/file", &st) == 0 && st.st_uid == 0);
}

static void test_userns(void **state)
{
	struct box *b = *state;
	struct stat before, after;

	/* A root that is the container's, in a bundle that its root cannot even enter. */
	CLEANUP_FREE char *root = xasprintf("%s/rootfs", b->base);
	assert_int_equal(chown(root, 100000, 100000) | chmod(b->base, 0700), 0);
	make_dir(b, "src", 0755);
	put(b, "src/file", "hello");
	assert_int_equal(stat("/dev/zero", &before), 0);
	if (run_flags(b, "", PROC "," DEV "," PTS "," SYS
		      ",{'destination':'/data','source':'src','options':['rbind','ro']},"
		      "{'destination':'/mapped','source':'src','options':['bind','idmap']}",
		      "'namespaces':[{'type':'user'}],"
		      "'uidMappings':[{'containerID':0,'hostID':100000,'size':65536}],"
		      "'gidMappings':[{'containerID':0,'hostID':100000,'size':65536}],"
		      "'maskedPaths':['/proc/timer_list']", check_userns, USERNS) < 0)
		fail_msg("%s", b->e.msg);
	assert_int_equal(stat("/dev/zero", &after), 0);
	assert_int_equal(before.st_uid, after.st_uid);
	assert_int_equal(before.st_mode, after.st_mode);
}

static void check_rootless(struct err *e)
{
	CHECK(is_node("/dev/null", 1, 3, 0666));
	CHECK(has_text("/data/file", "hello") && has_flags("/data", ST_RDONLY, 0));
	CHECK(is_link("/proc/self", "1"));
}

static void check_locked(struct err *e)
{
	CHECK(has_flags("/locked", ST_NOSUID, 0));
}

/* Prepared without privilege: the child clones what the runtime could not. */
static void test_rootless(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *root = xasprintf("%s/rootfs", b->base);

	assert_int_equal(chown(root, 65534, 65534), 0);
	make_dir(b, "src", 0755);
	put(b, "src/file", "hello");
	if (run_flags(b, "", PROC "," DEV "," PTS
		      ",{'destination':'/data','source':'src','options':['rbind','ro']}", "",
		      check_rootless, USERNS | UNPRIVILEGED) < 0)
		fail_msg("%s", b->e.msg);
	assert_true(run_flags(b, "", DEV "," "{'destination':'/dev/pts','type':'devpts',"
			      "'options':['gid=5']}", "", nothing, USERNS | UNPRIVILEGED) < 0);
	assert_non_null(strstr(b->e.msg, "gid="));

	/* What the host's mount forbids stays forbidden, and is said. */
	CLEANUP_FREE char *sub = xasprintf("%s/src/sub", b->base);
	make_dir(b, "src/sub", 0755);
	assert_int_equal(mount("tmpfs", sub, "tmpfs", MS_NOSUID, NULL), 0);
	if (run_flags(b, "", "{'destination':'/locked','source':'src/sub','options':['bind']}", "",
		      check_locked, USERNS | UNPRIVILEGED) < 0)
		fail_msg("%s", b->e.msg);
	assert_int_equal(run_flags(b, "", "{'destination':'/locked','source':'src/sub',"
				   "'options':['bind','suid']}", "", nothing,
				   USERNS | UNPRIVILEGED), -EPERM);
	assert_non_null(strstr(b->e.msg, "src/sub at /locked"));
}

static void check_slave(struct err *e)
{
	CHECK(mounts_mention(" master:"));
	CHECK(!mounts_mention(" shared:"));
	CHECK(mount("tmpfs", "/out/below", "tmpfs", 0, NULL) == 0);
}

/* Whether a mount the container makes below a shared source reaches the host. */
static bool reaches_host(struct box *b)
{
	CLEANUP_FREE char *below = xasprintf("%s/src/sub/below", b->base);
	bool r = umount2(below, UMOUNT_NOFOLLOW) == 0;

	return r;
}

static void test_propagation(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *sub = xasprintf("%s/src/sub", b->base);
	const char *out = PROC ",{'destination':'/out','source':'src/sub','options':['bind']}";

	make_dir(b, "src", 0755);
	make_dir(b, "src/sub", 0755);
	assert_int_equal(mount("tmpfs", sub, "tmpfs", 0, NULL), 0);
	make_dir(b, "src/sub/below", 0755);
	assert_int_equal(mount(NULL, sub, NULL, MS_SHARED, NULL), 0);
	run(b, out, "", check_slave);
	assert_false(reaches_host(b));
}

static void check_all_shared(struct err *e)
{
	CHECK(mounts_mention(" shared:"));
	CHECK(mount("tmpfs", "/out/below", "tmpfs", 0, NULL) == 0);
}

static void test_propagation_shared(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *sub = xasprintf("%s/src/sub", b->base);
	const char *out = PROC ",{'destination':'/out','source':'src/sub','options':['bind']}";

	make_dir(b, "src", 0755);
	make_dir(b, "src/sub", 0755);
	assert_int_equal(mount("tmpfs", sub, "tmpfs", 0, NULL), 0);
	make_dir(b, "src/sub/below", 0755);
	assert_int_equal(mount(NULL, sub, NULL, MS_SHARED, NULL), 0);
	run(b, out, "'rootfsPropagation':'shared'", check_all_shared);
	assert_true(reaches_host(b));
}

static void test_bad_root(void **state)
{
	struct box *b = *state;
	CLEANUP_FREE char *old = xasprintf("%s/rootfs", b->base);

	assert_int_equal(rmdir(old), 0);
	fails(b, "", "", ENOENT, "rootfs: no such file or directory");
	put(b, "rootfs", "a file");
	fails(b, "", "", ENOTDIR, "rootfs: not a directory");
}

static void check_remount(struct err *e)
{
	CHECK(has_flags("/t", ST_RDONLY | ST_NOSUID, 0));
	CHECK(has_flags("/b", ST_NOEXEC, ST_RDONLY));
}

static void test_remount(void **state)
{
	struct box *b = *state;

	run(b, "{'destination':'/t','type':'tmpfs'},"
	    "{'destination':'/t','type':'tmpfs','options':['remount','ro','nosuid','size=1m']},"
	    "{'destination':'/b','source':'outside','options':['bind','ro']},"
	    "{'destination':'/b','options':['remount','bind','rw','noexec']}", "", check_remount);
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

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("seccomp");
		exit(1);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_default), CASE(test_no_pivot), CASE(test_bind),
		CASE(test_bind_recursive), CASE(test_tmpfs), CASE(test_proc_guard),
		CASE(test_proc_symlink), CASE(test_symlinked_dev), CASE(test_devices),
		CASE(test_bound_dev), CASE(test_console), CASE(test_masks), CASE(test_sysctl),
		CASE(test_procfs), CASE(test_cgroup), CASE(test_host_sysfs),
		CASE(test_idmap), CASE(test_userns), CASE(test_rootless),
		CASE(test_propagation), CASE(test_propagation_shared), CASE(test_bad_root),
		CASE(test_remount),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "needs root\n");
		return 77;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0) {
		perror("unshare");
		return 1;
	}
	int failed = cmocka_run_group_tests_name("rootfs, openat2", tests, NULL, NULL);

	refuse_openat2();
	return failed + cmocka_run_group_tests_name("rootfs, openat2 refused", tests, NULL, NULL);
}
