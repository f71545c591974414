/* vmm/bus.c - see bus.h */
#include "vmm/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int bus_add(struct bus *b, const struct bus_range *r, struct err *e)
{
	unsigned at = 0;

	if (b->n == BUS_RANGES_MAX)
		return err_set(e, EINVAL, "more than %d devices on a bus", BUS_RANGES_MAX);
	if (r->bytes == 0 || r->start > UINT64_MAX - r->bytes)
		return err_set(e, EINVAL, "no device has 0x%" PRIx64 " bytes at 0x%" PRIx64,
			       r->bytes, r->start);
	while (at < b->n && b->range[at].start + b->range[at].bytes <= r->start)
		at++;
	if (at < b->n && b->range[at].start < r->start + r->bytes)
		return err_set(e, EINVAL, "two devices at 0x%" PRIx64, r->start);
	memmove(&b->range[at + 1], &b->range[at], (b->n - at) * sizeof(b->range[0]));
	b->range[at] = *r;
	b->n++;
	return 0;
}

/* The range that [at, at + n) is in as a whole. */
static const struct bus_range *find(const struct bus *b, uint64_t at, unsigned n)
{
	unsigned low = 0, high = b->n;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		const struct bus_range *r = &b->range[mid];

		if (at < r->start)
			high = mid;
		else if (at - r->start >= r->bytes)
			low = mid + 1;
		else
			return n <= r->bytes - (at - r->start) ? r : NULL;
	}
	return NULL;
}

bool bus_read(const struct bus *b, uint64_t at, void *p, unsigned n)
{
	const struct bus_range *r = find(b, at, n);

	if (r)
		r->read(r->of, at - r->start, p, n);
	else
		memset(p, 0xff, n);
	return r != NULL;
}

bool bus_write(const struct bus *b, uint64_t at, const void *p, unsigned n)
{
	const struct bus_range *r = find(b, at, n);

	if (r)
		r->write(r->of, at - r->start, p, n);
	return r != NULL;
}
