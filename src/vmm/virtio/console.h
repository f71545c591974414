#pragma once
/*
 * vmm/virtio/console.h - one console port, hvc0 in the guest (VIRTIO 1.2, 5.3).  Layer: vmm.
 *
 *      in_fd  ---> receiveq ---> guest         read while the guest has buffers
 *      out_fd <--- transmitq <-- guest         requests wait while out_fd takes no more
 *
 * So a guest that floods its console waits for whoever reads it, and nothing is kept here.
 */
#include "vmm/loop.h"
#include "vmm/virtio/device.h"

struct console {
	struct vdev dev;                /* first */
	struct loop *loop;
	struct loop_watch in, out;      /* fd -1: there is none (any more) */
	bool in_watched, out_watched;
	uint64_t sent;                  /* bytes of the oldest waiting request */
	uint16_t columns, rows;
};

/*
 * Descriptors: -1 for none; a pipe, socket or terminal, out_fd non-blocking (or a file that
 * never makes a writer wait); the program ignores SIGPIPE.  They stay the caller's, outlive c,
 * and are used on l's thread.
 */
void console_init(struct console *c, struct loop *l, int in_fd, int out_fd);

/* Tell the guest the terminal's size.  From any thread. */
void console_resize(struct console *c, uint16_t columns, uint16_t rows);
