/* container/sync.c - see sync.h */
#include "container/sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "container/init_plan.h"

int sync_recv(int fd, struct init_msg *m, struct err *e)
{
	ssize_t n = TEMP_FAILURE_RETRY(recv(fd, m, sizeof(*m), 0));

	/*
	 * Told once, ahead of what is still queued, when the other side ended with the
	 * early commit unread (create.c, run): its last words come after it.
	 */
	if (n < 0 && errno == ECONNRESET)
		n = TEMP_FAILURE_RETRY(recv(fd, m, sizeof(*m), 0));
	if (n == 0)
		return 0;
	if (n < 0)
		return err_sys(e, errno, "hear from the container's process");
	if ((size_t)n != sizeof(*m))
		return err_set(e, EPROTO, "the container's process sent %zd bytes", n);
	return m->kind == INIT_MSG_ERROR ? init_msg_error(m, e) : 1;
}

_Noreturn void sync_fail(int fd, const struct err *e)
{
	struct init_msg m = { .kind = INIT_MSG_ERROR, .code = e->code };

	snprintf(m.msg, sizeof(m.msg), "%.*s", (int)sizeof(m.msg) - 1, e->msg);
	if (send(fd, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		dprintf(STDERR_FILENO, "isle-runtime: %s\n", e->msg);
	_exit(1);
}
