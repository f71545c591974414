/*
 * isle-init: a plan is made as the runtime makes it, a forked child becomes the program,
 * and what the payload then is, is read from the payload's own output.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "container/cpulist.h"
#include "container/init_plan.h"

#define BIT(cap) (1ULL << (cap))
#define NOBODY 65534

static struct oci_process proc;
static struct init_request rq;
static const char *args_v[8], *env_v[8];

/* One life of isle-init. */
struct life {
	pid_t pid;
	int sync, out;          /* our end; what the payload writes */
	struct err e;           /* of an ERROR message */
};

static int setup(void **state)
{
	(void)state;
	memset(&proc, 0, sizeof(proc));
	memset(&rq, 0, sizeof(rq));
	rq.process = &proc;
	rq.start_fd = rq.procfs_fd = rq.listener_fd = -1;
	proc.cwd = "/";
	proc.caps.set = true;
	proc.args.v = args_v;
	proc.env.v = env_v;
	return 0;
}

static void set_args(const char *a, const char *b, const char *c)
{
	args_v[0] = a;
	args_v[1] = b;
	args_v[2] = c;
	args_v[3] = NULL;
	proc.args.n = !a ? 0 : !b ? 1 : !c ? 2 : 3;
}

static void set_shell(const char *script)
{
	set_args("sh", "-c", script);
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* What the child does just before it becomes isle-init; NULL: nothing. */
static void (*before_exec)(void);

static void become(const struct init_exec *x, int out)
{
	struct err e = { 0 };

	if (before_exec)
		before_exec();
	dup2(out, STDOUT_FILENO);
	init_exec_stub(x, &e);
	dprintf(STDERR_FILENO, "%s\n", e.msg);
	_exit(99);
}

static struct life begin(void)
{
	struct life l = { .sync = -1 };
	struct init_exec x;
	int pair[2], out[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	rq.sync_fd = pair[1];
	int r = init_prepare(&rq, &x, &l.e);
	if (r < 0)
		print_error("%s\n", l.e.msg);
	assert_int_equal(r, 0);
	l.pid = fork();
	if (l.pid == 0)
		become(&x, out[1]);
	init_exec_release(&x);
	close(pair[1]);
	close(out[1]);
	l.sync = pair[0];
	l.out = out[0];
	return l;
}

/* The kind of the next message, 0 at end of file; an ERROR is put into l->e. */
static int hear(struct life *l, int fd, int32_t *pid)
{
	struct init_msg m;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 10000), 1);
	ssize_t n = recv(fd, &m, sizeof(m), 0);
	if (n <= 0)
		return 0;
	assert_int_equal(n, sizeof(m));
	if (m.kind == INIT_MSG_ERROR)
		assert_true(init_msg_error(&m, &l->e) < 0);
	if (pid)
		*pid = m.pid;
	return (int)m.kind;
}

static void commit(struct life *l)
{
	struct init_commit c = { .byte = INIT_COMMIT_BYTE, .pid = l->pid };

	assert_int_equal(send(l->sync, &c, sizeof(c), MSG_NOSIGNAL), sizeof(c));
}

static int reap(struct life *l)
{
	int status = 0;

	assert_int_equal(waitpid(l->pid, &status, 0), l->pid);
	close(l->sync);
	return status;
}

/* The whole way; the payload's output and exit status 0. */
static char *run_output(void)
{
	struct life l = begin();
	struct buf b = BUF_INIT(1 << 20);

	int kind = hear(&l, l.sync, NULL);
	if (kind != INIT_MSG_READY)
		print_error("%s\n", l.e.msg);
	assert_int_equal(kind, INIT_MSG_READY);
	commit(&l);
	kind = hear(&l, l.sync, NULL);
	if (kind)
		print_error("%s\n", l.e.msg);
	assert_int_equal(kind, 0);
	assert_int_equal(fd_read_buf(l.out, &b), 0);
	close(l.out);
	assert_int_equal(reap(&l), 0);
	return b.data;
}

/* It fails before READY, with that message. */
static void expect_error(int code, const char *msg)
{
	struct life l = begin();

	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_ERROR);
	assert_string_equal(l.e.msg, msg);
	assert_int_equal(l.e.code, code);
	close(l.out);
	assert_int_equal(reap(&l), 1 << 8);
}

/* The value of "Name:\t" in /proc/PID/status. */
static void expect_status(const char *out, const char *name, const char *want)
{
	char key[32], got[128] = "(absent)";
	size_t n = (size_t)snprintf(key, sizeof(key), "\n%s:\t", name);
	const char *p = strstr(out, key);

	if (p)
		snprintf(got, sizeof(got), "%.*s", (int)strcspn(p + n, "\n"), p + n);
	assert_string_equal(got, want);
}

static void expect_caps(const char *out, const char *name, uint64_t want)
{
	char text[32];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)want);
	expect_status(out, name, text);
}

static void expect_in(const char *out, const char *part)
{
	if (!strstr(out, part))
		fail_msg("\"%s\" is not in:\n%s", part, out);
}

/* ---- identity ------------------------------------------------------------- */

static void ignore_and_block(void)
{
	sigset_t all;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGRTMIN + 3, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

static void test_user(void **state)
{
	uint32_t gids[] = { 10, 4000 };

	(void)state;
	need_root();
	proc.user = (struct oci_user){
		.uid = 1234, .gid = 4321, .additional_gids = gids, .n_additional_gids = 2,
		.umask = { true, 027 },
	};
	/* SYS_RESOURCE is not ours everywhere, and must not fail where it is not. */
	proc.caps.bounding = proc.caps.permitted = proc.caps.effective =
		BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_SYS_RESOURCE);
	set_args("cat", "/proc/self/status", NULL);
	before_exec = ignore_and_block;
	char *out = run_output();
	before_exec = NULL;
	expect_status(out, "Uid", "1234\t1234\t1234\t1234");
	expect_status(out, "Gid", "4321\t4321\t4321\t4321");
	expect_status(out, "Groups", "10 4000 ");
	expect_status(out, "Umask", "0027");
	expect_caps(out, "CapPrm", 0);
	expect_caps(out, "CapInh", 0);
	expect_status(out, "NoNewPrivs", "0");
	expect_status(out, "Seccomp", "0");
	expect_caps(out, "SigIgn", 0);
	expect_caps(out, "SigBlk", 0);
	uint64_t have = prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1 ? BIT(CAP_SYS_RESOURCE) : 0;
	expect_caps(out, "CapBnd", have | BIT(CAP_CHOWN) | BIT(CAP_KILL));
	free(out);
}

static void test_root_caps(void **state)
{
	(void)state;
	need_root();
	proc.caps.bounding = proc.caps.permitted = BIT(CAP_CHOWN) | BIT(CAP_KILL);
	proc.caps.effective = BIT(CAP_CHOWN);
	proc.no_new_privileges = true;
	set_args("/bin/cat", "/proc/self/status", NULL);
	char *out = run_output();
	expect_status(out, "Groups", " ");
	expect_caps(out, "CapEff", BIT(CAP_CHOWN) | BIT(CAP_KILL));
	expect_caps(out, "CapBnd", BIT(CAP_CHOWN) | BIT(CAP_KILL));
	expect_status(out, "NoNewPrivs", "1");
	free(out);

	proc.caps.set = false;          /* no capabilities object: none */
	out = run_output();
	expect_caps(out, "CapEff", 0);
	expect_caps(out, "CapBnd", 0);
	free(out);
}

static void test_ambient(void **state)
{
	(void)state;
	need_root();
	proc.user.uid = 1234;
	proc.caps.bounding = proc.caps.permitted = proc.caps.effective = proc.caps.inheritable =
		BIT(CAP_KILL) | BIT(CAP_CHOWN);
	proc.caps.ambient = BIT(CAP_KILL) | BIT(CAP_SYS_ADMIN);
	set_args("cat", "/proc/self/status", NULL);
	char *out = run_output();
	expect_caps(out, "CapAmb", BIT(CAP_KILL));
	expect_caps(out, "CapEff", BIT(CAP_KILL));
	expect_caps(out, "CapInh", BIT(CAP_KILL) | BIT(CAP_CHOWN));
	free(out);

	struct init_exec x;
	struct err e = { 0 };
	proc.caps.effective |= BIT(CAP_SYS_TIME);
	rq.sync_fd = 100;
	assert_int_equal(init_prepare(&rq, &x, &e), -EINVAL);
}

static void enter_userns(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0 ||
	    unshare(CLONE_NEWUSER) < 0 ||
	    file_write_at(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 ||
	    file_write_at(AT_FDCWD, "/proc/self/uid_map", "0 65534 1") < 0 ||
	    file_write_at(AT_FDCWD, "/proc/self/gid_map", "0 65534 1") < 0)
		_exit(98);
}

static void test_rootless(void **state)
{
	uint32_t gid = 10;

	(void)state;
	need_root();
	rq.userns_setgroups_denied = true;
	proc.caps.bounding = proc.caps.permitted = proc.caps.effective = BIT(CAP_SYS_ADMIN);
	set_args("cat", "/proc/self/status", NULL);
	before_exec = enter_userns;
	char *out = run_output();
	expect_status(out, "Uid", "0\t0\t0\t0");
	expect_caps(out, "CapEff", BIT(CAP_SYS_ADMIN));
	free(out);

	proc.user.additional_gids = &gid;
	proc.user.n_additional_gids = 1;
	expect_error(EPERM, "additional groups cannot be set: setgroups is denied in this user "
		     "namespace");
	before_exec = NULL;
}

/* ---- lookups --------------------------------------------------------------- */

static void test_env(void **state)
{
	(void)state;
	need_root();
	env_v[0] = "A=1";
	env_v[1] = "PATH=/nope:/usr/bin:/bin";
	env_v[2] = "HOME=";
	env_v[3] = "A=2";
	proc.env.n = 4;
	set_args("env", NULL, NULL);
	char *out = run_output();
	assert_string_equal(out, "PATH=/nope:/usr/bin:/bin\nHOME=/root\nA=2\n");
	free(out);

	proc.env.n = 2;
	proc.user.uid = 54321;          /* not in passwd */
	out = run_output();
	assert_string_equal(out, "A=1\nPATH=/nope:/usr/bin:/bin\nHOME=/\n");
	free(out);
}

/* For the coming exec, which is what gives root its capabilities. */
static void drop_dac(void)
{
	if (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) < 0 ||
	    prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0) < 0)
		_exit(98);
}

static void test_cwd(void **state)
{
	char dir[] = "/tmp/test-init.XXXXXX", deep[64], msg[256];

	(void)state;
	need_root();
	assert_non_null(mkdtemp(dir));
	snprintf(deep, sizeof(deep), "%s/a/b", dir);
	proc.cwd = deep;
	set_args("pwd", NULL, NULL);
	rq.fork_into_pidns = true;      /* exec makes no directory */
	struct life l = begin();
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_PID);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_ERROR);
	snprintf(msg, sizeof(msg), "chdir to cwd (\"%s\") set in config.json failed: "
		 "no such file or directory", deep);
	assert_string_equal(l.e.msg, msg);
	close(l.out);
	reap(&l);

	rq.fork_into_pidns = false;
	char *out = run_output();
	assert_memory_equal(out, deep, strlen(deep));
	free(out);
	assert_int_equal(rmdir(deep), 0);
	*strrchr(deep, '/') = '\0';
	assert_int_equal(rmdir(deep), 0);

	/* Root's chdir counts, as in runc. */
	proc.cwd = dir;
	proc.user.uid = 1234;
	out = run_output();
	free(out);

	/* A root that is refused tries again as the user. */
	before_exec = drop_dac;
	snprintf(msg, sizeof(msg), "chdir to cwd (\"%s\") set in config.json failed: "
		 "permission denied", dir);
	assert_int_equal(chown(dir, 99, 99), 0);
	expect_error(EACCES, msg);
	assert_int_equal(chown(dir, 1234, 1234), 0);
	out = run_output();
	before_exec = NULL;
	assert_memory_equal(out, dir, strlen(dir));
	free(out);
	assert_int_equal(rmdir(dir), 0);
}

static char root_dir[] = "/tmp/test-init-root.XXXXXX";

/* As a descriptor leaked into the container would: a cwd outside of the root. */
static void leave_root(void)
{
	if (chdir("/") < 0 || chroot(root_dir) < 0)
		_exit(98);
}

static void test_cwd_outside(void **state)
{
	(void)state;
	need_root();
	assert_non_null(mkdtemp(root_dir));
	proc.cwd = ".";
	set_args("/bin/true", NULL, NULL);
	before_exec = leave_root;
	expect_error(EPERM, "current working directory is outside of container mount namespace "
		     "root -- possible container breakout detected");
	before_exec = NULL;
	assert_int_equal(rmdir(root_dir), 0);
}

static void test_exe_errors(void **state)
{
	char dir[] = "/tmp/test-init.XXXXXX", file[64], path[64], msg[256];

	(void)state;
	need_root();
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/plain", dir);
	snprintf(path, sizeof(path), "PATH=%s", dir);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);

	set_args("no-such-program", NULL, NULL);
	expect_error(ENOENT, "exec: \"no-such-program\": executable file not found in $PATH");
	set_args("/no/such", NULL, NULL);
	expect_error(ENOENT, "exec: \"/no/such\": stat /no/such: no such file or directory");
	set_args("", NULL, NULL);
	expect_error(ENOENT, "exec: \"\": executable file not found in $PATH");
	set_args("/tmp", NULL, NULL);
	expect_error(EACCES, "exec: \"/tmp\": permission denied");
	set_args(file, NULL, NULL);
	snprintf(msg, sizeof(msg), "exec: \"%s\": permission denied", file);
	expect_error(EACCES, msg);
	set_args("plain", NULL, NULL);  /* in PATH but not executable: not found, as in Go */
	env_v[0] = path;
	proc.env.n = 1;
	expect_error(ENOENT, "exec: \"plain\": executable file not found in $PATH");

	/* Executable for its owner alone: seen with the payload's eyes. */
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(file, 0700), 0);
	set_args(file, NULL, NULL);
	proc.user.uid = 1234;
	expect_error(EACCES, msg);

	unlink(file);
	rmdir(dir);
}

static void test_exec_format(void **state)
{
	char file[] = "/tmp/test-init.XXXXXX", msg[64];

	(void)state;
	need_root();
	int fd = mkstemp(file);
	assert_int_equal(write(fd, "garbage\n", 8), 8);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	set_args(file, NULL, NULL);
	struct life l = begin();
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_ERROR);
	snprintf(msg, sizeof(msg), "exec %s: exec format error", file);
	assert_string_equal(l.e.msg, msg);
	close(l.out);
	reap(&l);
	unlink(file);
}

/* ---- task ------------------------------------------------------------------ */

static void drop_sys_resource(void)
{
	const struct rlimit low = { 100, 200 };

	if (setrlimit(RLIMIT_NOFILE, &low) < 0)
		_exit(98);
	prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0);
}

static void test_rlimits(void **state)
{
	struct oci_rlimit l[] = {
		{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 5, 7 },
		{ RLIMIT_CORE, "RLIMIT_CORE", 0, 0 },
		{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 1 << 20, 1 << 21 },
	};

	(void)state;
	need_root();
	proc.rlimits = l;
	proc.n_rlimits = 3;
	set_shell("ulimit -Sn; ulimit -Hn; ulimit -Hc; ulimit -Sf");
	char *out = run_output();
	assert_string_equal(out, "5\n7\n0\n2048\n");
	free(out);

	before_exec = drop_sys_resource;
	l[0].hard = 300;
	expect_error(EPERM, "set rlimit RLIMIT_NOFILE: operation not permitted");
	l[0].soft = 400;
	expect_error(EINVAL, "set rlimit RLIMIT_NOFILE: soft limit above the hard limit");
	before_exec = NULL;
}

static void test_task(void **state)
{
	struct oci_scheduler s = { .policy = "SCHED_BATCH", .policy_nr = SCHED_BATCH, .nice = 5 };
	unsigned long persona = 8;      /* PER_LINUX32 */
	struct oci_memory_policy mp = { .set = true, .mode_nr = 2 /* MPOL_BIND */, .nodes = "0" };

	(void)state;
	need_root();
	proc.scheduler = &s;
	proc.io_priority_set = true;
	proc.io_priority_class = 2;
	proc.io_priority = 6;
	rq.personality = &persona;
	rq.memory_policy = &mp;
	set_shell("chrt -p $$; ionice; cat /proc/$$/personality; nice; "
		  "grep -c bind:0 /proc/$$/numa_maps");
	char *out = run_output();
	expect_in(out, "SCHED_BATCH");
	expect_in(out, "best-effort: prio 6\n");
	expect_in(out, "00000008\n5\n");
	assert_null(strstr(out, "\n0\n"));
	free(out);
}

static void test_affinity(void **state)
{
	(void)state;
	need_root();
	proc.cpu_affinity_final = "0";
	rq.fork_into_pidns = true;
	set_args("cat", "/proc/self/status", NULL);
	struct life l = begin();
	struct buf b = BUF_INIT(1 << 20);
	int32_t pid;
	assert_int_equal(hear(&l, l.sync, &pid), INIT_MSG_PID);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	assert_int_equal(hear(&l, l.sync, NULL), 0);
	assert_int_equal(fd_read_buf(l.out, &b), 0);
	expect_status(b.data, "Cpus_allowed_list", "0");
	buf_release(&b);
	close(l.out);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	reap(&l);
}

static void test_cpulist(void **state)
{
	unsigned long mask[CPULIST_WORDS];
	static const char *const bad[] = {
		"", "a", "1-", "-1", "2-1", "1,,2", "1,", "8192", "1 2"
	};
	struct err e;

	(void)state;
	assert_int_equal(cpulist_parse("x", "0-2,5", mask, &e), 1);
	assert_int_equal(mask[0], 0x27);
	assert_int_equal(cpulist_parse("x", "64,127-128", mask, &e), 3);
	assert_int_equal(mask[0], 0);
	assert_int_equal(mask[1], 1ul << 63 | 1);
	assert_int_equal(mask[2], 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cpulist_parse("x", bad[i], mask, &e), -EINVAL);
}

/* ---- descriptors, handshake ------------------------------------------------- */

static void test_preserved(void **state)
{
	(void)state;
	need_root();
	int extra = open("/dev/null", O_RDONLY);        /* one that would leak */
	assert_true(extra >= 3);
	set_args("ls", "/proc/self/fd", NULL);
	char *out = run_output();
	assert_string_equal(out, "0\n1\n2\n3\n");       /* 3 is ls's own */
	free(out);
	close(extra);
}

static void occupy_three_four(void)
{
	if (dup2(STDIN_FILENO, 3) < 0 || dup2(STDIN_FILENO, 4) < 0 || dup2(STDIN_FILENO, 5) < 0)
		_exit(98);
}

static void test_preserve_two(void **state)
{
	int pair[2];
	struct init_exec x;
	struct err e = { 0 };

	(void)state;
	need_root();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	rq.sync_fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 40);
	rq.preserve_fds = 2;
	set_args("ls", "/proc/self/fd", NULL);
	assert_int_equal(init_prepare(&rq, &x, &e), 0);
	assert_true(x.stub_fd >= 5 && x.plan_fd >= 5);
	int stub = fcntl(x.stub_fd, F_DUPFD_CLOEXEC, 50);
	int plan = fcntl(x.plan_fd, F_DUPFD_CLOEXEC, 50);
	init_exec_release(&x);
	x.stub_fd = stub;
	x.plan_fd = plan;
	int out[2];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	int out_w = fcntl(out[1], F_DUPFD_CLOEXEC, 60);
	close(out[1]);
	struct life l = { .pid = fork(), .sync = pair[0], .out = out[0] };
	if (l.pid == 0) {
		before_exec = occupy_three_four;
		become(&x, out_w);
	}
	init_exec_release(&x);
	close(rq.sync_fd);
	close(pair[1]);
	close(out_w);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	assert_int_equal(hear(&l, l.sync, NULL), 0);
	struct buf b = BUF_INIT(4096);
	assert_int_equal(fd_read_buf(l.out, &b), 0);
	assert_string_equal(b.data, "0\n1\n2\n3\n4\n5\n");      /* 5 is ls's own */
	buf_release(&b);
	close(l.out);
	assert_int_equal(reap(&l), 0);

	rq.sync_fd = 4;                 /* among the preserved ones */
	assert_int_equal(init_prepare(&rq, &x, &e), -EBADF);
}

static void test_runtime_dies(void **state)
{
	(void)state;
	need_root();
	set_args("/bin/true", NULL, NULL);
	struct life l = begin();
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	close(l.sync);                  /* killed before the commit */
	l.sync = -1;
	close(l.out);
	assert_int_equal(reap(&l), 1 << 8);

	/* A commit that is there before READY counts. */
	l = begin();
	commit(&l);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	assert_int_equal(hear(&l, l.sync, NULL), 0);
	close(l.out);
	assert_int_equal(reap(&l), 0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* create ... start, up to the connection that brought the byte. */
static int create_and_start(struct life *l)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/test-init-%d.sock", getpid());
	rq.start_fd = listen_at(path);
	*l = begin();
	close(rq.start_fd);
	rq.start_fd = -1;
	assert_int_equal(hear(l, l->sync, NULL), INIT_MSG_READY);
	commit(l);
	assert_int_equal(hear(l, l->sync, NULL), 0);    /* create may go */

	int fd = connect_to(path);      /* a start that is killed */
	close(fd);
	fd = connect_to(path);
	assert_int_equal(send(fd, "s", 1, MSG_NOSIGNAL), 1);
	unlink(path);
	return fd;
}

static void stderr_off(void)
{
	if (dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO) < 0)
		_exit(98);
}

static void test_start(void **state)
{
	struct oci_rlimit few = { RLIMIT_NOFILE, "RLIMIT_NOFILE", 3, 3 };
	struct life l;

	(void)state;
	need_root();
	proc.rlimits = &few;            /* must not hinder the accept */
	proc.n_rlimits = 1;
	set_args("/bin/true", NULL, NULL);
	before_exec = stderr_off;       /* the loader will complain */
	int fd = create_and_start(&l);
	before_exec = NULL;
	assert_int_equal(hear(&l, fd, NULL), 0);
	close(fd);
	close(l.out);
	reap(&l);

	proc.n_rlimits = 0;
	set_args(NULL, NULL, NULL);
	proc.cwd = NULL;
	fd = create_and_start(&l);
	assert_int_equal(hear(&l, fd, NULL), INIT_MSG_ERROR);
	assert_string_equal(l.e.msg, "process is not set in config.json: nothing to start");
	close(fd);
	close(l.out);
	assert_int_equal(reap(&l), 1 << 8);
}

static void new_pidns(void)
{
	if (unshare(CLONE_NEWPID) < 0)
		_exit(98);
}

static void test_fork_into_pidns(void **state)
{
	int32_t pid = 0;
	int status;

	(void)state;
	need_root();
	rq.fork_into_pidns = true;
	set_shell("echo $$; exit 7");
	before_exec = new_pidns;
	struct life l = begin();
	before_exec = NULL;
	assert_int_equal(hear(&l, l.sync, &pid), INIT_MSG_PID);
	assert_true(pid > 0 && pid != l.pid);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	struct buf b = BUF_INIT(4096);
	assert_int_equal(fd_read_buf(l.out, &b), 0);
	assert_string_equal(b.data, "1\n");
	buf_release(&b);
	assert_int_equal(waitpid(pid, &status, 0), pid);        /* ours, by CLONE_PARENT */
	assert_int_equal(WEXITSTATUS(status), 7);
	close(l.out);
	assert_int_equal(reap(&l), 0);
}

static void test_stdio_owner(void **state)
{
	(void)state;
	need_root();
	struct stat before, after;

	assert_int_equal(stat("/dev/null", &before), 0);
	proc.user.uid = 1234;
	before_exec = stderr_off;
	set_shell("stat -L -c %u /proc/self/fd/1; echo again > /dev/stdout");
	char *out = run_output();
	before_exec = NULL;
	assert_string_equal(out, "1234\nagain\n");
	assert_int_equal(stat("/dev/null", &after), 0);
	assert_int_equal(after.st_uid, before.st_uid);
	free(out);
}

/* ---- hooks ------------------------------------------------------------------ */

static void test_hooks(void **state)
{
	static const char *argv[] = { "sh", "-c", "cat; echo \" $FOO $0 $#\"", "x", NULL };
	static const char *env[] = { "FOO=bar", NULL };
	struct oci_hook h = { .path = "/bin/sh", .args = { argv, 4 }, .env = { env, 1 } };
	struct oci_hooks hooks = { &h, 1 };

	(void)state;
	need_root();
	rq.start_hooks = &hooks;
	rq.state_json = "{\"id\":\"c\",\"pid\":0,\"annotations\":{\"a\":\"\\\"pid\\\":0\"}}";
	rq.fork_into_pidns = true;
	set_args("echo", "payload", NULL);
	before_exec = new_pidns;
	struct life l = begin();
	before_exec = NULL;
	int32_t pid;
	struct buf b = BUF_INIT(4096);
	assert_int_equal(hear(&l, l.sync, &pid), INIT_MSG_PID);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	assert_int_equal(hear(&l, l.sync, NULL), 0);
	assert_int_equal(fd_read_buf(l.out, &b), 0);
	assert_string_equal(b.data, "{\"id\":\"c\",\"pid\":1,\"annotations\":"
			    "{\"a\":\"\\\"pid\\\":0\"}} bar x 0\npayload\n");
	buf_release(&b);
	waitpid(pid, NULL, 0);
	close(l.out);
	reap(&l);
}

static void expect_hook_error(struct oci_hook *h, const char *msg)
{
	struct oci_hooks hooks = { h, 1 };

	rq.start_hooks = &hooks;
	rq.state_json = "{}";
	set_args("/bin/true", NULL, NULL);
	struct life l = begin();
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_ERROR);
	assert_string_equal(l.e.msg, msg);
	close(l.out);
	assert_int_equal(reap(&l), 1 << 8);
}

static void test_hook_errors(void **state)
{
	static const char *fail[] = { "sh", "-c", "exit 3", NULL };
	static const char *hang[] = { "sh", "-c", "sleep 60; true", NULL };
	struct oci_hook h = { .path = "/bin/sh", .args = { fail, 3 } };

	(void)state;
	need_root();
	expect_hook_error(&h, "error running startContainer hook #0: /bin/sh: exit status 3");
	h.args.v = hang;
	h.timeout = (struct opt_i64){ true, 1 };
	expect_hook_error(&h, "error running startContainer hook #0: /bin/sh: timed out after 1 s");
	h.path = "/no/such";
	expect_hook_error(&h, "error running startContainer hook #0: exec /no/such: "
			  "no such file or directory");
}

/* ---- seccomp ------------------------------------------------------------------ */

static struct sock_filter deny_mkdir[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* Everything is refused but what a static payload needs, capset and execve. */
static struct sock_filter tight[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_capset, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static void test_seccomp(void **state)
{
	struct seccomp_program p = { .insns = deny_mkdir, .n = ARRAY_LEN(deny_mkdir) };

	(void)state;
	need_root();
	rq.seccomp = &p;
	proc.user.uid = 1234;           /* no CAP_SYS_ADMIN afterwards, no no_new_privs */
	set_shell("mkdir /tmp/refused 2>&1; grep Seccomp: /proc/$$/status; "
		  "grep CapPrm /proc/$$/status");
	char *out = run_output();
	expect_in(out, "Invalid cross-device link\nSeccomp:\t2\nCapPrm:\t0000000000000000\n");
	free(out);
	proc.no_new_privileges = true;
	out = run_output();
	expect_in(out, "Invalid cross-device link\n");
	free(out);
}

static void test_seccomp_tight(void **state)
{
	struct seccomp_program p = { .insns = tight, .n = ARRAY_LEN(tight) };
	struct life l;

	(void)state;
	need_root();
	rq.seccomp = &p;
	set_args("/bin/true", NULL, NULL);
	for (int nnp = 0; nnp < 2; nnp++) {
		proc.no_new_privileges = nnp;
		l = begin();
		assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
		commit(&l);
		/* exec'd: /bin/true itself is then killed by its loader's first call. */
		assert_int_equal(hear(&l, l.sync, NULL), 0);
		close(l.out);
		assert_int_equal(WTERMSIG(reap(&l)), SIGSYS);
	}
	/* Without execve the end is an end, whatever the filter says to it. */
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	p = (struct seccomp_program){ .insns = &none, .n = 1 };
	l = begin();
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	close(l.out);
	assert_true(WIFSIGNALED(reap(&l)));
}

/* An agent that takes the descriptor and lets every call go on. */
static int agent_accept(int sock, char *json, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { json, size - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd = -1;

	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	assert_true(n > 0);
	json[n] = '\0';
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static unsigned agent_serve(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned n = 0;

	for (;;) {
		struct seccomp_notif req = { 0 };
		struct seccomp_notif_resp resp = { 0 };

		assert_int_equal(poll(&p, 1, 10000), 1);
		if (!(p.revents & POLLIN))
			return n;
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
			continue;
		resp.id = req.id;
		resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
		n++;
	}
}

static void test_notify_all(void **state)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	struct seccomp_program p = { .insns = &all, .n = 1, .has_notify = true };
	char json[256], want[256];
	int pair[2];

	(void)state;
	need_root();
	rq.seccomp = &p;
	rq.listener_msg = "{\"pid\":0,\"metadata\":\"m\",\"state\":{\"pid\":0}}";
	set_args("/bin/true", NULL, NULL);
	for (int nnp = 0; nnp < 2; nnp++) {
		proc.no_new_privileges = nnp;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		rq.listener_fd = pair[1];
		struct life l = begin();
		close(pair[1]);
		assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
		commit(&l);
		int fd = agent_accept(pair[0], json, sizeof(json));
		snprintf(want, sizeof(want), "{\"pid\":%d,\"metadata\":\"m\",\"state\":"
			 "{\"pid\":%d}}", l.pid, l.pid);
		assert_string_equal(json, want);
		assert_int_equal(recv(pair[0], json, 1, 0), 0); /* one state a connection */
		assert_true(agent_serve(fd) > 2);
		assert_int_equal(hear(&l, l.sync, NULL), 0);
		close(fd);
		close(pair[0]);
		close(l.out);
		assert_int_equal(reap(&l), 0);
	}
}

static void test_notify_fails(void **state)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	struct seccomp_program p = { .insns = &all, .n = 1, .has_notify = true };
	int pair[2];

	(void)state;
	need_root();
	rq.seccomp = &p;
	rq.listener_msg = "{}";
	set_args("/bin/true", NULL, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	rq.listener_fd = pair[1];
	struct life l = begin();
	close(pair[1]);
	close(pair[0]);                 /* the agent is gone */
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_READY);
	commit(&l);
	assert_int_equal(hear(&l, l.sync, NULL), INIT_MSG_ERROR);
	assert_string_equal(l.e.msg, "send the seccomp listener to listenerPath: broken pipe");
	close(l.out);
	assert_int_equal(reap(&l), 1 << 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_user, setup),
		cmocka_unit_test_setup(test_root_caps, setup),
		cmocka_unit_test_setup(test_ambient, setup),
		cmocka_unit_test_setup(test_rootless, setup),
		cmocka_unit_test_setup(test_env, setup),
		cmocka_unit_test_setup(test_cwd, setup),
		cmocka_unit_test_setup(test_cwd_outside, setup),
		cmocka_unit_test_setup(test_exe_errors, setup),
		cmocka_unit_test_setup(test_exec_format, setup),
		cmocka_unit_test_setup(test_rlimits, setup),
		cmocka_unit_test_setup(test_task, setup),
		cmocka_unit_test_setup(test_affinity, setup),
		cmocka_unit_test_setup(test_cpulist, setup),
		cmocka_unit_test_setup(test_preserved, setup),
		cmocka_unit_test_setup(test_preserve_two, setup),
		cmocka_unit_test_setup(test_runtime_dies, setup),
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_fork_into_pidns, setup),
		cmocka_unit_test_setup(test_stdio_owner, setup),
		cmocka_unit_test_setup(test_hooks, setup),
		cmocka_unit_test_setup(test_hook_errors, setup),
		cmocka_unit_test_setup(test_seccomp, setup),
		cmocka_unit_test_setup(test_seccomp_tight, setup),
		cmocka_unit_test_setup(test_notify_all, setup),
		cmocka_unit_test_setup(test_notify_fails, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
