#pragma once
/*
 * vmm/machine.h - one virtual machine on /dev/kvm.  Layer: vmm.
 *
 *      main thread     main loop: signals, the serial port's timer; waits for the end
 *      vcpu N          KVM_RUN; answers ports and registers by the buses (vcpu.h)
 *      virtio N        one a device: its loop works its queues
 *
 * Interrupts and kicks go between guest and devices by eventfds (irq.h), past the vCPU's
 * threads.  Use: machine_new(), for each device machine_loop_next() and machine_add(), then
 * machine_run() once, then machine_free(); all on one thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "vmm/loop.h"
#include "vmm/virtio/device.h"

#define MACHINE_CPUS_MAX 64
#define MACHINE_MEMORY_MIN (32ULL << 20)

struct machine_config {
	uint64_t memory_bytes;          /* whole pages, MACHINE_MEMORY_MIN at least */
	unsigned n_cpus;                /* 1 .. MACHINE_CPUS_MAX */
	int kernel, initrd;             /* descriptors (vmm/boot/boot.h); initrd -1: none */
	const char *cmdline;
	int serial;                     /* where the serial port's output goes; -1: nowhere */
};

/* How it ended. */
enum machine_end {
	MACHINE_OFF,                    /* the guest powered off */
	MACHINE_RESET,                  /* the guest asked to be started again */
	MACHINE_PANIC,                  /* its kernel panicked */
	MACHINE_BROKEN,                 /* a vCPU could not go on */
	MACHINE_STOPPED,                /* machine_stop() */
};

struct machine_result {
	enum machine_end end;
	char why[192];                  /* of a panic what the console said; "" if unknown */
	struct buf dump;                /* of MACHINE_BROKEN: lines; the caller's to release */
};

struct machine;

/* Everything in *c but the text stays the caller's and outlives the machine. */
MUST_CHECK int machine_new(const struct machine_config *c, struct machine **ret, struct err *e);
void machine_free(struct machine *m);   /* NULL is fine */

/* The main thread's loop: watches may be added before machine_run(). */
struct loop *machine_loop(struct machine *m);

/* The loop, and so the thread, of the device that is added next. */
MUST_CHECK int machine_loop_next(struct machine *m, struct loop **ret, struct err *e);

/*
 * Plug d in.  It is the caller's, is released after machine_free(), and must have been made
 * with the loop of machine_loop_next() if it wants one.
 */
MUST_CHECK int machine_add(struct machine *m, struct vdev *d, struct err *e);

/*
 * Load the kernel, run until the guest ends or machine_stop(); blocks as long.  All threads
 * have ended when it returns.  The process ignores SIGPIPE, and VCPU_KICK_SIGNAL is taken.
 */
MUST_CHECK int machine_run(struct machine *m, struct machine_result *ret, struct err *e);

/* End it as if the plug were pulled.  From any thread. */
void machine_stop(struct machine *m);
