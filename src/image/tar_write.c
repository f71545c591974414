/* image/tar_write.c - headers and padding of a tar stream; see tar.h */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "image/tar_impl.h"

static const char zeros[16 * TAR_BLOCK];

/* n - 1 octal digits and a NUL; false where v needs more. */
static bool octal(char *p, size_t n, uint64_t v)
{
	p[n - 1] = '\0';
	for (size_t i = n - 1; i-- > 0; v >>= 3)
		p[i] = (char)('0' + (v & 7));
	return v == 0;
}

static int write_header(struct tar_writer *w, struct tar_header *h, struct err *e)
{
	unsigned sum = 0;

	memcpy(h->magic, "ustar\0" "00", 8);
	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += ((const unsigned char *)h)[i];
	octal(h->chksum, 7, sum);
	return w->write(w->ctx, h, TAR_BLOCK, e);
}

/* "LENGTH KEY=VALUE\n": the length counts its own digits. */
static void record(struct buf *b, const char *key, const void *value, size_t n)
{
	size_t rest = strlen(key) + n + 3, len = rest + 1;
	char digits[24];

	while (len != rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len))
		len = rest + strlen(digits);
	buf_printf(b, "%zu %s=", len, key);
	buf_add(b, value, n);
	buf_add(b, "\n", 1);
}

static void record_number(struct buf *b, const char *key, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, v);

	record(b, key, text, (size_t)n);
}

static void record_time(struct buf *b, const char *key, struct timespec t)
{
	char text[48];
	bool negative = t.tv_sec < 0;
	int64_t sec = t.tv_sec;
	long ns = t.tv_nsec;
	int n;

	if (negative && ns > 0) {       /* -1.25 is kept as -2 s and 750 ms */
		sec++;
		ns = 1000000000 - ns;
	}
	n = snprintf(text, sizeof(text), "%s%" PRId64, negative && sec >= 0 ? "-" : "", sec);
	if (ns) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%09ld", ns);
		while (text[n - 1] == '0')
			n--;
	}
	record(b, key, text, (size_t)n);
}

/* The name, a directory's with its slash.  Returns whether it fits. */
static bool put_name(char *p, size_t n, const char *name)
{
	size_t len = strlen(name);

	memcpy(p, name, len < n ? len : n);
	return len <= n;
}

/* Fill the header; what does not fit goes into a record of b. */
static void fill(struct tar_header *h, const struct tar_entry *t, struct buf *b)
{
	if (!put_name(h->name, sizeof(h->name), t->name))
		record(b, "path", t->name, strlen(t->name));
	if (t->link && !put_name(h->linkname, sizeof(h->linkname), t->link))
		record(b, "linkpath", t->link, strlen(t->link));
	octal(h->mode, sizeof(h->mode), t->mode & 07777);
	if (!octal(h->uid, sizeof(h->uid), t->uid))
		record_number(b, "uid", t->uid);
	if (!octal(h->gid, sizeof(h->gid), t->gid))
		record_number(b, "gid", t->gid);
	if (!octal(h->size, sizeof(h->size), t->size_bytes))
		record_number(b, "size", t->size_bytes);
	if (!octal(h->mtime, sizeof(h->mtime), t->mtime.tv_sec < 0 ?
		   0 : (uint64_t)t->mtime.tv_sec) || t->mtime.tv_sec < 0 || t->mtime.tv_nsec)
		record_time(b, "mtime", t->mtime);
	octal(h->devmajor, sizeof(h->devmajor), t->major);
	octal(h->devminor, sizeof(h->devminor), t->minor);
	h->typeflag = (char)t->type;
	for (size_t i = 0; i < t->n_xattrs; i++) {
		char key[320];

		snprintf(key, sizeof(key), "SCHILY.xattr.%s", t->xattrs[i].name);
		record(b, key, t->xattrs[i].value, t->xattrs[i].len);
	}
}

static unsigned padding(uint64_t n)
{
	return (unsigned)(-n & (TAR_BLOCK - 1));
}

static int write_records(struct tar_writer *w, const struct buf *b, struct err *e)
{
	struct tar_header h = { .name = "PaxHeader", .typeflag = 'x' };
	int r;

	octal(h.mode, sizeof(h.mode), 0644);
	octal(h.uid, sizeof(h.uid), 0);
	octal(h.gid, sizeof(h.gid), 0);
	octal(h.mtime, sizeof(h.mtime), 0);
	octal(h.size, sizeof(h.size), b->len);
	r = write_header(w, &h, e);
	if (r == 0)
		r = w->write(w->ctx, b->data, b->len, e);
	return r < 0 ? r : w->write(w->ctx, zeros, padding(b->len), e);
}

int tar_write_entry(struct tar_writer *w, const struct tar_entry *t, struct err *e)
{
	CLEANUP(buf_release) struct buf records = BUF_INIT(TAR_META_MAX);
	struct tar_header h = { 0 };
	int r;

	fill(&h, t, &records);
	if (records.overflow)
		return err_set(e, E2BIG, "\"%s\": more than 1 MiB of names and xattrs", t->name);
	if (records.len > 0) {
		r = write_records(w, &records, e);
		if (r < 0)
			return r;
	}
	w->left_bytes = t->type == TAR_FILE ? t->size_bytes : 0;
	w->pad_bytes = padding(w->left_bytes);
	return write_header(w, &h, e);
}

int tar_write_data(struct tar_writer *w, const void *p, size_t n, struct err *e)
{
	int r = 0;

	w->left_bytes -= n;
	if (p)
		r = w->write(w->ctx, p, n, e);
	while (r == 0 && !p && n > 0) {
		size_t k = n < sizeof(zeros) ? n : sizeof(zeros);

		r = w->write(w->ctx, zeros, k, e);
		n -= k;
	}
	if (r < 0 || w->left_bytes > 0)
		return r;
	return w->write(w->ctx, zeros, w->pad_bytes, e);
}

int tar_write_end(struct tar_writer *w, struct err *e)
{
	return w->write(w->ctx, zeros, 2 * TAR_BLOCK, e);
}
