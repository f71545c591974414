/*
 * image/tar_read.c - the tar reader's states; see tar.h
 *
 *	HEADER -> META (pax records, long names) -> HEADER
 *	       -> [SPARSE: maps ahead of the data] -> DATA -> PAD -> HEADER
 *	       -> TRAILER after one zero block -> DONE after two
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "image/tar_impl.h"

enum state { HEADER, META, OLD_SPARSE, SPARSE_1_0, DATA, PAD, TRAILER, DONE };

struct tar_reader {
	const struct tar_ops *ops;
	void *ctx;
	enum state state;
	uint64_t at_bytes;              /* of the stream, for messages */
	char block[TAR_BLOCK];          /* a header, or part of a sparse map */
	size_t block_len;

	/* Of the entry: gathered ahead of it, then itself. */
	struct arena arena;
	struct buf meta;                /* body of an x, L or K entry */
	char meta_type;
	size_t meta_total;
	struct tar_pax pax;
	const char *long_name, *long_link;
	struct tar_entry t;
	size_t cap_extents;
	uint64_t stored_bytes;          /* data still to come */
	uint64_t skip_bytes;            /* padding, or the data of what has none to us */
	bool open;                      /* entry was called, end not yet */

	/* Where in the file the next stored byte belongs. */
	size_t extent;
	uint64_t extent_done;

	/* A pax 1.0 map: how many numbers are wanted, and the one being read. */
	bool map_counted, map_digit, map_half;
	uint64_t map_left, map_number, map_offset;
};

struct tar_reader *tar_reader_new(const struct tar_ops *ops, void *ctx)
{
	struct tar_reader *r = xcalloc(1, sizeof(*r));

	r->ops = ops;
	r->ctx = ctx;
	r->meta = (struct buf)BUF_INIT(TAR_META_MAX);
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (!r)
		return;
	arena_release(&r->arena);
	buf_release(&r->meta);
	free(r);
}

static int malformed(const struct tar_reader *r, struct err *e, const char *what)
{
	if (r->t.name)
		return err_set(e, EBADMSG, "entry \"%.250s\": %s", r->t.name, what);
	return err_set(e, EBADMSG, "tar stream at byte %" PRIu64 ": %s", r->at_bytes, what);
}

static char *field(struct tar_reader *r, const char *p, size_t n)
{
	return arena_strndup(&r->arena, p, strnlen(p, n));
}

static unsigned padding(uint64_t n)
{
	return (unsigned)(-n & (TAR_BLOCK - 1));
}

/* Ready for the header of the next entry, or with keep for that of this one. */
static void next_header(struct tar_reader *r, bool keep)
{
	r->state = HEADER;
	r->block_len = 0;
	if (keep)
		return;
	arena_release(&r->arena);
	r->pax = (struct tar_pax){ 0 };
	r->t = (struct tar_entry){ 0 };
	r->long_name = r->long_link = NULL;
	r->meta_total = 0;
	r->cap_extents = 0;
	r->extent = 0;
	r->extent_done = 0;
	r->map_counted = r->map_digit = r->map_half = false;
	r->map_left = r->map_number = 0;
}

static int end_entry(struct tar_reader *r, struct err *e)
{
	if (r->open) {
		int k = r->ops->end(r->ctx, e);

		r->open = false;
		if (k < 0)
			return k;
	}
	r->state = PAD;
	if (r->skip_bytes == 0)
		next_header(r, false);
	return 0;
}

/* The header and the maps are known: tell it, and expect its data. */
static int begin_entry(struct tar_reader *r, struct err *e)
{
	struct tar_entry *t = &r->t;
	int k;

	if (t->sparse && tar_extents_check(t->extents, t->n_extents, t->size_bytes,
					   r->stored_bytes) < 0)
		return malformed(r, e, "its sparse map does not fit its size");
	r->open = true;
	k = r->ops->entry(r->ctx, t, e);
	if (k < 0)
		return k;
	r->state = DATA;
	return r->stored_bytes == 0 ? end_entry(r, e) : 0;
}

/* ---- what stands ahead of a header: pax records, GNU's long names ------------- */

static int meta_begin(struct tar_reader *r, char type, uint64_t size, struct err *e)
{
	if (size > TAR_META_MAX - r->meta_total)
		return malformed(r, e, "a header of more than 1 MiB is refused");
	r->meta_total += size;
	r->meta.len = 0;
	r->meta_type = type;
	r->stored_bytes = size;
	r->skip_bytes = padding(size);
	r->state = META;
	return 0;
}

static int meta_end(struct tar_reader *r, struct err *e)
{
	const char *p = r->meta.data ? r->meta.data : "";
	size_t n = r->meta.len;
	int k = 0;

	if (r->meta_type == 'x') {
		k = tar_pax_parse(p, n, &r->arena, &r->pax, e);
		if (k < 0)
			return err_prefix(e, "tar stream at byte %" PRIu64, r->at_bytes);
	} else if (r->meta_type == 'L') {
		r->long_name = field(r, p, n);
	} else if (r->meta_type == 'K') {
		r->long_link = field(r, p, n);
	}
	/*
	 * Global records ('g') are read over: git writes a commit's name there, and Go's
	 * reader and so every engine gives them no meaning.
	 */
	r->state = PAD;
	if (r->skip_bytes == 0)
		next_header(r, true);
	return 0;
}

/* ---- sparse files ---------------------------------------------------------------- */

/* Old GNU: pairs in the header, then 21 a block; an empty pair ends them. */
static int old_sparse_pairs(struct tar_reader *r, const char (*p)[2][12], size_t n,
			    struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int64_t offset, len;

		if (p[i][0][0] == '\0' && p[i][1][0] == '\0')
			break;
		if (tar_number(p[i][0], 12, &offset) < 0 || tar_number(p[i][1], 12, &len) < 0 ||
		    offset < 0 || len < 0)
			return malformed(r, e, "bad number in its sparse map");
		if (tar_extent_add(&r->arena, &r->t.extents, &r->t.n_extents, &r->cap_extents,
				   (uint64_t)offset, (uint64_t)len) < 0)
			return malformed(r, e, "its sparse map is too long");
	}
	return 0;
}

static int old_sparse_header(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	int64_t size;
	int k;

	if (tar_number(h->gnu.realsize, sizeof(h->gnu.realsize), &size) < 0 || size < 0)
		return malformed(r, e, "bad size");
	r->t.sparse = true;
	r->t.size_bytes = (uint64_t)size;
	k = old_sparse_pairs(r, h->gnu.sp, 4, e);
	if (k < 0)
		return k;
	r->block_len = 0;
	r->state = OLD_SPARSE;
	return h->gnu.isextended ? 0 : begin_entry(r, e);
}

static int old_sparse_block(struct tar_reader *r, struct err *e)
{
	char pairs[21][2][12];
	int k;

	memcpy(pairs, r->block, sizeof(pairs));
	k = old_sparse_pairs(r, (const char (*)[2][12])pairs, 21, e);
	r->block_len = 0;
	if (k < 0)
		return k;
	return r->block[504] ? 0 : begin_entry(r, e);
}

/* pax 1.0: decimal numbers, one a line, the first being the count of pairs. */
static int sparse_1_0_number(struct tar_reader *r, uint64_t x, struct err *e)
{
	if (!r->map_counted) {
		if (x > TAR_EXTENTS_MAX)
			return malformed(r, e, "its sparse map is too long");
		r->map_counted = true;
		r->map_left = x * 2;
		return 0;
	}
	r->map_left--;
	r->map_half = !r->map_half;
	if (r->map_half)
		r->map_offset = x;
	else if (tar_extent_add(&r->arena, &r->t.extents, &r->t.n_extents, &r->cap_extents,
				r->map_offset, x) < 0)
		return malformed(r, e, "its sparse map is too long");
	return 0;
}

static int sparse_1_0_block(struct tar_reader *r, struct err *e)
{
	if (r->stored_bytes < TAR_BLOCK)
		return malformed(r, e, "its sparse map is longer than its data");
	r->stored_bytes -= TAR_BLOCK;
	r->block_len = 0;
	for (size_t i = 0; i < TAR_BLOCK && (!r->map_counted || r->map_left > 0); i++) {
		char c = r->block[i];

		if (c == '\n' && r->map_digit) {
			int k = sparse_1_0_number(r, r->map_number, e);

			if (k < 0)
				return k;
			r->map_number = 0;
			r->map_digit = false;
		} else if (c >= '0' && c <= '9' && r->map_number < INT64_MAX / 16) {
			r->map_number = r->map_number * 10 + (uint64_t)(c - '0');
			r->map_digit = true;
		} else {
			return malformed(r, e, "bad number in its sparse map");
		}
	}
	return r->map_counted && r->map_left == 0 ? begin_entry(r, e) : 0;
}

/* What the pax records say of a sparse file.  Returns 1 where the map is in the data. */
static int pax_sparse(struct tar_reader *r, struct err *e)
{
	struct tar_pax *p = &r->pax;

	if (!p->is_sparse)
		return 0;
	if (p->has_sparse_version && (p->sparse_major > 1 || p->sparse_minor > 1 ||
				      (p->sparse_major == 1 && p->sparse_minor != 0)))
		return malformed(r, e, "sparse files of this version are not known");
	if (p->sparse_name)
		r->t.name = p->sparse_name;
	if (!p->has_sparse_size)
		return malformed(r, e, "a sparse file without its size");
	r->t.sparse = true;
	r->t.size_bytes = p->sparse_size;
	if (p->has_sparse_version && p->sparse_major == 1)
		return 1;
	r->t.extents = p->extents;
	r->t.n_extents = p->n_extents;
	return 0;
}

/* ---- headers ------------------------------------------------------------------------ */

static bool is_gnu(const struct tar_header *h)
{
	return memcmp(h->magic, "ustar  ", 8) == 0;
}

static const char *header_name(struct tar_reader *r, const struct tar_header *h)
{
	const char *name = field(r, h->name, sizeof(h->name));

	if (memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0])
		return arena_printf(&r->arena, "%s/%s",
				    field(r, h->prefix, sizeof(h->prefix)), name);
	return name;
}

/* Names and numbers of the header, and what pax records or long names put over them. */
static int fill_entry(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	const struct tar_pax *p = &r->pax;
	struct tar_entry *t = &r->t;
	int64_t mode, uid, gid, mtime, major = 0, minor = 0;

	t->name = p->path ? p->path : r->long_name ? r->long_name : header_name(r, h);
	t->link = p->linkpath ? p->linkpath : r->long_link ? r->long_link :
		  field(r, h->linkname, sizeof(h->linkname));
	if (!*t->name && !p->sparse_name)
		return malformed(r, e, "an entry without a name");
	if (tar_number(h->mode, sizeof(h->mode), &mode) < 0 ||
	    tar_number(h->uid, sizeof(h->uid), &uid) < 0 ||
	    tar_number(h->gid, sizeof(h->gid), &gid) < 0 ||
	    tar_number(h->mtime, sizeof(h->mtime), &mtime) < 0)
		return malformed(r, e, "bad number in its header");
	if (memcmp(h->magic, "ustar", 5) == 0 &&
	    (tar_number(h->devmajor, sizeof(h->devmajor), &major) < 0 ||
	     tar_number(h->devminor, sizeof(h->devminor), &minor) < 0))
		return malformed(r, e, "bad device number");
	t->uid = p->has_uid ? p->uid : (uint64_t)uid;
	t->gid = p->has_gid ? p->gid : (uint64_t)gid;
	if (t->uid >= UINT32_MAX || t->gid >= UINT32_MAX)
		return malformed(r, e, "its owner is out of range");
	if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
		return malformed(r, e, "its device number is out of range");
	t->mode = (mode_t)mode & 07777;
	t->mtime = p->has_mtime ? p->mtime : (struct timespec){ .tv_sec = mtime };
	t->has_atime = p->has_atime;
	t->atime = p->atime;
	t->major = (uint32_t)major;
	t->minor = (uint32_t)minor;
	t->xattrs = p->xattrs;
	t->n_xattrs = p->n_xattrs;
	return 0;
}

/* The types; what has no data of its own has none whatever its size says, as in Go. */
static int begin_type(struct tar_reader *r, const struct tar_header *h, uint64_t size,
		      struct err *e)
{
	char type = h->typeflag;
	size_t len = strlen(r->t.name);
	int k;

	if (type == '\0')       /* V7 had no directories: a slash at the end says it */
		type = len && r->t.name[len - 1] == '/' ? TAR_DIR : TAR_FILE;
	if (type == '7')        /* contiguous: a file to everyone */
		type = TAR_FILE;
	r->stored_bytes = 0;
	r->skip_bytes = 0;
	if (type == TAR_FILE || type == 'S') {
		r->t.type = TAR_FILE;
		r->t.size_bytes = r->stored_bytes = size;
		r->skip_bytes = padding(size);
		if (type == 'S') {
			if (!is_gnu(h))
				return malformed(r, e, "a sparse file that is not GNU tar's");
			return old_sparse_header(r, h, e);
		}
		k = pax_sparse(r, e);
		if (k < 0)
			return k;
		r->block_len = 0;
		r->state = SPARSE_1_0;
		return k == 1 ? 0 : begin_entry(r, e);
	}
	if (type < TAR_LINK || type > TAR_FIFO) {
		char text[64];

		snprintf(text, sizeof(text), "its type 0x%02x is not known",
			 (unsigned char)type);
		return malformed(r, e, text);
	}
	r->t.type = (enum tar_type)type;
	return begin_entry(r, e);
}

static int header_block(struct tar_reader *r, struct err *e)
{
	static const char zero[TAR_BLOCK];
	struct tar_header h;
	int64_t size;
	int k;

	memcpy(&h, r->block, sizeof(h));
	r->block_len = 0;
	if (memcmp(r->block, zero, TAR_BLOCK) == 0) {
		r->state = r->state == TRAILER ? DONE : TRAILER;
		return 0;
	}
	if (r->state == TRAILER)
		return malformed(r, e, "data after the end of the archive began");
	if (!tar_checksum_ok(&h))
		return malformed(r, e, "not a tar header (its checksum is wrong)");
	if (tar_number(h.size, sizeof(h.size), &size) < 0 || size < 0)
		return malformed(r, e, "bad size in a header");
	if (h.typeflag == 'x' || h.typeflag == 'g' || h.typeflag == 'L' || h.typeflag == 'K')
		return meta_begin(r, h.typeflag, (uint64_t)size, e);
	k = fill_entry(r, &h, e);
	if (k < 0)
		return k;
	return begin_type(r, &h, r->pax.has_size ? r->pax.size : (uint64_t)size, e);
}

/* ---- feeding ---------------------------------------------------------------------- */

/* As much of the data as is at hand and belongs to one run of the file. */
static int data_run(struct tar_reader *r, const char *p, size_t n, size_t *used,
		    struct err *e)
{
	struct tar_entry *t = &r->t;
	uint64_t offset, room = r->stored_bytes;
	int k;

	if (t->sparse) {
		while (r->extent_done == t->extents[r->extent].len) {
			r->extent++;
			r->extent_done = 0;
		}
		offset = t->extents[r->extent].offset + r->extent_done;
		room = t->extents[r->extent].len - r->extent_done;
	} else {
		offset = t->size_bytes - r->stored_bytes;
	}
	*used = n < room ? n : (size_t)room;
	k = r->ops->data(r->ctx, offset, p, *used, e);
	if (k < 0)
		return k;
	r->extent_done += *used;
	r->stored_bytes -= *used;
	return r->stored_bytes == 0 ? end_entry(r, e) : 0;
}

static int meta_run(struct tar_reader *r, const char *p, size_t n, size_t *used,
		    struct err *e)
{
	*used = n < r->stored_bytes ? n : (size_t)r->stored_bytes;
	buf_add(&r->meta, p, *used);
	r->stored_bytes -= *used;
	return r->stored_bytes == 0 ? meta_end(r, e) : 0;
}

static int pad_run(struct tar_reader *r, size_t n, size_t *used)
{
	*used = n < r->skip_bytes ? n : (size_t)r->skip_bytes;
	r->skip_bytes -= *used;
	if (r->skip_bytes == 0)
		/* After an entry its strings are done with; after records they are wanted. */
		next_header(r, !r->t.name);
	return 0;
}

static int block_run(struct tar_reader *r, const char *p, size_t n, size_t *used,
		     struct err *e)
{
	*used = n < TAR_BLOCK - r->block_len ? n : TAR_BLOCK - r->block_len;
	memcpy(r->block + r->block_len, p, *used);
	r->block_len += *used;
	if (r->block_len < TAR_BLOCK)
		return 0;
	if (r->state == OLD_SPARSE)
		return old_sparse_block(r, e);
	if (r->state == SPARSE_1_0)
		return sparse_1_0_block(r, e);
	return header_block(r, e);
}

int tar_reader_feed(struct tar_reader *r, const void *bytes, size_t n, struct err *e)
{
	const char *p = bytes;

	while (n > 0) {
		size_t used = n;
		int k = 0;

		switch (r->state) {
		case DATA:
			k = data_run(r, p, n, &used, e);
			break;
		case META:
			k = meta_run(r, p, n, &used, e);
			break;
		case PAD:
			k = pad_run(r, n, &used);
			break;
		case DONE:
			break;
		default:
			k = block_run(r, p, n, &used, e);
		}
		if (k < 0)
			return k;
		r->at_bytes += used;
		p += used;
		n -= used;
	}
	return 0;
}

int tar_reader_finish(const struct tar_reader *r, struct err *e)
{
	bool between = (r->state == HEADER && r->meta_total == 0) || r->state == TRAILER ||
		       r->state == DONE;

	/* Go's reader takes a stream that just ends after an entry, padding or none. */
	if ((between && r->block_len == 0) || (r->state == PAD && r->t.name))
		return 0;
	return malformed(r, e, "the stream ends in the middle of an entry");
}
