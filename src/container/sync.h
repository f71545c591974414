#pragma once
/*
 * container/sync.h - hearing from isle-init, and from the child that becomes it.
 * Layer: container.  The messages are those of init/plan.h.
 */
#include "base/err.h"
#include "container/init/plan.h"

/* Receive one message: 1 with *m filled, 0 at end of file, or the error it reports. */
MUST_CHECK int sync_recv(int fd, struct init_msg *m, struct err *e);
/* In a child: send *e as INIT_MSG_ERROR on fd and exit. */
_Noreturn void sync_fail(int fd, const struct err *e);
