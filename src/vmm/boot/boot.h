#pragma once
/*
 * vmm/boot/boot.h - put a kernel into guest memory and say where it begins.  Layer: vmm.
 *
 *      ELF with a PVH note (vmlinux)   boot/pvh.c      32 bits, no paging
 *      bzImage (vmlinuz)               boot/bzimage.c  64 bits, first 4 GiB mapped
 *
 * Both files are untrusted: whatever their headers say, nothing is written outside the
 * guest's memory below the 4 GiB hole and above 1 MiB, and nothing is read past their end.
 * The state of memory afterwards is that of x86_64/layout.h.
 */
#include "vmm/gmem.h"
#include "vmm/x86_64/regs.h"

struct boot_source {
	int kernel;                     /* regular files, the caller's; read by pread and mmap */
	int initrd;                     /* -1: none */
	const char *cmdline;
	uint32_t rsdp;                  /* guest address of the ACPI tables */
};

/*
 * Load into m, which is fresh (all zero).  Whole pages of an ELF file are mapped, private, so
 * that guests share them until they write; who cuts the file meanwhile breaks his guest.
 * -ENOEXEC: neither kind of kernel, or a broken one; -ENOMEM: the guest is too small.
 */
MUST_CHECK int boot_load(const struct gmem *m, const struct boot_source *s,
			 struct regs_entry *ret, struct err *e);
