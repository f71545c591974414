/*
 * Unit tests of the machine's parts that need no KVM: vmm/{bus,serial,panic}.h,
 * vmm/x86_64/{acpi,cpuid,power}.h, vmm/boot/boot.h.
 */
#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial_reg.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vmm/boot/boot.h"
#include "vmm/bus.h"
#include "vmm/panic.h"
#include "vmm/serial.h"
#include "vmm/x86_64/acpi.h"
#include "vmm/x86_64/cpuid.h"
#include "vmm/x86_64/layout.h"
#include "vmm/x86_64/power.h"

#define MIB (1ULL << 20)

/* ---- bus ----------------------------------------------------------------------------- */

static uint64_t written_at, written;

static void answer_read(void *of, uint64_t offset, void *p, unsigned n)
{
	memset(p, (int)offset, n);
	*(unsigned *)of += 1;
}

static void answer_write(void *of, uint64_t offset, const void *p, unsigned n)
{
	(void)of;
	written_at = offset;
	written = 0;
	memcpy(&written, p, n);
}

static void test_bus(void **state)
{
	struct bus b = { 0 };
	unsigned reads = 0;
	struct err e = { 0 };
	struct bus_range r = { 0x100, 0x10, answer_read, answer_write, &reads };
	uint32_t v;

	(void)state;
	assert_int_equal(bus_add(&b, &r, &e), 0);
	r.start = 0x10f;                        /* overlaps its end, its start, all of it */
	assert_int_equal(bus_add(&b, &r, &e), -EINVAL);
	r.start = 0xf1;
	assert_int_equal(bus_add(&b, &r, &e), -EINVAL);
	r = (struct bus_range){ 0x80, 0x200, answer_read, answer_write, &reads };
	assert_int_equal(bus_add(&b, &r, &e), -EINVAL);
	r = (struct bus_range){ UINT64_MAX - 3, 8, answer_read, answer_write, &reads };
	assert_int_equal(bus_add(&b, &r, &e), -EINVAL);
	r = (struct bus_range){ 0x40, 4, answer_read, answer_write, &reads };
	assert_int_equal(bus_add(&b, &r, &e), 0);

	assert_true(bus_read(&b, 0x104, &v, 4));
	assert_int_equal(v, 0x04040404);
	assert_true(bus_write(&b, 0x42, &(uint16_t){ 0xbeef }, 2));
	assert_int_equal(written_at, 2);
	assert_int_equal(written, 0xbeef);
	/* Across an end, between two, outside. */
	assert_false(bus_read(&b, 0x10e, &v, 4));
	assert_int_equal(v, UINT32_MAX);
	assert_false(bus_read(&b, 0x44, &v, 4));
	assert_false(bus_read(&b, UINT64_MAX - 1, &v, 4));
	assert_false(bus_write(&b, 0x110, &v, 1));
	assert_int_equal(reads, 1);
}

/* ---- serial port ---------------------------------------------------------------------- */

struct port {
	struct loop loop;
	struct serial s;
	int irq;
	char text[2048];
	size_t n;
	unsigned calls;
};

static size_t take_text(void *of, const char *p, size_t n, bool wait)
{
	struct port *t = of;

	if (!wait && n > 3)                     /* a slow reader */
		n = 3;
	assert_true(n <= sizeof(t->text) - t->n);
	memcpy(t->text + t->n, p, n);
	t->n += n;
	t->calls++;
	return n;
}

static void port_make(struct port *t)
{
	struct err e = { 0 };

	*t = (struct port){ .irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	assert_true(t->irq >= 0);
	assert_int_equal(loop_init(&t->loop, &e), 0);
	assert_int_equal(serial_init(&t->s, &t->loop, t->irq, take_text, t, &e), 0);
}

static void port_drop(struct port *t)
{
	serial_release(&t->s);
	loop_release(&t->loop);
	fd_close(&t->irq);
}

static uint8_t in8(struct port *t, unsigned at)
{
	uint8_t v;

	serial_read(&t->s, at, &v, 1);
	return v;
}

static void out8(struct port *t, unsigned at, uint8_t v)
{
	serial_write(&t->s, at, &v, 1);
}

static uint64_t pulses(const struct port *t)
{
	uint64_t n = 0;

	return read(t->irq, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void test_serial_output(void **state)
{
	struct port t;

	(void)state;
	port_make(&t);
	for (const char *p = "first\nsec"; *p; p++)
		out8(&t, UART_TX, (uint8_t)*p);
	assert_int_equal(t.calls, 1);           /* a line at a time */
	assert_int_equal(t.n, 6);
	serial_flush(&t.s);
	assert_memory_equal(t.text, "first\nsec", 9);
	for (int i = 0; i < 1000; i++)          /* without end: what fits at a time */
		out8(&t, UART_TX, 'x');
	serial_flush(&t.s);
	assert_int_equal(t.n, 1009);
	assert_int_equal(pulses(&t), 0);        /* nobody asked for interrupts */

	/* A prompt has no end of line: the timer gives it on, as fast as it is taken. */
	t.n = 0;
	for (const char *p = "prompt> "; *p; p++)
		out8(&t, UART_TX, (uint8_t)*p);
	for (int i = 0; i < 1000 && t.n < 8; i++) {
		struct pollfd pfd = { .fd = t.s.flush.fd, .events = POLLIN };

		if (poll(&pfd, 1, 10000) == 1)
			t.s.flush.ready(&t.s.flush, EPOLLIN);
	}
	assert_int_equal(t.n, 8);
	assert_memory_equal(t.text, "prompt> ", 8);
	port_drop(&t);
}

/* As drivers/tty/serial/8250 probes and uses it. */
static void test_serial_registers(void **state)
{
	struct port t;

	(void)state;
	port_make(&t);
	out8(&t, UART_IER, 0x0f);
	assert_int_equal(in8(&t, UART_IER), 0x0f);
	out8(&t, UART_IER, 0);
	out8(&t, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in8(&t, UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out8(&t, UART_TX, 0x5a);                /* to itself */
	assert_int_equal(in8(&t, UART_LSR) & UART_LSR_DR, UART_LSR_DR);
	assert_int_equal(in8(&t, UART_RX), 0x5a);
	assert_int_equal(in8(&t, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(t.n, 0);
	for (int i = 0; i < 100; i++)           /* no more than the FIFO has room for */
		out8(&t, UART_TX, 1);
	out8(&t, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	assert_int_equal(in8(&t, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(in8(&t, UART_IIR) & 0xc0, 0xc0);       /* a 16550A */

	out8(&t, UART_LCR, UART_LCR_DLAB);
	out8(&t, UART_DLL, 1);
	out8(&t, UART_DLM, 2);
	assert_int_equal(in8(&t, UART_DLL), 1);
	assert_int_equal(in8(&t, UART_DLM), 2);
	out8(&t, UART_LCR, UART_LCR_WLEN8);

	out8(&t, UART_MCR, UART_MCR_OUT2);
	out8(&t, UART_IER, UART_IER_THRI);
	assert_int_equal(pulses(&t), 1);        /* empty already */
	assert_int_equal(in8(&t, UART_IIR) & 0x0f, UART_IIR_THRI);
	assert_int_equal(in8(&t, UART_IIR) & 0x0f, UART_IIR_NO_INT);    /* told once */
	out8(&t, UART_TX, 'a');
	assert_int_equal(pulses(&t), 1);
	for (unsigned at = 0; at < SERIAL_PORTS; at++) {        /* any width, any value */
		uint64_t v = UINT64_MAX;

		serial_write(&t.s, at, &v, 8);
		serial_read(&t.s, at, &v, 8);
		assert_true(v <= 0xff);
	}
	port_drop(&t);
}

/* ---- panic, power ------------------------------------------------------------------------ */

static void feed(struct panic *p, const char *s)
{
	panic_feed(p, s, strlen(s));
}

static void test_panic(void **state)
{
	static struct panic p, q;
	char flood[1024];

	(void)state;
	feed(&p, "[    1.0] Kernel pan");
	feed(&p, "ic - not syncing: no \x1b[31minit\r\n[ 1.1] Kernel panic - not syncing: 2\n");
	assert_string_equal(p.why, "no ?[31minit");
	memset(flood, 'x', sizeof(flood));
	for (int i = 0; i < 8; i++)
		panic_feed(&q, flood, sizeof(flood));
	feed(&q, "Kernel panic - not syncing: in a line without end\n");
	assert_string_equal(q.why, "");
	feed(&q, "Kernel panic - not syncing: ");
	panic_feed(&q, flood, sizeof(flood));
	feed(&q, "\n");
	assert_true(strlen(q.why) > 100);
}

static void count_event(void *of, enum power_event ev)
{
	((unsigned *)of)[ev]++;
}

static void test_power(void **state)
{
	unsigned n[3] = { 0 };
	struct power p = { count_event, n };
	struct bus b = { 0 };
	struct err e = { 0 };
	uint8_t v;

	(void)state;
	assert_int_equal(power_attach(&p, &b, &e), 0);
	bus_write(&b, LAYOUT_PORT_POWER, &(uint8_t){ LAYOUT_S5 << 2 }, 1);
	bus_write(&b, LAYOUT_PORT_POWER, &(uint8_t){ 1 << 2 | 0x20 }, 1);       /* S1 */
	assert_int_equal(n[POWER_OFF], 0);
	bus_write(&b, LAYOUT_PORT_POWER, &(uint8_t){ LAYOUT_S5 << 2 | 0x20 }, 1);
	assert_int_equal(n[POWER_OFF], 1);
	bus_write(&b, LAYOUT_PORT_POWER + LAYOUT_RESET, &(uint8_t){ LAYOUT_RESET_VALUE }, 1);
	bus_write(&b, LAYOUT_PORT_KEYBOARD, &(uint8_t){ 0xfe }, 1);
	bus_write(&b, LAYOUT_PORT_KEYBOARD, &(uint8_t){ 0xd1 }, 1);
	assert_int_equal(n[POWER_RESET], 2);
	bus_read(&b, LAYOUT_PORT_PVPANIC, &v, 1);
	assert_int_equal(v, 1);
	bus_write(&b, LAYOUT_PORT_PVPANIC, &v, 1);
	assert_int_equal(n[POWER_PANIC], 1);
}

/* ---- ACPI ------------------------------------------------------------------------------- */

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n-- > 0)
		s = (uint8_t)(s + *p++);
	return s;
}

static void test_acpi_tables(void **state)
{
	static const char *const want[] = { "DSDT", "FACP", "APIC", "XSDT" };
	static uint8_t room[8192] __attribute__((aligned(16)));
	struct acpi_virtio v[LAYOUT_VIRTIO_MAX];
	struct acpi_config c = { .n_cpus = 3, .virtio = v, .n_virtio = LAYOUT_VIRTIO_MAX };
	struct err e = { 0 };
	uint32_t length;
	size_t at = 48;

	(void)state;
	for (unsigned i = 0; i < LAYOUT_VIRTIO_MAX; i++)
		v[i] = (struct acpi_virtio){ 0xd0000000 + i * 0x1000, 0x1000, 5 + i };
	int n = acpi_build(room, sizeof(room), LAYOUT_ACPI, &c, &e);

	assert_true(n > 0);
	assert_memory_equal(room, "RSD PTR ", 8);
	assert_int_equal(sum(room, 20), 0);
	assert_int_equal(sum(room, 36), 0);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		memcpy(&length, room + at + 4, 4);
		assert_memory_equal(room + at, want[i], 4);
		assert_int_equal(sum(room + at, length), 0);
		at += (length + 15) & ~15U;
	}
	assert_int_equal(at, n);
	/* In less room it says so, wherever the room ends, and does not go past it. */
	uint8_t *p = malloc((size_t)n);

	assert_non_null(p);
	for (size_t max = 0; max < (size_t)n - 16; max += 7)
		assert_int_equal(acpi_build(p, max, LAYOUT_ACPI, &c, &e), -ENOSPC);
	free(p);
}

/* ACPI's own compiler reads it back: package acpica-tools. */
static void test_acpi_iasl(void **state)
{
	static uint8_t room[8192] __attribute__((aligned(16)));
	static char text[65536];
	struct acpi_virtio v[] = { { 0xd0000000, 0x1000, 5 }, { 0xd0001000, 0x1000, 6 } };
	struct acpi_config c = { .n_cpus = 1, .virtio = v, .n_virtio = 2 };
	char dir[] = "/tmp/isle-acpi.XXXXXX", command[256];
	struct err e = { 0 };
	uint32_t length;

	(void)state;
	if (system("command -v iasl >/dev/null") != 0) {
		print_message("# SKIP needs iasl (package acpica-tools)\n");
		skip();
	}
	assert_true(acpi_build(room, sizeof(room), LAYOUT_ACPI, &c, &e) > 0);
	memcpy(&length, room + 48 + 4, 4);
	assert_non_null(mkdtemp(dir));
	CLEANUP_FD int d = open(dir, O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(file_replace_at(d, "dsdt.aml", room + 48, length, 0600), 0);
	snprintf(command, sizeof(command), "cd %s && iasl -d dsdt.aml >log 2>&1 && "
		 "iasl -p again dsdt.dsl >>log 2>&1", dir);
	int status = system(command);
	CLEANUP(buf_release) struct buf b = BUF_INIT(sizeof(text) - 1);

	if (status != 0)
		assert_int_equal(file_read_at(d, "log", &b), 0);
	else
		assert_int_equal(file_read_at(d, "dsdt.dsl", &b), 0);
	snprintf(text, sizeof(text), "%s", b.data ? b.data : "");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	if (status != 0)
		fail_msg("iasl: %s", text);
	assert_null(strstr(text, "Error  "));
	for (const char *const *w = (const char *const []){ "PNP0501", "QEMU0001", "LNRO0005",
		     "0xD0001000", "_S5", "0x00000006,", NULL }; *w; w++)
		if (!strstr(text, *w))
			fail_msg("no %s in:\n%s", *w, text);
}

/* ---- CPUID ------------------------------------------------------------------------------- */

static void test_cpuid(void **state)
{
	static union cpuid_table t;

	(void)state;
	t.k.nent = 3;
	t.k.entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 0xd };
	t.k.entries[1] = (struct kvm_cpuid_entry2){ .function = 1, .ecx = UINT32_MAX & ~(1U << 24),
						    .edx = UINT32_MAX };
	t.k.entries[2] = (struct kvm_cpuid_entry2){ .function = 0x80000001, .ecx = UINT32_MAX };
	for (unsigned i = 0; i < 4; i++) {
		cpuid_filter(&t, i, 4, i & 1);
		const struct kvm_cpuid_entry2 *one = cpuid_find(&t, 1, 0);

		assert_int_equal(one->ebx >> 24, i);
		assert_int_equal(one->ecx & (1U << 5), 0);              /* no VMX */
		assert_int_equal(!(one->ecx & (1U << 31)), 0);          /* a hypervisor */
		assert_int_equal(cpuid_find(&t, 0x80000001, 0)->ecx & 4, 0);    /* no SVM */
		assert_int_equal(cpuid_find(&t, 0xb, 1)->ebx, 4);
		assert_int_equal(cpuid_find(&t, 0xb, 1)->edx, i);
		assert_int_equal(t.k.nent, 6);
	}
	assert_null(cpuid_find(&t, 0x1f, 0));
}

/* ---- kernels ------------------------------------------------------------------------------ */

static int file_of(const void *p, size_t n)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, p, n), 0);
	return fd;
}

/* A kernel by PVH: a page of code at 16 MiB, 100 bytes more and 900 of bss, and the note. */
struct elf {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint64_t entry;
	} __attribute__((packed)) note;
	uint8_t fill[4096 - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr) - 24];
	uint8_t code[4196];
};

_Static_assert(offsetof(struct elf, code) == 4096, "a page");

static void elf_make(struct elf *k)
{
	*k = (struct elf){
		.h = { .e_machine = EM_X86_64, .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
		       .e_phoff = offsetof(struct elf, p) },
		.p = { { .p_type = PT_LOAD, .p_offset = 4096, .p_paddr = 16 * MIB,
			 .p_filesz = 4196, .p_memsz = 5096 },
		       { .p_type = PT_NOTE, .p_offset = offsetof(struct elf, note),
			 .p_filesz = sizeof(k->note) } },
		.note = { .h = { 4, 8, 18 }, .name = "Xen", .entry = 16 * MIB + 0x40 },
	};
	memcpy(k->h.e_ident, ELFMAG, SELFMAG);
	k->h.e_ident[EI_CLASS] = ELFCLASS64;
	k->h.e_ident[EI_DATA] = ELFDATA2LSB;
	memset(k->code, 0xcc, sizeof(k->code));
}

static int try_boot(const void *p, size_t n, uint64_t memory, int initrd, struct gmem *m,
		    struct regs_entry *ret)
{
	CLEANUP_FD int fd = file_of(p, n);
	struct boot_source s = { .kernel = fd, .initrd = initrd, .cmdline = "quiet",
				 .rsdp = LAYOUT_ACPI };
	struct err e = { 0 };

	assert_int_equal(gmem_init(m, memory, &e), 0);
	return boot_load(m, &s, ret, &e);
}

static uint64_t peek(const struct gmem *m, uint64_t at, unsigned n)
{
	uint64_t v = 0;

	assert_int_equal(gmem_read(m, (struct gpa){ at }, &v, n), 0);
	return v;
}

static void test_pvh(void **state)
{
	struct regs_entry entry;
	struct elf k;
	struct gmem m;
	CLEANUP_FD int initrd = file_of("initial", 7);

	(void)state;
	elf_make(&k);
	assert_int_equal(try_boot(&k, sizeof(k), 32 * MIB, initrd, &m, &entry), 0);
	assert_false(entry.long_mode);
	assert_int_equal(entry.ip, 16 * MIB + 0x40);
	assert_int_equal(peek(&m, 16 * MIB, 8), 0xccccccccccccccccULL);
	assert_int_equal(peek(&m, 16 * MIB + 4195, 2), 0xcc);   /* the last byte, then bss */
	assert_int_equal(peek(&m, entry.rbx, 4), 0x336ec578);
	uint64_t module = peek(&m, entry.rbx + 16, 8), map = peek(&m, entry.rbx + 40, 8);

	assert_int_equal(peek(&m, peek(&m, module, 8), 7) == 0x6c616974696e69ULL, 1);
	assert_int_equal(peek(&m, module + 8, 8), 7);
	assert_int_equal(peek(&m, entry.rbx + 32, 8), LAYOUT_ACPI);
	assert_int_equal(peek(&m, peek(&m, entry.rbx + 24, 8), 5), 0x7465697571ULL);
	assert_int_equal(peek(&m, entry.rbx + 48, 4), 3);
	assert_int_equal(peek(&m, map + 2 * 24, 8), MIB);       /* memory from 1 MiB to its end */
	assert_int_equal(peek(&m, map + 2 * 24 + 8, 8), 31 * MIB);
	gmem_release(&m);
}

static void test_pvh_hostile(void **state)
{
	static const struct { size_t at; uint64_t v; int want; } bad[] = {
		{ offsetof(struct elf, p[0].p_paddr), 0, -ENOMEM },
		{ offsetof(struct elf, p[0].p_paddr), LAYOUT_ACPI, -ENOMEM },
		{ offsetof(struct elf, p[0].p_paddr), 32 * MIB - 4096, -ENOMEM },
		{ offsetof(struct elf, p[0].p_paddr), UINT64_MAX - 4096, -ENOMEM },
		{ offsetof(struct elf, p[0].p_memsz), UINT64_MAX, -ENOMEM },
		{ offsetof(struct elf, p[0].p_filesz), 5097, -ENOEXEC },
		{ offsetof(struct elf, p[0].p_filesz), UINT64_MAX, -ENOEXEC },
		{ offsetof(struct elf, p[0].p_offset), 8192, -ENOEXEC },
		{ offsetof(struct elf, p[0].p_offset), UINT64_MAX - 4095, -ENOEXEC },
		{ offsetof(struct elf, p[1].p_offset), UINT64_MAX, -ENOEXEC },
		{ offsetof(struct elf, p[1].p_filesz), 1ULL << 40, -ENOEXEC },
		{ offsetof(struct elf, p[1].p_filesz), 23, -ENOEXEC },
		{ offsetof(struct elf, note.h), UINT64_MAX, -ENOEXEC },
		{ offsetof(struct elf, note.entry), 1ULL << 32, -ENOEXEC },
		{ offsetof(struct elf, h.e_phoff), UINT64_MAX - 8, -ENOEXEC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct regs_entry entry;
		struct elf k;
		struct gmem m;

		elf_make(&k);
		memcpy((uint8_t *)&k + bad[i].at, &bad[i].v, 8);
		int r = try_boot(&k, sizeof(k), 32 * MIB, -1, &m, &entry);

		gmem_release(&m);
		if (r != bad[i].want)
			fail_msg("case %zu: %d", i, r);
	}
}

/* As a bzImage begins: one setup sector beside the first, then a page of 64-bit part. */
static void bzimage_make(uint8_t k[5120])
{
	struct setup_header h = {
		.setup_sects = 1, .boot_flag = 0xaa55, .jump = 0x6aeb, .header = 0x53726448,
		.version = 0x20f, .xloadflags = XLF_KERNEL_64, .relocatable_kernel = 1,
		.kernel_alignment = 2 * MIB, .pref_address = 16 * MIB, .init_size = 8 * MIB,
		.cmdline_size = 2047, .initrd_addr_max = 0x7fffffff,
	};

	memset(k, 0xcc, 5120);
	memcpy(k + 0x1f1, &h, sizeof(h));
}

static void test_bzimage(void **state)
{
	uint8_t k[5120];
	struct regs_entry entry;
	struct gmem m;
	CLEANUP_FD int initrd = file_of("initial", 7);

	(void)state;
	bzimage_make(k);
	assert_int_equal(try_boot(k, sizeof(k), 5ULL << 30, initrd, &m, &entry), 0);
	assert_true(entry.long_mode);
	assert_int_equal(entry.ip, 16 * MIB + 0x200);
	assert_int_equal(peek(&m, 16 * MIB + 4088, 8), 0xccccccccccccccccULL);
	struct boot_params zero;

	assert_int_equal(gmem_read(&m, (struct gpa){ entry.rsi }, &zero, sizeof(zero)), 0);
	assert_int_equal(zero.hdr.header, 0x53726448);
	assert_int_equal(zero.hdr.ramdisk_size, 7);
	assert_int_equal(zero.hdr.ramdisk_image, 0x7ffff000);
	assert_int_equal(zero.e820_entries, 4);
	assert_int_equal(zero.e820_table[3].addr, 1ULL << 32);
	assert_int_equal(zero.e820_table[3].size, 2ULL << 30);
	gmem_release(&m);

	/* Where there is little memory it goes lower; where it cannot be moved, nowhere. */
	assert_int_equal(try_boot(k, sizeof(k), 12 * MIB, -1, &m, &entry), 0);
	assert_int_equal(entry.ip, 2 * MIB + 0x200);
	gmem_release(&m);
	k[0x234] = 0;                           /* relocatable_kernel */
	assert_int_equal(try_boot(k, sizeof(k), 12 * MIB, -1, &m, &entry), -ENOMEM);
	gmem_release(&m);
}

static void test_bzimage_hostile(void **state)
{
	static const struct { size_t at; uint8_t v[4]; int want; } bad[] = {
		{ 0x202, { 'H', 'd', 'r', 'x' }, -ENOEXEC },
		{ 0x236, { 0, 0, 0, 0 }, -ENOEXEC },            /* xloadflags: no 64-bit entry */
		{ 0x1f1, { 0xff }, -ENOEXEC },                  /* setup_sects */
		{ 0x260, { 0xff, 0xff, 0xff, 0xff }, -ENOMEM }, /* init_size */
	};
	struct regs_entry entry;
	struct gmem m;
	uint8_t k[5120];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		bzimage_make(k);
		memcpy(k + bad[i].at, bad[i].v, i == 2 ? 1 : 4);
		int r = try_boot(k, sizeof(k), 32 * MIB, -1, &m, &entry);

		gmem_release(&m);
		if (r != bad[i].want)
			fail_msg("case %zu: %d", i, r);
	}
	bzimage_make(k);
	for (size_t n = 0; n < 1024 + 0x201; n += 13) {
		int r = try_boot(k, n, 32 * MIB, -1, &m, &entry);

		gmem_release(&m);
		assert_int_equal(r, -ENOEXEC);
	}
	CLEANUP_FD int large = file_of("", 0);

	assert_int_equal(ftruncate(large, 64LL << 20), 0);
	assert_int_equal(try_boot(k, sizeof(k), 32 * MIB, large, &m, &entry), -ENOMEM);
	gmem_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bus), cmocka_unit_test(test_serial_output),
		cmocka_unit_test(test_serial_registers), cmocka_unit_test(test_panic),
		cmocka_unit_test(test_power), cmocka_unit_test(test_acpi_tables),
		cmocka_unit_test(test_acpi_iasl), cmocka_unit_test(test_cpuid),
		cmocka_unit_test(test_pvh), cmocka_unit_test(test_pvh_hostile),
		cmocka_unit_test(test_bzimage), cmocka_unit_test(test_bzimage_hostile),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
