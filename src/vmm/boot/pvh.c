/*
 * vmm/boot/pvh.c - an ELF kernel, started as Xen starts its PVH guests.  Layer: vmm.
 *
 *      ebx -> hvm_start_info --+-> memory map (as E820)
 *                              +-> list of modules: the initrd
 *                              +-> command line, RSDP
 *
 * The entry is in an ELF note, "Xen" type 18, and runs in flat 32-bit mode without paging.
 * Spec: xen/include/public/arch-x86/hvm/start_info.h; Documentation/arch/x86/boot in Linux;
 * System V ABI, chapters 4 and 5 (ELF, notes).
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "vmm/boot/boot_impl.h"
#include "vmm/x86_64/layout.h"

#define START_MAGIC 0x336ec578          /* "xEn3" with the top bit of E set */
#define NOTE_PHYS32_ENTRY 18

#define HEADERS_MAX 64
#define NOTES_MAX 65536

struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp;
	uint64_t map;                   /* version 1 */
	uint32_t n_map, reserved;
};

struct start_module {
	uint64_t at, bytes, cmdline, reserved;
};

struct start_map {
	uint64_t at, bytes;
	uint32_t type, reserved;
};

/* All of it, in one piece at LAYOUT_START_INFO. */
struct start {
	struct start_info info;
	struct start_module initrd;
	struct start_map map[BOOT_MAP_MAX];
};

_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct start_module) == 32 &&
	       sizeof(struct start_map) == 24, "start_info.h");
_Static_assert(LAYOUT_START_INFO + sizeof(struct start) <= LAYOUT_ZERO_PAGE, "layout.h");

bool pvh_is(const uint8_t head[64])
{
	return memcmp(head, ELFMAG, SELFMAG) == 0;
}

/* Look through n bytes of notes; true if the entry is among them. */
static bool find_entry(const uint8_t *p, size_t n, uint64_t *ret)
{
	Elf64_Nhdr h;

	while (n >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		/* Sizes are of 32 bits, sums of 64: nothing wraps. */
		uint64_t name = ((uint64_t)h.n_namesz + 3) & ~3ULL;
		uint64_t all = sizeof(h) + name + (((uint64_t)h.n_descsz + 3) & ~3ULL);

		if (all > n)
			return false;
		if (h.n_type == NOTE_PHYS32_ENTRY && h.n_namesz == 4 &&
		    memcmp(p + sizeof(h), "Xen", 4) == 0 && h.n_descsz >= 4) {
			*ret = 0;
			memcpy(ret, p + sizeof(h) + name, h.n_descsz < 8 ? 4 : 8);
			return true;
		}
		p += all;
		n -= all;
	}
	return false;
}

static int read_notes(int fd, const Elf64_Phdr *ph, uint64_t *ret, struct err *e)
{
	CLEANUP_FREE uint8_t *p = NULL;

	if (ph->p_filesz > NOTES_MAX)
		return err_set(e, ENOEXEC, "an ELF segment of notes has %" PRIu64 " bytes",
			       ph->p_filesz);
	p = xmalloc(ph->p_filesz + 1);
	int r = boot_read(fd, ph->p_offset, p, ph->p_filesz, e);

	return r < 0 ? r : find_entry(p, ph->p_filesz, ret);
}

static int load_segment(struct boot *b, const Elf64_Phdr *ph, struct err *e)
{
	if (ph->p_filesz > ph->p_memsz)
		return err_set(e, ENOEXEC, "an ELF segment is larger in the file than in memory");
	if (ph->p_memsz > b->low_end || ph->p_paddr > b->low_end - ph->p_memsz)
		return err_set(e, ENOMEM, "it needs 0x%" PRIx64 " bytes at 0x%" PRIx64 ": give the "
			       "guest more memory", ph->p_memsz, ph->p_paddr);
	if (ph->p_paddr + ph->p_memsz > b->kernel_end)
		b->kernel_end = ph->p_paddr + ph->p_memsz;
	return boot_place(b, b->src->kernel, ph->p_offset, ph->p_paddr, ph->p_filesz, true, e);
}

static int load_segments(struct boot *b, const Elf64_Ehdr *eh, uint64_t *ret_entry,
			 struct err *e)
{
	Elf64_Phdr ph[HEADERS_MAX];
	int found = 0;

	int r = boot_read(b->src->kernel, eh->e_phoff, ph, eh->e_phnum * sizeof(ph[0]), e);
	for (unsigned i = 0; i < eh->e_phnum && r >= 0; i++) {
		r = 0;
		if (ph[i].p_type == PT_LOAD)
			r = load_segment(b, &ph[i], e);
		else if (ph[i].p_type == PT_NOTE && !found)
			r = found = read_notes(b->src->kernel, &ph[i], ret_entry, e);
	}
	if (r < 0)
		return r;
	if (!found || *ret_entry > UINT32_MAX)
		return err_set(e, ENOEXEC, "an ELF file without a PVH entry; Linux has one with "
			       "CONFIG_PVH=y");
	return 0;
}

static int write_start(const struct boot *b, struct err *e)
{
	struct boot_range map[BOOT_MAP_MAX];
	struct start s = {
		.info = {
			.magic = START_MAGIC, .version = 1, .n_modules = b->src->initrd >= 0,
			.modules = LAYOUT_START_INFO + offsetof(struct start, initrd),
			.cmdline = LAYOUT_CMDLINE, .rsdp = b->src->rsdp,
			.map = LAYOUT_START_INFO + offsetof(struct start, map),
			.n_map = boot_map(b, map),
		},
		.initrd = { .at = b->initrd_at, .bytes = b->initrd_bytes },
	};

	for (unsigned i = 0; i < s.info.n_map; i++)
		s.map[i] = (struct start_map){ map[i].start, map[i].bytes, map[i].type, 0 };
	int r = gmem_write(b->mem, (struct gpa){ LAYOUT_START_INFO }, &s, sizeof(s));

	return r < 0 ? err_sys(e, -r, "write hvm_start_info") : 0;
}

int pvh_load(struct boot *b, struct regs_entry *ret, struct err *e)
{
	Elf64_Ehdr eh;
	uint64_t entry = 0;

	int r = boot_read(b->src->kernel, 0, &eh, sizeof(eh), e);
	if (r < 0)
		return r;
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh.e_machine != EM_X86_64 || eh.e_phentsize != sizeof(Elf64_Phdr) ||
	    eh.e_phnum == 0 || eh.e_phnum > HEADERS_MAX)
		return err_set(e, ENOEXEC, "an ELF file, but not a kernel for x86-64");
	r = load_segments(b, &eh, &entry, e);
	if (r == 0)
		r = boot_initrd(b, UINT32_MAX, e);
	if (r == 0)
		r = write_start(b, e);
	if (r < 0)
		return r;
	*ret = (struct regs_entry){ .ip = entry, .rbx = LAYOUT_START_INFO };
	return 0;
}
