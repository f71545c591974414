/* vmm/irq.c - see irq.h */
#include "vmm/irq.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/kvm.h"

int irq_line(int vm, unsigned gsi, struct err *e)
{
	CLEANUP_FD int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return err_sys(e, errno, "eventfd of interrupt %u", gsi);
	struct kvm_irqfd bind = { .fd = (uint32_t)fd, .gsi = gsi };
	int r = kvm_call(vm, KVM_IRQFD, &bind);

	return r < 0 ? err_sys(e, -r, "KVM_IRQFD of interrupt %u", gsi) : take_fd(fd);
}

void irq_pulse(int line)
{
	uint64_t one = 1;

	/* Full means that as many pulses wait already. */
	if (write(line, &one, sizeof(one)) < 0)
		return;
}

int irq_bell(int vm, unsigned long at, unsigned n, unsigned value, int fd, struct err *e)
{
	struct kvm_ioeventfd bind = {
		.addr = at, .len = n, .datamatch = value, .fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};
	int r = kvm_call(vm, KVM_IOEVENTFD, &bind);

	return r < 0 ? err_sys(e, -r, "KVM_IOEVENTFD at 0x%lx", at) : 0;
}
