/* image/decompress.c - see decompress.h */
#include "image/decompress.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <string.h>
#include <zstd.h>

#include "base/mem.h"

#define MAGIC_MAX 6

struct decompress {
	const struct decompress_ops *ops;
	void *ctx;
	enum decompress_kind kind;
	unsigned char magic[MAGIC_MAX];
	size_t magic_len;

	unsigned char *out;             /* the buffer being filled */
	size_t out_cap, out_len;

	struct inflate_state *gzip;
	bool between;                   /* whole members so far */
	ZSTD_DStream *zstd;
};

static const struct {
	enum decompress_kind kind;
	const char *name;               /* of what is told, but not undone */
	unsigned char bytes[MAGIC_MAX];
	size_t n;
} magics[] = {
	{ DECOMPRESS_GZIP, NULL, { 0x1f, 0x8b }, 2 },
	{ DECOMPRESS_ZSTD, NULL, { 0x28, 0xb5, 0x2f, 0xfd }, 4 },
	{ DECOMPRESS_UNKNOWN, "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6 },
	{ DECOMPRESS_UNKNOWN, "bzip2", { 'B', 'Z', 'h' }, 3 },
};

struct decompress *decompress_new(const struct decompress_ops *ops, void *ctx)
{
	struct decompress *d = xcalloc(1, sizeof(*d));

	d->ops = ops;
	d->ctx = ctx;
	return d;
}

void decompress_free(struct decompress *d)
{
	if (!d)
		return;
	free(d->gzip);
	ZSTD_freeDStream(d->zstd);
	free(d);
}

enum decompress_kind decompress_kind(const struct decompress *d)
{
	return d->kind;
}

static int flush(struct decompress *d, struct err *e)
{
	size_t n = d->out_len;

	d->out = NULL;
	d->out_len = 0;
	return n > 0 ? d->ops->filled(d->ctx, n, e) : 0;
}

/* Make sure that there is room in the buffer. */
static int room(struct decompress *d, struct err *e)
{
	int r;

	if (d->out && d->out_len < d->out_cap)
		return 0;
	r = d->out ? flush(d, e) : 0;
	if (r < 0)
		return r;
	d->out = d->ops->room(d->ctx, &d->out_cap, e);
	return d->out ? 0 : -e->code;
}

static int write_plain(struct decompress *d, const unsigned char *p, size_t n, struct err *e)
{
	while (n > 0) {
		int r = room(d, e);
		size_t k = d->out_cap - d->out_len;

		if (r < 0)
			return r;
		if (k > n)
			k = n;
		memcpy(d->out + d->out_len, p, k);
		d->out_len += k;
		p += k;
		n -= k;
	}
	return 0;
}

static void gzip_member(struct decompress *d)
{
	isal_inflate_reset(d->gzip);
	d->gzip->crc_flag = ISAL_GZIP;
	d->between = false;
}

static int write_gzip(struct decompress *d, const unsigned char *p, size_t n, struct err *e)
{
	struct inflate_state *s = d->gzip;

	s->next_in = (unsigned char *)p;
	s->avail_in = (uint32_t)n;
	for (;;) {
		int r;

		if (d->between) {
			if (s->avail_in == 0)
				return 0;
			gzip_member(d);
		}
		r = room(d, e);
		if (r < 0)
			return r;
		s->next_out = d->out + d->out_len;
		s->avail_out = (uint32_t)(d->out_cap - d->out_len);
		r = isal_inflate(s);
		if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT && r != ISAL_OUT_OVERFLOW)
			return err_set(e, EBADMSG, "corrupt gzip data (%s)",
				       r == ISAL_INCORRECT_CHECKSUM ? "wrong checksum" :
				       "not a deflate stream");
		d->out_len = d->out_cap - s->avail_out;
		d->between = s->block_state == ISAL_BLOCK_FINISH;
		/* Output may be held back for want of room: full buffers mean "call again". */
		if (s->avail_in == 0 && s->avail_out > 0)
			return 0;
	}
}

static int write_zstd(struct decompress *d, const unsigned char *p, size_t n, struct err *e)
{
	ZSTD_inBuffer in = { .src = p, .size = n };
	bool full = true;

	while (in.pos < in.size || full) {
		ZSTD_outBuffer out;
		size_t k;
		int r = room(d, e);

		if (r < 0)
			return r;
		out = (ZSTD_outBuffer){ .dst = d->out, .size = d->out_cap, .pos = d->out_len };
		k = ZSTD_decompressStream(d->zstd, &out, &in);
		if (ZSTD_isError(k))
			return err_set(e, EBADMSG, "corrupt zstd data (%s)",
				       ZSTD_getErrorName(k));
		d->out_len = out.pos;
		d->between = k == 0;
		full = out.pos == out.size && k != 0;
	}
	return 0;
}

static int write_kind(struct decompress *d, const unsigned char *p, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	if (d->kind == DECOMPRESS_GZIP)
		return write_gzip(d, p, n, e);
	if (d->kind == DECOMPRESS_ZSTD)
		return write_zstd(d, p, n, e);
	return write_plain(d, p, n, e);
}

/* Enough bytes to tell came, or all there are: give them to the one they belong to. */
static int begin(struct decompress *d, struct err *e)
{
	d->kind = DECOMPRESS_PLAIN;
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		if (d->magic_len < magics[i].n ||
		    memcmp(d->magic, magics[i].bytes, magics[i].n) != 0)
			continue;
		if (magics[i].name)
			return err_set(e, EPROTONOSUPPORT, "compressed by %s; layers are gzip, "
				       "zstd or plain tar", magics[i].name);
		d->kind = magics[i].kind;
		break;
	}
	if (d->kind == DECOMPRESS_GZIP) {
		d->gzip = xmalloc(sizeof(*d->gzip));
		isal_inflate_init(d->gzip);
		gzip_member(d);
	} else if (d->kind == DECOMPRESS_ZSTD) {
		d->zstd = ZSTD_createDStream();
		if (!d->zstd)
			return err_set(e, ENOMEM, "libzstd gives no stream");
	}
	return write_kind(d, d->magic, d->magic_len, e);
}

int decompress_write(struct decompress *d, const void *bytes, size_t n, struct err *e)
{
	const unsigned char *p = bytes;

	if (d->kind == DECOMPRESS_UNKNOWN) {
		while (n > 0 && d->magic_len < MAGIC_MAX) {
			d->magic[d->magic_len++] = *p++;
			n--;
		}
		if (d->magic_len < MAGIC_MAX)
			return 0;
		if (begin(d, e) < 0)
			return -e->code;
	}
	/* ISA-L counts in 32 bits. */
	while (n > 0) {
		size_t k = n < (1u << 30) ? n : 1u << 30;
		int r = write_kind(d, p, k, e);

		if (r < 0)
			return r;
		p += k;
		n -= k;
	}
	return 0;
}

int decompress_finish(struct decompress *d, struct err *e)
{
	if (d->kind == DECOMPRESS_UNKNOWN && begin(d, e) < 0)
		return -e->code;
	if (d->kind != DECOMPRESS_PLAIN && !d->between)
		return err_set(e, EBADMSG, "the compressed data ends too early");
	return flush(d, e);
}
