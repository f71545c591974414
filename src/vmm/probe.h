#pragma once
/*
 * vmm/probe.h - can /dev/kvm of this host run a stock kernel?  Layer: vmm.
 *
 * That the device opens says nothing, and CPUID of a rented machine says little: there are
 * KVMs without hardware virtualization, which interpret the guest's kernel and stop at what
 * they do not know.  So a guest of a few instructions is run (x86_64/probe_guest.S).
 */
#include <stdint.h>

#include "base/err.h"

enum vmm_kvm {
	VMM_KVM_USABLE,
	VMM_KVM_ABSENT,                 /* no device, or not for this user */
	VMM_KVM_SOFTWARE,               /* a device that cannot run a kernel */
};

struct vmm_probe {
	enum vmm_kvm kvm;
	char why[256];                  /* one line; for VMM_KVM_USABLE: "" */
	uint64_t ns;                    /* what the probe took; 0: remembered */
};

/*
 * A millisecond; half a second at most.  Fails only where the answer cannot be had, as when
 * memory is short.  Uses the signal SIGRTMIN of the calling thread and gives it back.
 */
MUST_CHECK int vmm_probe(struct vmm_probe *ret, struct err *e);

/*
 * The same, remembered for this boot and this device node in the file (dirfd, name), which
 * is read and written: the caller's own, where nobody else may write.  A module loaded
 * anew makes a new node.  "absent" is never remembered, for it is known at once and easily
 * mended.  A file that cannot be read or written only costs the probe.
 */
MUST_CHECK int vmm_probe_cached(int dirfd, const char *name, struct vmm_probe *ret,
				struct err *e);

/* "usable", "absent", "software-only" */
const char *vmm_kvm_name(enum vmm_kvm k);
