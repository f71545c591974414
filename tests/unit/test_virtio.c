/* Unit tests of vmm/gmem.h, vmm/virtio/{vq,device,mmio,rng}.h: a driver in this process. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/rng.h"

#define MIB (1ULL << 20)
#define RAM (4 * MIB)

/* Where the driver below puts its queue of 8. */
#define SIZE 8
#define DESC 0x1000
#define AVAIL 0x2000
#define USED 0x3000
#define BUFFERS 0x10000
#define TABLE 0x20000

static struct gmem mem;

static int make(void **state)
{
	struct err e = { 0 };

	(void)state;
	return gmem_init(&mem, RAM, &e);
}

static int drop(void **state)
{
	(void)state;
	gmem_release(&mem);
	return 0;
}

static void *at(uint64_t a)
{
	return gmem_at(&mem, (struct gpa){ a }, 1);
}

/* ---- guest memory -------------------------------------------------------------------- */

static void test_gmem_bounds(void **state)
{
	(void)state;
	assert_int_equal((uintptr_t)mem.region[0].host % GMEM_HUGE_BYTES, 0);
	assert_non_null(gmem_at(&mem, (struct gpa){ 0 }, RAM));
	assert_non_null(gmem_at(&mem, (struct gpa){ RAM - 1 }, 1));
	assert_null(gmem_at(&mem, (struct gpa){ RAM - 1 }, 2));
	assert_null(gmem_at(&mem, (struct gpa){ RAM }, 1));
	assert_null(gmem_at(&mem, (struct gpa){ 0 }, RAM + 1));
	assert_null(gmem_at(&mem, (struct gpa){ 16 }, UINT64_MAX));
	assert_null(gmem_at(&mem, (struct gpa){ UINT64_MAX }, 1));
	assert_null(gmem_at(&mem, (struct gpa){ UINT64_MAX - 7 }, 16));
	assert_null(gmem_at(&mem, (struct gpa){ 0 }, 0));
}

static void test_gmem_over_the_hole(void **state)
{
	struct gmem m;
	struct err e = { 0 };
	uint8_t in[64], out[64];

	(void)state;
	assert_int_equal(gmem_init(&m, 5ULL << 30, &e), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(gmem_bytes(&m), 5ULL << 30);
	assert_null(gmem_at(&m, (struct gpa){ GMEM_HOLE_START }, 1));
	assert_null(gmem_at(&m, (struct gpa){ GMEM_HOLE_START - 1 }, 2));
	assert_null(gmem_at(&m, (struct gpa){ GMEM_HOLE_END - 1 }, 1));
	assert_non_null(gmem_at(&m, (struct gpa){ GMEM_HOLE_END + (2ULL << 30) - 1 }, 1));
	assert_null(gmem_at(&m, (struct gpa){ GMEM_HOLE_END + (2ULL << 30) }, 1));
	memset(in, 0x5a, sizeof(in));
	assert_int_equal(gmem_write(&m, (struct gpa){ GMEM_HOLE_END }, in, sizeof(in)), 0);
	assert_int_equal(gmem_read(&m, (struct gpa){ GMEM_HOLE_END }, out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(gmem_write(&m, (struct gpa){ GMEM_HOLE_START - 8 }, in, 16), -EFAULT);
	gmem_release(&m);
	gmem_release(&m);
	assert_true(gmem_init(&m, 0, &e) < 0);
	assert_true(gmem_init(&m, 4095, &e) < 0);
}

static void test_gmem_files(void **state)
{
	struct gmem m = { 0 };
	struct err e = { 0 };
	CLEANUP_FD int fd = memfd_create("ram", MFD_CLOEXEC);
	uint8_t in[4096], out[4096];

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)(2 * MIB)), 0);
	assert_int_equal(gmem_add_file(&m, MIB, MIB, fd, MIB, &e), 0);
	assert_int_equal(gmem_add_file(&m, 0, MIB, fd, 0, &e), 0);
	assert_true(gmem_add_file(&m, MIB - 1, 2, fd, 0, &e) < 0);
	assert_true(gmem_add_file(&m, UINT64_MAX - 1, 4096, fd, 0, &e) < 0);
	assert_true(gmem_add_file(&m, 8 * MIB, UINT64_MAX - 8 * MIB, fd, 4096, &e) < 0);
	assert_true(gmem_add_file(&m, 8 * MIB, 0, fd, 0, &e) < 0);
	assert_int_equal(m.n, 2);
	/* Neighbours: a copy crosses, a pointer does not. */
	memset(in, 0xa5, sizeof(in));
	assert_int_equal(gmem_write(&m, (struct gpa){ MIB - 100 }, in, sizeof(in)), 0);
	assert_int_equal(gmem_read(&m, (struct gpa){ MIB - 100 }, out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_null(gmem_at(&m, (struct gpa){ MIB - 1 }, 2));
	assert_int_equal(pread(fd, out, 100, (off_t)MIB - 100), 100);
	assert_memory_equal(in, out, 100);
	gmem_release(&m);
}

/* ---- queues --------------------------------------------------------------------------- */

static void set_desc(uint64_t table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	struct vring_desc *d = (struct vring_desc *)at(table) + i;

	*d = (struct vring_desc){ .addr = addr, .len = len, .flags = flags, .next = next };
}

static void offer(uint16_t head)
{
	struct vring_avail *a = at(AVAIL);

	a->ring[a->idx % SIZE] = head;
	a->idx++;
}

static struct vq fresh_queue(uint64_t features)
{
	struct vq_layout l = { SIZE, { DESC }, { AVAIL }, { USED } };
	struct err e = { 0 };
	struct vq q;

	memset(at(0), 0, BUFFERS);
	assert_int_equal(vq_setup(&q, &mem, &l, features, &e), 0);
	return q;
}

static void test_setup_refuses(void **state)
{
	static const struct vq_layout bad[] = {
		{ 0, { DESC }, { AVAIL }, { USED } },           /* no entry */
		{ 3, { DESC }, { AVAIL }, { USED } },           /* not a power of two */
		{ 2048, { DESC }, { AVAIL }, { USED } },        /* larger than ours */
		{ 0x80000000, { DESC }, { AVAIL }, { USED } },
		{ SIZE, { DESC + 8 }, { AVAIL }, { USED } },    /* not aligned */
		{ SIZE, { DESC }, { AVAIL + 1 }, { USED } },
		{ SIZE, { DESC }, { AVAIL }, { USED + 2 } },
		{ SIZE, { RAM - 16 }, { AVAIL }, { USED } },    /* not whole in memory */
		{ SIZE, { DESC }, { RAM - 4 }, { USED } },
		{ SIZE, { DESC }, { AVAIL }, { UINT64_MAX - 3 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = { 0 };
		struct vq q;
		struct vq_req req;

		assert_int_equal(vq_setup(&q, &mem, &bad[i], 0, &e), -EINVAL);
		assert_true(e.msg[0] != '\0');
		assert_int_equal(vq_pop(&q, &req), -EPROTO);
	}
}

static void test_chain(void **state)
{
	struct vq q = fresh_queue(0);
	struct vq_req req;
	char text[16] = "";

	(void)state;
	assert_int_equal(vq_pop(&q, &req), 0);
	memcpy(at(BUFFERS), "hello ", 6);
	memcpy(at(BUFFERS + 64), "guest", 6);
	set_desc(DESC, 5, BUFFERS, 6, VRING_DESC_F_NEXT, 2);
	set_desc(DESC, 2, BUFFERS + 64, 6, VRING_DESC_F_NEXT, 7);
	set_desc(DESC, 7, BUFFERS + 128, 4, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0);
	set_desc(DESC, 0, BUFFERS + 256, 100, VRING_DESC_F_WRITE, 0);
	offer(5);
	assert_int_equal(vq_pop(&q, &req), 1);
	assert_int_equal(req.head, 5);
	assert_int_equal(req.n_out, 2);
	assert_int_equal(req.n_in, 2);
	assert_int_equal(req.out_bytes, 12);
	assert_int_equal(req.in_bytes, 104);
	assert_int_equal(vq_copy_out(&req, 0, text, sizeof(text)), 12);
	assert_string_equal(text, "hello guest");
	assert_int_equal(vq_copy_out(&req, 8, text, 2), 2);
	assert_memory_equal(text, "es", 2);             /* "hello gu" lies before */
	assert_int_equal(vq_copy_in(&req, 2, "abcdef", 6), 6);
	assert_memory_equal(at(BUFFERS + 130), "ab", 2);
	assert_memory_equal(at(BUFFERS + 256), "cdef", 4);
	assert_int_equal(vq_copy_in(&req, 102, "xyz", 3), 2);
	vq_put(&q, &req, 8);
	const struct vring_used *u = at(USED);

	assert_int_equal(u->idx, 1);
	assert_int_equal(u->ring[0].id, 5);
	assert_int_equal(u->ring[0].len, 8);
	assert_int_equal(vq_pop(&q, &req), 0);
	offer(5);
	assert_int_equal(vq_pop(&q, &req), 1);
	vq_unpop(&q);
	assert_int_equal(vq_pop(&q, &req), 1);
	assert_int_equal(vq_pop(&q, &req), 0);
}

static void test_indirect(void **state)
{
	struct vq q = fresh_queue(1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	struct vq_req req;

	(void)state;
	/* One of the ring's own, then a table (2.7.5.3.2). */
	set_desc(DESC, 0, BUFFERS, 8, VRING_DESC_F_NEXT, 1);
	set_desc(DESC, 1, TABLE, 3 * 16, VRING_DESC_F_INDIRECT, 0);
	set_desc(TABLE, 0, BUFFERS + 8, 8, VRING_DESC_F_NEXT, 2);
	set_desc(TABLE, 2, BUFFERS + 16, 8, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	set_desc(TABLE, 1, BUFFERS + 24, 8, VRING_DESC_F_WRITE, 0);
	offer(0);
	assert_int_equal(vq_pop(&q, &req), 1);
	assert_int_equal(req.n_out, 2);
	assert_int_equal(req.n_in, 2);
	/* Not negotiated. */
	q = fresh_queue(0);
	set_desc(DESC, 1, TABLE, 3 * 16, VRING_DESC_F_INDIRECT, 0);
	offer(1);
	assert_int_equal(vq_pop(&q, &req), -EPROTO);
}

/* Chains a driver must not make: each stops the queue for good. */
static void test_malformed(void **state)
{
	const uint16_t next = VRING_DESC_F_NEXT, write = VRING_DESC_F_WRITE,
		       table = VRING_DESC_F_INDIRECT;
	const struct {
		const char *what;
		struct vring_desc d[2], t[2];
		uint16_t head, ready;
	} bad[] = {
		{ "head outside", { { 0 } }, { { 0 } }, SIZE, 1 },
		{ "idx far ahead", { { BUFFERS, 1, 0, 0 } }, { { 0 } }, 0, SIZE + 1 },
		{ "no length", { { BUFFERS, 0, 0, 0 } }, { { 0 } }, 0, 1 },
		{ "outside memory", { { RAM, 1, 0, 0 } }, { { 0 } }, 0, 1 },
		{ "end outside memory", { { RAM - 1, 2, 0, 0 } }, { { 0 } }, 0, 1 },
		{ "wraps", { { UINT64_MAX, 2, 0, 0 } }, { { 0 } }, 0, 1 },
		{ "next outside", { { BUFFERS, 1, next, SIZE } }, { { 0 } }, 0, 1 },
		{ "loop", { { BUFFERS, 1, next, 1 }, { BUFFERS, 1, next, 0 } }, { { 0 } }, 0, 1 },
		{ "read after write", { { BUFFERS, 1, next | write, 1 }, { BUFFERS, 1, 0, 0 } },
		  { { 0 } }, 0, 1 },
		{ "table of no length", { { TABLE, 0, table, 0 } }, { { 0 } }, 0, 1 },
		{ "table of odd length", { { TABLE, 17, table, 0 } }, { { 0 } }, 0, 1 },
		{ "table outside", { { RAM - 16, 32, table, 0 } }, { { 0 } }, 0, 1 },
		{ "table not aligned", { { TABLE + 4, 16, table, 0 } }, { { 0 } }, 0, 1 },
		{ "table with next", { { TABLE, 32, table | next, 1 } },
		  { { BUFFERS, 1, 0, 0 } }, 0, 1 },
		{ "table in a table", { { TABLE, 32, table, 0 } },
		  { { TABLE, 32, table, 0 } }, 0, 1 },
		{ "loop in a table", { { TABLE, 32, table, 0 } },
		  { { BUFFERS, 1, next, 0 } }, 0, 1 },
		{ "next outside a table", { { TABLE, 32, table, 0 } },
		  { { BUFFERS, 1, next, 2 } }, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vq q = fresh_queue(1ULL << VIRTIO_RING_F_INDIRECT_DESC);
		struct vq_req req;

		memcpy(at(DESC), bad[i].d, sizeof(bad[i].d));
		memcpy(at(TABLE), bad[i].t, sizeof(bad[i].t));
		for (unsigned n = 0; n < bad[i].ready; n++)
			offer(bad[i].head);
		if (vq_pop(&q, &req) != -EPROTO)
			fail_msg("%s: taken", bad[i].what);
		assert_int_equal(vq_pop(&q, &req), -EPROTO);
		assert_false(vq_ready(&q));
		assert_int_equal(((struct vring_used *)at(USED))->idx, 0);
	}
}

static void test_too_long(void **state)
{
	struct vq q = fresh_queue(1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	struct vq_req req;
	unsigned n = VQ_SIZE_MAX + 1;

	(void)state;
	set_desc(DESC, 0, TABLE, n * 16, VRING_DESC_F_INDIRECT, 0);
	for (unsigned i = 0; i < n; i++)
		set_desc(TABLE, i, BUFFERS, 1, i + 1 < n ? VRING_DESC_F_NEXT : 0,
			 (uint16_t)(i + 1));
	offer(0);
	assert_int_equal(vq_pop(&q, &req), -EPROTO);
	q = fresh_queue(1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	set_desc(DESC, 0, TABLE + 16, (n - 1) * 16, VRING_DESC_F_INDIRECT, 0);
	for (unsigned i = 0; i < n - 1; i++)
		set_desc(TABLE + 16, i, BUFFERS, 1, i + 2 < n ? VRING_DESC_F_NEXT : 0,
			 (uint16_t)(i + 1));
	offer(0);
	assert_int_equal(vq_pop(&q, &req), 1);
	assert_int_equal(req.n_out, VQ_SIZE_MAX);
}

static void test_notifications(void **state)
{
	struct vq q = fresh_queue(0);
	struct vring_avail *a = at(AVAIL);
	struct vring_used *u = at(USED);
	struct vq_req req = { .head = 1 };

	(void)state;
	vq_put(&q, &req, 0);
	assert_true(vq_should_notify(&q));
	a->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(vq_should_notify(&q));
	vq_refuse_kicks(&q);
	assert_int_equal(u->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(vq_want_kicks(&q));
	assert_int_equal(u->flags, 0);
	set_desc(DESC, 0, BUFFERS, 1, 0, 0);
	offer(0);
	assert_true(vq_want_kicks(&q));
	/* With the event index: an interrupt when used_event is passed, and once. */
	q = fresh_queue(1ULL << VIRTIO_RING_F_EVENT_IDX);
	a->ring[SIZE] = 2;
	assert_false(vq_should_notify(&q));             /* nothing was used */
	vq_put(&q, &req, 0);
	vq_put(&q, &req, 0);
	assert_false(vq_should_notify(&q));
	vq_put(&q, &req, 0);
	assert_true(vq_should_notify(&q));
	vq_put(&q, &req, 0);
	assert_false(vq_should_notify(&q));
	assert_int_equal(vq_pop(&q, &req), 0);
	set_desc(DESC, 0, BUFFERS, 1, 0, 0);
	offer(0);
	assert_true(vq_want_kicks(&q));
	assert_int_equal(vq_pop(&q, &req), 1);
	assert_false(vq_want_kicks(&q));
	uint16_t event;

	memcpy(&event, &u->ring[SIZE], sizeof(event));
	assert_int_equal(event, 1);
}

/* ---- the register transport, with an entropy device behind it --------------------------- */

struct rig {
	struct rng rng;
	struct vmmio m;
	struct loop loop;
	int irq;
};

static uint32_t rd(struct rig *r, uint64_t offset)
{
	uint32_t v = 0;

	vmmio_read(&r->m, offset, &v, sizeof(v));
	return v;
}

static void wr(struct rig *r, uint64_t offset, uint32_t v)
{
	vmmio_write(&r->m, offset, &v, sizeof(v));
}

static void plug(struct rig *r)
{
	struct err e = { 0 };

	memset(at(0), 0, BUFFERS);
	r->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(loop_init(&r->loop, &e), 0);
	rng_init(&r->rng);
	assert_int_equal(vmmio_init(&r->m, &r->rng.dev, &mem, &r->loop, r->irq, &e), 0);
}

static void unplug(struct rig *r)
{
	vmmio_release(&r->m);
	vdev_release(&r->rng.dev);
	loop_release(&r->loop);
	fd_close(&r->irq);
}

static void negotiate(struct rig *r, uint32_t high)
{
	wr(r, VIRTIO_MMIO_STATUS, 0);
	wr(r, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	wr(r, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(r, VIRTIO_MMIO_DRIVER_FEATURES, high);
	wr(r, VIRTIO_MMIO_STATUS, 0xb);
}

static void place_queue(struct rig *r, uint32_t size)
{
	wr(r, VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(r, VIRTIO_MMIO_QUEUE_NUM, size);
	wr(r, VIRTIO_MMIO_QUEUE_DESC_LOW, DESC);
	wr(r, VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	wr(r, VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	wr(r, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* What the loop does when the queue's eventfd is readable. */
static void work(struct rig *r)
{
	struct loop_watch *w = &r->m.queue[0].kick;

	w->ready(w, 0);
}

static void test_mmio_identity(void **state)
{
	struct rig r;
	uint8_t odd[3] = { 1, 2, 3 };

	(void)state;
	plug(&r);
	assert_int_equal(rd(&r, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(rd(&r, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(rd(&r, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
	assert_int_equal(rd(&r, VIRTIO_MMIO_QUEUE_NUM_MAX), 64);
	wr(&r, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_int_equal(rd(&r, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	wr(&r, VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
	assert_int_equal(rd(&r, VIRTIO_MMIO_QUEUE_READY), 0);
	wr(&r, VIRTIO_MMIO_QUEUE_READY, 1);
	wr(&r, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(rd(&r, VIRTIO_MMIO_DEVICE_FEATURES), 1);       /* VERSION_1 */
	wr(&r, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 64);
	assert_int_equal(rd(&r, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	assert_int_equal(rd(&r, VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	/* No space of its own, odd widths, outside: zeros. */
	vmmio_read(&r.m, VIRTIO_MMIO_CONFIG, odd, 3);
	assert_int_equal(odd[0] | odd[1] | odd[2], 0);
	assert_int_equal(rd(&r, VMMIO_BYTES - 4), 0);
	assert_int_equal(rd(&r, UINT64_MAX), 0);
	unplug(&r);
}

static void test_mmio_features(void **state)
{
	struct rig r;

	(void)state;
	plug(&r);
	negotiate(&r, 0);                               /* without VERSION_1 */
	assert_int_equal(rd(&r, VIRTIO_MMIO_STATUS), 3);
	wr(&r, VIRTIO_MMIO_STATUS, 0xf);
	assert_false(r.rng.dev.active);
	negotiate(&r, 1 | 1 << 8);                      /* one that was not offered */
	assert_int_equal(rd(&r, VIRTIO_MMIO_STATUS), 3);
	negotiate(&r, 1);
	assert_int_equal(rd(&r, VIRTIO_MMIO_STATUS), 0xb);
	wr(&r, VIRTIO_MMIO_DRIVER_FEATURES, 0);         /* final since FEATURES_OK */
	assert_int_equal(r.rng.dev.features, 1ULL << VIRTIO_F_VERSION_1);
	unplug(&r);
}

static void test_mmio_entropy(void **state)
{
	static const uint8_t zeros[64];
	struct rig r;
	uint64_t n;

	(void)state;
	plug(&r);
	negotiate(&r, 1);
	place_queue(&r, SIZE);
	assert_int_equal(rd(&r, VIRTIO_MMIO_QUEUE_READY), 1);
	wr(&r, VIRTIO_MMIO_STATUS, 0xf);
	assert_true(r.rng.dev.active);
	set_desc(DESC, 0, BUFFERS, 64, VRING_DESC_F_WRITE, 0);
	memset(at(BUFFERS), 0, 64);
	offer(0);
	wr(&r, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	wr(&r, VIRTIO_MMIO_QUEUE_NOTIFY, 77);
	work(&r);
	assert_int_equal(((struct vring_used *)at(USED))->ring[0].len, 64);
	assert_memory_not_equal(at(BUFFERS), zeros, 64);
	assert_int_equal(read(r.irq, &n, sizeof(n)), sizeof(n));
	assert_int_equal(rd(&r, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	wr(&r, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(rd(&r, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	/* A broken chain: NEEDS_RESET, told by an interrupt; a reset mends it. */
	set_desc(DESC, 1, RAM, 64, VRING_DESC_F_WRITE, 0);
	offer(1);
	wr(&r, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	work(&r);
	assert_int_equal(rd(&r, VIRTIO_MMIO_STATUS), 0xf | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(rd(&r, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	memset(at(0), 0, BUFFERS);
	negotiate(&r, 1);
	assert_int_equal(rd(&r, VIRTIO_MMIO_STATUS), 0xb);
	place_queue(&r, SIZE);
	wr(&r, VIRTIO_MMIO_STATUS, 0xf);
	set_desc(DESC, 0, BUFFERS, 8, VRING_DESC_F_WRITE, 0);
	offer(0);
	wr(&r, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	work(&r);
	assert_int_equal(((struct vring_used *)at(USED))->ring[0].len, 8);
	unplug(&r);
}

static void test_mmio_bad_queue(void **state)
{
	struct rig r;

	(void)state;
	plug(&r);
	negotiate(&r, 1);
	place_queue(&r, 128);                           /* the device takes 64 */
	assert_int_equal(rd(&r, VIRTIO_MMIO_STATUS), 0xb | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(vq_ready(&r.rng.dev.vq[0]));
	negotiate(&r, 1);
	place_queue(&r, 6);
	assert_int_equal(rd(&r, VIRTIO_MMIO_STATUS), 0xb | VIRTIO_CONFIG_S_NEEDS_RESET);
	unplug(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gmem_bounds),
		cmocka_unit_test(test_gmem_over_the_hole),
		cmocka_unit_test(test_gmem_files),
		cmocka_unit_test(test_setup_refuses),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_notifications),
		cmocka_unit_test(test_mmio_identity),
		cmocka_unit_test(test_mmio_features),
		cmocka_unit_test(test_mmio_entropy),
		cmocka_unit_test(test_mmio_bad_queue),
	};

	return cmocka_run_group_tests_name("virtio", tests, make, drop);
}
