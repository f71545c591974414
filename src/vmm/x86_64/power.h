#pragma once
/*
 * vmm/x86_64/power.h - the ports by which a guest ends: off, reset, panic.  Layer: vmm.
 *
 * ACPI 6.4: 4.8.3.7 (sleep control and status of hardware-reduced ACPI), 4.8.3.6 (reset).
 * The keyboard controller's reset line is what kernels without ACPI pull.
 */
#include "vmm/bus.h"

enum power_event { POWER_OFF, POWER_RESET, POWER_PANIC };

struct power {
	/* On the vCPU's thread that asked. */
	void (*event)(void *of, enum power_event ev);
	void *of;
};

/* p stays where it is as long as the bus is used. */
MUST_CHECK int power_attach(struct power *p, struct bus *ports, struct err *e);
