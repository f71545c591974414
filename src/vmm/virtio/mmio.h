#pragma once
/*
 * vmm/virtio/mmio.h - the virtio-mmio transport.  Layer: vmm.
 *
 * A page of registers in the guest's address space (VIRTIO 1.2, 4.2.2) for one device.
 * The machine decodes addresses and calls vmmio_read() and vmmio_write() on the vCPU's
 * thread; kicks arrive on an eventfd a queue (the machine binds them to the QueueNotify
 * register by KVM_IOEVENTFD, so that no vCPU leaves for them), interrupts leave by one
 * eventfd (KVM_IRQFD).
 */
#include "vmm/loop.h"
#include "vmm/virtio/device.h"

#define VMMIO_BYTES 0x1000              /* of the guest's address space */

struct vmmio_queue {
	struct loop_watch kick;         /* fd: eventfd */
	struct vmmio *of;
	unsigned index;
	struct vq_layout layout;        /* as written so far */
	bool ready;
};

struct vmmio {
	struct vdev *dev;
	struct loop *loop;
	int irq;                        /* eventfd, the machine's */
	uint32_t status;
	uint32_t interrupt_status;
	uint32_t generation;            /* of the configuration space */
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	struct vmmio_queue queue[VDEV_QUEUES_MAX];
};

/*
 * Carry d: its eventfds are made and watched on l, whose thread then works d's queues.
 * d, mem, l and irq outlive m.
 */
MUST_CHECK int vmmio_init(struct vmmio *m, struct vdev *d, const struct gmem *mem, struct loop *l,
			  int irq, struct err *e);
/* After the loop has stopped; of a half-built one too. */
void vmmio_release(struct vmmio *m);

/*
 * The guest reads or writes n bytes at offset.  Any values: what makes no sense reads as
 * zeros and writes nothing.  Takes the device's lock; p is n bytes.
 */
void vmmio_read(struct vmmio *m, uint64_t offset, void *p, unsigned n);
void vmmio_write(struct vmmio *m, uint64_t offset, const void *p, unsigned n);
