#pragma once
/*
 * vmm/gmem.h - the guest's memory as devices see it.  Layer: vmm.
 *
 * A guest address is a struct gpa, which can be neither dereferenced nor mixed up with a
 * length; gmem_at() is the one way from it to a pointer.  What it returns is shared with
 * the guest, which may change it at any time: read a field once, into a local.
 *
 *      guest-physical                              this process
 *      0 ----------- 3 GiB |hole| 4 GiB --- end    host[0] ...  host[1] ...
 *
 * The same struct serves both transports: for isle-vmm's own machine the regions are
 * anonymous private memory; for vhost-user they are the front end's memory files.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gpa {
	uint64_t v;
};

/* vhost-user: "VHOST_USER_SET_MEM_TABLE ... at most 8 regions" of a back end without slots. */
#define GMEM_REGIONS_MAX 8

/* x86: what lies below 4 GiB ends here; above are the devices, the APICs and the reset vector. */
#define GMEM_HOLE_START 0xc0000000ULL
#define GMEM_HOLE_END 0x100000000ULL

#define GMEM_HUGE_BYTES (2ULL << 20)

struct gmem_region {
	uint64_t start;                 /* guest-physical */
	uint64_t size;                  /* bytes, not 0; start + size does not wrap */
	uint8_t *host;
	void *map;                      /* what gmem_release() unmaps, map_size bytes; or NULL */
	size_t map_size;
};

struct gmem {
	struct gmem_region region[GMEM_REGIONS_MAX];    /* by start, not overlapping */
	unsigned n;
};

/*
 * bytes of anonymous, private memory, 2 MiB aligned in this process, from guest address 0
 * up, over the hole.  bytes is a multiple of the page size.  Not touched: the host gives
 * each page when the guest first writes it.
 */
MUST_CHECK int gmem_init(struct gmem *ret, uint64_t bytes, struct err *e);

/*
 * Add a region of a file: size bytes from offset, seen by the guest at start; mapped shared.
 * fd stays the caller's.  -EINVAL: sizes that wrap or overlap what is there, or too many.
 */
MUST_CHECK int gmem_add_file(struct gmem *m, uint64_t start, uint64_t size, int fd,
			     uint64_t offset, struct err *e);

/* Unmap everything; *m is then empty, and may be released again. */
void gmem_release(struct gmem *m);

/*
 * The n bytes at a, or NULL if they are not all in one region (of n == 0 too).  The one
 * check that every guest address goes through; neither a nor a + n may wrap.
 */
void *gmem_at(const struct gmem *m, struct gpa a, uint64_t n);

/* Copy in or out, which may cross from one region into the next one; -EFAULT outside. */
MUST_CHECK int gmem_read(const struct gmem *m, struct gpa a, void *p, size_t n);
MUST_CHECK int gmem_write(const struct gmem *m, struct gpa a, const void *p, size_t n);

/*
 * Give the whole pages of n bytes at a back to the host: what they held is lost, and the host
 * finds fresh ones when the guest touches them.  -EFAULT unless all lie in one region.
 */
MUST_CHECK int gmem_discard(const struct gmem *m, struct gpa a, uint64_t n);
/* The same of bytes that were checked before: a request's segment.  A hint: never fails. */
void gmem_discard_host(void *p, uint64_t n);

/* Bytes of all regions. */
uint64_t gmem_bytes(const struct gmem *m);
