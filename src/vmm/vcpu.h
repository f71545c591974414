#pragma once
/*
 * vmm/vcpu.h - one virtual processor and its thread.  Layer: vmm.
 *
 * The thread runs the guest, answers its accesses to ports and registers by the buses, and
 * ends at the first exit that nobody can answer, of which it tells once, or when told to.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "vmm/bus.h"

/* Interrupts KVM_RUN and what blocks; vcpu_catch_kicks() must have been called. */
#define VCPU_KICK_SIGNAL SIGRTMIN

struct vcpu {
	unsigned index;
	int fd;
	struct kvm_run *run;            /* shared with KVM */
	size_t run_bytes;
	const struct bus *ports, *mmio;
	/* On the vCPU's thread, once: it cannot go on. */
	void (*broken)(void *of, struct vcpu *c);
	void *of;
	int error;                      /* of KVM_RUN, negative, if that is why */
	pthread_t thread;
	bool started;
	const bool *stop;               /* the machine's, atomic: no vCPU goes on */
};

MUST_CHECK int vcpu_init(struct vcpu *c, int kvm, int vm, unsigned index, struct err *e);
void vcpu_release(struct vcpu *c);

/* A handler that does nothing, for the whole process: the signal only has to interrupt. */
void vcpu_catch_kicks(void);

MUST_CHECK int vcpu_start(struct vcpu *c, struct err *e);
/* *c->stop was set: get it out of the guest and wait for its thread. */
void vcpu_join(struct vcpu *c);
