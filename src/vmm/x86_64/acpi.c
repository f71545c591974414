/* vmm/x86_64/acpi.c - see acpi.h; section numbers are of ACPI 6.4 */
#include "vmm/x86_64/acpi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/x86_64/aml.h"
#include "vmm/x86_64/layout.h"

/* 5.2.6 */
struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* 5.2.5.3 */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

/* 5.2.3.2, generic address structure */
struct address {
	uint8_t space, bits, offset, access;
	uint64_t at;
} __attribute__((packed));

/* 5.2.9; what is not named here is 0 where there is no fixed hardware. */
struct fadt {
	struct header h;
	uint8_t fixed_1[73];            /* from FIRMWARE_CTRL at 36 */
	uint16_t boot_arch;             /* 109 */
	uint8_t reserved;
	uint32_t flags;                 /* 112 */
	struct address reset;           /* 116 */
	uint8_t reset_value;            /* 128 */
	uint16_t arm_boot_arch;
	uint8_t minor;                  /* 131 */
	uint64_t firmware_ctrl;
	uint64_t dsdt;                  /* 140 */
	uint8_t fixed_2[96];            /* from X_PM1a_EVT_BLK at 148 */
	struct address sleep_control;   /* 244 */
	struct address sleep_status;
	char hypervisor[8];             /* 268 */
} __attribute__((packed));

_Static_assert(sizeof(struct rsdp) == 36 && sizeof(struct header) == 36, "5.2.5, 5.2.6");
_Static_assert(offsetof(struct fadt, boot_arch) == 109 && offsetof(struct fadt, flags) == 112 &&
	       offsetof(struct fadt, dsdt) == 140 && sizeof(struct fadt) == 276, "5.2.9");

#define SPACE_IO 1
#define BOOT_NO_VGA (1 << 2)
#define BOOT_NO_RTC (1 << 5)
#define FADT_WBINVD (1 << 0)
#define FADT_PWR_BUTTON (1 << 4)        /* no fixed one */
#define FADT_SLP_BUTTON (1 << 5)
#define FADT_RESET (1 << 10)
#define FADT_HW_REDUCED (1 << 20)

struct tables {
	uint8_t *room;
	size_t n, max;
	uint32_t gpa;
};

static uint8_t checksum(const void *p, size_t n)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)p)[i]);
	return (uint8_t)-sum;
}

/* Finish a table of n bytes: header and checksum.  Returns its guest address. */
static uint32_t finish(struct tables *t, const char *signature, uint8_t revision, size_t n)
{
	uint8_t *p = t->room + t->n;
	uint32_t at = t->gpa + (uint32_t)t->n;
	struct header h = {
		.length = (uint32_t)n, .revision = revision,
		.oem_id = "ISLE  ", .oem_revision = 1, .creator_revision = 1,
	};

	memcpy(h.signature, signature, 4);
	memcpy(h.oem_table_id, "ISLEVMM ", 8);
	memcpy(h.creator_id, "ISLE", 4);
	memcpy(p, &h, sizeof(h));
	h.checksum = checksum(p, n);
	memcpy(p, &h, sizeof(h));
	t->n += (n + 15) & ~(size_t)15;
	return at;
}

/* ---- DSDT ----------------------------------------------------------------------------- */

static void add_serial(struct aml *a)
{
	struct aml_resources r = { .n = 0 };
	size_t d = aml_device(a, "COM1");

	aml_name_eisa(a, "_HID", "PNP0501");
	aml_name_integer(a, "_UID", 0);
	aml_res_ports(&r, LAYOUT_PORT_SERIAL, 8);
	aml_res_interrupt(&r, LAYOUT_GSI_SERIAL);
	aml_name_resources(a, "_CRS", &r);
	aml_close(a, d);
}

/* The name by which Linux's pvpanic-mmio knows the device. */
static void add_pvpanic(struct aml *a)
{
	struct aml_resources r = { .n = 0 };
	size_t d = aml_device(a, "PEVT");

	aml_name_string(a, "_HID", "QEMU0001");
	aml_name_integer(a, "_STA", 0xf);
	aml_res_ports(&r, LAYOUT_PORT_PVPANIC, 1);
	aml_name_resources(a, "_CRS", &r);
	aml_close(a, d);
}

static void add_virtio(struct aml *a, const struct acpi_virtio *v, unsigned i)
{
	struct aml_resources r = { .n = 0 };
	char name[8];

	snprintf(name, sizeof(name), "VR%02u", i % 100);
	size_t d = aml_device(a, name);

	aml_name_string(a, "_HID", "LNRO0005");         /* Linux: virtio-mmio */
	aml_name_integer(a, "_UID", i);
	aml_name_integer(a, "_CCA", 1);
	aml_res_memory(&r, v->start, v->bytes);
	aml_res_interrupt(&r, v->gsi);
	aml_name_resources(a, "_CRS", &r);
	aml_close(a, d);
}

static int add_dsdt(struct tables *t, const struct acpi_config *c, struct err *e)
{
	struct aml a = { .p = t->room + t->n, .n = sizeof(struct header), .max = t->max - t->n };
	static const uint8_t s5[4] = { LAYOUT_S5 };

	if (a.max < sizeof(struct header))
		return err_set(e, ENOSPC, "no room for the ACPI tables");
	size_t sb = aml_scope(&a, "_SB_");

	add_serial(&a);
	add_pvpanic(&a);
	for (size_t i = 0; i < c->n_virtio; i++)
		add_virtio(&a, &c->virtio[i], (unsigned)i);
	aml_close(&a, sb);
	aml_name_package(&a, "_S5_", s5, sizeof(s5));
	if (a.overflow)
		return err_set(e, ENOSPC, "no room for the ACPI tables of %zu devices",
			       c->n_virtio);
	return (int)finish(t, "DSDT", 2, a.n);
}

/* ---- the others ------------------------------------------------------------------------ */

static int room_for(const struct tables *t, size_t n, struct err *e)
{
	return n > t->max - t->n ? err_set(e, ENOSPC, "no room for the ACPI tables") : 0;
}

static struct address port(uint16_t at)
{
	return (struct address){ .space = SPACE_IO, .bits = 8, .access = 1, .at = at };
}

static int add_fadt(struct tables *t, uint32_t dsdt, struct err *e)
{
	struct fadt f = {
		.boot_arch = BOOT_NO_VGA | BOOT_NO_RTC,
		.flags = FADT_WBINVD | FADT_PWR_BUTTON | FADT_SLP_BUTTON | FADT_RESET |
			 FADT_HW_REDUCED,
		.reset = port(LAYOUT_PORT_POWER + LAYOUT_RESET), .reset_value = LAYOUT_RESET_VALUE,
		.minor = 4,
		.dsdt = dsdt,
		.sleep_control = port(LAYOUT_PORT_POWER + LAYOUT_SLEEP_CONTROL),
		.sleep_status = port(LAYOUT_PORT_POWER + LAYOUT_SLEEP_STATUS),
	};

	int r = room_for(t, sizeof(f), e);

	if (r < 0)
		return r;
	memcpy(f.hypervisor, "ISLE", 4);
	memcpy(t->room + t->n, &f, sizeof(f));
	return (int)finish(t, "FACP", 6, sizeof(f));
}

/* 5.2.12; no 8259s (flag 0), so no line is another's in the I/O APIC. */
static int add_madt(struct tables *t, unsigned n_cpus, struct err *e)
{
	size_t n = sizeof(struct header) + 8 + 8 * (size_t)n_cpus + 12;
	int r = room_for(t, n, e);

	if (r < 0)
		return r;
	uint8_t *p = t->room + t->n + sizeof(struct header);
	uint32_t lapic = LAYOUT_LAPIC, ioapic = LAYOUT_IOAPIC;

	memset(p, 0, n - sizeof(struct header));
	memcpy(p, &lapic, 4);
	p += 8;
	for (unsigned i = 0; i < n_cpus; i++, p += 8) {
		p[1] = 8;               /* type 0, local APIC: processor, id, enabled */
		p[2] = p[3] = (uint8_t)i;
		p[4] = 1;
	}
	p[0] = 1;                       /* I/O APIC: id, address, first interrupt 0 */
	p[1] = 12;
	memcpy(p + 4, &ioapic, 4);
	return (int)finish(t, "APIC", 5, n);
}

static int add_xsdt(struct tables *t, const uint64_t *at, size_t n_at, struct err *e)
{
	size_t n = sizeof(struct header) + 8 * n_at;
	int r = room_for(t, n, e);

	if (r < 0)
		return r;
	memcpy(t->room + t->n + sizeof(struct header), at, 8 * n_at);
	return (int)finish(t, "XSDT", 1, n);
}

static void add_rsdp(const struct tables *t, uint32_t xsdt)
{
	struct rsdp r = {
		.oem_id = "ISLE  ", .revision = 2, .length = sizeof(r), .xsdt = xsdt,
	};

	memcpy(r.signature, "RSD PTR ", 8);
	r.checksum = checksum(&r, 20);
	r.extended_checksum = checksum(&r, sizeof(r));
	memcpy(t->room, &r, sizeof(r));
}

int acpi_build(uint8_t *room, size_t max, uint32_t gpa, const struct acpi_config *c,
	       struct err *e)
{
	/* Of whole 16s, as each table is: what fits does so with its padding. */
	struct tables t = { .room = room, .n = 48, .max = max & ~(size_t)15, .gpa = gpa };

	if (t.max < t.n || c->n_cpus > 254 || c->n_virtio > 100)
		return err_set(e, ENOSPC, "no ACPI tables for %u vCPUs and %zu devices", c->n_cpus,
			       c->n_virtio);
	int dsdt = add_dsdt(&t, c, e);

	if (dsdt < 0)
		return dsdt;
	int fadt = add_fadt(&t, (uint32_t)dsdt, e);

	if (fadt < 0)
		return fadt;
	int madt = add_madt(&t, c->n_cpus, e);

	if (madt < 0)
		return madt;
	const uint64_t list[] = { (uint32_t)fadt, (uint32_t)madt };
	int xsdt = add_xsdt(&t, list, 2, e);

	if (xsdt < 0)
		return xsdt;
	add_rsdp(&t, (uint32_t)xsdt);
	return (int)t.n;
}
