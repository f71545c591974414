#pragma once
/*
 * container/notify.h - sd_notify(3) out of a container: NOTIFY_SOCKET proxied.
 * Layer: container.
 *
 * When the runtime itself was given a NOTIFY_SOCKET (a unit with Type=notify), the
 * program in the container gets one of its own, notify.sock in a directory that has the
 * host's socket's path (/run/notify for an abstract one), as with crun: a read-only bind
 * of <root>/<id>/notify, so it can send there and change nothing.  What it says is
 * hostile: only the line READY=1 is acted on, and passed on with the pid of its init.
 */
#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

/* The host's socket, or NULL when there is nothing to proxy. */
const char *notify_host_socket(void);
/* Make the directory in dirfd (the container's state directory, whose path is dir),
 * and add the mount and the variable to the document. */
MUST_CHECK int notify_prepare(int dirfd, const char *dir, struct oci_spec *spec,
			      struct err *e);
/* Bind the container's socket: a descriptor, or -1 when the container has none. */
MUST_CHECK int notify_bind(int dirfd, struct err *e);
/* Wait until the container is ready or pidfd ends, and tell the host's socket. */
MUST_CHECK int notify_relay(int sock, pid_t pid, int pidfd, struct err *e);
