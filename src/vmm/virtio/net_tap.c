/*
 * vmm/virtio/net_tap.c - a tap interface as the wire of a network card.  See net.h.
 *
 * With IFF_VNET_HDR each frame carries the header that virtio has, so it goes through as it
 * is; the kernel checks what the guest wrote there (include/linux/virtio_net.h) and refuses
 * the frame otherwise.  Spec: Documentation/networking/tuntap.rst, linux/if_tun.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/virtio/net.h"

static const struct {
	unsigned feature, flag;
} offloads[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
	{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
};

/* What the interface may hand the guest unfinished is what its driver said it takes. */
static int tap_start(struct net *n, struct err *e)
{
	unsigned flags = 0;

	for (size_t i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++)
		if (n->dev.features & (1ULL << offloads[i].feature))
			flags |= offloads[i].flag;
	/* 5.1.4.1: each of the others needs the checksum's. */
	if (!(flags & TUN_F_CSUM))
		flags = 0;
	if (ioctl(n->wire.fd, TUNSETOFFLOAD, flags) < 0)
		return err_sys(e, errno, "set offloads 0x%x of the tap interface", flags);
	return 0;
}

static int tap_receive(struct net *n)
{
	ssize_t got;

	do
		got = read(n->wire.fd, n->frame, sizeof(n->frame));
	while (got < 0 && errno == EINTR);
	/* EIO: the interface is down, and may come up again. */
	if (got < 0)
		return errno == EAGAIN || errno == EIO ? 0 : -errno;
	return got > (ssize_t)NET_HEAD ? (int)got : 0;
}

static int tap_send(struct net *n, const struct vq_req *req)
{
	struct iovec iov[VQ_SIZE_MAX];

	if (req->out_bytes < NET_HEAD + NET_ETH_MIN || req->out_bytes > NET_HEAD + NET_ETH_MAX)
		return 1;
	int n_iov = vq_slice(req->iov, req->n_out, 0, req->out_bytes, iov);

	/* Any other error is of this frame or of an interface that is down: lost. */
	return writev(n->wire.fd, iov, n_iov) < 0 && errno == EAGAIN ? 0 : 1;
}

const struct net_port net_tap = {
	.features = 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |
		    1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 |
		    1ULL << VIRTIO_NET_F_GUEST_ECN | 1ULL << VIRTIO_NET_F_HOST_TSO4 |
		    1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN,
	.start = tap_start, .receive = tap_receive, .send = tap_send,
};

int net_tap_open(const char *name, struct err *e)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int head = NET_HEAD, little = 1;

	if (strlen(name) >= sizeof(ifr.ifr_name))
		return err_set(e, EINVAL, "tap interface \"%s\": longer than %zu bytes", name,
			       sizeof(ifr.ifr_name) - 1);
	memcpy(ifr.ifr_name, name, strlen(name));
	CLEANUP_FD int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "open /dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return err_sys(e, errno, "make or take tap interface %s", name);
	/* VIRTIO 1's header: little-endian, num_buffers always there. */
	if (ioctl(fd, TUNSETVNETHDRSZ, &head) < 0 || ioctl(fd, TUNSETVNETLE, &little) < 0)
		return err_sys(e, errno, "set the header of tap interface %s", name);
	return take_fd(fd);
}
