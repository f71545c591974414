/*
 * Fuzz target: a layer's tar stream, read in uneven pieces and unpacked into a directory
 * that is removed again; what comes out is written as a tar stream once more.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/tar_impl.h"
#include "image/tree.h"
#include "image/unpack_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	struct unpack *u;
	uint64_t end;           /* of the entry's data so far */
	uint64_t size;
};

static int drop(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)ctx, (void)p, (void)n, (void)e;
	return 0;
}

static int on_entry(void *ctx, const struct tar_entry *t, struct err *e)
{
	struct fuzz *f = ctx;
	struct tar_writer w = { .write = drop };

	assert(*t->name && t->link && (t->mode & ~07777u) == 0);
	assert(t->uid < UINT32_MAX && t->gid < UINT32_MAX);
	f->end = 0;
	f->size = t->size_bytes;
	if (tar_write_entry(&w, t, e) < 0)
		return -e->code;
	return unpack_ops.entry(f->u, t, e);
}

static int on_data(void *ctx, uint64_t offset, const void *p, size_t n, struct err *e)
{
	struct fuzz *f = ctx;

	assert(n > 0 && offset >= f->end && n <= f->size && offset <= f->size - n);
	f->end = offset + n;
	return unpack_ops.data(f->u, offset, p, n, e);
}

static int on_end(void *ctx, struct err *e)
{
	return unpack_ops.end(((struct fuzz *)ctx)->u, e);
}

/* Checksums are not what is tested: make those of blocks that look like headers right. */
static void mend(char *p, size_t size)
{
	for (; size >= TAR_BLOCK; p += TAR_BLOCK, size -= TAR_BLOCK) {
		unsigned sum = 0;

		if (memcmp(p + 257, "ustar", 5) != 0)
			continue;
		memset(p + 148, ' ', 8);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += (unsigned char)p[i];
		snprintf(p + 148, 7, "%06o", sum);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tar_ops ops = { on_entry, on_data, on_end };
	const struct unpack_options o = { .layer = true, .rootless = true, .entries_max = 1000,
					  .file_bytes_max = 1 << 30, .own = true,
					  .uid = geteuid(), .gid = getegid() };
	char dir[] = "/tmp/isle-fuzz.XXXXXX";
	CLEANUP_FREE char *p = xmalloc(size + 1);
	CLEANUP_FD int fd = -1;
	struct err e = { 0 };
	struct fuzz f = { 0 };
	struct tar_reader *r = tar_reader_new(&ops, &f);
	size_t at = 0, step = size ? data[0] + 1u : 1;
	int k = 0;

	assert(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f.u = unpack_new(fd, &o);
	if (size)
		memcpy(p, data, size);
	mend(p, size);
	for (; k == 0 && at < size; at += step)
		k = tar_reader_feed(r, p + at, size - at < step ? size - at : step, &e);
	if (k == 0 && tar_reader_finish(r, &e) == 0)
		k = unpack_finish(f.u, &e);
	assert(k == 0 || (e.code == -k && e.msg[0]));
	tar_reader_free(r);
	unpack_free(f.u);
	assert(tree_remove_at(AT_FDCWD, dir, &e) == 0);
	return 0;
}
