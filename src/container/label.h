#pragma once
/*
 * container/label.h - AppArmor profile and SELinux label of a process: which of the two
 * the host has, and the procfs they are written through.  Layer: container.
 *
 * isle-init writes the label, as its last step but one, and its plan names descriptors
 * by number.  The procfs must be the child's own, so the runtime reserves a number
 * before the clone and the child puts the procfs there.
 */
#include "container/init_plan.h"

/*
 * If rq->process asks for a label: check that the host has that security module
 * (else an error), set rq->apparmor or rq->selinux, and reserve a descriptor in
 * *ret_fd and rq->procfs_fd.  Otherwise both stay -1.
 */
MUST_CHECK int label_reserve(struct init_request *rq, int *ret_fd, struct err *e);
/* In the child: put a procfs of its own at the reserved number; -1: nothing to do. */
MUST_CHECK int label_open(int reserved, struct err *e);
