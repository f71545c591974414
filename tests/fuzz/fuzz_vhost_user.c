/*
 * Fuzz target: what a front end sends.  Input: records of a byte (how many descriptors come
 * with it, and which), u16 length, and those bytes of the stream.  The device behind it is
 * the one for entropy, in memory of which the first bytes of the input are a copy.
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
#include "vmm/virtio/rng.h"
#include "vmm/virtio/vhost_user.h"

#define RAM 0x10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that has arrived: until it would block, or the connection is over. */
static void serve(struct vhost_user *u)
{
	for (int i = 0; i < 16 && u->front.fd >= 0; i++)
		u->front.ready(&u->front, EPOLLIN);
}

static void play(struct vhost_user *u, int front, int ram, const uint8_t *data, size_t size)
{
	while (size >= 3 && u->front.fd >= 0) {
		int fd[VU_FDS_MAX + 2], n_fd = data[0] % (VU_FDS_MAX + 2);
		CLEANUP_FD int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		size_t n = data[1] | (size_t)data[2] << 8;

		for (int i = 0; i < n_fd; i++)
			fd[i] = data[0] & 0x80 ? ram : event;
		data += 3;
		size -= 3;
		if (n > size)
			n = size;
		if (n > 0 && fd_send(front, data, n, fd, (size_t)n_fd) < 0)
			return;
		data += n;
		size -= n;
		serve(u);
		for (unsigned i = 0; i < u->dev->n_vq; i++)
			if (u->ring[i].started)
				u->ring[i].kick.ready(&u->ring[i].kick, EPOLLIN);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct vhost_user u;
	struct loop loop;
	struct rng rng;
	int pair[2];
	CLEANUP_FD int ram = memfd_create("ram", MFD_CLOEXEC);

	if (ram < 0 || ftruncate(ram, RAM) < 0 || loop_init(&loop, &e) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	CLEANUP_FD int front = pair[0];

	if (pwrite(ram, data, size < RAM ? size : RAM, 0) < 0)
		return 0;
	rng_init(&rng);
	int r = vhost_user_init(&u, &rng.dev, &loop, -1, pair[1], &e);

	assert(r == 0);
	play(&u, front, ram, data, size);
	vhost_user_release(&u);
	vdev_release(&rng.dev);
	loop_release(&loop);
	return 0;
}
