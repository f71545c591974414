/* vmm/machine.c - see machine.h */
#include "vmm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/kvm.h"
#include "vmm/boot/boot.h"
#include "vmm/irq.h"
#include "vmm/panic.h"
#include "vmm/serial.h"
#include "vmm/vcpu.h"
#include "vmm/virtio/mmio.h"
#include "vmm/x86_64/acpi.h"
#include "vmm/x86_64/cpuid.h"
#include "vmm/x86_64/dump.h"
#include "vmm/x86_64/layout.h"
#include "vmm/x86_64/power.h"

#define DUMP_MAX 8192
#define LAST_WORDS_MS 1000

struct slot {
	struct loop loop;
	bool has_loop;
	struct vmmio mmio;
	int irq;
	pthread_t thread;
	bool started;
};

struct machine {
	struct machine_config config;
	int kvm, vm;
	struct gmem mem;
	struct bus ports, mmio;
	struct loop loop;
	struct serial serial;
	int serial_irq;
	struct panic panic;
	struct power power;
	struct slot slot[LAYOUT_VIRTIO_MAX];
	unsigned n_slots;
	struct vcpu *vcpu;              /* config.n_cpus */
	bool stop;                      /* atomic: vCPUs go on no more */
	pthread_mutex_t lock;           /* of what follows */
	bool ended;
	struct machine_result result;
};

/* ---- the end -------------------------------------------------------------------------- */

/* Only the first reason counts.  From any thread. */
static bool end_now(struct machine *m, enum machine_end end)
{
	pthread_mutex_lock(&m->lock);
	bool first = !m->ended;

	if (first)
		m->result.end = end;
	m->ended = true;
	pthread_mutex_unlock(&m->lock);
	__atomic_store_n(&m->stop, true, __ATOMIC_RELEASE);
	if (first)
		loop_stop(&m->loop);
	return first;
}

void machine_stop(struct machine *m)
{
	end_now(m, MACHINE_STOPPED);
}

static void powered(void *of, enum power_event ev)
{
	static const enum machine_end ends[] = {
		[POWER_OFF] = MACHINE_OFF, [POWER_RESET] = MACHINE_RESET,
		[POWER_PANIC] = MACHINE_PANIC,
	};

	end_now(of, ends[ev]);
}

/* On the vCPU's thread, which is out of the guest and stays there. */
static void broke(void *of, struct vcpu *c)
{
	struct machine *m = of;

	/* The result is read when this thread has been joined. */
	if (end_now(m, MACHINE_BROKEN))
		dump_vcpu(c->fd, c->index, c->run, c->error, &m->mem, &m->result.dump);
}

/* A kernel without pvpanic's driver tells of its panic only here, and then restarts. */
static void conclude(struct machine *m, struct machine_result *ret)
{
	serial_flush(&m->serial);
	*ret = m->result;
	m->result.dump = (struct buf){ 0 };
	if (ret->end == MACHINE_RESET && m->panic.why[0])
		ret->end = MACHINE_PANIC;
	if (ret->end == MACHINE_PANIC)
		snprintf(ret->why, sizeof(ret->why), "%s", m->panic.why);
}

/* ---- serial port ------------------------------------------------------------------------ */

/*
 * What a stopped machine still has to say is worth a second's wait; whose vCPU waits here
 * when the machine is to stop is interrupted by vcpu_join().
 */
static size_t serial_out(void *of, const char *p, size_t n, bool wait)
{
	struct machine *m = of;
	size_t done = 0;

	while (done < n && m->config.serial >= 0) {
		struct pollfd pfd = { .fd = m->config.serial, .events = POLLOUT };
		bool stopped = __atomic_load_n(&m->stop, __ATOMIC_ACQUIRE);
		int ready = poll(&pfd, 1, !wait ? 0 : stopped ? LAST_WORDS_MS : -1);

		if (ready <= 0 && (!wait || stopped))
			break;
		ssize_t r = ready > 0 ? write(m->config.serial, p + done, n - done) : 0;

		if (r < 0 && errno != EINTR && errno != EAGAIN)
			done = n;               /* nobody reads: dropped */
		else if (r > 0)
			done += (size_t)r;
	}
	if (wait || m->config.serial < 0)
		done = n;
	panic_feed(&m->panic, p, done);
	return done;
}

/* ---- making ----------------------------------------------------------------------------- */

static int set_memory(struct machine *m, struct err *e)
{
	int r = gmem_init(&m->mem, m->config.memory_bytes, e);

	for (unsigned i = 0; i < m->mem.n && r == 0; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = i, .guest_phys_addr = m->mem.region[i].start,
			.memory_size = m->mem.region[i].size,
			.userspace_addr = (uintptr_t)m->mem.region[i].host,
		};

		r = kvm_call(m->vm, KVM_SET_USER_MEMORY_REGION, &slot);
		if (r < 0)
			r = err_sys(e, -r, "KVM_SET_USER_MEMORY_REGION");
	}
	return r;
}

static int make_vm(struct machine *m, struct err *e)
{
	uint64_t identity = LAYOUT_IDENTITY_MAP;

	m->kvm = kvm_open();
	if (m->kvm < 0)
		return err_sys(e, -m->kvm, "open /dev/kvm");
	m->vm = kvm_call_number(m->kvm, KVM_CREATE_VM, 0);
	if (m->vm < 0)
		return err_sys(e, -m->vm, "KVM_CREATE_VM");
	int r = kvm_call(m->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (r < 0)
		return err_sys(e, -r, "KVM_SET_IDENTITY_MAP_ADDR");
	r = kvm_call_number(m->vm, KVM_SET_TSS_ADDR, LAYOUT_TSS);
	if (r < 0)
		return err_sys(e, -r, "KVM_SET_TSS_ADDR");
	r = kvm_call_number(m->vm, KVM_CREATE_IRQCHIP, 0);
	return r < 0 ? err_sys(e, -r, "KVM_CREATE_IRQCHIP") : set_memory(m, e);
}

static int make_devices(struct machine *m, struct err *e)
{
	int r = loop_init(&m->loop, e);

	if (r < 0)
		return r;
	m->serial_irq = irq_line(m->vm, LAYOUT_GSI_SERIAL, e);
	if (m->serial_irq < 0)
		return m->serial_irq;
	r = serial_init(&m->serial, &m->loop, m->serial_irq, serial_out, m, e);
	if (r == 0)
		r = bus_add(&m->ports, &(struct bus_range){
			LAYOUT_PORT_SERIAL, SERIAL_PORTS, serial_read, serial_write, &m->serial },
			e);
	m->power = (struct power){ .event = powered, .of = m };
	return r < 0 ? r : power_attach(&m->power, &m->ports, e);
}

int machine_new(const struct machine_config *c, struct machine **ret, struct err *e)
{
	if (c->n_cpus < 1 || c->n_cpus > MACHINE_CPUS_MAX)
		return err_set(e, EINVAL, "%u vCPUs: a machine has 1 to %d", c->n_cpus,
			       MACHINE_CPUS_MAX);
	if (c->memory_bytes < MACHINE_MEMORY_MIN)
		return err_set(e, EINVAL, "%" PRIu64 " MiB of memory: a machine has %llu at least",
			       c->memory_bytes >> 20, MACHINE_MEMORY_MIN >> 20);
	struct machine *m = xcalloc(1, sizeof(*m));

	m->config = *c;
	m->kvm = m->vm = m->serial_irq = m->loop.epoll = m->loop.stop = -1;
	m->result.dump = (struct buf)BUF_INIT(DUMP_MAX);
	pthread_mutex_init(&m->lock, NULL);
	int r = make_vm(m, e);

	if (r == 0)
		r = make_devices(m, e);
	if (r < 0) {
		machine_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

static void slot_release(struct slot *s)
{
	vmmio_release(&s->mmio);
	if (s->irq > 0)
		fd_close(&s->irq);
	if (s->has_loop)
		loop_release(&s->loop);
	s->has_loop = false;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->config.n_cpus && m->vcpu; i++)
		vcpu_release(&m->vcpu[i]);
	free(m->vcpu);
	for (unsigned i = 0; i < LAYOUT_VIRTIO_MAX; i++)
		slot_release(&m->slot[i]);
	serial_release(&m->serial);
	fd_close(&m->serial_irq);
	loop_release(&m->loop);
	fd_close(&m->vm);
	fd_close(&m->kvm);
	gmem_release(&m->mem);
	buf_release(&m->result.dump);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* ---- devices --------------------------------------------------------------------------- */

struct loop *machine_loop(struct machine *m)
{
	return &m->loop;
}

int machine_loop_next(struct machine *m, struct loop **ret, struct err *e)
{
	if (m->n_slots == LAYOUT_VIRTIO_MAX)
		return err_set(e, ENOSPC, "a machine has %d devices at most", LAYOUT_VIRTIO_MAX);
	struct slot *s = &m->slot[m->n_slots];
	int r = s->has_loop ? 0 : loop_init(&s->loop, e);

	if (r < 0)
		return r;
	s->has_loop = true;
	*ret = &s->loop;
	return 0;
}

static void mmio_read(void *of, uint64_t offset, void *p, unsigned n)
{
	vmmio_read(of, offset, p, n);
}

static void mmio_write(void *of, uint64_t offset, const void *p, unsigned n)
{
	vmmio_write(of, offset, p, n);
}

int machine_add(struct machine *m, struct vdev *d, struct err *e)
{
	struct loop *l;
	uint64_t at = LAYOUT_VIRTIO + (uint64_t)m->n_slots * VMMIO_BYTES;

	int r = machine_loop_next(m, &l, e);
	if (r < 0)
		return r;
	struct slot *s = &m->slot[m->n_slots];

	s->irq = irq_line(m->vm, LAYOUT_GSI_VIRTIO + m->n_slots, e);
	if (s->irq < 0)
		return s->irq;
	r = vmmio_init(&s->mmio, d, &m->mem, l, s->irq, e);
	for (unsigned q = 0; q < d->n_vq && r == 0; q++)
		r = irq_bell(m->vm, at + VIRTIO_MMIO_QUEUE_NOTIFY, 4, q,
			     s->mmio.queue[q].kick.fd, e);
	if (r == 0)
		r = bus_add(&m->mmio, &(struct bus_range){ at, VMMIO_BYTES, mmio_read, mmio_write,
							   &s->mmio }, e);
	if (r == 0)
		m->n_slots++;
	return r;
}

/* ---- running --------------------------------------------------------------------------- */

/*
 * What is left of a BIOS: its reset vector.  Linux takes hardware-reduced ACPI for a machine
 * with UEFI, does not find that, and restarts in real mode, there.
 */
static int write_reset(const struct machine *m, struct err *e)
{
	static const uint8_t code[] = {
		0xba, (LAYOUT_PORT_POWER + LAYOUT_RESET) & 0xff,        /* mov $port, %dx */
		(LAYOUT_PORT_POWER + LAYOUT_RESET) >> 8,
		0xb0, LAYOUT_RESET_VALUE,                               /* mov $value, %al */
		0xee, 0xf4, 0xeb, 0xfd,                                 /* out; 1: hlt; jmp 1b */
	};
	int r = gmem_write(&m->mem, (struct gpa){ LAYOUT_RESET_VECTOR }, code, sizeof(code));

	return r < 0 ? err_sys(e, -r, "write the reset vector") : 0;
}

static int write_acpi(const struct machine *m, struct err *e)
{
	uint64_t room = LAYOUT_RESET_VECTOR - LAYOUT_ACPI;
	uint8_t *p = gmem_at(&m->mem, (struct gpa){ LAYOUT_ACPI }, room);
	struct acpi_virtio v[LAYOUT_VIRTIO_MAX];

	for (unsigned i = 0; i < m->n_slots; i++)
		v[i] = (struct acpi_virtio){ .start = LAYOUT_VIRTIO + i * VMMIO_BYTES,
					     .bytes = VMMIO_BYTES, .gsi = LAYOUT_GSI_VIRTIO + i };
	struct acpi_config c = { .n_cpus = m->config.n_cpus, .virtio = v, .n_virtio = m->n_slots };

	int r = p ? acpi_build(p, room, LAYOUT_ACPI, &c, e) : -EFAULT;
	return r < 0 ? r : 0;
}

static int make_vcpus(struct machine *m, struct err *e)
{
	union cpuid_table cpuid;
	bool deadline = kvm_call_number(m->kvm, KVM_CHECK_EXTENSION,
					KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	unsigned n = m->config.n_cpus;

	int r = cpuid_supported(m->kvm, &cpuid, e);
	if (r < 0)
		return r;
	m->vcpu = xcalloc(n, sizeof(*m->vcpu));
	for (unsigned i = 0; i < n; i++)
		m->vcpu[i].fd = -1;
	for (unsigned i = 0; i < n && r == 0; i++) {
		struct vcpu *c = &m->vcpu[i];

		r = vcpu_init(c, m->kvm, m->vm, i, e);
		if (r < 0)
			break;
		c->ports = &m->ports;
		c->mmio = &m->mmio;
		c->broken = broke;
		c->of = m;
		c->stop = &m->stop;
		cpuid_filter(&cpuid, i, n, deadline);
		r = cpuid_set(c->fd, &cpuid, e);
		if (r == 0)
			r = regs_msrs(c->fd, e);
	}
	return r;
}

static int prepare(struct machine *m, struct err *e)
{
	struct boot_source src = { .kernel = m->config.kernel, .initrd = m->config.initrd,
				   .cmdline = m->config.cmdline, .rsdp = LAYOUT_ACPI };
	struct regs_entry entry;

	int r = boot_load(&m->mem, &src, &entry, e);
	if (r == 0)
		r = write_acpi(m, e);
	if (r == 0)
		r = write_reset(m, e);
	if (r == 0)
		r = make_vcpus(m, e);
	/* The others wait for the first one's INIT and SIPI. */
	return r < 0 ? r : regs_enter(m->vcpu[0].fd, &entry, e);
}

static void *run_device(void *of)
{
	struct slot *s = of;
	struct err e = { 0 };

	/* Fails only where epoll itself does: then its queues stand still, like a hung disk. */
	if (loop_run(&s->loop, &e) < 0)
		return NULL;
	return NULL;
}

static int start(struct machine *m, struct err *e)
{
	char name[16];

	for (unsigned i = 0; i < m->n_slots; i++) {
		int r = pthread_create(&m->slot[i].thread, NULL, run_device, &m->slot[i]);

		if (r != 0)
			return err_sys(e, r, "thread of virtio device %u", i);
		m->slot[i].started = true;
		snprintf(name, sizeof(name), "virtio %s", m->slot[i].mmio.dev->ops->name);
		pthread_setname_np(m->slot[i].thread, name);
	}
	for (unsigned i = 0; i < m->config.n_cpus; i++) {
		int r = vcpu_start(&m->vcpu[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static void stop(struct machine *m)
{
	__atomic_store_n(&m->stop, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < m->config.n_cpus; i++)
		vcpu_join(&m->vcpu[i]);
	for (unsigned i = 0; i < m->n_slots; i++) {
		if (!m->slot[i].started)
			continue;
		loop_stop(&m->slot[i].loop);
		pthread_join(m->slot[i].thread, NULL);
		m->slot[i].started = false;
	}
}

int machine_run(struct machine *m, struct machine_result *ret, struct err *e)
{
	int r = prepare(m, e);

	if (r < 0)
		return r;
	vcpu_catch_kicks();
	r = start(m, e);
	if (r == 0)
		r = loop_run(&m->loop, e);
	stop(m);
	if (r == 0)
		conclude(m, ret);
	return r;
}
