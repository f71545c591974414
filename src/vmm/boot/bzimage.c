/*
 * vmm/boot/bzimage.c - a compressed Linux kernel, by the 64-bit boot protocol.  Layer: vmm.
 *
 *      file:  | boot sector, setup_sects sectors of real mode code | the rest: 64-bit part |
 *      rsi -> boot_params ("zero page"), with a copy of the file's setup header
 *      entry: 0x200 into the 64-bit part, in long mode with memory mapped one to one
 *
 * The 64-bit part unpacks itself in place, for which it wants init_size bytes of memory.
 * Spec: Documentation/arch/x86/boot.rst, zero-page.rst in Linux.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/boot/boot_impl.h"
#include "vmm/x86_64/layout.h"

#define HEADER_AT 0x1f1
#define HEADER_MAGIC 0x53726448         /* "HdrS" */
#define VERSION_64 0x020c               /* the first with xloadflags */
#define ENTRY_64 0x200
#define SECTOR 512
#define LOADER_UNKNOWN 0xff

_Static_assert(sizeof(struct boot_params) == 4096, "zero-page.rst");

static int read_header(int fd, struct setup_header *ret, struct err *e)
{
	uint8_t first[1024];

	*ret = (struct setup_header){ 0 };
	int r = boot_read(fd, 0, first, sizeof(first), e);
	if (r < 0)
		return r;
	/* Its end: the byte at 0x201 is how far a jump at 0x200 goes, over it. */
	size_t n = 0x202 + (size_t)first[0x201] - HEADER_AT;

	memcpy(ret, first + HEADER_AT, n < sizeof(*ret) ? n : sizeof(*ret));
	if (ret->boot_flag != 0xaa55 || ret->header != HEADER_MAGIC)
		return err_set(e, ENOEXEC, "neither an ELF file nor a bzImage");
	if (ret->version < VERSION_64 || !(ret->xloadflags & XLF_KERNEL_64))
		return err_set(e, ENOEXEC, "a bzImage without a 64-bit entry (protocol %u.%02u)",
			       ret->version >> 8, ret->version & 0xff);
	return 0;
}

/* Where it goes: its favourite place, or the lowest that it can be moved to. */
static int choose_place(struct boot *b, const struct setup_header *h, uint64_t bytes,
			uint64_t *ret, struct err *e)
{
	uint64_t need = h->init_size > bytes ? h->init_size : bytes;
	uint64_t align = h->kernel_alignment, at = h->pref_address;

	if (need > b->low_end || at > b->low_end - need || at < LAYOUT_HIGH) {
		/* kernel_alignment is a power of two; another one is a broken header. */
		if (!h->relocatable_kernel || align == 0 || (align & (align - 1)) != 0)
			at = UINT64_MAX;
		else
			at = (LAYOUT_HIGH + align - 1) & ~(align - 1);
	}
	if (need > b->low_end || at > b->low_end - need)
		return err_set(e, ENOMEM, "it needs %" PRIu64 " MiB to unpack itself: give the "
			       "guest more memory", need >> 20);
	b->kernel_end = at + need;
	*ret = at;
	return 0;
}

/* GDT and page tables of the entry, boot_params. */
static int write_params(const struct boot *b, struct setup_header *h, struct err *e)
{
	struct boot_range map[BOOT_MAP_MAX];
	struct boot_params zero = { .acpi_rsdp_addr = b->src->rsdp };
	uint64_t gdt[REGS_GDT_ENTRIES];
	uint8_t *tables = gmem_at(b->mem, (struct gpa){ LAYOUT_PAGE_TABLES }, REGS_TABLE_BYTES);

	h->type_of_loader = LOADER_UNKNOWN;
	h->loadflags = LOADED_HIGH;
	h->cmd_line_ptr = LAYOUT_CMDLINE;
	h->ramdisk_image = (uint32_t)b->initrd_at;
	h->ramdisk_size = (uint32_t)b->initrd_bytes;
	h->setup_data = 0;
	zero.hdr = *h;
	zero.e820_entries = (uint8_t)boot_map(b, map);
	for (unsigned i = 0; i < zero.e820_entries; i++)
		zero.e820_table[i] = (struct boot_e820_entry){ map[i].start, map[i].bytes,
							       map[i].type };
	regs_gdt(gdt);
	int r = gmem_write(b->mem, (struct gpa){ LAYOUT_ZERO_PAGE }, &zero, sizeof(zero));

	if (r == 0)
		r = gmem_write(b->mem, (struct gpa){ LAYOUT_GDT }, gdt, sizeof(gdt));
	if (r < 0 || !tables)
		return err_sys(e, EFAULT, "write boot_params");
	regs_identity_map(tables, LAYOUT_PAGE_TABLES);
	return 0;
}

int bzimage_load(struct boot *b, struct regs_entry *ret, struct err *e)
{
	struct setup_header h;
	struct stat st;
	uint64_t at = 0;

	int r = read_header(b->src->kernel, &h, e);
	if (r < 0)
		return r;
	if (h.cmdline_size && strlen(b->src->cmdline) > h.cmdline_size)
		return err_set(e, E2BIG, "it takes a command line of %u bytes at most",
			       h.cmdline_size);
	if (fstat(b->src->kernel, &st) < 0)
		return err_sys(e, errno, "fstat");
	/* boot.rst: "If the setup_sects field contains 0, the real value is 4". */
	uint64_t skip = ((h.setup_sects ? h.setup_sects : 4) + 1ULL) * SECTOR;

	if ((uint64_t)st.st_size < skip + ENTRY_64 + 1)
		return err_set(e, ENOEXEC, "a bzImage without its 64-bit part");
	r = choose_place(b, &h, (uint64_t)st.st_size - skip, &at, e);
	if (r == 0)
		r = boot_place(b, b->src->kernel, skip, at, (uint64_t)st.st_size - skip, false, e);
	if (r == 0)
		r = boot_initrd(b, h.initrd_addr_max ? h.initrd_addr_max + 1ULL : UINT32_MAX, e);
	if (r == 0)
		r = write_params(b, &h, e);
	if (r < 0)
		return r;
	*ret = (struct regs_entry){ .long_mode = true, .page_tables = LAYOUT_PAGE_TABLES,
				    .gdt = LAYOUT_GDT, .ip = at + ENTRY_64,
				    .rsi = LAYOUT_ZERO_PAGE };
	return 0;
}
