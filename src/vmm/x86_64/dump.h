#pragma once
/*
 * vmm/x86_64/dump.h - what a vCPU was at when it stopped for good.  Layer: vmm.
 */
#include "base/buf.h"
#include "vmm/gmem.h"

/*
 * Append lines: the exit's reason with its numbers (or error, what KVM_RUN failed with,
 * negative), registers, the bytes at the instruction pointer where they can be found.
 * Only while the vCPU is not running.
 */
void dump_vcpu(int vcpu, unsigned index, const void *kvm_run, int error,
	       const struct gmem *mem, struct buf *out);
