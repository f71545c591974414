#pragma once
/*
 * vmm/bus.h - who answers at a guest address or port.  Layer: vmm.
 *
 * One bus for ports, one for memory-mapped registers.  It is filled before the vCPUs run
 * and not changed after, so that their threads read it without a lock; what answers takes
 * its own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define BUS_RANGES_MAX 48

struct bus_range {
	uint64_t start, bytes;
	/* offset from start; n is 1, 2, 4 or 8, all inside; p is n bytes, little-endian. */
	void (*read)(void *of, uint64_t offset, void *p, unsigned n);
	void (*write)(void *of, uint64_t offset, const void *p, unsigned n);
	void *of;
};

struct bus {
	struct bus_range range[BUS_RANGES_MAX];         /* by start */
	unsigned n;
};

/* -EINVAL: overlaps one that is there, is empty, or there are too many. */
MUST_CHECK int bus_add(struct bus *b, const struct bus_range *r, struct err *e);

/* False: nobody answers there; what was read is all ones, as on an empty bus. */
bool bus_read(const struct bus *b, uint64_t at, void *p, unsigned n);
bool bus_write(const struct bus *b, uint64_t at, const void *p, unsigned n);
