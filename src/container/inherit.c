/* container/inherit.c - see inherit.h */
#include "container/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define FIRST_FD 3
#define FDS_MAX 65536

/* Of sd_listen_fds(3), when they are meant for this process. */
static unsigned listen_count(void)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");

	if (!fds || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	unsigned long n = strtoul(fds, NULL, 10);
	return n > FDS_MAX ? 0 : (unsigned)n;
}

int inherit_reserve(unsigned preserve, struct err *e)
{
	if (preserve > FDS_MAX)
		return err_set(e, EINVAL, "%u descriptors cannot be passed to the container",
			       preserve);

	int limit = FIRST_FD + (int)(preserve + listen_count()), fd = 0;
	while (limit > FIRST_FD && fd < limit) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, errno, "keep descriptors below %d for the container",
				       limit);
	}
	if (limit > FIRST_FD)
		close(fd);
	return 0;
}

/* What exec left open lacks FD_CLOEXEC, and all of ours have it. */
static bool is_the_callers(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

int inherit_fds(unsigned preserve, unsigned listen, unsigned *ret_n, struct err *e)
{
	unsigned open = 0;

	*ret_n = preserve + listen;
	for (unsigned i = 0; i < *ret_n; i++) {
		if (!is_the_callers(FIRST_FD + (int)i))
			log_debug("descriptor %u is not open and not passed on", FIRST_FD + i);
		else if (i >= listen)
			open++;
	}
	if (preserve > 0 && open == 0)
		return err_set(e, EBADF, "preserved-fd 0 (of %u): descriptor %u is to be passed to "
			       "the container (--preserve-fds), but is not open", preserve,
			       FIRST_FD + listen);
	return 0;
}

static bool is_listen_variable(const char *entry)
{
	static const char *const names[] = { "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

unsigned inherit_listen(struct oci_process *p, struct arena *a)
{
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned n = listen_count();

	if (n == 0 || !p)
		return 0;

	const char **env = arena_calloc(a, p->env.n + 4, sizeof(*env));
	size_t len = 0;
	env[len++] = arena_printf(a, "LISTEN_FDS=%u", n);
	env[len++] = "LISTEN_PID=1";
	if (names)
		env[len++] = arena_printf(a, "LISTEN_FDNAMES=%s", names);
	for (size_t i = 0; i < p->env.n; i++) {
		if (!is_listen_variable(p->env.v[i]))
			env[len++] = p->env.v[i];
	}
	p->env.v = env;
	p->env.n = len;
	return n;
}
