/* Unit tests of vmm/virtio/{balloon,blk,console,net,vsock}.h behind registers, by a driver here. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_vsock.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vmm/virtio/balloon.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/console.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/vsock.h"

#define MIB (1ULL << 20)
#define RAM (8 * MIB)
#define SIZE 64                         /* entries of each queue */
#define AREA(q) (0x10000ULL * ((q) + 1))
#define AVAIL_AT 0x4000
#define USED_AT 0x8000
#define DATA 0x100000ULL

struct rig {
	struct loop loop;
	struct vmmio m;
	struct vdev *d;
	int irq;
	uint16_t desc[VDEV_QUEUES_MAX], seen[VDEV_QUEUES_MAX];
};

struct seg {
	uint64_t at;
	uint32_t bytes;
	bool in;
};

static struct gmem mem;
static struct rig rig;

static void *at(uint64_t a)
{
	return gmem_at(&mem, (struct gpa){ a }, 1);
}

static void wr(uint64_t offset, uint32_t v)
{
	vmmio_write(&rig.m, offset, &v, sizeof(v));
}

static uint32_t rd(uint64_t offset)
{
	uint32_t v = 0;

	vmmio_read(&rig.m, offset, &v, sizeof(v));
	return v;
}

/* All that the loop has to do now. */
static void pump(void)
{
	struct epoll_event ev;

	for (int i = 0; i < 1000 && epoll_wait(rig.loop.epoll, &ev, 1, 0) == 1; i++) {
		struct loop_watch *w = ev.data.ptr;

		w->ready(w, ev.events);
	}
}

static void boot(uint32_t features)
{
	memset(rig.desc, 0, sizeof(rig.desc));
	memset(rig.seen, 0, sizeof(rig.seen));
	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, features);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	wr(VIRTIO_MMIO_STATUS, 0xb);
	assert_int_equal(rd(VIRTIO_MMIO_STATUS), 0xb);
	for (unsigned q = 0; q < rig.d->n_vq; q++) {
		memset(at(AREA(q)), 0, 0x10000);
		wr(VIRTIO_MMIO_QUEUE_SEL, q);
		wr(VIRTIO_MMIO_QUEUE_NUM, SIZE);
		wr(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)AREA(q));
		wr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)AREA(q) + AVAIL_AT);
		wr(VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)AREA(q) + USED_AT);
		wr(VIRTIO_MMIO_QUEUE_READY, 1);
	}
	wr(VIRTIO_MMIO_STATUS, 0xf);
	pump();
}

static void plug(struct vdev *d)
{
	struct err e = { 0 };

	rig.d = d;
	rig.irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(vmmio_init(&rig.m, d, &mem, &rig.loop, rig.irq, &e), 0);
}

static int make(void **state)
{
	struct err e = { 0 };

	(void)state;
	rig = (struct rig){ .irq = -1 };
	return loop_init(&rig.loop, &e) < 0 ? -1 : gmem_init(&mem, RAM, &e);
}

static int drop(void **state)
{
	(void)state;
	if (rig.d) {
		wr(VIRTIO_MMIO_STATUS, 0);
		vmmio_release(&rig.m);
		vdev_release(rig.d);
	}
	loop_release(&rig.loop);
	fd_close(&rig.irq);
	gmem_release(&mem);
	return 0;
}

/* Offer a chain; what a test offers before it looks fits in the table. */
static void offer(unsigned q, const struct seg *s, unsigned n)
{
	struct vring_desc *d = at(AREA(q));
	struct vring_avail *a = at(AREA(q) + AVAIL_AT);
	uint16_t head = rig.desc[q] % SIZE;

	for (unsigned i = 0; i < n; i++) {
		uint16_t k = rig.desc[q]++ % SIZE;

		d[k] = (struct vring_desc){
			.addr = s[i].at, .len = s[i].bytes, .next = rig.desc[q] % SIZE,
			.flags = (uint16_t)((s[i].in ? VRING_DESC_F_WRITE : 0) |
					    (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
		};
	}
	a->ring[a->idx % SIZE] = head;
	__atomic_store_n(&a->idx, (uint16_t)(a->idx + 1), __ATOMIC_RELEASE);
}

static void kick(unsigned q)
{
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, q);
	pump();
}

/* Bytes written into the next used chain, or -1 when there is none. */
static int taken(unsigned q)
{
	const struct vring_used *u = at(AREA(q) + USED_AT);

	if (__atomic_load_n(&u->idx, __ATOMIC_ACQUIRE) == rig.seen[q])
		return -1;
	return (int)u->ring[rig.seen[q]++ % SIZE].len;
}

static int ask(unsigned q, const struct seg *s, unsigned n)
{
	offer(q, s, n);
	kick(q);
	return taken(q);
}

static bool broken(void)
{
	return rd(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* ---- balloon ------------------------------------------------------------------------------ */

static struct balloon balloon;

static bool resident(uint64_t a)
{
	unsigned char there;

	assert_int_equal(mincore(at(a), 4096, &there), 0);
	return there & 1;
}

static void test_balloon_inflate(void **state)
{
	(void)state;
	balloon_init(&balloon);
	plug(&balloon.dev);
	boot(0);
	memset(at(2 * MIB), 1, 4 * MIB);
	for (uint32_t i = 0; i < 8; i++)
		((uint32_t *)at(DATA))[i] = i < 6 ? 0x200 + i : 0x300 + i;
	assert_int_equal(ask(0, &(struct seg){ DATA, 32, false }, 1), 0);
	for (uint32_t i = 0; i < 8; i++)
		assert_false(resident((i < 6 ? 0x200ULL + i : 0x300ULL + i) << 12));
	assert_true(resident(0x206000));
	assert_true(resident(0x305000));
	/* What is used again is zeros. */
	assert_int_equal(*(uint8_t *)at(2 * MIB), 0);
	assert_int_equal(ask(1, &(struct seg){ DATA, 32, false }, 1), 0);
	assert_false(broken());
	*(uint32_t *)at(DATA) = RAM >> 12;
	assert_int_equal(ask(0, &(struct seg){ DATA, 4, false }, 1), -1);
	assert_true(broken());
}

static void test_balloon_report(void **state)
{
	(void)state;
	balloon_init(&balloon);
	plug(&balloon.dev);
	boot(1u << VIRTIO_BALLOON_F_REPORTING);
	memset(at(2 * MIB), 1, 4 * MIB);
	/* Whole pages only: the second begins and ends within one. */
	struct seg s[] = { { 2 * MIB, MIB, true }, { 4 * MIB + 8, 8192, true } };

	assert_int_equal(ask(2, s, 2), 0);
	assert_false(resident(2 * MIB));
	assert_false(resident(3 * MIB - 4096));
	assert_true(resident(3 * MIB));
	assert_true(resident(4 * MIB));
	assert_false(resident(4 * MIB + 4096));
	assert_true(resident(4 * MIB + 8192));
	assert_false(broken());
}

static void test_balloon_target(void **state)
{
	(void)state;
	balloon_init(&balloon);
	plug(&balloon.dev);
	boot(0);
	balloon_set_target(&balloon, 77);
	assert_int_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG), 77);
	wr(VIRTIO_MMIO_CONFIG + 4, 55);
	wr(VIRTIO_MMIO_CONFIG, 1);              /* not the driver's to write */
	assert_int_equal(balloon_actual(&balloon), 55);
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG), 77);
}

/* ---- disk --------------------------------------------------------------------------------- */

#define SECTORS 2048

static struct blk blk;

static int plug_disk(bool read_only)
{
	struct err e = { 0 };
	char name[] = "/tmp/test_devices.XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(ftruncate(fd, SECTORS * BLK_SECTOR + 100), 0);
	assert_int_equal(blk_init(&blk, fd, read_only, "serial", &e), 0);
	plug(&blk.dev);
	boot(1u << VIRTIO_BLK_F_FLUSH);
	return fd;
}

/* One request with n bytes of data; its status, or -1. */
static int disk(uint32_t type, uint64_t sector, uint32_t n, bool in)
{
	struct virtio_blk_outhdr h = { .type = type, .sector = sector };
	struct seg s[] = { { DATA, sizeof(h), false }, { DATA + 0x1000, n, in },
			   { DATA + 0x100, 1, true } };

	memcpy(at(DATA), &h, sizeof(h));
	*(uint8_t *)at(DATA + 0x100) = 0xee;
	if (n == 0)
		s[1] = s[2];
	int r = ask(0, s, n ? 3 : 2);

	if (r < 1)
		return -1;
	uint8_t status = *(uint8_t *)at(DATA + 0x100);

	assert_int_equal(r, status == VIRTIO_BLK_S_OK && in ? n + 1 : 1);
	return status;
}

static void test_disk_data(void **state)
{
	CLEANUP_FD int fd = plug_disk(false);
	uint8_t got[1024], want[1024];

	(void)state;
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG), SECTORS);
	memset(want, 0xa5, sizeof(want));
	memcpy(at(DATA + 0x1000), want, sizeof(want));
	assert_int_equal(disk(VIRTIO_BLK_T_OUT, 7, 1024, false), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(fd, got, sizeof(got), 7 * 512), sizeof(got));
	assert_memory_equal(got, want, sizeof(got));
	memset(at(DATA + 0x1000), 0, 1024);
	assert_int_equal(disk(VIRTIO_BLK_T_IN, 7, 1024, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(at(DATA + 0x1000), want, sizeof(want));
	assert_int_equal(disk(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	assert_int_equal(disk(VIRTIO_BLK_T_IN, SECTORS - 2, 1024, true), VIRTIO_BLK_S_OK);
	assert_int_equal(disk(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	assert_string_equal(at(DATA + 0x1000), "serial");
}

static void test_disk_bounds(void **state)
{
	CLEANUP_FD int fd = plug_disk(false);

	(void)state;
	assert_int_equal(disk(VIRTIO_BLK_T_IN, SECTORS - 1, 1024, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_OUT, SECTORS, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_OUT, UINT64_MAX, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, 512, false),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_OUT, 0, 100, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_GET_ID, 0, 19, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(77, 0, 512, true), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(lseek(fd, 0, SEEK_END), SECTORS * BLK_SECTOR + 100);
	/* The file shrinks behind our back: an error, no signal. */
	assert_int_equal(ftruncate(fd, 512), 0);
	assert_int_equal(disk(VIRTIO_BLK_T_IN, 4, 512, true), VIRTIO_BLK_S_IOERR);
	assert_false(broken());
	/* No room for the status. */
	assert_int_equal(ask(0, &(struct seg){ DATA, 16, false }, 1), -1);
	assert_true(broken());
}

static void test_disk_ranges(void **state)
{
	CLEANUP_FD int fd = plug_disk(false);
	struct virtio_blk_discard_write_zeroes *r = at(DATA + 0x1000);
	uint8_t bytes[8192];

	(void)state;
	memset(bytes, 1, sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	r[0] = (struct virtio_blk_discard_write_zeroes){ .sector = 0, .num_sectors = 1 };
	r[1] = (struct virtio_blk_discard_write_zeroes){ .sector = 3, .num_sectors = 2,
							 .flags = 1 };
	/* A file system without FALLOC_FL_ZERO_RANGE says so, and drivers then write. */
	int s = disk(VIRTIO_BLK_T_WRITE_ZEROES, 0, 32, false);

	assert_true(s == VIRTIO_BLK_S_OK || s == VIRTIO_BLK_S_UNSUPP);
	r[0].flags = 1;
	assert_int_equal(disk(VIRTIO_BLK_T_WRITE_ZEROES, 0, 32, false), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(bytes[511], 0);
	assert_int_equal(bytes[512], 1);
	assert_int_equal(bytes[3 * 512], 0);
	assert_int_equal(bytes[5 * 512], 1);
	r[0] = (struct virtio_blk_discard_write_zeroes){ .sector = 8, .num_sectors = 8 };
	assert_int_equal(disk(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_OK);
	r[0].flags = 1;
	assert_int_equal(disk(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_UNSUPP);
	r[0] = (struct virtio_blk_discard_write_zeroes){ .sector = SECTORS, .num_sectors = 1 };
	assert_int_equal(disk(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_DISCARD, 0, 15, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_DISCARD, 0, 17 * 16, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_DISCARD, 0, 0, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(lseek(fd, 0, SEEK_END), SECTORS * BLK_SECTOR + 100);
}

static void test_disk_read_only(void **state)
{
	CLEANUP_FD int fd = plug_disk(true);

	(void)state;
	memset(at(DATA + 0x1000), 9, 512);
	assert_int_equal(disk(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
	assert_int_equal(*(uint8_t *)at(DATA + 0x1000), 0);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), -1);  /* nothing was written */
}

/* ---- console ------------------------------------------------------------------------------ */

static struct console console;

static void test_console_input(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	CLEANUP_FD int from = p[0];
	CLEANUP_FD int to = p[1];

	console_init(&console, &rig.loop, from, -1);
	plug(&console.dev);
	boot(1);
	/* Typed before the guest has buffers: it waits. */
	assert_int_equal(write(to, "hello", 5), 5);
	pump();
	assert_int_equal(taken(0), -1);
	struct seg s[] = { { DATA, 3, true }, { DATA + 16, 64, true }, { DATA + 99, 9, true } };

	offer(0, &s[0], 1);
	offer(0, &s[1], 1);
	kick(0);
	assert_int_equal(taken(0), 3);
	assert_int_equal(taken(0), 2);
	assert_memory_equal(at(DATA), "hel", 3);
	assert_memory_equal(at(DATA + 16), "lo", 2);
	/* No watch on a pipe for which there is no buffer: the loop would turn for ever. */
	assert_int_equal(write(to, "x", 1), 1);
	pump();
	assert_int_equal(ask(0, &s[2], 1), 1);
	fd_close(&to);
	assert_int_equal(ask(0, &s[2], 1), -1);
	assert_false(broken());
}

static void test_console_output(void **state)
{
	int p[2];
	char text[64] = "";

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	CLEANUP_FD int from = p[0];
	CLEANUP_FD int to = p[1];

	console_init(&console, &rig.loop, -1, to);
	plug(&console.dev);
	boot(0);
	memcpy(at(DATA), "hello world", 11);
	struct seg s[] = { { DATA, 6, false }, { DATA + 6, 5, false } };

	assert_int_equal(ask(1, s, 2), 0);
	assert_int_equal(read(from, text, sizeof(text)), 11);
	assert_memory_equal(text, "hello world", 11);
	/* Input that is not there: buffers stay with the device. */
	assert_int_equal(ask(0, &(struct seg){ DATA, 3, true }, 1), -1);
	console_resize(&console, 100, 40);
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG), 40 << 16 | 100);
}

/* A guest that floods its console waits for who reads it, and nothing is lost. */
static void test_console_flood(void **state)
{
	int p[2];
	size_t total = 0;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	CLEANUP_FD int from = p[0];
	CLEANUP_FD int to = p[1];

	console_init(&console, &rig.loop, -1, to);
	plug(&console.dev);
	boot(0);
	for (uint32_t i = 0; i < 0x40000; i++)
		((uint8_t *)at(DATA))[i] = (uint8_t)(i * 7 >> 4);
	assert_int_equal(ask(1, &(struct seg){ DATA, 0x40000, false }, 1), -1);
	for (int i = 0; i < 1000 && total < 0x40000; i++) {
		uint8_t bytes[5000];
		ssize_t n = read(from, bytes, sizeof(bytes));

		assert_true(n > 0);
		assert_memory_equal(bytes, at(DATA + total), (size_t)n);
		total += (size_t)n;
		pump();
	}
	assert_int_equal(total, 0x40000);
	assert_int_equal(taken(1), 0);
	/* Nobody reads any more: the guest goes on, what it says is lost. */
	fd_close(&from);
	assert_int_equal(ask(1, &(struct seg){ DATA, 9, false }, 1), 0);
	assert_int_equal(ask(1, &(struct seg){ DATA, 9, false }, 1), 0);
	assert_false(broken());
}

/* ---- network ------------------------------------------------------------------------------ */

static struct net net;
static const uint8_t mac[6] = { 2, 0, 0, 1, 2, 3 };

static int plug_stream(int *wire, uint32_t features)
{
	struct net_options o = { .port = &net_stream, .mtu = 1400 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	o.fd = *wire = pair[1];
	memcpy(o.mac, mac, 6);
	net_init(&net, &rig.loop, &o);
	plug(&net.dev);
	boot(features);
	return pair[0];
}

static void say(int fd, const char *frame, uint32_t n)
{
	uint8_t b[70000];
	uint32_t wire = htonl(n);

	memcpy(b, &wire, 4);
	memcpy(b + 4, frame, n);
	assert_int_equal(write(fd, b, n + 4), n + 4);
}

static void test_net_send(void **state)
{
	CLEANUP_FD int wire = -1;
	CLEANUP_FD int peer = plug_stream(&wire, 0);
	uint8_t got[256];
	struct seg s[] = { { DATA, 12, false }, { DATA + 64, 10, false },
			   { DATA + 128, 50, false } };

	(void)state;
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG), 0x01000002);
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG + 4) >> 16, 1);  /* link up */
	memcpy(at(DATA + 64), "0123456789", 10);
	memset(at(DATA + 128), 'x', 50);
	assert_int_equal(ask(1, s, 3), 0);
	assert_int_equal(read(peer, got, sizeof(got)), 64);
	assert_memory_equal(got, "\0\0\0\x3c""0123456789x", 15);
	/* Shorter than Ethernet's header, or than virtio's: lost, and no harm. */
	assert_int_equal(ask(1, s, 2), 0);
	assert_int_equal(ask(1, &(struct seg){ DATA, 5, false }, 1), 0);
	assert_true(read(peer, got, sizeof(got)) < 0);
	assert_false(broken());
}

static void test_net_receive(void **state)
{
	CLEANUP_FD int wire = -1;
	CLEANUP_FD int peer = plug_stream(&wire, 0);
	char frame[60];

	(void)state;
	memset(frame, 'r', sizeof(frame));
	say(peer, frame, 60);
	say(peer, frame, 20);
	pump();
	assert_int_equal(taken(0), -1);
	struct seg s = { DATA, 1526, true };

	assert_int_equal(ask(0, &s, 1), 72);
	assert_int_equal(((struct virtio_net_hdr_v1 *)at(DATA))->num_buffers, 1);
	assert_memory_equal(at(DATA + 12), frame, 60);
	assert_int_equal(ask(0, &s, 1), 32);
	/* A length cut in two, and a frame in three. */
	assert_int_equal(write(peer, "\0\0", 2), 2);
	assert_int_equal(ask(0, &s, 1), -1);
	assert_int_equal(write(peer, "\0\x14zz", 4), 4);
	pump();
	assert_int_equal(write(peer, frame, 18), 18);
	pump();
	assert_int_equal(taken(0), 32);
	/* Larger than the buffer: lost; the buffer serves the next. */
	s.bytes = 40;
	say(peer, frame, 60);
	say(peer, frame, 20);
	assert_int_equal(ask(0, &s, 1), 32);
	s.bytes = 11;
	say(peer, frame, 20);
	assert_int_equal(ask(0, &s, 1), -1);
	assert_true(broken());
}

/* MRG_RXBUF: all of a frame's buffers are seen at once, or none. */
static void test_net_merge(void **state)
{
	CLEANUP_FD int wire = -1;
	CLEANUP_FD int peer = plug_stream(&wire, 1u << VIRTIO_NET_F_MRG_RXBUF);
	char frame[2500];

	(void)state;
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (char)(i >> 3);
	say(peer, frame, sizeof(frame));
	offer(0, &(struct seg){ DATA, 1000, true }, 1);
	offer(0, &(struct seg){ DATA + 1000, 1000, true }, 1);
	kick(0);
	assert_int_equal(taken(0), -1);
	assert_int_equal(ask(0, &(struct seg){ DATA + 2000, 1000, true }, 1), 1000);
	assert_int_equal(taken(0), 1000);
	assert_int_equal(taken(0), 512);
	assert_int_equal(((struct virtio_net_hdr_v1 *)at(DATA))->num_buffers, 3);
	assert_memory_equal(at(DATA + 12), frame, sizeof(frame));
}

/* The network's end takes no more, then does; then it sends nonsense. */
static void test_net_full_wire(void **state)
{
	CLEANUP_FD int wire = -1;
	CLEANUP_FD int peer = plug_stream(&wire, 0);
	struct seg s = { DATA, 12 + 60000, false };
	unsigned sent = 0, done = 0;
	size_t got = 0;
	uint8_t bytes[65536];
	ssize_t n;

	(void)state;
	for (; sent < 30; sent++)
		offer(1, &s, 1);
	kick(1);
	while (taken(1) >= 0)
		done++;
	assert_true(done > 0 && done < sent);
	for (int i = 0; i < 10000 && got < 30 * 60004; i++) {
		n = read(peer, bytes, sizeof(bytes));
		got += n > 0 ? (size_t)n : 0;
		pump();
		while (taken(1) >= 0)
			done++;
	}
	assert_int_equal(got, 30 * 60004);
	assert_int_equal(done, sent);
	assert_int_equal(write(peer, "\xff\xff\xff\xff", 4), 4);
	pump();
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG + 4) >> 16, 0);  /* link down */
	s.bytes = 100;
	assert_int_equal(ask(1, &s, 1), 0);
	assert_false(broken());
}

static int up(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_UP };
	CLEANUP_FD int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(r.ifr_name, name, strlen(name));
	return ioctl(s, SIOCSIFFLAGS, &r);
}

/* A frame of the guest's is seen on the host's side of the interface, and one back. */
static void test_net_tap(void **state)
{
	struct err e = { 0 };
	struct net_options o = { .port = &net_tap };
	static const char to_host[] = "\xff\xff\xff\xff\xff\xff\2\0\0\1\2\3\x88\xb5 from the guest";
	static const char to_guest[] = "\2\0\0\1\2\3\2\0\0\1\2\4\x88\xb5 from the host";
	char got[256];

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		print_message("needs the right to make a network namespace\n");
		skip();
	}
	CLEANUP_FD int tap = net_tap_open("tap7", &e);

	if (tap < 0) {
		print_message("needs a tap interface: %s\n", e.msg);
		skip();
	}
	assert_int_equal(up("tap7"), 0);
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5),
				 .sll_ifindex = (int)if_nametoindex("tap7") };
	CLEANUP_FD int host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(host, (const struct sockaddr *)&a, sizeof(a)), 0);
	o.fd = tap;
	memcpy(o.mac, mac, 6);
	net_init(&net, &rig.loop, &o);
	plug(&net.dev);
	boot(1u << VIRTIO_NET_F_GUEST_CSUM | 1u << VIRTIO_NET_F_GUEST_TSO4);
	memset(at(DATA), 0, 12);
	memcpy(at(DATA + 12), to_host, sizeof(to_host));
	assert_int_equal(ask(1, &(struct seg){ DATA, 12 + sizeof(to_host), false }, 1), 0);
	assert_int_equal(recv(host, got, sizeof(got), 0), sizeof(to_host));
	assert_memory_equal(got, to_host, sizeof(to_host));
	/* The kernel greets its neighbours on the interface too: those frames come along. */
	assert_int_equal(send(host, to_guest, sizeof(to_guest), 0), sizeof(to_guest));
	for (int i = 0; i < 50; i++) {
		int n = ask(0, &(struct seg){ DATA, 66000, true }, 1);

		assert_true(n >= 12);
		if (memcmp(at(DATA + 12), to_guest, sizeof(to_guest)) == 0)
			return;
	}
	fail();
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make, drop)

/* ---- vsock --------------------------------------------------------------------------- */

#define CID 7
#define RX_BYTES 4096
#define PACKET (DATA + 0x100000)

static struct {
	struct vsock *v;
	char dir[32], path[48];
	int listening, client;
	unsigned rx;                    /* buffers taken back */
} vs;

static int unix_socket(const char *path, bool listens)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (listens) {
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		assert_int_equal(listen(fd, 8), 0);
	} else {
		assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	}
	return fd;
}

static void plug_vsock(void)
{
	struct err e = { 0 };

	memset(&vs, 0, sizeof(vs));
	(void)snprintf(vs.dir, sizeof(vs.dir), "/tmp/isle-vsock.XXXXXX");
	assert_non_null(mkdtemp(vs.dir));
	(void)snprintf(vs.path, sizeof(vs.path), "%s/v", vs.dir);
	vs.listening = unix_socket(vs.path, true);
	vs.client = -1;
	struct vsock_options o = { .cid = CID, .listen_fd = vs.listening, .path = vs.path };
	assert_int_equal(vsock_new(&rig.loop, &o, &vs.v, &e), 0);
	plug(&vs.v->dev);
	boot(0);
	for (unsigned i = 0; i < SIZE; i++)
		offer(0, &(struct seg){ DATA + (uint64_t)i * RX_BYTES, RX_BYTES, true }, 1);
	kick(0);
}

static void unplug_vsock(void)
{
	char path[64];

	wr(VIRTIO_MMIO_STATUS, 0);
	vmmio_release(&rig.m);
	vsock_free(vs.v);
	rig.d = NULL;
	fd_close(&vs.client);
	fd_close(&vs.listening);
	unlink(vs.path);
	(void)snprintf(path, sizeof(path), "%s_52", vs.path);
	unlink(path);
	assert_int_equal(rmdir(vs.dir), 0);
}

/* The next packet to the guest, whose payload is after its header; NULL: there is none. */
static const struct virtio_vsock_hdr *packet_in(void)
{
	int n = taken(0);

	if (n < 0)
		return NULL;
	const struct virtio_vsock_hdr *h = at(DATA + (uint64_t)vs.rx++ % SIZE * RX_BYTES);
	assert_int_equal(n, sizeof(*h) + h->len);
	assert_int_equal(h->src_cid, VSOCK_CID_HOST);
	assert_int_equal(h->dst_cid, CID);
	return h;
}

static const struct virtio_vsock_hdr *packet_of(uint16_t op)
{
	const struct virtio_vsock_hdr *h = packet_in();

	assert_non_null(h);
	assert_int_equal(h->op, op);
	return h;
}

static struct virtio_vsock_hdr head(uint32_t from, uint32_t to, uint16_t op, uint32_t len)
{
	return (struct virtio_vsock_hdr){
		.src_cid = CID, .dst_cid = VSOCK_CID_HOST, .src_port = from, .dst_port = to,
		.len = len, .type = VIRTIO_VSOCK_TYPE_STREAM, .op = op, .buf_alloc = 65536,
	};
}

/* The guest sends h and the n bytes that it really has after it. */
static void packet_out(struct virtio_vsock_hdr h, const void *data, uint32_t n)
{
	memcpy(at(PACKET), &h, sizeof(h));
	if (n > 0)
		memcpy(at(PACKET + sizeof(h)), data, n);
	offer(1, &(struct seg){ PACKET, (uint32_t)sizeof(h) + n, false }, 1);
	kick(1);
	(void)taken(1);
}

static void assert_client_gets(const char *what)
{
	char got[64] = "";

	assert_int_equal(recv(vs.client, got, sizeof(got) - 1, 0), strlen(what));
	assert_string_equal(got, what);
}

/* A client of the guest's port 1024, accepted: the port that it has. */
static uint32_t connect_client(uint32_t buf_alloc)
{
	char ok[32];

	vs.client = unix_socket(vs.path, false);
	assert_int_equal(send(vs.client, "CONNECT 1024\n", 13, 0), 13);
	pump();
	const struct virtio_vsock_hdr *h = packet_of(VIRTIO_VSOCK_OP_REQUEST);
	assert_int_equal(h->dst_port, 1024);
	uint32_t port = h->src_port;
	struct virtio_vsock_hdr r = head(1024, port, VIRTIO_VSOCK_OP_RESPONSE, 0);
	r.buf_alloc = buf_alloc;
	packet_out(r, NULL, 0);
	(void)snprintf(ok, sizeof(ok), "OK %u\n", port);
	assert_client_gets(ok);
	return port;
}

static void test_vsock_stream(void **state)
{
	char c;

	(void)state;
	plug_vsock();
	uint32_t port = connect_client(65536);
	assert_int_equal(send(vs.client, "hello", 5, 0), 5);
	pump();
	const struct virtio_vsock_hdr *h = packet_of(VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h->len, 5);
	assert_memory_equal(h + 1, "hello", 5);
	assert_int_equal(shutdown(vs.client, SHUT_WR), 0);
	pump();
	h = packet_of(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h->flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	/* The other half still works, to its own end. */
	packet_out(head(1024, port, VIRTIO_VSOCK_OP_RW, 6), "answer", 6);
	assert_client_gets("answer");
	struct virtio_vsock_hdr end = head(1024, port, VIRTIO_VSOCK_OP_SHUTDOWN, 0);
	end.flags = VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND;
	packet_out(end, NULL, 0);
	packet_of(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(recv(vs.client, &c, 1, 0), 0);
	unplug_vsock();
}

static void test_vsock_credit(void **state)
{
	(void)state;
	plug_vsock();
	uint32_t port = connect_client(10);
	assert_int_equal(send(vs.client, "0123456789abcdefghijklmno", 25, 0), 25);
	pump();
	assert_int_equal(packet_of(VIRTIO_VSOCK_OP_RW)->len, 10);
	assert_null(packet_in());
	struct virtio_vsock_hdr more = head(1024, port, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	more.buf_alloc = 10;
	more.fwd_cnt = 10;
	packet_out(more, NULL, 0);
	const struct virtio_vsock_hdr *h = packet_of(VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h->len, 10);
	assert_memory_equal(h + 1, "abcdefghij", 10);
	/* More taken than was sent: nonsense, and no credit. */
	more.fwd_cnt = 4000000000U;
	packet_out(more, NULL, 0);
	assert_null(packet_in());
	packet_out(head(1024, port, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0), NULL, 0);
	assert_int_equal(packet_of(VIRTIO_VSOCK_OP_CREDIT_UPDATE)->buf_alloc, VSOCK_ROOM);
	unplug_vsock();
}

static void test_vsock_guest_connects(void **state)
{
	char path[64], got[8] = "";

	(void)state;
	plug_vsock();
	packet_out(head(9000, 52, VIRTIO_VSOCK_OP_REQUEST, 0), NULL, 0);
	packet_of(VIRTIO_VSOCK_OP_RST);
	(void)snprintf(path, sizeof(path), "%s_52", vs.path);
	CLEANUP_FD int server = unix_socket(path, true);
	packet_out(head(9000, 52, VIRTIO_VSOCK_OP_REQUEST, 0), NULL, 0);
	const struct virtio_vsock_hdr *h = packet_of(VIRTIO_VSOCK_OP_RESPONSE);
	assert_int_equal(h->src_port, 52);
	assert_int_equal(h->dst_port, 9000);
	CLEANUP_FD int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(fd >= 0);
	packet_out(head(9000, 52, VIRTIO_VSOCK_OP_RW, 3), "abc", 3);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 3);
	assert_memory_equal(got, "abc", 3);
	fd_close(&fd);
	pump();
	h = packet_of(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h->flags, VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND);
	packet_out(head(9000, 52, VIRTIO_VSOCK_OP_RST, 0), NULL, 0);
	assert_null(packet_in());
	unplug_vsock();
}

static void test_vsock_hostile(void **state)
{
	static const char fill[4096];

	(void)state;
	plug_vsock();
	/* Of no stream: a reset, but for a reset.  Of another guest: nothing. */
	packet_out(head(1, 2, VIRTIO_VSOCK_OP_RW, 4), "abcd", 4);
	assert_int_equal(packet_of(VIRTIO_VSOCK_OP_RST)->dst_port, 1);
	packet_out(head(1, 2, VIRTIO_VSOCK_OP_RST, 0), NULL, 0);
	struct virtio_vsock_hdr other = head(1, 2, VIRTIO_VSOCK_OP_REQUEST, 0);
	other.src_cid = CID + 1;
	packet_out(other, NULL, 0);
	assert_null(packet_in());
	/* A client that does not read: what exceeds the socket and the room ends the stream. */
	uint32_t port = connect_client(65536);
	const struct virtio_vsock_hdr *h = NULL;
	for (int i = 0; i < 4096 && (!h || h->op != VIRTIO_VSOCK_OP_RST); i++) {
		packet_out(head(1024, port, VIRTIO_VSOCK_OP_RW, sizeof(fill)), fill,
			   sizeof(fill));
		const struct virtio_vsock_hdr *next = packet_in();
		if (next) {
			h = next;
			offer(0, &(struct seg){ DATA + (uint64_t)(vs.rx - 1) % SIZE * RX_BYTES,
						RX_BYTES, true }, 1);
			kick(0);
		}
	}
	assert_non_null(h);
	assert_int_equal(h->op, VIRTIO_VSOCK_OP_RST);
	assert_false(rd(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	packet_out(head(1, 2, VIRTIO_VSOCK_OP_RW, 5000), "x", 1);
	assert_true(rd(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	unplug_vsock();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_balloon_inflate), CASE(test_balloon_report), CASE(test_balloon_target),
		CASE(test_disk_data), CASE(test_disk_bounds), CASE(test_disk_ranges),
		CASE(test_disk_read_only), CASE(test_console_input), CASE(test_console_output),
		CASE(test_console_flood), CASE(test_net_send), CASE(test_net_receive),
		CASE(test_net_merge), CASE(test_net_full_wire), CASE(test_net_tap),
		CASE(test_vsock_stream), CASE(test_vsock_credit),
		CASE(test_vsock_guest_connects), CASE(test_vsock_hostile),
	};

	signal(SIGPIPE, SIG_IGN);               /* as in isle-vmm */
	return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
