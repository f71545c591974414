#pragma once
/*
 * vmm/virtio/balloon.h - memory that goes back to the host (VIRTIO 1.2, 5.5).  Layer: vmm.
 *
 * Two ways.  Reporting, which needs nobody: the guest tells of pages that have lain free for
 * a while (some megabytes at a time), and they are dropped until it touches them again.
 * Inflating, which the host asks for: the guest takes pages out of use and names them.
 */
#include "vmm/virtio/device.h"

struct balloon {
	struct vdev dev;                /* first */
	uint32_t target_pages;          /* of 4 KiB, what the guest is to give */
	uint32_t actual_pages;          /* what it says it has given; untrusted */
};

void balloon_init(struct balloon *b);

/*
 * Ask the guest for pages of 4 KiB altogether; it may refuse or take its time, and takes them
 * back when it runs out of memory.  From any thread.
 */
void balloon_set_target(struct balloon *b, uint32_t pages);
uint32_t balloon_actual(struct balloon *b);
