/* Fuzz target: a kernel's file, ELF or bzImage, into 32 MiB of guest memory. */
#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "vmm/boot/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FD int fd = memfd_create("kernel", MFD_CLOEXEC);
	struct boot_source s = { .kernel = fd, .initrd = fd, .cmdline = "quiet", .rsdp = 0xe0000 };
	struct regs_entry entry;
	struct gmem m;
	struct err e = { 0 };

	if (fd < 0 || fd_write_all(fd, data, size) < 0 || gmem_init(&m, 32 << 20, &e) < 0)
		return 0;
	/* The kernel is its own initrd, too: both ways into memory are taken. */
	int r = boot_load(&m, &s, &entry, &e);

	gmem_release(&m);
	assert(r == 0 || (r < 0 && e.msg[0]));
	return 0;
}
