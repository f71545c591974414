#pragma once
/*
 * container/inherit.h - descriptors of the caller that go on to the container's
 * program: --preserve-fds, and the sockets of sd_listen_fds(3).  Layer: container.
 */
#include "base/arena.h"
#include "base/err.h"
#include "oci/spec.h"

/*
 * How many descriptors from 3 on the program gets: LISTEN_FDS, then preserve.  All must
 * have come from the caller: an own descriptor that took a free number would leak.
 */
MUST_CHECK int inherit_fds(unsigned preserve, unsigned listen, unsigned *ret_n,
			   struct err *e);
/*
 * The count of LISTEN_FDS when it is meant for this process, else 0.  p, which may be
 * NULL, gets LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID=1, as the program becomes the
 * container's first process; what it had of them goes.
 */
unsigned inherit_listen(struct oci_process *p, struct arena *a);
