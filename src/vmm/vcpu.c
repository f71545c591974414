/* vmm/vcpu.c - see vcpu.h */
#include "vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/fd.h"
#include "sys/kvm.h"

#define KICK_AGAIN_NS 10000000L

int vcpu_init(struct vcpu *c, int kvm, int vm, unsigned index, struct err *e)
{
	*c = (struct vcpu){ .index = index };
	c->fd = kvm_create_vcpu(kvm, vm, index, &c->run, &c->run_bytes);
	return c->fd < 0 ? err_sys(e, -c->fd, "KVM_CREATE_VCPU %u", index) : 0;
}

void vcpu_release(struct vcpu *c)
{
	if (c->run)
		munmap(c->run, c->run_bytes);
	c->run = NULL;
	fd_close(&c->fd);
}

/* ---- exits ---------------------------------------------------------------------------- */

/* Ports nobody has read as all ones, as on a PC; a kernel probes many. */
static bool exit_io(struct vcpu *c)
{
	const struct kvm_run *run = c->run;
	uint64_t at = run->io.data_offset, n = run->io.size;

	if (at > c->run_bytes || n * run->io.count > c->run_bytes - at)
		return false;
	uint8_t *p = (uint8_t *)c->run + at;

	for (uint32_t i = 0; i < run->io.count; i++, p += n) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(c->ports, run->io.port, p, (unsigned)n);
		else
			bus_read(c->ports, run->io.port, p, (unsigned)n);
	}
	return true;
}

static bool exit_mmio(struct vcpu *c)
{
	struct kvm_run *run = c->run;
	uint32_t n = run->mmio.len;

	if (n > sizeof(run->mmio.data))
		return false;
	return run->mmio.is_write ? bus_write(c->mmio, run->mmio.phys_addr, run->mmio.data, n) :
				    bus_read(c->mmio, run->mmio.phys_addr, run->mmio.data, n);
}

/* False: the vCPU cannot go on. */
static bool handle_exit(struct vcpu *c)
{
	switch (c->run->exit_reason) {
	case KVM_EXIT_IO:
		return exit_io(c);
	case KVM_EXIT_MMIO:
		return exit_mmio(c);
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	default:
		return false;
	}
}

/* ---- the thread ------------------------------------------------------------------------ */

static void *run_guest(void *of)
{
	struct vcpu *c = of;
	bool fine = true;

	while (fine && !__atomic_load_n(c->stop, __ATOMIC_ACQUIRE)) {
		int r = kvm_run(c->fd);

		if (r == 0)
			fine = handle_exit(c);
		else if (r != -EINTR && r != -EAGAIN)
			fine = (c->error = r) >= 0;
	}
	if (!fine)
		c->broken(c->of, c);
	return NULL;
}

static void kicked(int sig)
{
	(void)sig;
}

void vcpu_catch_kicks(void)
{
	/* Without SA_RESTART, so that a write that blocks ends too. */
	struct sigaction sa = { .sa_handler = kicked };

	sigaction(VCPU_KICK_SIGNAL, &sa, NULL);
}

int vcpu_start(struct vcpu *c, struct err *e)
{
	char name[16];
	int r = pthread_create(&c->thread, NULL, run_guest, c);

	if (r != 0)
		return err_sys(e, r, "thread of vCPU %u", c->index);
	c->started = true;
	snprintf(name, sizeof(name), "vcpu %u", c->index);
	pthread_setname_np(c->thread, name);
	return 0;
}

void vcpu_join(struct vcpu *c)
{
	if (!c->started)
		return;
	/* Whichever side of KVM_RUN it is on, it comes back: api.rst, 5, immediate_exit. */
	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_RELEASE);
	for (;;) {
		struct timespec until;

		/* Again, for a kick may come just before the thread begins to block elsewhere. */
		pthread_kill(c->thread, VCPU_KICK_SIGNAL);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += KICK_AGAIN_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		if (pthread_timedjoin_np(c->thread, NULL, &until) == 0)
			break;
	}
	c->started = false;
}
