#pragma once
/*
 * vmm/serial.h - a 16550A serial port.  Layer: vmm.
 *
 * The console before any driver of ours runs, and the place where a panic is told: output
 * only, for input there is virtio/console.h.  What the guest sends is given on at the end of
 * a line, when the buffer is full, or 10 ms after its first byte (a prompt has no end of
 * line).  Registers: the PC16550D data sheet; Linux: drivers/tty/serial/8250.
 *
 * Any thread may call any function here.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "vmm/loop.h"

#define SERIAL_PORTS 8
#define SERIAL_IN_MAX 16                /* as the chip's FIFO */

struct serial {
	pthread_mutex_t lock;
	struct loop *loop;
	struct loop_watch flush;        /* timerfd */
	int irq;                        /* line, the machine's */
	/* How many bytes were taken or dropped: with wait all, and the vCPU that sends waits. */
	size_t (*out)(void *of, const char *p, size_t n, bool wait);
	void *of;
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	bool fifo;
	bool thre_told;                 /* the guest read IIR = transmitter empty */
	bool line;                      /* as it is: interrupts go out when it rises */
	uint8_t in[SERIAL_IN_MAX];
	unsigned in_first, in_n;
	char text[512];
	size_t text_n;
};

MUST_CHECK int serial_init(struct serial *s, struct loop *l, int irq,
			   size_t (*out)(void *of, const char *p, size_t n, bool wait),
			   void *of, struct err *e);
void serial_release(struct serial *s);

/* For struct bus_range: of is the struct serial. */
void serial_read(void *of, uint64_t offset, void *p, unsigned n);
void serial_write(void *of, uint64_t offset, const void *p, unsigned n);

/* Give on what waits for its end of line. */
void serial_flush(struct serial *s);
