#pragma once
/*
 * vmm/virtio/blk.h - a disk made of a raw file or block device (VIRTIO 1.2, 5.2).  Layer: vmm.
 *
 * Requests are done one after the other on the loop's thread, between the file and the
 * guest's own pages.  A driver that takes VIRTIO_BLK_F_FLUSH gets a write cache, the host's,
 * and FLUSH is fdatasync(2); for one that does not, each write is on the disk when answered.
 */
#include "vmm/virtio/device.h"

#define BLK_SECTOR 512
#define BLK_ID_BYTES 20                 /* not terminated when all are used */

struct blk {
	struct vdev dev;                /* first */
	int fd;                         /* the caller's */
	bool read_only;
	uint64_t sectors;
	char id[BLK_ID_BYTES];
};

/*
 * Carry fd, which was opened for reading, and for writing unless read_only, and which stays
 * the caller's.  Its size now, in whole sectors, is the disk's.  id is what the guest sees as
 * serial number, and is cut to BLK_ID_BYTES.
 */
MUST_CHECK int blk_init(struct blk *b, int fd, bool read_only, const char *id, struct err *e);
