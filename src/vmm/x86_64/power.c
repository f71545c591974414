/* vmm/x86_64/power.c - see power.h */
#include "vmm/x86_64/power.h"

#include <string.h>

#include "vmm/x86_64/layout.h"

#define SLP_EN 0x20                     /* ACPI 6.4, table 4.19 */
#define SLP_TYP(v) ((v) >> 2 & 7)

#define PVPANIC_PANICKED 1

#define KEYBOARD_PULSE_RESET 0xfe

static void read_zeros(void *of, uint64_t offset, void *p, unsigned n)
{
	(void)of, (void)offset;
	memset(p, 0, n);
}

/* Which events there are. */
static void read_pvpanic(void *of, uint64_t offset, void *p, unsigned n)
{
	read_zeros(of, offset, p, n);
	memcpy(p, &(uint8_t){ PVPANIC_PANICKED }, 1);
}

static void write_power(void *of, uint64_t offset, const void *data, unsigned n)
{
	struct power *p = of;
	uint8_t v;

	(void)n;
	memcpy(&v, data, 1);
	if (offset == LAYOUT_SLEEP_CONTROL && (v & SLP_EN) && SLP_TYP(v) == LAYOUT_S5)
		p->event(p->of, POWER_OFF);
	else if (offset == LAYOUT_RESET && v == LAYOUT_RESET_VALUE)
		p->event(p->of, POWER_RESET);
}

static void write_pvpanic(void *of, uint64_t offset, const void *data, unsigned n)
{
	struct power *p = of;
	uint8_t v;

	(void)offset, (void)n;
	memcpy(&v, data, 1);
	if (v & PVPANIC_PANICKED)
		p->event(p->of, POWER_PANIC);
}

static void write_keyboard(void *of, uint64_t offset, const void *data, unsigned n)
{
	struct power *p = of;
	uint8_t v;

	(void)offset, (void)n;
	memcpy(&v, data, 1);
	if (v == KEYBOARD_PULSE_RESET)
		p->event(p->of, POWER_RESET);
}

int power_attach(struct power *p, struct bus *ports, struct err *e)
{
	const struct bus_range range[] = {
		{ LAYOUT_PORT_POWER, 3, read_zeros, write_power, p },
		{ LAYOUT_PORT_PVPANIC, 1, read_pvpanic, write_pvpanic, p },
		/* Reads as "input buffer empty": who waits for that need not wait. */
		{ LAYOUT_PORT_KEYBOARD, 1, read_zeros, write_keyboard, p },
	};

	for (unsigned i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
		int r = bus_add(ports, &range[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}
