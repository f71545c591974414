#pragma once
/*
 * vmm/x86_64/cpuid.h - what CPUID tells the guest.  Layer: vmm.
 *
 * What KVM supports on this host, less what a machine of isle does not have (nested
 * virtualization, performance counters, tile registers whose state is large), plus the
 * topology: one package, one core a vCPU, one thread a core; APIC id = vCPU index.
 */
#include <stdbool.h>
#include <stdint.h>

#include "sys/kvm.h"

#define CPUID_ENTRIES_MAX 256           /* KVM_MAX_CPUID_ENTRIES */

union cpuid_table {
	struct kvm_cpuid2 k;
	uint8_t room[sizeof(struct kvm_cpuid2) +
		     CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2)];
};

/* KVM_GET_SUPPORTED_CPUID. */
MUST_CHECK int cpuid_supported(int kvm, union cpuid_table *ret, struct err *e);

/* The entry of function and index, or NULL. */
struct kvm_cpuid_entry2 *cpuid_find(union cpuid_table *t, uint32_t function, uint32_t index);

/*
 * Turn what KVM supports into what vCPU index of n sees.  Called again on the same table
 * for the next vCPU.  tsc_deadline: the in-kernel APIC has that timer, of which
 * KVM_GET_SUPPORTED_CPUID says nothing (api.rst, 4.46).
 */
void cpuid_filter(union cpuid_table *t, unsigned index, unsigned n, bool tsc_deadline);

MUST_CHECK int cpuid_set(int vcpu, union cpuid_table *t, struct err *e);
