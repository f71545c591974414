#pragma once
/*
 * vmm/virtio/rng.h - entropy from the host's getrandom(2) (VIRTIO 1.2, 5.4).  Layer: vmm.
 */
#include "vmm/virtio/device.h"

struct rng {
	struct vdev dev;
};

void rng_init(struct rng *r);
