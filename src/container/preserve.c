/* container/preserve.c - see preserve.h */
#include "container/preserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRESERVE_MAX 4096

static unsigned long env_number(const char *name)
{
	const char *s = getenv(name);
	char *end;

	if (!s || !*s)
		return 0;
	errno = 0;
	unsigned long v = strtoul(s, &end, 10);
	return *end || errno ? 0 : v;
}

static void announce(unsigned long n, struct oci_process *p, struct arena *a)
{
	const char *names = getenv("LISTEN_FDNAMES");
	const char **env = arena_calloc(a, p->env.n + 4, sizeof(*env));

	if (p->env.n)
		memcpy(env, p->env.v, p->env.n * sizeof(*env));
	env[p->env.n++] = arena_printf(a, "LISTEN_FDS=%lu", n);
	env[p->env.n++] = "LISTEN_PID=1";
	if (names)
		env[p->env.n++] = arena_printf(a, "LISTEN_FDNAMES=%s", names);
	p->env.v = env;
}

int preserve_fds(unsigned n, struct oci_process *p, struct arena *a, unsigned *ret_n,
		 struct err *e)
{
	unsigned long listen = env_number("LISTEN_FDS");

	if (env_number("LISTEN_PID") != (unsigned long)getpid())
		listen = 0;
	if (n > PRESERVE_MAX || listen > PRESERVE_MAX)
		return err_set(e, EINVAL, "--preserve-fds: more than %d descriptors", PRESERVE_MAX);
	/* runc: the listening sockets come first, --preserve-fds counts what follows. */
	for (unsigned i = 0; i < n + listen; i++) {
		/* What survived our exec is not close-on-exec; all that we opened is. */
		int flags = fcntl(3 + (int)i, F_GETFD);

		if (flags < 0 || (flags & FD_CLOEXEC))
			return err_set(e, EBADF, "file descriptor %u is to be preserved (%s), but is not "
				       "open", 3 + i, i < listen ? "LISTEN_FDS" : "--preserve-fds");
	}
	if (listen && p)
		announce(listen, p, a);
	*ret_n = n + (unsigned)listen;
	return 0;
}
