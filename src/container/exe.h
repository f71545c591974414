#pragma once
/*
 * container/exe.h - our own program file, out of the container's reach.
 * Layer: container.
 */
#include "base/err.h"

/*
 * Unless that has been done, become a copy of this program in a sealed memfd, with the
 * same arguments and environment.  A process that is born into a pid namespace which
 * others share can be looked at from inside it: with CAP_SYS_PTRACE they could open
 * /proc/PID/exe and, once it is no longer running, write to it (CVE-2019-5736).
 * Returns 0 when we are the copy, and only returns on failure otherwise.
 */
MUST_CHECK int exe_become_sealed(struct err *e);
