#pragma once
/*
 * vmm/x86_64/layout.h - what is where in a guest's address space.  Layer: vmm.
 *
 *      0x000500  GDT of the 64-bit boot protocol
 *      0x006000  hvm_start_info (PVH)          0x007000  boot_params (bzImage)
 *      0x009000  page tables of the 64-bit boot protocol
 *      0x020000  command line
 *      0x09fc00  end of low memory
 *      0x0e0000  ACPI tables; where firmware has them, so that nothing must be told
 *      0x0ffff0  where a kernel jumps that restarts by the BIOS
 *      0x100000  kernel, initrd: memory up to 3 GiB (vmm/gmem.h)
 *      0xd0000000  virtio-mmio, a page a device
 *      0xfec00000  I/O APIC  0xfee00000  local APICs (in KVM)
 *      0xfffbc000  three pages and one for VMX on old processors (api.rst, 4.33, 4.37)
 *      0x100000000  memory above 4 GiB
 */
#define LAYOUT_GDT 0x500
#define LAYOUT_START_INFO 0x6000
#define LAYOUT_ZERO_PAGE 0x7000
#define LAYOUT_PAGE_TABLES 0x9000
#define LAYOUT_CMDLINE 0x20000
#define LAYOUT_CMDLINE_MAX 2047         /* x86's COMMAND_LINE_SIZE with its NUL is 2048 */
#define LAYOUT_LOW_END 0x9fc00
#define LAYOUT_ACPI 0xe0000
#define LAYOUT_RESET_VECTOR 0xffff0     /* of a PC's BIOS: F000:FFF0 */
#define LAYOUT_HIGH 0x100000

#define LAYOUT_VIRTIO 0xd0000000UL
#define LAYOUT_IOAPIC 0xfec00000UL
#define LAYOUT_LAPIC 0xfee00000UL
#define LAYOUT_IDENTITY_MAP 0xfffbc000UL
#define LAYOUT_TSS 0xfffbd000UL

/* Global interrupts: the I/O APIC of KVM has 24. */
#define LAYOUT_GSI_SERIAL 4
#define LAYOUT_GSI_VIRTIO 5
#define LAYOUT_VIRTIO_MAX (24 - LAYOUT_GSI_VIRTIO)

/* Ports. */
#define LAYOUT_PORT_SERIAL 0x3f8
#define LAYOUT_PORT_KEYBOARD 0x64       /* the classic way to reset */
#define LAYOUT_PORT_PVPANIC 0x505       /* as everywhere: QEMU docs/specs/pvpanic */
#define LAYOUT_PORT_POWER 0x600         /* ACPI's sleep control, sleep status, reset */

/* From port LAYOUT_PORT_POWER. */
#define LAYOUT_SLEEP_CONTROL 0
#define LAYOUT_SLEEP_STATUS 1
#define LAYOUT_RESET 2
#define LAYOUT_RESET_VALUE 1
#define LAYOUT_S5 5                     /* SLP_TYP of power-off, as _S5 names it */
