/* image/pack.c - see pack.h; pack_walk.h makes the entries */
#include "image/pack.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/pack_walk.h"

#define BUFFER_BYTES (256u << 10)

struct packer {
	int fd;
	char *in;                       /* the tar stream, gathered */
	size_t in_len;
	uint8_t *out, *level_buf;
	struct isal_zstream *z;         /* NULL: not compressed */
	struct digest *digest, *diff_id;
	struct pack_result *r;
};

static void packer_release(struct packer *p)
{
	free(p->in);
	free(p->out);
	free(p->level_buf);
	free(p->z);
	digest_free(p->digest);
	digest_free(p->diff_id);
}

static int put(struct packer *p, const void *bytes, size_t n, struct err *e)
{
	int r = fd_write_all(p->fd, bytes, n);

	if (r < 0)
		return err_sys(e, -r, "write the tar stream");
	digest_add(p->digest, bytes, n);
	p->r->size_bytes += n;
	return 0;
}

static int flush(struct packer *p, bool end, struct err *e)
{
	int r = 0;

	digest_add(p->diff_id, p->in, p->in_len);
	p->r->tar_bytes += p->in_len;
	if (!p->z) {
		r = put(p, p->in, p->in_len, e);
		p->in_len = 0;
		return r;
	}
	p->z->next_in = (uint8_t *)p->in;
	p->z->avail_in = (uint32_t)p->in_len;
	p->z->end_of_stream = end;
	do {
		p->z->next_out = p->out;
		p->z->avail_out = BUFFER_BYTES;
		if (isal_deflate(p->z) != COMP_OK)
			return err_set(e, EIO, "compress the layer: ISA-L failed");
		r = put(p, p->out, BUFFER_BYTES - p->z->avail_out, e);
	} while (r == 0 && p->z->avail_out == 0);
	p->in_len = 0;
	return r;
}

static int gather(void *ctx, const void *bytes, size_t n, struct err *e)
{
	struct packer *p = ctx;
	const char *from = bytes;

	while (n > 0) {
		size_t k = BUFFER_BYTES - p->in_len < n ? BUFFER_BYTES - p->in_len : n;

		memcpy(p->in + p->in_len, from, k);
		p->in_len += k;
		from += k;
		n -= k;
		if (p->in_len == BUFFER_BYTES && flush(p, false, e) < 0)
			return -e->code;
	}
	return 0;
}

static int gzip_begin(struct packer *p, int level, struct err *e)
{
	static const uint32_t sizes[] = { ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT,
					  ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT };

	if (level < 0 || level >= (int)ARRAY_LEN(sizes))
		return err_set(e, EINVAL, "compression level %d: 0 to 3 are known", level);
	p->z = xmalloc(sizeof(*p->z));
	isal_deflate_init(p->z);
	p->level_buf = sizes[level] ? xmalloc(sizes[level]) : NULL;
	p->z->level = (uint32_t)level;
	p->z->level_buf = p->level_buf;
	p->z->level_buf_size = sizes[level];
	p->z->gzip_flag = IGZIP_GZIP;
	return 0;
}

int pack_tree(int dirfd, int fd, const struct pack_options *o, struct pack_result *ret,
	      struct err *e)
{
	const struct pack_walk_options walk = {
		.layer = o->layer, .rootless = o->rootless, .skip = o->skip, .n_skip = o->n_skip,
	};
	CLEANUP(packer_release) struct packer p = { .fd = fd, .r = ret };
	struct tar_writer w = { .write = gather, .ctx = &p };
	int r;

	*ret = (struct pack_result){ 0 };
	p.in = xmalloc(BUFFER_BYTES);
	p.out = xmalloc(BUFFER_BYTES);
	r = digest_new(NULL, &p.digest, e);
	if (r == 0)
		r = digest_new(NULL, &p.diff_id, e);
	if (r == 0 && o->gzip)
		r = gzip_begin(&p, o->level, e);
	if (r == 0)
		r = pack_walk_dir(&w, dirfd, "", &walk, &ret->unpacked_bytes, e);
	if (r == 0)
		r = tar_write_end(&w, e);
	if (r == 0)
		r = flush(&p, true, e);
	if (r < 0)
		return r;
	digest_text(p.digest, ret->digest);
	digest_text(p.diff_id, ret->diff_id);
	return 0;
}
