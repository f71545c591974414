/* container/inherit.c - see inherit.h */
#include "container/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define FIRST_FD 3
#define FDS_MAX 65536

int inherit_fds(unsigned preserve, unsigned listen, unsigned *ret_n, struct err *e)
{
	if (preserve > FDS_MAX || listen > FDS_MAX)
		return err_set(e, EINVAL, "%u descriptors cannot be passed to the container",
			       preserve > FDS_MAX ? preserve : listen);
	*ret_n = preserve + listen;
	for (unsigned i = 0; i < *ret_n; i++) {
		int flags = fcntl(FIRST_FD + (int)i, F_GETFD);

		/* What exec left open lacks FD_CLOEXEC, and all of ours have it. */
		if (flags < 0 || (flags & FD_CLOEXEC))
			return err_set(e, EBADF, "descriptor %u is to be passed to the container "
				       "(%s), but is not open", FIRST_FD + i,
				       i < listen ? "LISTEN_FDS" : "--preserve-fds");
	}
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
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	const char *names = getenv("LISTEN_FDNAMES");

	if (!fds || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	unsigned long n = strtoul(fds, NULL, 10);
	if (n == 0 || n > FDS_MAX || !p)
		return 0;

	const char **env = arena_calloc(a, p->env.n + 4, sizeof(*env));
	size_t len = 0;
	env[len++] = arena_printf(a, "LISTEN_FDS=%lu", n);
	env[len++] = "LISTEN_PID=1";
	if (names)
		env[len++] = arena_printf(a, "LISTEN_FDNAMES=%s", names);
	for (size_t i = 0; i < p->env.n; i++) {
		if (!is_listen_variable(p->env.v[i]))
			env[len++] = p->env.v[i];
	}
	p->env.v = env;
	p->env.n = len;
	return (unsigned)n;
}
