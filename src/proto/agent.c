/* proto/agent.c - see agent.h */
#include "proto/agent.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* What a field is, and what it may be. */
enum field {
	NONE, VERSION, PID, CODE, EXIT_CODE, SIGNAL, ALL, OOM, ROWS, COLUMNS, TIME, COUNT,
	NAME, DATA, DOCUMENT, SEED, EXTRA, FIELDS
};

#define FIELDS_MAX 4

#define HOST AGENT_FROM_HOST
#define GUEST AGENT_FROM_GUEST

static const struct shape {
	unsigned char from;             /* enum agent_side */
	unsigned char field[FIELDS_MAX];        /* enum field; NONE: no more */
} shapes[AGENT_KINDS] = {
	[AGENT_HELLO] = { HOST, { VERSION } },
	[AGENT_CONFIGURE] = { HOST, { TIME, NAME, SEED, EXTRA } },
	[AGENT_CREATE] = { HOST, { NAME, DOCUMENT, EXTRA } },
	[AGENT_START] = { HOST, { NONE } },
	[AGENT_EXEC] = { HOST, { ROWS, COLUMNS, ALL, DOCUMENT } },
	[AGENT_KILL] = { HOST, { SIGNAL, ALL } },
	[AGENT_PAUSE] = { HOST, { NONE } },
	[AGENT_RESUME] = { HOST, { NONE } },
	[AGENT_DELETE] = { HOST, { ALL } },
	[AGENT_UPDATE] = { HOST, { DOCUMENT } },
	[AGENT_STATUS] = { HOST, { NONE } },
	[AGENT_STATS] = { HOST, { NONE } },
	[AGENT_PIDS] = { HOST, { NONE } },
	[AGENT_OOM] = { HOST, { NONE } },
	[AGENT_SHUTDOWN] = { HOST, { NONE } },
	[AGENT_WELCOME] = { GUEST, { VERSION, NAME, DATA, EXTRA } },
	[AGENT_DONE] = { GUEST, { NONE } },
	[AGENT_CREATED] = { GUEST, { PID } },
	[AGENT_STARTED] = { GUEST, { PID } },
	[AGENT_JSON] = { GUEST, { DOCUMENT } },
	[AGENT_OOM_COUNT] = { GUEST, { COUNT } },
	[AGENT_ERROR] = { GUEST, { CODE, EXIT_CODE, NAME } },
	[AGENT_STDIN] = { HOST, { DATA } },
	[AGENT_STDIN_EOF] = { HOST, { NONE } },
	[AGENT_SIGNAL] = { HOST, { SIGNAL } },
	[AGENT_RESIZE] = { HOST, { ROWS, COLUMNS } },
	[AGENT_STDOUT] = { GUEST, { DATA } },
	[AGENT_STDERR] = { GUEST, { DATA } },
	[AGENT_EXIT] = { GUEST, { EXIT_CODE, OOM } },
};

/* wide: a u64; bytes: max is their number. */
static const struct range { uint64_t min, max; bool wide, bytes; } ranges[FIELDS] = {
	[VERSION] = { 1, UINT32_MAX, .wide = false },
	[PID] = { 1, INT32_MAX, .wide = false },
	[CODE] = { 1, 4095, .wide = false },
	[EXIT_CODE] = { 0, 255, .wide = false },
	[SIGNAL] = { 1, 64, .wide = false },
	[ALL] = { 0, 1, .wide = false },
	[OOM] = { 0, 1, .wide = false },
	[ROWS] = { 0, UINT16_MAX, .wide = false },
	[COLUMNS] = { 0, UINT16_MAX, .wide = false },
	[TIME] = { 0, INT64_MAX, .wide = true },
	[COUNT] = { 0, UINT64_MAX, .wide = true },
	[NAME] = { 0, ERR_MSG_MAX, .bytes = true },
	[DATA] = { 0, AGENT_DATA_MAX, .bytes = true },
	[DOCUMENT] = { 0, AGENT_DOCUMENT_MAX, .bytes = true },
	[SEED] = { 0, 512, .bytes = true },
	[EXTRA] = { 0, 4096, .bytes = true },
};

static uint64_t number_get(const struct agent_message *m, enum field what)
{
	switch (what) {
	case VERSION: return m->version;
	case PID: return m->pid;
	/* A negative one becomes a number that no range holds. */
	case CODE: return (uint64_t)m->code;
	case EXIT_CODE: return (uint64_t)m->exit_code;
	case SIGNAL: return (uint64_t)m->signal;
	case ALL: return m->all;
	case OOM: return m->oom;
	case ROWS: return m->rows;
	case COLUMNS: return m->columns;
	case TIME: return m->time_ns;
	case COUNT: return m->count;
	default: return 0;
	}
}

static void number_set(struct agent_message *m, enum field what, uint64_t v)
{
	switch (what) {
	case VERSION: m->version = (uint32_t)v; break;
	case PID: m->pid = (uint32_t)v; break;
	case CODE: m->code = (int)v; break;
	case EXIT_CODE: m->exit_code = (int)v; break;
	case SIGNAL: m->signal = (int)v; break;
	case ALL: m->all = v; break;
	case OOM: m->oom = v; break;
	case ROWS: m->rows = (unsigned)v; break;
	case COLUMNS: m->columns = (unsigned)v; break;
	case TIME: m->time_ns = v; break;
	case COUNT: m->count = v; break;
	default: break;
	}
}

static struct agent_bytes *bytes_of(struct agent_message *m, enum field what)
{
	return what == NAME ? &m->name : what == EXTRA ? &m->extra : &m->data;
}

enum agent_side agent_kind_side(enum agent_kind kind)
{
	return (enum agent_side)shapes[kind].from;
}

/* ---- numbers as bytes -------------------------------------------------------------------- */

static void put(struct buf *b, uint64_t v, unsigned n_bytes)
{
	uint8_t le[8];

	for (unsigned i = 0; i < n_bytes; i++)
		le[i] = (uint8_t)(v >> (8 * i));
	buf_add(b, le, n_bytes);
}

/* The bytes of a frame that were not taken yet. */
struct rest {
	const uint8_t *p;
	size_t n;
};

static bool get(struct rest *r, unsigned n_bytes, uint64_t *ret)
{
	if (r->n < n_bytes)
		return false;
	*ret = 0;
	for (unsigned i = 0; i < n_bytes; i++)
		*ret |= (uint64_t)r->p[i] << (8 * i);
	r->p += n_bytes;
	r->n -= n_bytes;
	return true;
}

/* ---- frames ------------------------------------------------------------------------------ */

/* Bytes of m's fields, or -EINVAL. */
static int64_t fields_measure(const struct agent_message *m, const struct shape *s)
{
	int64_t sum = 0;

	for (size_t i = 0; i < FIELDS_MAX && s->field[i]; i++) {
		enum field what = s->field[i];
		const struct range *r = &ranges[what];
		uint64_t v = r->bytes ? bytes_of((struct agent_message *)m, what)->n
				      : number_get(m, what);

		if (v < r->min || v > r->max)
			return -EINVAL;
		sum += r->bytes ? 4 + (int64_t)v : r->wide ? 8 : 4;
	}
	return sum;
}

int agent_encode(const struct agent_message *m, struct buf *out)
{
	if (m->kind < AGENT_HELLO || m->kind >= AGENT_KINDS)
		return -EINVAL;
	const struct shape *s = &shapes[m->kind];
	int64_t n = fields_measure(m, s);
	if (n < 0 || out->overflow || out->max - out->len < (size_t)n + AGENT_HEADER)
		return -EINVAL;
	put(out, 2 + (uint64_t)n, 4);
	put(out, (uint64_t)m->kind, 2);
	for (size_t i = 0; i < FIELDS_MAX && s->field[i]; i++) {
		enum field what = s->field[i];

		if (ranges[what].bytes) {
			const struct agent_bytes *b = bytes_of((struct agent_message *)m, what);

			put(out, b->n, 4);
			if (b->n)
				buf_add(out, b->p, b->n);
		} else {
			put(out, number_get(m, what), ranges[what].wide ? 8 : 4);
		}
	}
	return 0;
}

static int field_decode(struct rest *r, enum field what, struct agent_message *m)
{
	const struct range *range = &ranges[what];
	uint64_t v;

	if (!get(r, range->wide ? 8 : 4, &v) || v < range->min || v > range->max)
		return -EPROTO;
	if (!range->bytes) {
		number_set(m, what, v);
		return 0;
	}
	if (v > r->n)
		return -EPROTO;
	*bytes_of(m, what) = (struct agent_bytes){ r->p, (size_t)v };
	r->p += v;
	r->n -= (size_t)v;
	return 0;
}

int agent_decode(const uint8_t *p, size_t n, enum agent_side from, struct agent_message *m)
{
	struct rest r = { p, n };
	uint64_t length, kind;

	if (!get(&r, 4, &length))
		return 0;
	if (length < 2 || length > AGENT_FRAME_MAX - 4)
		return -EPROTO;
	if (!get(&r, 2, &kind))
		return 0;
	if (kind < AGENT_HELLO || kind >= AGENT_KINDS || shapes[kind].from != from)
		return -EPROTO;
	if (r.n < length - 2)
		return 0;
	r.n = (size_t)length - 2;
	*m = (struct agent_message){ .kind = (enum agent_kind)kind };
	for (size_t i = 0; i < FIELDS_MAX && shapes[kind].field[i]; i++)
		if (field_decode(&r, shapes[kind].field[i], m) < 0)
			return -EPROTO;
	return r.n == 0 ? (int)length + 4 : -EPROTO;
}

/* ---- over a descriptor ------------------------------------------------------------------- */

void agent_reader_release(struct agent_reader *r)
{
	free(r->data);
	*r = (struct agent_reader){ .from = r->from };
}

bool agent_reader_has(const struct agent_reader *r)
{
	struct agent_message m;

	/* A wrong frame counts: agent_read() says so without reading. */
	return r->data && agent_decode(r->data + r->at, r->end - r->at, r->from, &m) != 0;
}

int agent_read(struct agent_reader *r, int fd, struct agent_message *m)
{
	for (;;) {
		int n = r->data ? agent_decode(r->data + r->at, r->end - r->at, r->from, m) : 0;

		if (n < 0)
			return n;
		if (n > 0) {
			r->at += (size_t)n;
			return 1;
		}
		/* Small frames never move; memory for a long one grows as its bytes come. */
		if (r->data && r->at > 0) {
			memmove(r->data, r->data + r->at, r->end - r->at);
			r->end -= r->at;
			r->at = 0;
		}
		if (r->end == r->cap) {
			r->cap = r->cap ? r->cap * 2 : 2 * (size_t)AGENT_DATA_MAX;
			if (r->cap > AGENT_FRAME_MAX)
				r->cap = AGENT_FRAME_MAX;
			r->data = xreallocarray(r->data, r->cap, 1);
		}
		ssize_t got = TEMP_FAILURE_RETRY(read(fd, r->data + r->end, r->cap - r->end));
		if (got < 0)
			return -errno;
		if (got == 0)                   /* in the middle of a frame it is cut short */
			return r->end == 0 ? 0 : -EPROTO;
		r->end += (size_t)got;
	}
}

int agent_write(int fd, const struct agent_message *m)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(AGENT_FRAME_MAX);

	int r = agent_encode(m, &b);
	return r < 0 ? r : fd_write_all(fd, b.data, b.len);
}

int agent_write_kind(int fd, enum agent_kind kind)
{
	return agent_write(fd, &(struct agent_message){ .kind = kind });
}

int agent_write_error(int fd, const struct err *why, int exit_code)
{
	struct agent_message m = {
		.kind = AGENT_ERROR,
		.code = why->code,
		.exit_code = exit_code,
		.name = { why->msg, strlen(why->msg) },
	};

	return agent_write(fd, &m);
}
