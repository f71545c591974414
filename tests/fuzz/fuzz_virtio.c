/*
 * Fuzz target: a guest that writes rings, registers and kicks as it likes.  Input: a byte
 * that says which device and how many steps n (up to 50), then n steps of eight bytes (what,
 * offset, value), then what its memory holds.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/virtio/balloon.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/console.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/rng.h"

#define RAM 0x10000
#define DISK 0x8000
#define STEPS 51

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Too large for the stack. */
static union {
	struct rng rng;
	struct balloon balloon;
	struct blk blk;
	struct console console;
	struct net net;
} any;

/* The device of that number; the descriptor is what is behind it. */
static struct vdev *device(unsigned which, struct loop *l, int fd)
{
	struct net_options o = { .port = &net_stream, .fd = fd };
	struct err e = { 0 };

	switch (which) {
	case 1:
		balloon_init(&any.balloon);
		break;
	case 2:
		return blk_init(&any.blk, fd, false, "fuzz", &e) < 0 ? NULL : &any.blk.dev;
	case 3:
		console_init(&any.console, l, fd, fd);
		break;
	case 4:
		net_init(&any.net, l, &o);
		break;
	default:
		rng_init(&any.rng);
		break;
	}
	return &any.rng.dev;                    /* each begins with it */
}

static void step(struct vmmio *m, const uint8_t *s)
{
	struct epoll_event ev;
	uint32_t value, got;
	uint16_t offset;

	memcpy(&offset, s + 2, sizeof(offset));
	memcpy(&value, s + 4, sizeof(value));
	if (s[0] % 4 == 0) {
		vmmio_read(m, offset, &got, 1U << s[1] % 3);
	} else if (s[0] % 4 == 1) {
		vmmio_write(m, offset % 0x100, &value, 4);
	} else if (s[0] % 4 == 2) {
		vmmio_write(m, offset, &value, 1U << s[1] % 3);
	} else {
		struct loop_watch *w = &m->queue[s[1] % m->dev->n_vq].kick;

		w->ready(w, 0);
	}
	/* What the loop would do, its own descriptors' events too. */
	for (int i = 0; i < 4 && epoll_wait(m->loop->epoll, &ev, 1, 0) == 1; i++) {
		struct loop_watch *w = ev.data.ptr;

		w->ready(w, ev.events);
	}
}

/* What a device finds at its other end: a disk, or a socket with something in it. */
static int behind(unsigned which, const uint8_t *data, size_t n, int *ret_peer)
{
	int pair[2];

	*ret_peer = -1;
	if (which == 2) {
		int fd = memfd_create("disk", MFD_CLOEXEC);

		if (fd >= 0 && ftruncate(fd, DISK) < 0)
			fd_close(&fd);
		return fd;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	*ret_peer = pair[1];
	/* As long as a small buffer takes it. */
	if (send(pair[1], data, n, MSG_NOSIGNAL) < 0)
		return pair[0];
	return pair[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t steps = size > 0 ? data[0] % STEPS : 0;
	unsigned which = size > 0 ? data[0] / STEPS : 0;

	if (size < 1 + steps * 8)
		return 0;
	struct err e = { 0 };
	struct gmem mem;
	struct loop loop;
	struct vmmio m;
	CLEANUP_FD int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const uint8_t *ram = data + 1 + steps * 8;
	size_t n = size - 1 - steps * 8;
	CLEANUP_FD int peer = -1;
	CLEANUP_FD int fd = behind(which, ram, n, &peer);

	if (fd < 0 || gmem_init(&mem, RAM, &e) < 0 || loop_init(&loop, &e) < 0)
		return 0;
	memcpy(mem.region[0].host, ram, n < RAM ? n : RAM);
	struct vdev *d = device(which, &loop, fd);

	assert(d);
	int r = vmmio_init(&m, d, &mem, &loop, irq, &e);

	assert(r == 0);
	for (size_t i = 0; i < steps; i++)
		step(&m, data + 1 + i * 8);
	vmmio_write(&m, 0x70, &(uint32_t){ 0 }, 4);     /* reset: watches are gone */
	vmmio_release(&m);
	vdev_release(d);
	loop_release(&loop);
	gmem_release(&mem);
	return 0;
}
