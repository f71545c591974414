/* vmm/virtio/rng.c - see rng.h */
#include "vmm/virtio/rng.h"

#include <linux/virtio_ids.h>
#include <sys/random.h>

/* More than a guest asks for at once; fewer bytes than asked for are an answer too. */
#define CHUNK 256

static void kick(struct vdev *d, unsigned q)
{
	struct vq *vq = &d->vq[q];
	struct vq_req req;
	int r;

	do {
		while ((r = vq_pop(vq, &req)) > 0) {
			uint8_t bytes[CHUNK];
			size_t n = req.in_bytes < CHUNK ? req.in_bytes : CHUNK;
			/* Never short nor blocking up to 256 bytes: getrandom(2). */
			ssize_t got = getrandom(bytes, n, 0);

			vq_put(vq, &req, got <= 0 ? 0 :
			       (uint32_t)vq_copy_in(&req, 0, bytes, (size_t)got));
		}
		vdev_notify(d, q);
	} while (r == 0 && vq_want_kicks(vq));
	if (r < 0)
		vdev_fail(d, q, "malformed ring");
}

static const struct vdev_ops ops = {
	.name = "rng", .id = VIRTIO_ID_RNG, .n_queues = 1, .queue_size = 64, .kick = kick,
};

void rng_init(struct rng *r)
{
	vdev_init(&r->dev, &ops, 0);
}
