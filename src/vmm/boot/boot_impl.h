#pragma once
/*
 * vmm/boot/boot_impl.h - what the two boot protocols share.  Only for vmm/boot/.  Layer: vmm.
 */
#include <stdbool.h>

#include "vmm/boot/boot.h"

#define BOOT_MAP_MAX 4

struct boot {
	const struct gmem *mem;
	const struct boot_source *src;
	uint64_t low_end;               /* of guest memory below the hole */
	uint64_t kernel_end;            /* of what the kernel takes while it starts */
	uint64_t initrd_at, initrd_bytes;
};

/* Types as in E820 and in PVH's map. */
enum { BOOT_RAM = 1, BOOT_RESERVED = 2 };

struct boot_range {
	uint64_t start, bytes;
	uint32_t type;
};

/* The guest's memory map: at most BOOT_MAP_MAX ranges. */
unsigned boot_map(const struct boot *b, struct boot_range ret[BOOT_MAP_MAX]);

/* n bytes at offset of a file, all of them; -ENOEXEC if it ends before. */
MUST_CHECK int boot_read(int fd, uint64_t offset, void *p, size_t n, struct err *e);

/*
 * n bytes at offset of fd to guest address at; what is [1 MiB, end of low memory) is allowed.
 * share: map whole pages where offset and address allow it.
 */
MUST_CHECK int boot_place(const struct boot *b, int fd, uint64_t offset, uint64_t at,
			  uint64_t n, bool share, struct err *e);

/* The initrd, if there is one, as high as it may be: below limit, above the kernel. */
MUST_CHECK int boot_initrd(struct boot *b, uint64_t limit, struct err *e);

/* Whether the file begins as their kind does; then load it. */
bool pvh_is(const uint8_t head[64]);
MUST_CHECK int pvh_load(struct boot *b, struct regs_entry *ret, struct err *e);
MUST_CHECK int bzimage_load(struct boot *b, struct regs_entry *ret, struct err *e);
