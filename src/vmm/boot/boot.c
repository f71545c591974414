/* vmm/boot/boot.c - see boot.h */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot/boot_impl.h"
#include "vmm/x86_64/layout.h"

#define PAGE 4096ULL

unsigned boot_map(const struct boot *b, struct boot_range ret[BOOT_MAP_MAX])
{
	unsigned n = 0;

	ret[n++] = (struct boot_range){ 0, LAYOUT_LOW_END, BOOT_RAM };
	/* The BIOS's own on a PC; our ACPI tables are there. */
	ret[n++] = (struct boot_range){ LAYOUT_LOW_END, LAYOUT_HIGH - LAYOUT_LOW_END,
					BOOT_RESERVED };
	ret[n++] = (struct boot_range){ LAYOUT_HIGH, b->low_end - LAYOUT_HIGH, BOOT_RAM };
	if (b->mem->n > 1)
		ret[n++] = (struct boot_range){ b->mem->region[1].start, b->mem->region[1].size,
						BOOT_RAM };
	return n;
}

int boot_read(int fd, uint64_t offset, void *p, size_t n, struct err *e)
{
	if (offset > INT64_MAX || n > INT64_MAX - offset)
		return err_set(e, ENOEXEC, "offset 0x%" PRIx64 " is in no file", offset);
	for (ssize_t r; n > 0; n -= (size_t)r, offset += (size_t)r, p = (uint8_t *)p + r) {
		r = TEMP_FAILURE_RETRY(pread(fd, p, n, (off_t)offset));
		if (r < 0)
			return err_sys(e, errno, "read at 0x%" PRIx64, offset);
		if (r == 0)
			return err_set(e, ENOEXEC, "it ends at 0x%" PRIx64 ", in the middle",
				       offset);
	}
	return 0;
}

static int file_bytes(int fd, uint64_t *ret, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "fstat");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ENOEXEC, "it is not a regular file");
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* Pages that the file has whole: behind its end there would be SIGBUS. */
static int map_pages(int fd, uint64_t offset, void *host, uint64_t n, struct err *e)
{
	uint64_t size;

	int r = file_bytes(fd, &size, e);
	if (r < 0)
		return r;
	if (offset > size || n > size - offset)
		return err_set(e, ENOEXEC, "it ends at 0x%" PRIx64 ", in the middle", size);
	void *p = mmap(host, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, (off_t)offset);

	return p == MAP_FAILED ? err_sys(e, errno, "mmap of 0x%" PRIx64 " bytes", n) : 0;
}

int boot_place(const struct boot *b, int fd, uint64_t offset, uint64_t at, uint64_t n,
	       bool share, struct err *e)
{
	if (n == 0)
		return 0;
	uint8_t *host = at < LAYOUT_HIGH || at >= b->low_end || n > b->low_end - at ? NULL :
			gmem_at(b->mem, (struct gpa){ at }, n);
	uint64_t whole = n & ~(PAGE - 1);

	if (!host)
		return err_set(e, ENOMEM, "0x%" PRIx64 " bytes at guest address 0x%" PRIx64
			       " are not in memory, which ends at 0x%" PRIx64, n, at, b->low_end);
	if (!share || offset % PAGE != 0 || at % PAGE != 0 || whole == 0)
		return boot_read(fd, offset, host, n, e);
	int r = map_pages(fd, offset, host, whole, e);

	return r < 0 ? r : boot_read(fd, offset + whole, host + whole, n - whole, e);
}

int boot_initrd(struct boot *b, uint64_t limit, struct err *e)
{
	uint64_t n;

	if (b->src->initrd < 0)
		return 0;
	int r = file_bytes(b->src->initrd, &n, e);
	if (r < 0)
		return err_prefix(e, "initrd");
	if (limit > b->low_end)
		limit = b->low_end;
	if (n > limit || ((limit - n) & ~(PAGE - 1)) < b->kernel_end)
		return err_set(e, ENOMEM, "no room for an initrd of %" PRIu64 " MiB: give the "
			       "guest more memory than %" PRIu64 " MiB", n >> 20,
			       gmem_bytes(b->mem) >> 20);
	b->initrd_at = (limit - n) & ~(PAGE - 1);
	b->initrd_bytes = n;
	r = boot_place(b, b->src->initrd, 0, b->initrd_at, n, true, e);
	return r < 0 ? err_prefix(e, "initrd") : 0;
}

int boot_load(const struct gmem *m, const struct boot_source *s, struct regs_entry *ret,
	      struct err *e)
{
	struct boot b = { .mem = m, .src = s, .low_end = m->region[0].size };
	size_t n = strlen(s->cmdline) + 1;
	uint8_t head[64];

	if (m->n == 0 || b.low_end <= LAYOUT_HIGH)
		return err_set(e, ENOMEM, "a guest needs more than 1 MiB of memory");
	if (n > LAYOUT_CMDLINE_MAX)
		return err_set(e, E2BIG, "the kernel's command line is longer than %d bytes",
			       LAYOUT_CMDLINE_MAX);
	int r = gmem_write(m, (struct gpa){ LAYOUT_CMDLINE }, s->cmdline, n);
	if (r < 0)
		return err_sys(e, -r, "write the command line");
	r = boot_read(s->kernel, 0, head, sizeof(head), e);
	if (r == 0)
		r = pvh_is(head) ? pvh_load(&b, ret, e) : bzimage_load(&b, ret, e);
	return r < 0 ? err_prefix(e, "kernel") : 0;
}
