/* vmm/loop.c - see loop.h */
#include "vmm/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

int loop_init(struct loop *l, struct err *e)
{
	*l = (struct loop){ .epoll = -1, .stop = -1 };
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return err_sys(e, errno, "epoll_create1");
	l->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	if (l->stop < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->stop, &ev) < 0) {
		int r = err_sys(e, errno, "eventfd of the event loop");

		loop_release(l);
		return r;
	}
	return 0;
}

void loop_release(struct loop *l)
{
	fd_close(&l->epoll);
	fd_close(&l->stop);
}

int loop_add(struct loop *l, struct loop_watch *w, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return err_sys(e, errno, "watch descriptor %d", w->fd);
	return 0;
}

int loop_change(struct loop *l, struct loop_watch *w, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &ev) < 0)
		return err_sys(e, errno, "change the watch of descriptor %d", w->fd);
	return 0;
}

void loop_remove(struct loop *l, struct loop_watch *w)
{
	if (w->fd >= 0)
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

int loop_run(struct loop *l, struct err *e)
{
	while (!__atomic_load_n(&l->stopped, __ATOMIC_ACQUIRE)) {
		struct epoll_event ev;
		/* One at a time: the kernel turns its list of ready ones, so none starves. */
		int n = epoll_wait(l->epoll, &ev, 1, -1);

		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "epoll_wait");
		if (n <= 0 || !ev.data.ptr)
			continue;
		struct loop_watch *w = ev.data.ptr;

		w->ready(w, ev.events);
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	uint64_t one = 1;

	__atomic_store_n(&l->stopped, true, __ATOMIC_RELEASE);
	/* Full means it was told already. */
	if (write(l->stop, &one, sizeof(one)) < 0)
		return;
}
