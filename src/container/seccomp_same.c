/*
 * container/seccomp_same.c - two filters side by side.  See seccomp_compact.h
 *
 * A mistake in a filter is a hole in the wall that nothing else would show, so what
 * seccomp_compact() made is asked here before anyone relies on it.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/mem.h"
#include "container/seccomp_compact.h"

#define NUMBERS_ALL 1025                /* every number up to here, and the same for x32 */
#define X32_BIT 0x40000000u
#define DRAWS 256                       /* sets of arguments, for a number that looks at them */
#define SEED 88172645463325252ULL
#define ANSWER_BROKEN UINT32_MAX        /* no SECCOMP_RET_* */

struct values {
	uint32_t *v;
	size_t n;
};

static bool compare(const struct sock_filter *i, uint32_t a, bool *ret)
{
	switch (i->code) {
	case BPF_JMP | BPF_JEQ | BPF_K:
		*ret = a == i->k;
		return true;
	case BPF_JMP | BPF_JGT | BPF_K:
		*ret = a > i->k;
		return true;
	case BPF_JMP | BPF_JGE | BPF_K:
		*ret = a >= i->k;
		return true;
	case BPF_JMP | BPF_JSET | BPF_K:
		*ret = a & i->k;
		return true;
	default:
		return false;
	}
}

/* The answer to d, or ANSWER_BROKEN; *looked is set when an argument was needed for it. */
static uint32_t run(const struct sock_filter *f, size_t n, const struct seccomp_data *d,
		    bool *looked)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		bool taken = false;

		switch (f[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f[pc].k % sizeof(a) || f[pc].k > sizeof(*d) - sizeof(a))
				return ANSWER_BROKEN;
			memcpy(&a, (const char *)d + f[pc].k, sizeof(a));
			*looked |= f[pc].k > offsetof(struct seccomp_data, arch);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f[pc].k;
			break;
		case BPF_RET | BPF_K:
			return f[pc].k;
		case BPF_JMP | BPF_JA:
			pc += f[pc].k;
			break;
		default:
			if (!compare(&f[pc], a, &taken))
				return ANSWER_BROKEN;
			pc += taken ? f[pc].jt : f[pc].jf;
		}
	}
	return ANSWER_BROKEN;
}

/* Each constant and its neighbours. */
static void add_around(struct values *to, uint32_t k)
{
	for (uint32_t i = 0; i < 3; i++)
		to->v[to->n++] = k - 1 + i;
}

/*
 * Sort the constants: those behind a look at an argument are for arguments.  By the order
 * of the text, which is near enough: it chooses what is asked, not what is right.
 */
static void collect(const struct sock_filter *f, size_t n, struct values *numbers,
		    struct values *args)
{
	bool arg = false;

	for (size_t i = 0; i < n; i++) {
		if (f[i].code == (BPF_LD | BPF_W | BPF_ABS))
			arg = f[i].k > offsetof(struct seccomp_data, arch);
		else if (BPF_CLASS(f[i].code) != BPF_RET && f[i].code != (BPF_JMP | BPF_JA))
			add_around(arg ? args : numbers, f[i].k);
	}
}

/* Half of the words 0: most arguments are small, and both halves must match. */
static void draw_args(struct seccomp_data *d, const struct values *from, uint64_t *seed)
{
	uint32_t words[2 * ARRAY_LEN(d->args)] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		*seed ^= *seed << 13;           /* xorshift64: the same draws each time */
		*seed ^= *seed >> 7;
		*seed ^= *seed << 17;
		words[i] = (*seed >> 32) % 2 ? from->v[(*seed >> 33) % from->n] : 0;
	}
	memcpy(d->args, words, sizeof(words));
}

bool seccomp_same_answers(const struct sock_filter *a, size_t n_a, const struct sock_filter *b,
			  size_t n_b, const uint32_t *archs, size_t n_archs)
{
	const size_t most = 3 * (n_a + n_b + 4) + 2 * NUMBERS_ALL;
	CLEANUP_FREE uint32_t *v = xcalloc(2 * most, sizeof(*v));
	struct values numbers = { .v = v }, args = { .v = v + most };
	uint64_t seed = SEED;

	for (uint32_t i = 0; i < NUMBERS_ALL; i++) {
		numbers.v[numbers.n++] = i;
		numbers.v[numbers.n++] = X32_BIT | i;
	}
	args.v[args.n++] = 1;
	/* A test of x32's bit changes its answer at each multiple of it. */
	add_around(&numbers, 0);
	for (uint32_t edge = X32_BIT; edge; edge += X32_BIT)
		add_around(&numbers, edge);
	collect(a, n_a, &numbers, &args);
	collect(b, n_b, &numbers, &args);

	for (size_t i = 0; i < n_archs; i++)
		for (size_t k = 0; k < numbers.n; k++) {
			struct seccomp_data d = { .arch = archs[i], .nr = (int)numbers.v[k] };
			bool looked = false;
			unsigned draws = 0;

			do {
				const uint32_t answer = run(a, n_a, &d, &looked);

				if (answer == ANSWER_BROKEN || run(b, n_b, &d, &looked) != answer)
					return false;
				draw_args(&d, &args, &seed);
			} while (looked && ++draws <= DRAWS);
		}
	return true;
}
