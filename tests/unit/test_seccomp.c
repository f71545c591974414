/*
 * Seccomp profiles: what the compiled program answers is asked of a small interpreter of
 * classic BPF, so every architecture and action can be tested anywhere.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/seccomp.h"

#define X32_BIT 0x40000000
#define ERRNO(code) (SECCOMP_RET_ERRNO | (code))

/* ---- the interpreter: what seccomp(2) lets through of classic BPF -------------- */

static uint32_t ask_data(const struct seccomp_program *p, const struct seccomp_data *d)
{
	const struct sock_filter *f = p->insns;
	uint32_t a = 0, v;

	for (size_t pc = 0; pc < p->n; pc++) {
		const struct sock_filter *i = &f[pc];
		bool taken;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k + 4 <= sizeof(*d));
			memcpy(&v, (const char *)d + i->k, 4);
			a = v;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			taken = a & i->k;
			break;
		default:
			fail_msg("instruction %#x at %zu", i->code, pc);
			return 0;
		}
		pc += taken ? i->jt : i->jf;
	}
	fail_msg("ran off the end");
	return 0;
}

static uint32_t ask_arg(const struct seccomp_program *p, int nr, unsigned arg, uint64_t value)
{
	struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64 };

	d.args[arg] = value;
	return ask_data(p, &d);
}

static uint32_t ask(const struct seccomp_program *p, int nr)
{
	return ask_arg(p, nr, 0, 0);
}

static uint32_t ask_arch(const struct seccomp_program *p, uint32_t arch, int nr)
{
	const struct seccomp_data d = { .nr = nr, .arch = arch };

	return ask_data(p, &d);
}

/* ---- profiles -------------------------------------------------------------------- */

#define STRV(...) { (const char *[]){ __VA_ARGS__, NULL }, \
		    sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(const char *) }

static struct seccomp_program compile(const struct oci_seccomp *s, int cache)
{
	struct seccomp_program p;
	struct err e = { 0 };

	int r = seccomp_compile(s, cache, &p, &e);
	if (r < 0)
		print_error("%s\n", e.msg);
	assert_int_equal(r, 0);
	return p;
}

static void expect_error(const struct oci_seccomp *s, const char *msg)
{
	struct seccomp_program p;
	struct err e = { 0 };

	assert_true(seccomp_compile(s, -1, &p, &e) < 0);
	assert_string_equal(e.msg, msg);
}

static uint32_t answer(const char *action, struct opt_u64 errno_ret, const char *dflt)
{
	struct oci_seccomp_rule r = {
		.names = STRV("getpid", "no_such_call"), .action = action, .errno_ret = errno_ret,
	};
	struct oci_seccomp s = { .default_action = dflt, .syscalls = &r, .n_syscalls = 1 };
	struct seccomp_program p = compile(&s, -1);
	uint32_t v = ask(&p, SYS_getpid);

	seccomp_program_release(&p);
	return v;
}

static void test_actions(void **state)
{
	const struct opt_u64 none = { 0 }, forty = { true, 40 };
	static const char allow[] = "SCMP_ACT_ALLOW";

	(void)state;
	assert_int_equal(answer("SCMP_ACT_KILL", none, allow), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(answer("SCMP_ACT_KILL_THREAD", none, allow),
			 SECCOMP_RET_KILL_THREAD);
	assert_int_equal(answer("SCMP_ACT_KILL_PROCESS", none, allow),
			 SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(answer("SCMP_ACT_TRAP", none, allow), SECCOMP_RET_TRAP);
	assert_int_equal(answer("SCMP_ACT_ERRNO", none, allow), ERRNO(EPERM));
	assert_int_equal(answer("SCMP_ACT_ERRNO", forty, allow), ERRNO(40));
	assert_int_equal(answer("SCMP_ACT_TRACE", none, allow), SECCOMP_RET_TRACE | EPERM);
	assert_int_equal(answer("SCMP_ACT_TRACE", forty, allow), SECCOMP_RET_TRACE | 40);
	assert_int_equal(answer("SCMP_ACT_LOG", none, allow), SECCOMP_RET_LOG);
	assert_int_equal(answer(allow, none, "SCMP_ACT_KILL_PROCESS"), SECCOMP_RET_ALLOW);
	assert_int_equal(answer("SCMP_ACT_NOTIFY", none, allow), SECCOMP_RET_USER_NOTIF);
	/* The same as the default: skipped, not an error. */
	assert_int_equal(answer("SCMP_ACT_ALLOW", none, allow), SECCOMP_RET_ALLOW);
	assert_int_equal(answer("SCMP_ACT_ERRNO", none, "SCMP_ACT_ERRNO"), ERRNO(EPERM));
	assert_int_equal(answer("SCMP_ACT_ERRNO", forty, "SCMP_ACT_ERRNO"), ERRNO(40));
}

static void test_notify(void **state)
{
	struct oci_seccomp_rule r = { .names = STRV("mkdir"), .action = "SCMP_ACT_NOTIFY" };
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ALLOW", .syscalls = &r, .n_syscalls = 1,
		.flags = STRV("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"),
	};
	struct seccomp_program p = compile(&s, -1);

	(void)state;
	assert_true(p.has_notify);
	assert_int_equal(p.flags, 1 << 5);
	assert_int_equal(ask(&p, SYS_mkdir), SECCOMP_RET_USER_NOTIF);
	seccomp_program_release(&p);

	s.n_syscalls = 0;
	p = compile(&s, -1);
	assert_false(p.has_notify);
	assert_int_equal(p.flags, 0);   /* EINVAL for the kernel without a listener */
	seccomp_program_release(&p);

	s.default_action = "SCMP_ACT_NOTIFY";
	p = compile(&s, -1);
	assert_true(p.has_notify);
	assert_int_equal(ask(&p, 100000), SECCOMP_RET_USER_NOTIF);
	seccomp_program_release(&p);
}

static void test_flags(void **state)
{
	static const char *some[] = {
		"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", NULL
	};
	struct oci_seccomp s = { .default_action = "SCMP_ACT_ALLOW" };
	struct seccomp_program p = compile(&s, -1);

	(void)state;
	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);      /* absent */
	seccomp_program_release(&p);
	s.flags.v = some;               /* [] */
	p = compile(&s, -1);
	assert_int_equal(p.flags, 0);
	seccomp_program_release(&p);
	s.flags.n = 2;
	p = compile(&s, -1);
	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_LOG);
	seccomp_program_release(&p);

	const char *const *sup = seccomp_supported_flags();
	assert_string_equal(sup[0], "SECCOMP_FILTER_FLAG_TSYNC");
}

struct cmp_case {
	uint32_t op;
	uint64_t value, two, arg;
	bool match;
};

static void test_operators(void **state)
{
	static const struct cmp_case cases[] = {
		{ SCMP_CMP_NE, 5, 0, 5, false }, { SCMP_CMP_NE, 5, 0, 6, true },
		{ SCMP_CMP_LT, 5, 0, 4, true }, { SCMP_CMP_LT, 5, 0, 5, false },
		{ SCMP_CMP_LE, 5, 0, 5, true }, { SCMP_CMP_LE, 5, 0, 6, false },
		{ SCMP_CMP_EQ, 1ULL << 40, 0, 1ULL << 40, true },
		{ SCMP_CMP_EQ, 5, 0, 1ULL << 40 | 5, false },
		{ SCMP_CMP_GE, 5, 0, 5, true }, { SCMP_CMP_GE, 5, 0, 4, false },
		{ SCMP_CMP_GT, 5, 0, 1ULL << 40, true }, { SCMP_CMP_GT, 5, 0, 5, false },
		{ SCMP_CMP_MASKED_EQ, 0xf0, 0x10, 0x1f, true },
		{ SCMP_CMP_MASKED_EQ, 0xf0, 0x10, 0x2f, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct cmp_case *c = &cases[i];
		struct oci_seccomp_arg a = {
			.index = 2, .value = c->value, .value_two = c->two, .op = c->op,
		};
		struct oci_seccomp_rule r = {
			.names = STRV("personality"), .action = "SCMP_ACT_ERRNO",
			.args = &a, .n_args = 1,
		};
		struct oci_seccomp s = {
			.default_action = "SCMP_ACT_ALLOW", .syscalls = &r, .n_syscalls = 1,
		};
		struct seccomp_program p = compile(&s, -1);

		assert_int_equal(ask_arg(&p, SYS_personality, 2, c->arg),
				 c->match ? ERRNO(EPERM) : SECCOMP_RET_ALLOW);
		seccomp_program_release(&p);
	}
}

static void test_several_args(void **state)
{
	struct oci_seccomp_arg a[] = {
		{ .index = 0, .value = 1, .op = SCMP_CMP_EQ },
		{ .index = 0, .value = 2, .op = SCMP_CMP_EQ },
	};
	struct oci_seccomp_rule r = { .names = STRV("socket"), .action = "SCMP_ACT_ALLOW",
				      .args = a, .n_args = 2 };
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ERRNO", .syscalls = &r, .n_syscalls = 1,
	};
	struct seccomp_program p = compile(&s, -1);

	(void)state;
	/* Twice the same argument: either. */
	assert_int_equal(ask_arg(&p, SYS_socket, 0, 1), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_arg(&p, SYS_socket, 0, 2), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_arg(&p, SYS_socket, 0, 3), ERRNO(EPERM));
	seccomp_program_release(&p);

	/* Different ones: both. */
	a[1].index = 1;
	p = compile(&s, -1);
	assert_int_equal(ask_arg(&p, SYS_socket, 0, 1), ERRNO(EPERM));
	const struct seccomp_data d = {
		.nr = SYS_socket, .arch = AUDIT_ARCH_X86_64, .args = { 1, 2 },
	};
	assert_int_equal(ask_data(&p, &d), SECCOMP_RET_ALLOW);
	seccomp_program_release(&p);
}

static struct oci_seccomp_rule some_calls = {
	.names = STRV("read", "write", "statx", "preadv"), .action = "SCMP_ACT_ALLOW",
};

static void test_enosys(void **state)
{
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ERRNO", .syscalls = &some_calls, .n_syscalls = 1,
		.architectures = STRV("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
				      "SCMP_ARCH_X86_64"),
	};
	struct seccomp_program p = compile(&s, -1);

	(void)state;
	assert_int_equal(ask(&p, SYS_statx), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_mkdir), ERRNO(EPERM));
	assert_int_equal(ask(&p, SYS_statx + 1), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, 450), ERRNO(ENOSYS));
	/* statx is 383 on i386, preadv 534 on x32 */
	assert_int_equal(ask_arch(&p, AUDIT_ARCH_I386, 383), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_arch(&p, AUDIT_ARCH_I386, 382), ERRNO(EPERM));
	assert_int_equal(ask_arch(&p, AUDIT_ARCH_I386, 384), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, X32_BIT | 534), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, X32_BIT | 533), ERRNO(EPERM));
	assert_int_equal(ask(&p, X32_BIT | 535), ERRNO(ENOSYS));
	assert_int_equal(ask_arch(&p, AUDIT_ARCH_AARCH64, 63), SECCOMP_RET_KILL_THREAD);
	seccomp_program_release(&p);

	s.architectures.n = 1;          /* x32 not listed: libseccomp's answer */
	p = compile(&s, -1);
	assert_int_equal(ask(&p, 450), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, X32_BIT | 535), SECCOMP_RET_KILL_THREAD);
	seccomp_program_release(&p);
}

static void test_no_enosys(void **state)
{
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_LOG", .syscalls = &some_calls, .n_syscalls = 1,
		.architectures = STRV("SCMP_ARCH_X86_64"),
	};
	struct seccomp_program p = compile(&s, -1);

	(void)state;
	assert_int_equal(ask(&p, 450), SECCOMP_RET_LOG);
	seccomp_program_release(&p);
	s.default_action = "SCMP_ACT_TRACE";
	p = compile(&s, -1);
	assert_int_equal(ask(&p, 450), SECCOMP_RET_TRACE | EPERM);
	seccomp_program_release(&p);
	s.default_action = "SCMP_ACT_ERRNO";
	s.default_errno_ret = (struct opt_u64){ true, ENOSYS };
	p = compile(&s, -1);
	assert_int_equal(ask(&p, SYS_mkdir), ERRNO(ENOSYS));
	seccomp_program_release(&p);
	s.default_errno_ret.v = EACCES; /* new calls are ENOSYS all the same */
	p = compile(&s, -1);
	assert_int_equal(ask(&p, SYS_mkdir), ERRNO(EACCES));
	assert_int_equal(ask(&p, 450), ERRNO(ENOSYS));
	seccomp_program_release(&p);
}

static void test_errors(void **state)
{
	struct oci_seccomp_arg a = { .index = 6, .op = SCMP_CMP_EQ };
	struct oci_seccomp_rule r = { .names = STRV("read"), .action = "SCMP_ACT_DANCE" };
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ALLOW", .syscalls = &r, .n_syscalls = 1,
	};

	(void)state;
	expect_error(&s, "linux.seccomp.syscalls[0]: \"SCMP_ACT_DANCE\" is not an action");
	r.action = "SCMP_ACT_KILL";
	r.errno_ret = (struct opt_u64){ true, 1 };
	expect_error(&s, "linux.seccomp.syscalls[0]: SCMP_ACT_KILL takes no errno");
	r.errno_ret.set = false;
	r.args = &a;
	r.n_args = 1;
	expect_error(&s, "linux.seccomp.syscalls[0]: args[0].index: 6 is above 5");
	a.index = 0;
	a.op = 9;
	expect_error(&s, "linux.seccomp.syscalls[0]: args[0].op: 9 is not an operator");
	r.n_args = 0;
	s.default_action = "SCMP_ACT_NO";
	expect_error(&s, "linux.seccomp.defaultAction: \"SCMP_ACT_NO\" is not an action");
	s.default_action = "SCMP_ACT_ALLOW";
	s.architectures = (struct oci_strv)STRV("SCMP_ARCH_X86", "SCMP_ARCH_PDP11");
	expect_error(&s, "linux.seccomp.architectures[1]: \"SCMP_ARCH_PDP11\" is not known");
	s.architectures.n = 0;
	s.flags = (struct oci_strv)STRV("SECCOMP_FILTER_FLAG_FLY");
	expect_error(&s, "linux.seccomp.flags[0]: seccomp flag \"SECCOMP_FILTER_FLAG_FLY\" is "
		     "not known");
}

static void test_all_archs(void **state)
{
	(void)state;
	for (const char *const *a = seccomp_known_archs(); *a; a++) {
		struct oci_seccomp s = {
			.default_action = "SCMP_ACT_ERRNO",
			.syscalls = &some_calls, .n_syscalls = 1,
			.architectures = STRV(*a),
		};
		struct seccomp_program p;
		struct err e = { 0 };
		int r = seccomp_compile(&s, -1, &p, &e);

		if (r < 0) {            /* a filter has one byte order */
			assert_int_equal(r, -EDOM);
			continue;
		}
		assert_int_equal(ask(&p, SYS_read), SECCOMP_RET_ALLOW);
		seccomp_program_release(&p);
	}
}

/* ---- the cache ------------------------------------------------------------------- */

static int cache_fd;
static char cache_dir[] = "/tmp/test-seccomp.XXXXXX";

/* The one entry's name, or how many there are if not one. */
static unsigned entries(char *name)
{
	DIR *d = opendir(cache_dir);
	struct dirent *de;
	unsigned n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		if (de->d_name[0] != '.' && ++n && name)
			strcpy(name, de->d_name);
	closedir(d);
	return n;
}

static void cache_clear(void)
{
	char name[256];

	while (entries(name))
		assert_int_equal(unlinkat(cache_fd, name, 0), 0);
}

static int cache_setup(void **state)
{
	(void)state;
	if (!mkdtemp(cache_dir))
		return -1;
	cache_fd = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cache_fd < 0;
}

static int cache_teardown(void **state)
{
	(void)state;
	cache_clear();
	close(cache_fd);
	return rmdir(cache_dir);
}

static const struct oci_seccomp cached_profile = {
	.default_action = "SCMP_ACT_ERRNO", .syscalls = &some_calls, .n_syscalls = 1,
	.architectures = STRV("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
};

static ino_t inode_of(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(cache_fd, name, &st, 0), 0);
	return st.st_ino;
}

static void test_cache_hit(void **state)
{
	struct seccomp_program fresh = compile(&cached_profile, -1);
	struct seccomp_program miss = compile(&cached_profile, cache_fd);
	char name[256];
	struct stat st;

	(void)state;
	assert_int_equal(entries(name), 1);
	assert_int_equal(fstatat(cache_fd, name, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct seccomp_program hit = compile(&cached_profile, cache_fd);
	assert_int_equal(inode_of(name), st.st_ino);    /* not written again */
	assert_int_equal(hit.n, fresh.n);
	assert_int_equal(miss.n, fresh.n);
	assert_memory_equal(hit.insns, fresh.insns, fresh.n * sizeof(struct sock_filter));
	seccomp_program_release(&fresh);
	seccomp_program_release(&miss);
	seccomp_program_release(&hit);
	cache_clear();
}

/* An entry under the name of another profile, as if their hashes were equal. */
static void test_cache_collision(void **state)
{
	struct oci_seccomp other = cached_profile;
	char name[256];

	(void)state;
	struct seccomp_program p = compile(&cached_profile, cache_fd);
	seccomp_program_release(&p);
	assert_int_equal(entries(name), 1);
	char moved[256];
	snprintf(moved, sizeof(moved), "%s", name);
	other.default_errno_ret = (struct opt_u64){ true, 77 };
	p = compile(&other, cache_fd);
	assert_int_equal(entries(NULL), 2);
	seccomp_program_release(&p);
	DIR *d = opendir(cache_dir);
	struct dirent *de;
	while ((de = readdir(d)))
		if (de->d_name[0] != '.' && strcmp(de->d_name, moved) != 0)
			assert_int_equal(renameat(cache_fd, moved, cache_fd, de->d_name), 0);
	closedir(d);
	p = compile(&other, cache_fd);
	assert_int_equal(ask(&p, SYS_mkdir), ERRNO(77));
	seccomp_program_release(&p);
	cache_clear();
}

static void check_ignored(const char *what, ino_t was, const char *name)
{
	struct seccomp_program p = compile(&cached_profile, cache_fd);

	if (ask(&p, SYS_mkdir) != ERRNO(EPERM) || inode_of(name) == was)
		fail_msg("%s: the entry was taken", what);
	seccomp_program_release(&p);
}

static void test_cache_bad_entries(void **state)
{
	char name[256];
	struct stat st;

	(void)state;
	struct seccomp_program p = compile(&cached_profile, cache_fd);
	seccomp_program_release(&p);
	assert_int_equal(entries(name), 1);
	assert_int_equal(fstatat(cache_fd, name, &st, 0), 0);

	/* Torn at every length, and each byte flipped. */
	CLEANUP_FREE char *good = xmalloc((size_t)st.st_size);
	int fd = openat(cache_fd, name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_read_all(fd, good, (size_t)st.st_size), st.st_size);
	close(fd);
	for (off_t n = 0; n < st.st_size; n += 7) {
		assert_int_equal(file_replace_at(cache_fd, name, good, (size_t)n, 0600), 0);
		check_ignored("torn", inode_of(name), name);
	}
	for (off_t n = 0; n < st.st_size; n += 5) {
		good[n] ^= 1;
		int r = file_replace_at(cache_fd, name, good, (size_t)st.st_size, 0600);
		assert_int_equal(r, 0);
		good[n] ^= 1;
		check_ignored("flipped", inode_of(name), name);
	}

	/* Writable by others, somebody else's, a link, a FIFO. */
	assert_int_equal(fchmodat(cache_fd, name, 0620, 0), 0);
	check_ignored("group may write", inode_of(name), name);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(cache_fd, name, 1, 1, 0), 0);
		check_ignored("not ours", inode_of(name), name);
	}
	assert_int_equal(renameat(cache_fd, name, cache_fd, "real"), 0);
	assert_int_equal(symlinkat("real", cache_fd, name), 0);
	p = compile(&cached_profile, cache_fd);
	seccomp_program_release(&p);
	assert_int_equal(fstatat(cache_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(unlinkat(cache_fd, name, 0), 0);
	assert_int_equal(mkfifoat(cache_fd, name, 0600), 0);
	p = compile(&cached_profile, cache_fd);
	seccomp_program_release(&p);
	cache_clear();
}

static void test_cache_bound(void **state)
{
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ERRNO", .default_errno_ret = { true, 1 },
	};

	(void)state;
	for (s.default_errno_ret.v = 1; s.default_errno_ret.v < 300; s.default_errno_ret.v++) {
		struct seccomp_program p = compile(&s, cache_fd);

		seccomp_program_release(&p);
		assert_true(entries(NULL) <= 65);
	}
	cache_clear();
	/* Nowhere to write: only slower. */
	CLEANUP_FD int nowhere = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct seccomp_program p = compile(&s, nowhere);
	seccomp_program_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_several_args),
		cmocka_unit_test(test_enosys),
		cmocka_unit_test(test_no_enosys),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_all_archs),
		cmocka_unit_test(test_cache_hit),
		cmocka_unit_test(test_cache_collision),
		cmocka_unit_test(test_cache_bad_entries),
		cmocka_unit_test(test_cache_bound),
	};

	return cmocka_run_group_tests(tests, cache_setup, cache_teardown);
}
