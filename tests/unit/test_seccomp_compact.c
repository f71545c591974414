/*
 * Shorter filters: profiles drawn at random go through libseccomp, and what becomes of them
 * is asked beside the original by an interpreter of the test's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/seccomp_compact.h"

#define LD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define NR offsetof(struct seccomp_data, nr)
#define ARCH offsetof(struct seccomp_data, arch)
#define RET(k) BPF_STMT(BPF_RET | BPF_K, (k))
#define JUMP(op, k, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (jt), (jf))
#define X32_BIT 0x40000000u

struct program {
	struct sock_filter f[BPF_MAXINSNS];
	size_t n;
};

static uint64_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static uint32_t ask(const struct program *p, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < p->n; pc++) {
		const struct sock_filter *i = &p->f[pc];
		const bool taken = (BPF_OP(i->code) == BPF_JEQ && a == i->k) ||
				   (BPF_OP(i->code) == BPF_JGT && a > i->k) ||
				   (BPF_OP(i->code) == BPF_JGE && a >= i->k) ||
				   (BPF_OP(i->code) == BPF_JSET && a & i->k);

		if (BPF_CLASS(i->code) == BPF_RET)
			return i->k;
		if (BPF_CLASS(i->code) == BPF_LD)
			memcpy(&a, (const char *)d + i->k, sizeof(a));
		else if (BPF_CLASS(i->code) == BPF_ALU)
			a &= i->k;
		else if (BPF_OP(i->code) == BPF_JA)
			pc += i->k;
		else
			pc += taken ? i->jt : i->jf;
	}
	fail_msg("ran off the end");
	return 0;
}

static void same(const struct program *a, const struct program *b, uint32_t arch, uint32_t nr,
		 const uint64_t args[6])
{
	struct seccomp_data d = { .arch = arch, .nr = (int)nr };

	memcpy(d.args, args, sizeof(d.args));
	if (ask(a, &d) != ask(b, &d))
		fail_msg("arch %#x, number %#x, first argument %#llx: %#x, not %#x", arch, nr,
			 (unsigned long long)d.args[0], ask(b, &d), ask(a, &d));
}

/* Every likely number, and the values that random_rule() compares with. */
static void same_everywhere(const struct program *a, const struct program *b)
{
	static const uint32_t archs[] = {
		AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0, UINT32_MAX
	};

	for (size_t i = 0; i < ARRAY_LEN(archs); i++)
		for (uint32_t nr = 0; nr < 600; nr++)
			for (unsigned k = 0; k < 6; k++) {
				uint64_t args[6];

				for (unsigned m = 0; m < 6; m++)
					args[m] = (uint64_t)draw(2) << 32 | draw(6);
				same(a, b, archs[i], nr, args);
				same(a, b, archs[i], nr | X32_BIT, args);
				same(a, b, archs[i], UINT32_MAX - nr, args);
				same(a, b, archs[i], X32_BIT - nr, args);
				same(a, b, archs[i], draw(UINT32_MAX), args);
			}
}

static void compact(const struct program *from, struct program *to)
{
	to->n = seccomp_compact(from->f, from->n, AUDIT_ARCH_X86_64, to->f);
}

/* ---- profiles through libseccomp ----------------------------------------- */

/* Profiles list most numbers of a stretch: fewer are left out than are named. */
static void random_stretch(scmp_filter_ctx ctx, uint32_t action)
{
	const uint32_t first = draw(400);

	for (uint32_t nr = first; nr < first + 40; nr++) {
		/* Some have no number on an architecture, or clash with an earlier rule. */
		int r = draw(9) ? seccomp_rule_add(ctx, action, (int)nr, 0) : 0;
		(void)r;
	}
}

static void random_rule(scmp_filter_ctx ctx, uint32_t action)
{
	struct scmp_arg_cmp cmp[2];
	const unsigned n = draw(4) ? 0 : 1 + draw(2);

	for (unsigned i = 0; i < n; i++)
		cmp[i] = (struct scmp_arg_cmp){
			.arg = 3 * i + draw(3), .op = SCMP_CMP_NE + draw(7),
			.datum_a = (uint64_t)(draw(4) == 0) << 32 | draw(6), .datum_b = draw(4),
		};
	int r = seccomp_rule_add_array(ctx, action, (int)draw(400), n, cmp);
	(void)r;
}

static void random_profile(struct program *p)
{
	static const uint32_t actions[] = {
		SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_ERRNO(EACCES),
		SCMP_ACT_KILL_PROCESS,
	};
	const uint32_t dflt = draw(2);
	scmp_filter_ctx ctx = seccomp_init(actions[dflt]);
	CLEANUP_FD int fd = memfd_create("test", MFD_CLOEXEC);

	assert_non_null(ctx);
	if (draw(2))
		assert_int_equal(seccomp_arch_add(ctx, SCMP_ARCH_X86), 0);
	if (draw(2))
		assert_int_equal(seccomp_arch_add(ctx, SCMP_ARCH_X32), 0);
	if (draw(2))
		assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), 0);
	for (uint32_t i = 6 + draw(9); i > 0; i--)
		random_stretch(ctx, actions[!dflt]);
	for (uint32_t i = draw(60); i > 0; i--)
		random_rule(ctx, draw(8) ? actions[!dflt] : actions[2 + draw(3)]);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	ssize_t n = fd_read_all(fd, p->f, sizeof(p->f));
	assert_true(n > 0);
	p->n = (size_t)n / sizeof(p->f[0]);
	seccomp_release(ctx);
}

static void test_random_profiles(void **state)
{
	static struct program from, to;
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, UINT32_MAX };
	size_t before = 0, after = 0;

	(void)state;
	for (seed = 1; seed < 40; seed++) {
		const uint64_t kept = seed;

		seed *= 1000003;
		random_profile(&from);
		compact(&from, &to);
		assert_true(to.n > 0 && to.n < from.n);
		same_everywhere(&from, &to);
		assert_true(seccomp_same_answers(from.f, from.n, to.f, to.n, archs,
						 ARRAY_LEN(archs)));
		before += from.n;
		after += to.n;
		seed = kept;
	}
	print_message("%zu instructions became %zu\n", before, after);
	assert_true(after < before * 2 / 3);
}

/* ---- the check finds what is wrong --------------------------------------- */

static void expect_difference(const struct program *from, const struct program *to,
			      const char *what, size_t at)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, UINT32_MAX };

	if (seccomp_same_answers(from->f, from->n, to->f, to->n, archs, ARRAY_LEN(archs)))
		fail_msg("%s at %zu was not seen", what, at);
}

/* Numbers alone: a flaw among them must show, whichever instruction has it. */
static void test_check(void **state)
{
	static struct program from = { .f = { LD(NR) }, .n = 1 }, to, bad;

	(void)state;
	/* Runs of seven, every second one allowed; on i386 all is killed. */
	from.f[0] = (struct sock_filter)LD(ARCH);
	from.f[1] = (struct sock_filter)JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	from.f[2] = (struct sock_filter)RET(SECCOMP_RET_KILL_PROCESS);
	from.f[3] = (struct sock_filter)LD(NR);
	for (from.n = 4; from.n < 204; from.n += 2) {
		from.f[from.n] = (struct sock_filter)JUMP(BPF_JGE, (uint32_t)from.n / 2 * 7, 1, 0);
		from.f[from.n + 1] = (struct sock_filter)RET(
			from.n % 4 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO);
	}
	from.f[from.n++] = (struct sock_filter)RET(SECCOMP_RET_LOG);
	compact(&from, &to);
	assert_true(to.n > 0);
	same_everywhere(&from, &to);
	for (size_t i = 0; i < to.n; i++) {
		bad = to;
		if (BPF_CLASS(bad.f[i].code) == BPF_RET) {
			bad.f[i].k ^= SECCOMP_RET_TRACE;
			expect_difference(&from, &bad, "another answer", i);
		} else if (BPF_CLASS(bad.f[i].code) == BPF_JMP && BPF_OP(bad.f[i].code) != BPF_JA) {
			bad.f[i].k++;
			expect_difference(&from, &bad, "one too many", i);
			bad.f[i].k -= 2;
			expect_difference(&from, &bad, "one too few", i);
			bad = to;
			bad.f[i].jt = to.f[i].jf;
			bad.f[i].jf = to.f[i].jt;
			expect_difference(&from, &bad, "the other way", i);
		}
	}
	bad = to;
	bad.n--;
	expect_difference(&from, &bad, "no end", bad.n);
}

static void test_check_arguments(void **state)
{
	struct program from = { .n = 6, .f = {
		LD(NR), JUMP(BPF_JEQ, 41, 0, 2), LD(offsetof(struct seccomp_data, args[1])),
		JUMP(BPF_JEQ, 0x7e020000, 1, 0), RET(SECCOMP_RET_ALLOW), RET(SECCOMP_RET_LOG),
	} }, bad = from;

	(void)state;
	bad.f[3].k++;
	expect_difference(&from, &bad, "another argument", 3);
	bad = from;
	bad.f[2].k += 8;
	expect_difference(&from, &bad, "the wrong argument", 2);
	bad = from;
	bad.f[2].k += 4;
	expect_difference(&from, &bad, "the upper half", 2);
}

/* Between two constants of neither: half of all numbers have x32's bit, not the upper ones. */
static void test_check_bits(void **state)
{
	struct program from = { .n = 4, .f = {
		LD(NR), JUMP(BPF_JSET, X32_BIT, 0, 1), RET(SECCOMP_RET_ALLOW), RET(SECCOMP_RET_LOG),
	} }, bad = from;

	(void)state;
	bad.f[1] = (struct sock_filter)JUMP(BPF_JGE, X32_BIT, 0, 1);
	expect_difference(&from, &bad, "an order of numbers", 1);
}

/* ---- what is left alone -------------------------------------------------- */

static void expect_left(const char *what, const struct sock_filter *f, size_t n)
{
	struct sock_filter ret[BPF_MAXINSNS];

	if (seccomp_compact(f, n, AUDIT_ARCH_X86_64, ret) != 0)
		fail_msg("%s was taken for understood", what);
}
#define LEFT(what, ...) do {                                                                    \
	const struct sock_filter left[] = { __VA_ARGS__, RET(1), RET(1), RET(1), RET(2), RET(3) }; \
	expect_left(what, left, ARRAY_LEN(left));                                               \
} while (0)

static void test_left_alone(void **state)
{
	const struct sock_filter endless[] = { LD(NR), JUMP(BPF_JEQ, 1, 0, 0) };

	(void)state;
	LEFT("arithmetic on the number", LD(NR), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
	     JUMP(BPF_JEQ, 1, 0, 1));
	LEFT("other arithmetic", LD(16), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1),
	     JUMP(BPF_JEQ, 1, 0, 1));
	LEFT("odd numbers", LD(NR), JUMP(BPF_JSET, 1, 0, 1));
	LEFT("two bits", LD(NR), JUMP(BPF_JSET, 0xc0000000, 0, 1));
	LEFT("an order of architectures", LD(ARCH), JUMP(BPF_JGT, 3, 0, 1));
	LEFT("the register X", LD(NR), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1));
	LEFT("nothing loaded", JUMP(BPF_JEQ, 0, 0, 1));
	LEFT("scratch memory", LD(NR), BPF_STMT(BPF_ST, 0));
	LEFT("the accumulator as the answer", LD(NR), BPF_STMT(BPF_RET | BPF_A, 0));
	LEFT("a jump out of it", LD(NR), JUMP(BPF_JEQ, 1, 0, 9));
	LEFT("a long jump out of it", LD(NR), BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX));
	expect_left("a program without an end", endless, ARRAY_LEN(endless));
	expect_left("no program", endless, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_profiles),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_arguments),
		cmocka_unit_test(test_check_bits),
		cmocka_unit_test(test_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
