/* vmm/virtio/balloon.c - see balloon.h */
#include "vmm/virtio/balloon.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <string.h>


/*
 * The order of the queues that exist: drivers count only those whose feature was offered, so
 * that reporting follows directly (5.5.2 as of VIRTIO 1.2 has two others between).
 */
enum { INFLATE, DEFLATE, REPORTING, QUEUES };

#define PAGE (1ULL << VIRTIO_BALLOON_PFN_SHIFT)
#define PFNS_AT_ONCE 256

/* Pages that lie side by side are dropped by one call. */
struct run {
	uint64_t start, bytes;
};

static int run_end(const struct vdev *d, struct run *r)
{
	int k = r->bytes ? gmem_discard(d->mem, (struct gpa){ r->start }, r->bytes) : 0;

	r->bytes = 0;
	return k;
}

/* -EFAULT for a page that the guest does not have. */
static int inflate(const struct vdev *d, const struct vq_req *req)
{
	uint32_t pfn[PFNS_AT_ONCE];
	struct run run = { 0 };
	uint64_t from = 0;
	size_t n;

	while ((n = vq_copy_out(req, from, pfn, sizeof(pfn)) / sizeof(pfn[0])) > 0) {
		from += n * sizeof(pfn[0]);
		for (size_t i = 0; i < n; i++) {
			uint64_t a = le32toh(pfn[i]) * PAGE;

			if (run.bytes && a == run.start + run.bytes) {
				run.bytes += PAGE;
			} else {
				if (run_end(d, &run) < 0)
					return -EFAULT;
				run = (struct run){ a, PAGE };
			}
		}
	}
	return run_end(d, &run);
}

/* The buffers are the free pages themselves (5.5.6.7), of addresses that vq_pop() checked. */
static void report(const struct vq_req *req)
{
	for (unsigned i = 0; i < req->n_in; i++)
		gmem_discard_host(req->iov[req->n_out + i].iov_base,
				  req->iov[req->n_out + i].iov_len);
}

static void kick(struct vdev *d, unsigned q)
{
	struct vq *vq = &d->vq[q];
	struct vq_req req;
	int r;

	do {
		while ((r = vq_pop(vq, &req)) > 0) {
			if (q == INFLATE)
				r = inflate(d, &req);
			else if (q == REPORTING)
				report(&req);
			/* Deflated: a page is there as soon as it is touched. */
			if (r < 0)
				break;
			vq_put(vq, &req, 0);
		}
		vdev_notify(d, q);
	} while (r == 0 && vq_want_kicks(vq));
	if (r < 0)
		vdev_fail(d, q, "malformed ring, or a page outside of the guest's memory");
}

#define CONFIG_BYTES offsetof(struct virtio_balloon_config, free_page_hint_cmd_id)

static void config_read(struct vdev *d, uint32_t offset, void *p, uint32_t n)
{
	const struct balloon *b = (const struct balloon *)d;
	struct virtio_balloon_config c = {
		.num_pages = htole32(b->target_pages), .actual = htole32(b->actual_pages),
	};

	memcpy(p, (const uint8_t *)&c + offset, n);
}

static void config_write(struct vdev *d, uint32_t offset, const void *p, uint32_t n)
{
	uint32_t v;

	if (offset != offsetof(struct virtio_balloon_config, actual) || n != sizeof(v))
		return;
	memcpy(&v, p, sizeof(v));
	((struct balloon *)d)->actual_pages = le32toh(v);
}

static void reset(struct vdev *d)
{
	((struct balloon *)d)->actual_pages = 0;
}

static const struct vdev_ops ops = {
	.name = "balloon", .id = VIRTIO_ID_BALLOON, .config_bytes = CONFIG_BYTES,
	.n_queues = QUEUES, .queue_size = 128, .config_read = config_read,
	.config_write = config_write, .kick = kick, .reset = reset,
};

void balloon_init(struct balloon *b)
{
	*b = (struct balloon){ 0 };
	vdev_init(&b->dev, &ops, 1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
				 1ULL << VIRTIO_BALLOON_F_REPORTING);
}

void balloon_set_target(struct balloon *b, uint32_t pages)
{
	vdev_enter(&b->dev);
	b->target_pages = pages;
	if (b->dev.active)
		b->dev.transport->config_changed(&b->dev);
	vdev_leave(&b->dev);
}

uint32_t balloon_actual(struct balloon *b)
{
	vdev_enter(&b->dev);
	uint32_t n = b->actual_pages;

	vdev_leave(&b->dev);
	return n;
}
