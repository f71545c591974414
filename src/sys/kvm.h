#pragma once
/*
 * sys/kvm.h - /dev/kvm.  Layer: sys (thin, no policy).
 *
 * The kernel's own names and structs (linux/kvm.h, Documentation/virt/kvm/api.rst); what is
 * here only turns errno into a return value and restarts what a signal cut short.
 */
#include <linux/kvm.h>
#include <stddef.h>

#include "base/err.h"

/* A descriptor of /dev/kvm; -ENOTSUP if it does not speak API 12, the only stable one. */
MUST_CHECK int kvm_open(void);

/* ioctl(2) on any of KVM's descriptors, restarted on EINTR: not for KVM_RUN. */
MUST_CHECK int kvm_call(int fd, unsigned long request, void *arg);
/* The same for requests whose argument is a number. */
MUST_CHECK int kvm_call_number(int fd, unsigned long request, unsigned long n);

/*
 * Run a vCPU until it exits.  -EINTR: a signal came, or immediate_exit was set.
 * Blocks as long as the guest runs.
 */
MUST_CHECK int kvm_run(int vcpu);

/*
 * A new vCPU of vm and its struct kvm_run, mapped: *ret_bytes bytes that the caller unmaps.
 * Returns the vCPU's descriptor.
 */
MUST_CHECK int kvm_create_vcpu(int kvm, int vm, unsigned index, struct kvm_run **ret,
			       size_t *ret_bytes);
