#pragma once
/*
 * vmm/virtio/vhost_user.h - carries a virtio device for another VMM.  Layer: vmm.
 *
 * The back end's side of vhost-user: QEMU (the front end) owns the guest and its device
 * registers; over a unix socket it hands us the guest's memory, where the rings are, and an
 * eventfd each way for every queue.  From then on guest and device talk by memory and
 * eventfds alone:
 *
 *      guest ---- ring in shared memory ---- struct vdev
 *        |  kick eventfd ------------------> loop --> ops->kick()
 *        +<------------------ call eventfd -- vdev_notify()
 *      QEMU  == messages over the socket ==> this file
 *
 * One front end.  What it sends is untrusted: the first message that is wrong is logged in
 * one line and ends the connection, as does the front end's leaving; ended() is then called.
 * Guest memory that the front end cuts short after handing it over is not guarded against:
 * it may end this process, which serves that front end and no other.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "vmm/gmem.h"
#include "vmm/loop.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/vhost_user_msg.h"

struct vhost_user;

struct vhost_user_ring {
	struct loop_watch kick;         /* fd: the front end's eventfd */
	struct vhost_user *of;
	unsigned index;
	int call, err;                  /* eventfds, or -1 */
	uint32_t num;                   /* entries */
	uint16_t base;                  /* next available index while stopped */
	struct vu_vring_addr addr;
	bool has_addr, enabled;
	bool started;                   /* the device's queue is set up */
};

struct vhost_user {
	struct vdev *dev;
	struct loop *loop;
	struct loop_watch listen;       /* until a front end has come */
	struct loop_watch front;        /* the connection, or fd -1 */
	struct gmem mem;
	struct vu_memory table;         /* as sent: front end's addresses of the regions */
	uint64_t features;              /* as set, VU_F_PROTOCOL_FEATURES too */
	uint64_t protocol;
	struct vhost_user_ring ring[VDEV_QUEUES_MAX];
	struct vu_msg msg;              /* its header, once in[] holds one */
	uint8_t in[VU_HEADER_BYTES + VU_PAYLOAD_MAX];
	size_t n_in;
	int fd[VU_FDS_MAX];             /* that came with the message in in[] */
	size_t n_fd;
	void (*ended)(struct vhost_user *u);    /* set by the owner; may stop the loop */
};

/*
 * Carry d, whose queues l's thread then works, for the front end that connects to the unix
 * socket listening at listen_fd, or that is at the other end of front_fd; the other is -1.
 * Takes the descriptor.  d and l outlive u, and u stays where it is.
 */
MUST_CHECK int vhost_user_init(struct vhost_user *u, struct vdev *d, struct loop *l,
			       int listen_fd, int front_fd, struct err *e);

/* After the loop has stopped; of a half-built one too. */
void vhost_user_release(struct vhost_user *u);

/* A close-on-exec socket bound to path, which must not exist, and listening. */
MUST_CHECK int vhost_user_listen(const char *path, struct err *e);

/* ---- vhost_user_act.c, for vhost_user.c --------------------------------------------------- */

extern const struct vdev_transport vhost_user_transport;

/*
 * Act on a message whose payload was checked; its descriptors are in u->fd, and those kept
 * are taken from there.  0, or the bytes of a reply put into *m, or what was wrong.  With the
 * device's lock held.
 */
MUST_CHECK int vhost_user_act(struct vhost_user *u, struct vu_msg *m, struct err *e);
/* All rings stopped, and the device as new.  With the device's lock held. */
void vhost_user_reset(struct vhost_user *u);
/* The watch of a ring's kick. */
void vhost_user_kicked(struct loop_watch *w, uint32_t events);
