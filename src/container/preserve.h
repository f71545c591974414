#pragma once
/*
 * container/preserve.h - descriptors of the caller that the program keeps: those of
 * --preserve-fds and of socket activation (sd_listen_fds(3)).  Layer: container.
 */
#include "base/arena.h"
#include "base/err.h"
#include "oci/spec.h"

/*
 * *ret_n is how many from 3 on stay open: n of --preserve-fds, and, when LISTEN_FDS and
 * LISTEN_PID are meant for this process, the listening sockets.  The latter are announced
 * to the program as its own (LISTEN_PID=1) in p's environment, which moves to a.
 * A descriptor among them that the caller did not hand over is -EBADF.
 */
MUST_CHECK int preserve_fds(unsigned n, struct oci_process *p, struct arena *a,
			    unsigned *ret_n, struct err *e);
