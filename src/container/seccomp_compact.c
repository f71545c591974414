/*
 * container/seccomp_compact.c - see seccomp_compact.h
 *
 * A filter is a function of (architecture, number, arguments), and the first two decide
 * nearly all of it.  The program is taken apart and put together again in three steps:
 *
 *	nodes     the instructions as a graph without jumps, equal parts shared
 *	spans     for one architecture, numbers first..next-1 that end at the same node:
 *	          an answer, or the first look at an argument
 *	tree      per architecture, "number >= k" over the spans, wide ones near the top
 *
 *	ld arch, jeq -> ld nr, jge ... -> ret | ld args[i], jeq ... -> ret
 *
 * This is exact, not a search for likely numbers: an answer can change only at a number
 * that some comparison in the program names, and every such number starts a span.
 * Whatever breaks that reasoning (arithmetic on the number, a test of single bits that
 * is not x32's) is not understood, and the caller keeps what it had.
 *
 * Spec: linux Documentation/networking/filter.rst, seccomp(2).
 */
#include "container/seccomp_compact.h"

#include <linux/seccomp.h>
#include <string.h>

#include "base/mem.h"

#define NODES_MAX (4 * BPF_MAXINSNS)
#define BUCKETS 1024
#define ARCHS_MAX 32
/* JSET on a number splits all 2^32 of them; x32's bit into 4 parts, none should do worse. */
#define BIT_MIN 0x10000000u
#define JUMP_MAX 255            /* jt and jf are 8 bits: struct sock_filter */
/* Numbers the kernel has system calls for, all architectures: these it tries (above). */
#define NUMBERS_TRIED 512
#define LONE_SPANS 9            /* measured: longer lists save nothing more */
#define NONE UINT16_MAX

#define OFFSET_NR offsetof(struct seccomp_data, nr)
#define OFFSET_ARCH offsetof(struct seccomp_data, arch)
#define LOAD (BPF_LD | BPF_W | BPF_ABS)
#define AND (BPF_ALU | BPF_AND | BPF_K)
#define RET (BPF_RET | BPF_K)

/* Where what is in the accumulator may come from. */
enum { FROM_NOTHING = 1, FROM_ARCH = 2, FROM_NR = 4, FROM_ARG = 8 };

struct node {
	uint16_t code;          /* LOAD, AND, RET or a BPF_JMP with BPF_K */
	uint16_t yes, no;       /* nodes; what comes next is yes */
	uint16_t chain;         /* the next in this bucket */
	uint32_t k;
	uint32_t at;            /* 1 + where it was put last, from the end; 0: not yet */
};

struct span {
	uint32_t first;
	uint16_t node;
};

struct compact {
	struct node *nodes;
	size_t n_nodes;
	uint16_t buckets[BUCKETS];
	uint32_t archs[ARCHS_MAX];
	size_t n_archs;
	uint32_t *edges;        /* numbers at which an answer may change, 0 among them */
	size_t n_edges;
	struct span *spans;
	struct sock_filter *out;        /* backwards: a program's jumps go forward only */
	size_t n_out;
	bool failed;            /* too big, or not understood */
};

static bool is_jump(uint16_t code)
{
	return BPF_CLASS(code) == BPF_JMP;
}

static bool jump_taken(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	default:
		return a & k;           /* BPF_JSET: scan() lets nothing else through */
	}
}

/* ---- nodes --------------------------------------------------------------- */

/* The node that does this: an old one, a new one, or where it would lead anyway. */
static uint16_t node(struct compact *c, uint16_t code, uint32_t k, uint16_t yes, uint16_t no)
{
	const uint16_t next = yes == NONE ? 0 : c->nodes[yes].code;
	const bool forgotten = yes != NONE && (next == LOAD || next == RET);

	/* What is loaded is never looked at; both ways are one. */
	if (((code == LOAD || code == AND) && forgotten) || (is_jump(code) && yes == no))
		return yes;

	uint16_t *bucket = &c->buckets[(k * 31u + code + yes * 7u + no * 13u) % BUCKETS];
	for (uint16_t i = *bucket; i != NONE; i = c->nodes[i].chain) {
		const struct node *o = &c->nodes[i];

		if (o->code == code && o->k == k && o->yes == yes && o->no == no)
			return i;
	}
	if (c->n_nodes == NODES_MAX) {
		c->failed = true;
		return 0;
	}
	c->nodes[c->n_nodes] = (struct node){
		.code = code, .k = k, .yes = yes, .no = no, .chain = *bucket,
	};
	*bucket = (uint16_t)c->n_nodes;
	return (uint16_t)c->n_nodes++;
}

/* From the end, so that where a jump leads is there before it.  Returns the first. */
static uint16_t make_nodes(struct compact *c, const struct sock_filter *f, size_t n)
{
	CLEANUP_FREE uint16_t *ids = xcalloc(n, sizeof(*ids));

	for (size_t pc = n; pc-- > 0;) {
		if (f[pc].code == RET)
			ids[pc] = node(c, RET, f[pc].k, NONE, NONE);
		else if (f[pc].code == (BPF_JMP | BPF_JA))
			ids[pc] = ids[pc + 1 + f[pc].k];
		else if (is_jump(f[pc].code))
			ids[pc] = node(c, f[pc].code, f[pc].k, ids[pc + 1 + f[pc].jt],
				       ids[pc + 1 + f[pc].jf]);
		else
			ids[pc] = node(c, f[pc].code, f[pc].k, ids[pc + 1], NONE);
	}
	return ids[0];
}

/* ---- what the program asks ----------------------------------------------- */

static void add_arch(struct compact *c, uint32_t arch)
{
	for (size_t i = 0; i < c->n_archs; i++)
		if (c->archs[i] == arch)
			return;
	if (c->n_archs == ARCHS_MAX)
		c->failed = true;
	else
		c->archs[c->n_archs++] = arch;
}

/* One more number at which answers may change.  Past the highest there is nothing. */
static void add_edge(struct compact *c, uint32_t k, uint32_t more)
{
	if (more <= UINT32_MAX - k)
		c->edges[c->n_edges++] = k + more;
}

static void scan_number_jump(struct compact *c, const struct sock_filter *f)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		add_edge(c, f->k, 0);
		add_edge(c, f->k, 1);
		break;
	case BPF_JGT:
		add_edge(c, f->k, 1);
		break;
	case BPF_JGE:
		add_edge(c, f->k, 0);
		break;
	default:
		if (f->k < BIT_MIN || (f->k & (f->k - 1))) {
			c->failed = true;
			break;
		}
		for (uint32_t edge = f->k; edge; edge += f->k)
			add_edge(c, edge, 0);
	}
}

static bool known_jump(const struct sock_filter *f)
{
	const uint16_t op = BPF_OP(f->code);

	return f->code == (BPF_JMP | op | BPF_K) &&
	       (op == BPF_JEQ || op == BPF_JGT || op == BPF_JGE || op == BPF_JSET);
}

/* An instruction that is reached with the accumulator from "from".  False: not understood. */
static bool scan_one(struct compact *c, const struct sock_filter *f, uint8_t from, uint8_t *next,
		     size_t left)
{
	if (f->code == RET)
		return true;
	if (left == 0)                          /* it would run off the end */
		return false;
	if (f->code == LOAD) {
		next[0] |= f->k == OFFSET_NR ? FROM_NR : f->k == OFFSET_ARCH ? FROM_ARCH : FROM_ARG;
		return true;
	}
	if (f->code == AND) {
		next[0] |= FROM_ARG;
		return from == FROM_ARG;
	}
	if (f->code == (BPF_JMP | BPF_JA)) {
		if (f->k >= left)
			return false;
		next[f->k] |= from;
		return true;
	}
	if (!known_jump(f) || f->jt >= left || f->jf >= left || (from & FROM_NOTHING))
		return false;
	if ((from & FROM_ARCH) && BPF_OP(f->code) != BPF_JEQ)
		return false;
	if (from & FROM_ARCH)
		add_arch(c, f->k);
	if (from & FROM_NR)
		scan_number_jump(c, f);
	next[f->jt] |= from;
	next[f->jf] |= from;
	return !c->failed;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Find the architectures and the edges.  One pass: jumps go forward only. */
static bool scan(struct compact *c, const struct sock_filter *f, size_t n)
{
	CLEANUP_FREE uint8_t *from = xcalloc(n + 1, 1);
	size_t kept = 1;

	from[0] = FROM_NOTHING;
	add_edge(c, 0, 0);
	for (size_t pc = 0; pc < n; pc++) {
		/* make_nodes() reads these too, so all must be sound, reached or not. */
		if (!scan_one(c, &f[pc], from[pc] ? from[pc] : FROM_ARG, &from[pc + 1], n - pc - 1))
			return false;
	}
	qsort(c->edges, c->n_edges, sizeof(*c->edges), compare_u32);
	for (size_t i = 1; i < c->n_edges; i++)
		if (c->edges[i] != c->edges[kept - 1])
			c->edges[kept++] = c->edges[i];
	c->n_edges = kept;
	return true;
}

/* ---- spans and their tree ------------------------------------------------ */

/* As far as architecture and number lead. */
static uint16_t walk(const struct compact *c, uint16_t at, uint32_t arch, uint32_t nr)
{
	uint32_t a = 0;

	for (;;) {
		const struct node *n = &c->nodes[at];

		if (is_jump(n->code)) {
			at = jump_taken(n->code, a, n->k) ? n->yes : n->no;
			continue;
		}
		if (n->code != LOAD || (n->k != OFFSET_NR && n->k != OFFSET_ARCH))
			return at;
		a = n->k == OFFSET_NR ? nr : arch;
		at = n->yes;
	}
}

static size_t make_spans(struct compact *c, uint16_t root, uint32_t arch)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_edges; i++) {
		const struct span s = { c->edges[i], walk(c, root, arch, c->edges[i]) };

		if (n == 0 || c->spans[n - 1].node != s.node)
			c->spans[n++] = s;
	}
	return n;
}

/* How often the kernel will ask for a number of s, which ends before next; at least 1. */
static uint32_t weight(const struct span *s, uint32_t next)
{
	const uint32_t first = s->first < NUMBERS_TRIED ? s->first : NUMBERS_TRIED;

	return 1 + (next < NUMBERS_TRIED ? next : NUMBERS_TRIED) - first;
}

/* Where to cut the n spans so that both sides are asked for alike: 1..n-1. */
static size_t middle(const struct span *s, size_t n)
{
	uint32_t total = 0, left = 0;
	size_t cut = 1;

	for (size_t i = 0; i + 1 < n; i++)
		total += weight(&s[i], s[i + 1].first);
	for (; cut < n - 1; cut++) {
		left += weight(&s[cut - 1], s[cut].first);
		if (2 * left >= total)
			break;
	}
	return cut;
}

/* The place of one number between two spans that agree, or 0: there is none. */
static size_t lone_number(const struct span *s, size_t n)
{
	for (size_t i = 1; i + 1 < n; i++)
		if (s[i - 1].node == s[i + 1].node && s[i + 1].first - s[i].first == 1)
			return i;
	return 0;
}

static uint16_t tree(struct compact *c, const struct span *s, size_t n)
{
	if (n == 1)
		return s[0].node;
	/* "= k" in place of two "number >= k"; in a list, so only near the leaves. */
	const size_t lone = n <= LONE_SPANS ? lone_number(s, n) : 0;
	if (lone) {
		struct span rest[LONE_SPANS];

		memcpy(rest, s, lone * sizeof(*s));
		memcpy(rest + lone, s + lone + 2, (n - lone - 2) * sizeof(*s));
		return node(c, BPF_JMP | BPF_JEQ | BPF_K, s[lone].first, s[lone].node,
			    tree(c, rest, n - 2));
	}
	const size_t cut = middle(s, n);
	const uint16_t below = tree(c, s, cut), above = tree(c, s + cut, n - cut);

	return node(c, BPF_JMP | BPF_JGE | BPF_K, s[cut].first, above, below);
}

static uint16_t tree_of_arch(struct compact *c, uint16_t root, uint32_t arch)
{
	const size_t n = make_spans(c, root, arch);

	return node(c, LOAD, OFFSET_NR, tree(c, c->spans, n), NONE);
}

static uint32_t unknown_arch(const struct compact *c)
{
	uint32_t arch = 0;

	for (size_t i = 0; i < c->n_archs; i++)
		if (c->archs[i] == arch) {
			arch++;
			i = (size_t)-1;         /* from the start again */
		}
	return arch;
}

/* The whole of it: native's comparison is the first, any other's the last. */
static uint16_t rebuild(struct compact *c, uint16_t root, uint32_t native)
{
	uint16_t at = tree_of_arch(c, root, unknown_arch(c));

	for (size_t i = 0; i < c->n_archs; i++) {
		if (c->archs[i] == native) {
			c->archs[i] = c->archs[c->n_archs - 1];
			c->archs[c->n_archs - 1] = native;
		}
		at = node(c, BPF_JMP | BPF_JEQ | BPF_K, c->archs[i],
			  tree_of_arch(c, root, c->archs[i]), at);
	}
	return node(c, LOAD, OFFSET_ARCH, at, NONE);
}

/* ---- nodes to instructions ----------------------------------------------- */

static void put(struct compact *c, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (c->n_out == BPF_MAXINSNS)
		c->failed = true;
	else
		c->out[c->n_out++] = (struct sock_filter){ code, jt, jf, k };
}

/* Instructions between the next to be put and this node, which has been put. */
static size_t distance(const struct compact *c, uint16_t id)
{
	return c->n_out - c->nodes[id].at;
}

/* Make it at most max away: another copy of an answer, or a stepping stone. */
static void bring_near(struct compact *c, uint16_t id, size_t max)
{
	struct node *n = &c->nodes[id];

	if (distance(c, id) <= max)
		return;
	if (n->code == RET)
		put(c, RET, 0, 0, n->k);
	else
		put(c, BPF_JMP | BPF_JA, 0, 0, (uint32_t)distance(c, id));
	n->at = (uint32_t)c->n_out;
}

/* The recursion is as deep as the graph, which has at most BPF_MAXINSNS on one way. */
static void emit(struct compact *c, uint16_t id)
{
	struct node *n = &c->nodes[id];

	if (n->at || c->failed)
		return;
	if (is_jump(n->code)) {
		emit(c, n->no);
		emit(c, n->yes);
		bring_near(c, n->yes, JUMP_MAX - 1);    /* the other's may come between */
		bring_near(c, n->no, JUMP_MAX);
		put(c, n->code, (uint8_t)distance(c, n->yes), (uint8_t)distance(c, n->no), n->k);
	} else {
		if (n->yes != NONE) {
			emit(c, n->yes);
			bring_near(c, n->yes, 0);
		}
		put(c, n->code, 0, 0, n->k);
	}
	n->at = (uint32_t)c->n_out;
}

size_t seccomp_compact(const struct sock_filter *f, size_t n, uint32_t native,
		       struct sock_filter *ret)
{
	if (n == 0 || n > BPF_MAXINSNS)
		return 0;

	/* An instruction adds two edges at most, or the 15 of BIT_MIN. */
	CLEANUP_FREE struct node *nodes = xcalloc(NODES_MAX, sizeof(*nodes));
	CLEANUP_FREE uint32_t *edges = xcalloc(16 * n + 1, sizeof(*edges));
	CLEANUP_FREE struct span *spans = xcalloc(16 * n + 1, sizeof(*spans));
	CLEANUP_FREE struct sock_filter *out = xcalloc(BPF_MAXINSNS, sizeof(*out));
	CLEANUP_FREE struct compact *c = xcalloc(1, sizeof(*c));

	*c = (struct compact){ .nodes = nodes, .edges = edges, .spans = spans, .out = out };
	memset(c->buckets, 0xff, sizeof(c->buckets));
	if (!scan(c, f, n))
		return 0;
	const uint16_t root = rebuild(c, make_nodes(c, f, n), native);
	if (!c->failed)
		emit(c, root);
	if (c->failed || c->n_out >= n)
		return 0;
	for (size_t i = 0; i < c->n_out; i++)
		ret[i] = out[c->n_out - 1 - i];
	return c->n_out;
}
