/* vmm/virtio/device.c - see device.h */
#include "vmm/virtio/device.h"

#include <assert.h>
#include <linux/virtio_config.h>

#include "base/log.h"

void vdev_init(struct vdev *d, const struct vdev_ops *ops, uint64_t offered)
{
	assert(ops->n_queues <= VDEV_QUEUES_MAX && ops->queue_size <= VQ_SIZE_MAX);
	*d = (struct vdev){
		.ops = ops,
		.offered = offered | 1ULL << VIRTIO_F_VERSION_1 |
			   1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_RING_F_INDIRECT_DESC,
		.n_vq = ops->n_queues,
	};
	pthread_mutex_init(&d->lock, NULL);
}

void vdev_release(struct vdev *d)
{
	pthread_mutex_destroy(&d->lock);
}

void vdev_notify(struct vdev *d, unsigned q)
{
	if (vq_should_notify(&d->vq[q]))
		d->transport->notify(d, q);
}

void vdev_fail(struct vdev *d, unsigned q, const char *why)
{
	if (!d->said)
		log_warn("virtio %s: queue %u: %s: the guest must reset the device",
			 d->ops->name, q, why);
	d->said = true;
	d->vq[q].broken = true;
	d->transport->needs_reset(d);
}
