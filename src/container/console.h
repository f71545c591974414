#pragma once
/*
 * container/console.h - the pseudo-terminal of a container, and the relay between
 * it and our own terminal when isle-runtime stays in the foreground.
 * Layer: container.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Connect to the --console-socket (unix stream) or, for --pidfd-socket, any socket
 * that takes one descriptor.  Paths longer than sun_path are fine.
 */
MUST_CHECK int console_connect(const char *path, struct err *e);
/* One SCM_RIGHTS message: fd with name as its data. */
MUST_CHECK int console_send_fd(int sock, int fd, const char *name, struct err *e);
/* Receive one descriptor (the peer is our own child). */
MUST_CHECK int console_recv_fd(int sock, struct err *e);

struct console {
	int master, slave;
};

/*
 * Make a pty from the devpts whose ptmx stands at (rootfd, path), checked to be a
 * devpts, sized height x width (0: left alone), slave owned by uid.  The slave is
 * opened by TIOCGPTPEER: no path of the container is walked for it.
 */
MUST_CHECK int console_new(int rootfd, const char *path, uint16_t height, uint16_t width,
			   uid_t uid, struct console *ret, struct err *e);
void console_release(struct console *c);
/* Make fd stdin, stdout and stderr. */
MUST_CHECK int console_set_stdio(int fd, struct err *e);
