#pragma once
/*
 * vmm/x86_64/regs.h - the state in which a vCPU enters the guest.  Layer: vmm.
 *
 * Two states are all that is used: flat 32-bit protected mode without paging, as PVH asks
 * for (xen/include/public/arch-x86/hvm/start_info.h), and long mode with the first 4 GiB
 * mapped one to one, as the 64-bit boot protocol does (Documentation/x86/boot.rst).
 * Segment descriptors and control registers: AMD64 APM 2, 4.8 and 3.1; SDM 3A, 3.4.5.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define REGS_TABLE_BYTES (6 * 4096)     /* of regs_identity_map() */
#define REGS_GDT_ENTRIES 4
#define REGS_CODE 0x10                  /* selectors: __BOOT_CS and __BOOT_DS */
#define REGS_DATA 0x18

struct regs_entry {
	bool long_mode;                 /* else 32 bits; the next four lines are for it */
	uint64_t page_tables;           /* guest-physical, as all here */
	uint64_t gdt;
	uint64_t idt;
	uint16_t idt_limit;             /* 0: none, an exception is a triple fault */
	uint64_t ip, sp;
	uint64_t rbx, rsi, rdi;
};

/* Four GiB by pages of 2 MiB, in tables at guest address gpa, which is host here. */
void regs_identity_map(uint8_t *host, uint64_t gpa);
void regs_gdt(uint64_t ret[REGS_GDT_ENTRIES]);

/*
 * Model specific registers that a PC's firmware sets: memory is cached (MTRRs), string
 * instructions are fast.
 */
MUST_CHECK int regs_msrs(int vcpu, struct err *e);

/* Interrupts are off.  Only the registers named above are not 0. */
MUST_CHECK int regs_enter(int vcpu, const struct regs_entry *entry, struct err *e);
