/*
 * flat.c - a guest without a kernel, for tests of the machine itself (tests/vm/15-machine.t).
 *
 * The command line's first word says what it does; each ends the machine in one way, or fails
 * by printing "not ok" and powering off.  Written against the specifications, not against the
 * machine's own headers: it is the other side.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COM1 0x3f8
#define POWER 0x600
#define PVPANIC 0x505

/* The first virtio-mmio device, which is for entropy; registers of VIRTIO 1.2, 4.2.2. */
#define VIRTIO 0xd0000000UL
#define ENTROPY_BYTES 64
#define PATIENCE 20000000

static struct {
	struct { uint64_t at; uint32_t bytes; uint16_t flags, next; } desc[8];
	struct { uint16_t flags, idx, ring[8]; } avail;
	struct { uint16_t flags, idx; struct { uint32_t id, bytes; } ring[8]; } used
		__attribute__((aligned(4)));
} queue __attribute__((aligned(4096)));

static uint8_t entropy[ENTROPY_BYTES];

void flat_main(const char *cmdline);

static void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(port) : "memory");
}

static uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static void say(const char *s)
{
	for (; *s; s++) {
		while (!(in8(COM1 + 5) & 0x20))         /* LSR: holding register empty */
			;
		out8(COM1, (uint8_t)*s);
	}
}

static uint32_t reg(unsigned at)
{
	return *(volatile uint32_t *)(VIRTIO + at);
}

static void set(unsigned at, uint32_t v)
{
	*(volatile uint32_t *)(VIRTIO + at) = v;
}

static void set64(unsigned at, const volatile void *p)
{
	set(at, (uint32_t)(uintptr_t)p);
	set(at + 4, (uint32_t)((uintptr_t)p >> 32));
}

/* One buffer through the queue: the kick goes by KVM's ioeventfd to the device's thread. */
static const char *try_virtio(void)
{
	if (reg(0) != 0x74726976 || reg(4) != 2 || reg(8) != 4)
		return "no entropy device";
	set(0x70, 0);
	set(0x70, 1 | 2);                       /* ACKNOWLEDGE, DRIVER */
	set(0x24, 1);
	set(0x20, 1);                           /* VERSION_1 */
	set(0x70, 1 | 2 | 8);
	if (!(reg(0x70) & 8))
		return "features were refused";
	set(0x30, 0);
	set(0x38, 8);
	set64(0x80, queue.desc);
	set64(0x90, &queue.avail);
	set64(0xa0, &queue.used);
	set(0x44, 1);
	set(0x70, 1 | 2 | 8 | 4);               /* DRIVER_OK */
	queue.desc[0].at = (uintptr_t)entropy;
	queue.desc[0].bytes = ENTROPY_BYTES;
	queue.desc[0].flags = 2;                /* WRITE */
	__atomic_store_n(&queue.avail.idx, 1, __ATOMIC_RELEASE);
	set(0x50, 0);
	for (unsigned i = 0; __atomic_load_n(&queue.used.idx, __ATOMIC_ACQUIRE) != 1; i++)
		if (i == PATIENCE)
			return "the device did not answer";
	if (queue.used.ring[0].bytes != ENTROPY_BYTES)
		return "less than was asked for";
	if (!(reg(0x60) & 1))
		return "no interrupt status";
	for (unsigned i = 0; i < ENTROPY_BYTES; i++)
		if (entropy[i])
			return NULL;
	return "all zeros";
}

/* The tables are where a PC's firmware has them; their first one is whole. */
static const char *try_acpi(void)
{
	const volatile uint8_t *p = (const volatile uint8_t *)0xe0000;
	uint8_t sum = 0;

	for (unsigned i = 0; i < 36; i++)
		sum = (uint8_t)(sum + p[i]);
	return p[0] == 'R' && p[7] == ' ' && sum == 0 ? NULL : "no RSDP";
}

static void report(const char *what, const char *why)
{
	say(why ? "not ok " : "ok ");
	say(what);
	say(why ? ": " : "");
	say(why ? why : "");
	say("\n");
}

void flat_main(const char *cmdline)
{
	switch (cmdline[0]) {
	case 'c':                               /* check */
		report("acpi", try_acpi());
		report("virtio", try_virtio());
		break;
	case 'f':                               /* flood the console: more than a pipe holds */
		for (unsigned i = 0; i < 12000; i++)
			say("flood ");
		break;
	case 'h':                               /* hang */
		say("hangs\n");
		for (;;)
			__asm__ volatile("cli; hlt");
	case 'm':                               /* memory that is not there */
		say("reads\n");
		(void)*(volatile uint32_t *)0xd8000000UL;
		say("not ok: read\n");
		break;
	case 'p':
		say("[    0.1] Kernel panic - not syncing: flat\n");
		out8(PVPANIC, 1);
		break;
	case 'r':
		out8(POWER + 2, 1);
		break;
	case 't':                               /* no handler for it, nor for that: triple fault */
		__asm__ volatile("ud2");
	}
	out8(POWER, 5 << 2 | 1 << 5);           /* S5 */
}
