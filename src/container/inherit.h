#pragma once
/*
 * container/inherit.h - descriptors of the caller that go on to the container's
 * program: --preserve-fds, and the sockets of sd_listen_fds(3).  Layer: container.
 */
#include "base/arena.h"
#include "base/err.h"
#include "oci/spec.h"

/*
 * First of all: fill the numbers that are the program's and free, so that no descriptor
 * of ours gets one.  Callers that count up to the last one they mean leave holes.
 */
MUST_CHECK int inherit_reserve(unsigned preserve, struct err *e);
/*
 * How many descriptors from 3 on the program gets: LISTEN_FDS, then preserve.  Holes stay
 * holes; that none at all of preserve came from the caller is an error.
 */
MUST_CHECK int inherit_fds(unsigned preserve, unsigned listen, unsigned *ret_n,
			   struct err *e);
/*
 * The count of LISTEN_FDS when it is meant for this process, else 0.  p, which may be
 * NULL, gets LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID=1, as the program becomes the
 * container's first process; what it had of them goes.
 */
unsigned inherit_listen(struct oci_process *p, struct arena *a);
