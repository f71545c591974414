/* vmm/virtio/vq.c - see vq.h */
#include "vmm/virtio/vq.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <string.h>

/* One table of the queue: whole in one region, and aligned as the layout says (2.7). */
static void *table_at(const struct gmem *mem, struct gpa a, uint64_t bytes, unsigned align)
{
	void *p = gmem_at(mem, a, bytes);

	/* The pointer as well: a front end may map a region at any offset of its file. */
	return p && a.v % align == 0 && (uintptr_t)p % align == 0 ? p : NULL;
}

int vq_setup(struct vq *q, const struct gmem *mem, const struct vq_layout *l, uint64_t features,
	     struct err *e)
{
	*q = (struct vq){ .broken = true };
	if (l->size == 0 || l->size > VQ_RING_MAX || (l->size & (l->size - 1)) != 0)
		return err_set(e, EINVAL, "a queue of %" PRIu32 " entries: not a power of two up "
			       "to %d", l->size, VQ_RING_MAX);
	uint64_t n = l->size;
	/* Each ring with the event index at its end, which is there whether used or not. */
	struct vring_avail *avail = table_at(mem, l->driver, 4 + 2 * n + 2, 2);
	struct vring_used *used = table_at(mem, l->device, 4 + 8 * n + 2, 4);
	struct vring_desc *desc = table_at(mem, l->desc, 16 * n, 16);

	if (!desc || !avail || !used)
		return err_set(e, EINVAL, "the %s of a queue, at 0x%" PRIx64 ", is not in guest "
			       "memory or not aligned",
			       !desc ? "descriptors" : !avail ? "available ring" : "used ring",
			       !desc ? l->desc.v : !avail ? l->driver.v : l->device.v);
	*q = (struct vq){
		.mem = mem, .desc = desc, .avail = avail, .used = used, .size = (uint16_t)n,
		.told = true,
		.event_idx = features & (1ULL << VIRTIO_RING_F_EVENT_IDX),
		.indirect = features & (1ULL << VIRTIO_RING_F_INDIRECT_DESC),
	};
	return 0;
}

void vq_clear(struct vq *q)
{
	*q = (struct vq){ 0 };
}

/* The four fields, each read once: what is checked is what is used. */
static struct vring_desc desc_read_once(const struct vring_desc *d)
{
	const volatile struct vring_desc *v = d;

	return (struct vring_desc){
		.addr = le64toh(v->addr), .len = le32toh(v->len),
		.flags = le16toh(v->flags), .next = le16toh(v->next),
	};
}

static int add_seg(const struct vq *q, struct vq_req *req, const struct vring_desc *d)
{
	unsigned n = (unsigned)req->n_out + req->n_in;
	uint64_t total = req->out_bytes + req->in_bytes + d->len;
	void *p = gmem_at(q->mem, (struct gpa){ d->addr }, d->len);

	/* 2.7.5.2: not longer than 2^32 bytes; in 2.7.4.2: what is read comes first. */
	if (!p || n == VQ_SIZE_MAX || total > UINT32_MAX)
		return -EPROTO;
	if (d->flags & VRING_DESC_F_WRITE) {
		req->n_in++;
		req->in_bytes += d->len;
	} else if (req->n_in == 0) {
		req->n_out++;
		req->out_bytes += d->len;
	} else {
		return -EPROTO;
	}
	req->iov[n] = (struct iovec){ .iov_base = p, .iov_len = d->len };
	return 0;
}

/* Walk the chain that starts at table[i]; a table in guest memory of n entries. */
static int walk(const struct vq *q, struct vq_req *req, const struct vring_desc *table, uint32_t n,
		uint32_t i, bool inner)
{
	for (unsigned seen = 0; ; seen++) {
		if (i >= n || seen == n)                /* outside, or a loop */
			return -EPROTO;
		struct vring_desc d = desc_read_once(&table[i]);

		if (d.flags & VRING_DESC_F_INDIRECT) {
			const struct vring_desc *t = gmem_at(q->mem, (struct gpa){ d.addr }, d.len);

			/* 2.7.5.3: only if negotiated, not nested, the last of its chain. */
			if (!q->indirect || inner || (d.flags & VRING_DESC_F_NEXT) || !t ||
			    d.len % sizeof(*t) != 0 || (uintptr_t)t % _Alignof(uint64_t) != 0)
				return -EPROTO;
			return walk(q, req, t, d.len / (uint32_t)sizeof(*t), 0, true);
		}
		int r = add_seg(q, req, &d);

		if (r < 0 || !(d.flags & VRING_DESC_F_NEXT))
			return r;
		i = d.next;
	}
}

int vq_pop(struct vq *q, struct vq_req *ret)
{
	if (!q->desc)
		return q->broken ? -EPROTO : 0;
	if (q->broken)
		return -EPROTO;
	/* Acquire: the driver writes descriptors and ring slot before idx. */
	uint16_t idx = le16toh(__atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE));
	uint16_t ready = (uint16_t)(idx - q->next_avail);

	if (ready == 0)
		return 0;
	const volatile uint16_t *slot = &q->avail->ring[q->next_avail & (q->size - 1)];

	ret->head = le16toh(*slot);
	ret->n_out = ret->n_in = 0;
	ret->out_bytes = ret->in_bytes = 0;
	if (ready > q->size || walk(q, ret, q->desc, q->size, ret->head, false) < 0) {
		q->broken = true;
		return -EPROTO;
	}
	q->next_avail++;
	return 1;
}

void vq_unpop(struct vq *q)
{
	q->next_avail--;
}

void vq_put_aside(struct vq *q, const struct vq_req *req, uint32_t written)
{
	if (!vq_ready(q))                       /* reset while the request was worked on */
		return;
	volatile struct vring_used_elem *slot = &q->used->ring[q->next_used & (q->size - 1)];

	slot->id = htole32(req->head);
	slot->len = htole32(written);
	q->next_used++;
}

void vq_unput(struct vq *q, uint16_t n)
{
	if (vq_ready(q))
		q->next_used -= n;
}

void vq_show(struct vq *q)
{
	if (!vq_ready(q))
		return;
	/* Release: what was written into the buffers, and the slot, before idx. */
	__atomic_store_n(&q->used->idx, htole16(q->next_used), __ATOMIC_RELEASE);
}

void vq_put(struct vq *q, const struct vq_req *req, uint32_t written)
{
	vq_put_aside(q, req, written);
	vq_show(q);
}

/* avail->ring[size] (2.7.7): where the driver wants its next interrupt. */
static uint16_t used_event(const struct vq *q)
{
	const volatile uint16_t *p = &q->avail->ring[q->size];

	return le16toh(*p);
}

bool vq_should_notify(struct vq *q)
{
	if (!vq_ready(q))
		return false;
	/* Our used idx is visible before we look at what the driver asks for. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	uint16_t was = q->told_used;
	bool first = !q->told;

	if (was == q->next_used)                /* nothing since the last time */
		return false;
	q->told_used = q->next_used;
	q->told = true;
	if (!q->event_idx)
		return !(le16toh(__atomic_load_n(&q->avail->flags, __ATOMIC_RELAXED)) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	return first || vring_need_event(used_event(q), q->next_used, was);
}

/* used->ring[size] (2.7.10): at which available entry we want a kick. */
static void set_avail_event(struct vq *q)
{
	uint16_t *p = (uint16_t *)&q->used->ring[q->size];

	__atomic_store_n(p, htole16(q->next_avail), __ATOMIC_RELAXED);
}

bool vq_want_kicks(struct vq *q)
{
	if (!vq_ready(q))
		return false;
	if (q->event_idx)
		set_avail_event(q);
	else
		__atomic_store_n(&q->used->flags, 0, __ATOMIC_RELAXED);
	/* The driver sees the wish before we look for what it added in the meantime. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return le16toh(__atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE)) != q->next_avail;
}

void vq_refuse_kicks(struct vq *q)
{
	/* With the event index, not moving avail_event is refusal enough. */
	if (vq_ready(q) && !q->event_idx)
		__atomic_store_n(&q->used->flags, htole16(VRING_USED_F_NO_NOTIFY),
				 __ATOMIC_RELAXED);
}

/* Bytes [at, at + n) of the segments, copied from p (to_guest) or to p. */
static size_t copy(const struct iovec *iov, unsigned n_iov, uint64_t at, void *p, size_t n,
		   bool to_guest)
{
	size_t done = 0;

	for (unsigned i = 0; i < n_iov && done < n; i++) {
		if (at >= iov[i].iov_len) {
			at -= iov[i].iov_len;
			continue;
		}
		size_t run = iov[i].iov_len - at;
		uint8_t *guest = (uint8_t *)iov[i].iov_base + at;

		if (run > n - done)
			run = n - done;
		if (to_guest)
			memcpy(guest, (uint8_t *)p + done, run);
		else
			memcpy((uint8_t *)p + done, guest, run);
		done += run;
		at = 0;
	}
	return done;
}

size_t vq_copy_out(const struct vq_req *req, uint64_t from, void *p, size_t n)
{
	return copy(req->iov, req->n_out, from, p, n, false);
}

size_t vq_copy_in(const struct vq_req *req, uint64_t to, const void *p, size_t n)
{
	return copy(req->iov + req->n_out, req->n_in, to, (void *)(uintptr_t)p, n, true);
}

int vq_slice(const struct iovec *from, unsigned n_from, uint64_t skip, uint64_t n,
	     struct iovec ret[VQ_SIZE_MAX])
{
	int n_ret = 0;

	for (unsigned i = 0; i < n_from && n > 0; i++) {
		if (skip >= from[i].iov_len) {
			skip -= from[i].iov_len;
			continue;
		}
		uint64_t run = from[i].iov_len - skip;

		if (run > n)
			run = n;
		ret[n_ret++] = (struct iovec){ .iov_base = (char *)from[i].iov_base + skip,
					       .iov_len = run };
		n -= run;
		skip = 0;
	}
	return n_ret;
}
