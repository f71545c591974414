#pragma once
/*
 * vmm/x86_64/acpi.h - the ACPI tables of a machine.  Layer: vmm.
 *
 * Hardware-reduced ACPI (ACPI 6.4, 3.11.1): no SCI, no fixed registers, no timer, no real
 * time clock, no keyboard controller; so a kernel does not look for them.
 *
 *      RSDP -> XSDT -> FADT -> DSDT: serial port, pvpanic, virtio-mmio devices, _S5
 *                   -> MADT: local APICs, I/O APIC
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct acpi_virtio {
	uint32_t start, bytes;          /* of its registers */
	uint32_t gsi;
};

struct acpi_config {
	unsigned n_cpus;                /* APIC ids 0 .. n_cpus - 1, at most 254 */
	const struct acpi_virtio *virtio;
	size_t n_virtio;                /* at most 100 */
};

/*
 * Write the tables, which the guest sees at guest address gpa (16-aligned, below 4 GiB), to
 * room, of max bytes.  The RSDP comes first.  Returns how long they are; -ENOSPC.
 */
MUST_CHECK int acpi_build(uint8_t *room, size_t max, uint32_t gpa, const struct acpi_config *c,
			  struct err *e);
