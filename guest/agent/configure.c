/* guest/agent/configure.c - what a machine is told once it runs: clock, entropy, name. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

static int set_clock(uint64_t ns, struct err *e)
{
	struct timespec t = {
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000),
	};

	if (ns != 0 && clock_settime(CLOCK_REALTIME, &t) < 0)
		return err_sys(e, errno, "set the clock");
	return 0;
}

/*
 * random(4): credited, for the host's generator is as good as any; and what came from a
 * template is mixed anew at once, so that no two machines of one go on alike.
 */
static int add_entropy(const struct agent_bytes *seed, struct err *e)
{
	if (seed->n == 0)
		return 0;
	CLEANUP_FREE struct rand_pool_info *pool = xcalloc(1, sizeof(*pool) + seed->n);
	pool->buf_size = (int)seed->n;
	pool->entropy_count = (int)seed->n * 8;
	memcpy(pool->buf, seed->p, seed->n);
	CLEANUP_FD int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, pool) < 0)
		return err_sys(e, errno, "add entropy");
	if (ioctl(fd, RNDRESEEDCRNG) < 0 && errno != EINVAL && errno != ENODATA)
		return err_sys(e, errno, "reseed the random number generator");
	return 0;
}

int configure(const struct agent_message *m, struct err *e)
{
	int r = set_clock(m->time_ns, e);

	if (r == 0)
		r = add_entropy(&m->data, e);
	if (r < 0)
		return r;
	if (m->name.n && sethostname(m->name.p, m->name.n) < 0)
		return err_sys(e, errno, "set the hostname");
	return m->extra.n ? network_configure(m->extra.p, m->extra.n, e) : 0;
}
