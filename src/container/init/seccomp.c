/*
 * container/init/seccomp.c - loading the payload's filter, and the listener's descriptor.
 * See init.h
 *
 * After seccomp(2) returns, any system call of this thread may be refused, kill it, or
 * (SCMP_ACT_NOTIFY) wait for a listener that does not have the descriptor yet.  So
 * when the filter notifies, a second thread, made before and not under the filter, sends the
 * descriptor; the first waits by watching memory.  The same thread then tells a
 * failure, should capset or execve fail under the filter; execve ends it.
 *
 * Spec: config-linux.md#seccomp, #containerprocessstate.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "container/init/init.h"

#define SECCOMP_SET_MODE_FILTER 1               /* seccomp(2) */
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1u << 3)
#define NOTIFY_POLL_NS 50000
#define NOTIFY_STACK_BYTES 16384

enum notify_state { NOTIFY_WAIT, NOTIFY_FD, NOTIFY_SENT, NOTIFY_TELL };

struct notify {
	_Atomic int state;
	int fd;                 /* the listener, or -errno of seccomp(2) */
};

struct sock_fprog {             /* linux/filter.h */
	unsigned short len;
	const struct plan_insn *filter;
};

/* The container process state and the descriptor, in one message. */
static int notify_send(const struct init *in, int fd)
{
	char pid[PID_TEXT_MAX];
	struct iovec iov[JSON_PIECES_MAX];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	size_t total = 0;

	msg.msg_iovlen = json_pid_pieces(plan_str(in, in->plan->listener_msg), in->pid, pid, iov);
	for (size_t i = 0; i < (size_t)msg.msg_iovlen; i++)
		total += iov[i].iov_len;

	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));

	ssize_t k = sendmsg(in->plan->listener_fd, &msg, MSG_NOSIGNAL);
	if (k < 0)
		return -errno;
	return (size_t)k == total ? 0 : -EIO;
}

static void notify_wait(const struct notify *n, int state)
{
	const struct timespec nap = { .tv_nsec = NOTIFY_POLL_NS };

	while (atomic_load(&n->state) < state)
		nanosleep(&nap, NULL);
}

static int notify_thread(void *arg)
{
	struct init *in = arg;
	struct notify *n = in->notify;

	notify_wait(n, NOTIFY_FD);
	if (n->fd < 0)
		return 0;               /* the other thread is not filtered and tells it */
	int r = notify_send(in, n->fd);
	if (r < 0) {
		(void)init_err_sys(in, -r, "send the seccomp listener to listenerPath");
		init_end(in);
	}
	/* The agent's alone from here: when it closes it, waiting calls end in ENOSYS. */
	close(n->fd);
	close(in->plan->listener_fd);
	atomic_store(&n->state, NOTIFY_SENT);
	notify_wait(n, NOTIFY_TELL);
	init_end(in);
}

int seccomp_prepare(struct init *in)
{
	static _Alignas(16) char stack[NOTIFY_STACK_BYTES];
	static struct notify notify;

	if (!in->plan->seccomp.n || !(in->plan->flags & INIT_PLAN_NOTIFY))
		return 0;
	in->notify = &notify;
	/*
	 * A bare thread: it shares the other one's thread-local storage, so errno too; but
	 * of two threads that watch each other, one alone makes calls that can fail.
	 */
	if (clone(notify_thread, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES |
		  CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, in) < 0)
		return init_err_sys(in, errno, "start the seccomp notify thread");
	return 0;
}

int seccomp_load(struct init *in)
{
	const struct init_plan *p = in->plan;
	struct sock_fprog prog = {
		.len = (unsigned short)p->seccomp.n, .filter = plan_array(in, p->seccomp),
	};
	struct notify *n = in->notify;

	if (!p->seccomp.n)
		return 0;
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			 p->seccomp_flags | (n ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0), &prog);
	if (r < 0)
		r = -errno;
	if (n) {
		n->fd = (int)r;
		atomic_store(&n->state, NOTIFY_FD);
		/* No call is ours to make; it takes one sendmsg(2) of the other thread. */
		while (r >= 0 && atomic_load(&n->state) != NOTIFY_SENT)
			__asm__ __volatile__("" ::: "memory");
	}
	if (r < 0)
		return init_err_sys(in, (int)-r, "load the seccomp filter");
	in->filtered = true;
	return 0;
}

void seccomp_notify_tell(struct init *in)
{
	atomic_store(&in->notify->state, NOTIFY_TELL);
	for (;;)
		__asm__ __volatile__("" ::: "memory");
}
