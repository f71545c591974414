#pragma once
/*
 * vmm/irq.h - interrupt lines as eventfds (KVM_IRQFD).  Layer: vmm.
 *
 * A write of 1 pulses the line, as an edge-triggered device does; KVM delivers it through
 * the in-kernel APICs, and no thread of this process takes part.
 */
#include "base/err.h"

/* A new eventfd, the caller's, bound to global interrupt gsi of vm. */
MUST_CHECK int irq_line(int vm, unsigned gsi, struct err *e);

void irq_pulse(int line);

/* Writes of n bytes to guest address at, of value only, count fd up: KVM_IOEVENTFD. */
MUST_CHECK int irq_bell(int vm, unsigned long at, unsigned n, unsigned value, int fd,
			struct err *e);
