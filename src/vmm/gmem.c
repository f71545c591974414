/* vmm/gmem.c - see gmem.h */
#include "vmm/gmem.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* bytes at a 2 MiB boundary, so that the host can back them by huge pages. */
static void *map_aligned(uint64_t bytes)
{
	size_t whole = bytes + GMEM_HUGE_BYTES;
	uint8_t *p = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	if (p == MAP_FAILED)
		return MAP_FAILED;
	uint8_t *at = (uint8_t *)(((uintptr_t)p + GMEM_HUGE_BYTES - 1) & ~(GMEM_HUGE_BYTES - 1));

	if (at > p)
		munmap(p, (size_t)(at - p));
	if (p + whole > at + bytes)
		munmap(at + bytes, (size_t)(p + whole - at - bytes));
	if (mprotect(at, bytes, PROT_READ | PROT_WRITE) < 0) {
		munmap(at, bytes);
		return MAP_FAILED;
	}
	return at;
}

int gmem_init(struct gmem *ret, uint64_t bytes, struct err *e)
{
	*ret = (struct gmem){ 0 };
	if (bytes == 0 || bytes > (1ULL << 46) || bytes % (uint64_t)sysconf(_SC_PAGESIZE) != 0)
		return err_set(e, EINVAL, "%" PRIu64 " bytes of guest memory: not a number of "
			       "pages", bytes);
	uint8_t *p = map_aligned(bytes);

	if (p == MAP_FAILED)
		return err_sys(e, errno, "%" PRIu64 " MiB of guest memory", bytes >> 20);
	/* Advice only. A core dump of the guest's memory would help nobody. */
	madvise(p, bytes, MADV_DONTDUMP);
	uint64_t low = bytes < GMEM_HOLE_START ? bytes : GMEM_HOLE_START;

	ret->region[0] = (struct gmem_region){
		.size = low, .host = p, .map = p, .map_size = bytes };
	ret->n = 1;
	if (bytes > low)
		ret->region[ret->n++] = (struct gmem_region){
			.start = GMEM_HOLE_END, .size = bytes - low, .host = p + low };
	return 0;
}

/* Where a region [start, start + size) goes among the others; -EINVAL if it overlaps. */
static int place(const struct gmem *m, uint64_t start, uint64_t size)
{
	int at = 0;

	for (unsigned i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->region[i];

		if (start < r->start + r->size && r->start < start + size)
			return -EINVAL;
		if (r->start < start)
			at = (int)i + 1;
	}
	return at;
}

int gmem_add_file(struct gmem *m, uint64_t start, uint64_t size, int fd, uint64_t offset,
		  struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t end, file_end;

	if (m->n == GMEM_REGIONS_MAX)
		return err_set(e, EINVAL, "more than %d regions of guest memory",
			       GMEM_REGIONS_MAX);
	if (size == 0 || __builtin_add_overflow(start, size, &end) ||
	    __builtin_add_overflow(offset, size, &file_end) || file_end > INT64_MAX)
		return err_set(e, EINVAL, "guest memory of %" PRIu64 " bytes at 0x%" PRIx64
			       " (file offset 0x%" PRIx64 ") wraps", size, start, offset);
	int at = place(m, start, size);

	if (at < 0)
		return err_set(e, EINVAL, "guest memory at 0x%" PRIx64 " is there twice", start);
	uint64_t skip = offset % page;
	uint8_t *p = mmap(NULL, size + skip, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
			  (off_t)(offset - skip));

	if (p == MAP_FAILED)
		return err_sys(e, errno, "map %" PRIu64 " bytes of guest memory", size);
	memmove(&m->region[at + 1], &m->region[at], (m->n - (unsigned)at) * sizeof(m->region[0]));
	m->region[at] = (struct gmem_region){ .start = start, .size = size, .host = p + skip,
					      .map = p, .map_size = size + skip };
	m->n++;
	return 0;
}

void gmem_release(struct gmem *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->region[i].map)
			munmap(m->region[i].map, m->region[i].map_size);
	m->n = 0;
}

void *gmem_at(const struct gmem *m, struct gpa a, uint64_t n)
{
	for (unsigned i = 0; i < m->n && n > 0; i++) {
		const struct gmem_region *r = &m->region[i];

		/* Differences of what was compared before: nothing here can wrap. */
		if (a.v >= r->start && a.v - r->start < r->size && n <= r->size - (a.v - r->start))
			return r->host + (a.v - r->start);
	}
	return NULL;
}

/* The bytes from a to the end of its region, at most n; 0 outside. */
static uint64_t run_at(const struct gmem *m, struct gpa a, uint64_t n)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->region[i];

		if (a.v >= r->start && a.v - r->start < r->size) {
			uint64_t left = r->size - (a.v - r->start);

			return left < n ? left : n;
		}
	}
	return 0;
}

int gmem_read(const struct gmem *m, struct gpa a, void *p, size_t n)
{
	for (uint64_t run; n > 0; n -= run, a.v += run, p = (uint8_t *)p + run) {
		run = run_at(m, a, n);
		if (run == 0)
			return -EFAULT;
		memcpy(p, gmem_at(m, a, run), run);
	}
	return 0;
}

int gmem_write(const struct gmem *m, struct gpa a, const void *p, size_t n)
{
	for (uint64_t run; n > 0; n -= run, a.v += run, p = (const uint8_t *)p + run) {
		run = run_at(m, a, n);
		if (run == 0)
			return -EFAULT;
		memcpy(gmem_at(m, a, run), p, run);
	}
	return 0;
}

void gmem_discard_host(void *p, uint64_t n)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)p + n) & ~(page - 1);

	if (from >= to)
		return;
	/* A shared file's pages have to be taken out of the file; of private ones EINVAL. */
	if (madvise((void *)from, to - from, MADV_REMOVE) < 0)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

int gmem_discard(const struct gmem *m, struct gpa a, uint64_t n)
{
	void *p = gmem_at(m, a, n);

	if (!p)
		return -EFAULT;
	gmem_discard_host(p, n);
	return 0;
}

uint64_t gmem_bytes(const struct gmem *m)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < m->n; i++)
		sum += m->region[i].size;
	return sum;
}
