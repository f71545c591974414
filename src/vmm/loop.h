#pragma once
/*
 * vmm/loop.h - one thread's wait for descriptors (epoll), with callbacks.  Layer: vmm.
 *
 * Level-triggered.  Callbacks run on the thread that is in loop_run(), one at a time; they
 * may add, change and remove watches, their own included (one event is taken at a time, so
 * none can come for a watch that is gone).  Other threads only call
 * loop_stop().  No allocation after loop_init(): watches are embedded in what they serve.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop {
	int epoll;
	int stop;                       /* eventfd */
	bool stopped;
};

struct loop_watch {
	int fd;                         /* the owner's; -1: not watched */
	/* events: EPOLLIN, EPOLLOUT, EPOLLHUP ... */
	void (*ready)(struct loop_watch *w, uint32_t events);
};

MUST_CHECK int loop_init(struct loop *l, struct err *e);
void loop_release(struct loop *l);

/* w->fd and w->ready are set; w must stay where it is until loop_remove(). */
MUST_CHECK int loop_add(struct loop *l, struct loop_watch *w, uint32_t events, struct err *e);
MUST_CHECK int loop_change(struct loop *l, struct loop_watch *w, uint32_t events, struct err *e);
/* Of a watch that is not there: nothing.  No callback of w comes after it.  fd stays open. */
void loop_remove(struct loop *l, struct loop_watch *w);

/* Until loop_stop().  0 or -errno of epoll_wait(2). */
MUST_CHECK int loop_run(struct loop *l, struct err *e);
void loop_stop(struct loop *l);         /* from any thread or signal handler */
