/* container/init/plan.c - the plan: mapped, checked, its descriptors kept.  See plan.h */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container/init/init.h"

static bool ref_ok(const struct init_plan *p, struct plan_ref r, size_t extra, size_t elem)
{
	uint64_t bytes = ((uint64_t)r.n + extra) * elem;

	if (bytes == 0)
		return true;
	return r.off % 8 == 0 && r.off >= sizeof(*p) && r.off <= p->size &&
	       bytes <= p->size - r.off;
}

static bool str_ok(const struct init_plan *p, uint32_t off)
{
	/* The last byte of the plan is NUL, so every offset inside is a string. */
	return off < p->size;
}

/* Turn the offsets of r into pointers, in place, a NULL behind them. */
static bool relocate(struct init *in, struct plan_ref r, size_t extra)
{
	if (!ref_ok(in->plan, r, extra, sizeof(uintptr_t)))
		return false;
	uintptr_t *slot = plan_array(in, r);

	for (uint32_t i = 0; i < r.n; i++) {
		if (slot[i] == 0 || slot[i] >= in->plan->size)
			return false;
		slot[i] += (uintptr_t)in->base;
	}
	for (size_t i = 0; i < extra; i++)
		slot[r.n + i] = 0;
	return true;
}

static bool plan_ok(struct init *in)
{
	const struct init_plan *p = in->plan;

	if (!ref_ok(p, p->gids, 0, sizeof(uint32_t)) ||
	    !ref_ok(p, p->rlimits, 0, sizeof(struct plan_rlimit)) ||
	    !ref_ok(p, p->cpus, 0, sizeof(unsigned long)) ||
	    !ref_ok(p, p->nodes, 0, sizeof(unsigned long)) ||
	    !ref_ok(p, p->hooks, 0, sizeof(struct plan_hook)) ||
	    !ref_ok(p, p->seccomp, 0, sizeof(struct plan_insn)) || p->seccomp.n > UINT16_MAX ||
	    !str_ok(p, p->cwd) || !str_ok(p, p->label) || !str_ok(p, p->state_json) ||
	    !str_ok(p, p->listener_msg) || p->cwd == 0)
		return false;
	if (p->hooks.n && !p->state_json)
		return false;
	if (p->seccomp.n && (p->flags & INIT_PLAN_NOTIFY) &&
	    (p->listener_fd < 0 || !p->listener_msg))
		return false;

	const struct plan_rlimit *l = plan_array(in, p->rlimits);
	for (uint32_t i = 0; i < p->rlimits.n; i++)
		if (!str_ok(p, l[i].name) || l[i].name == 0)
			return false;

	const struct plan_hook *h = plan_array(in, p->hooks);
	for (uint32_t i = 0; i < p->hooks.n; i++)
		if (!str_ok(p, h[i].path) || h[i].path == 0 ||
		    !relocate(in, h[i].args, 1) || !relocate(in, h[i].env, 1))
			return false;
	return relocate(in, p->args, 1) && relocate(in, p->env, 2);
}

int init_plan_open(struct init *in, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(struct init_plan) ||
	    st.st_size > (off_t)INIT_PLAN_BYTES_MAX)
		return -EBADMSG;
	/* Private: pointers are written into it; the sealed memfd stays as it is. */
	in->base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (in->base == MAP_FAILED)
		return -errno;
	in->plan = (struct init_plan *)in->base;
	if (in->plan->magic != INIT_PLAN_MAGIC || in->plan->version != INIT_PLAN_VERSION ||
	    in->plan->size != st.st_size || in->base[in->plan->size - 1] != '\0' || !plan_ok(in))
		return -EBADMSG;
	in->channel = in->plan->sync_fd;
	in->args = plan_array(in, in->plan->args);
	in->env = plan_array(in, in->plan->env);
	return 0;
}

static int close_from_to(unsigned from, unsigned to)
{
	if (from > to || syscall(SYS_close_range, from, to, 0) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;

	/* Before Linux 5.9, or refused by a filter around the runtime. */
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	for (unsigned fd = from; fd <= to && fd < l.rlim_cur; fd++)
		close((int)fd);
	return 0;
}

/*
 * Only stdio, the preserved descriptors and those of the plan stay open, and of these
 * only the first two kinds survive the exec (CVE-2024-21626 was a leaked directory).
 */
int init_fds_sweep(struct init *in, int plan_fd)
{
	const struct init_plan *p = in->plan;
	int keep[] = { p->sync_fd, p->start_fd, p->procfs_fd, p->listener_fd };
	const int n = sizeof(keep) / sizeof(keep[0]);
	unsigned from = 3 + p->preserve_fds;

	close(plan_fd);
	for (int i = 1; i < n; i++)             /* sort: four elements */
		for (int j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
			int t = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = t;
		}
	for (int i = 0; i < n; i++) {
		if (keep[i] < 0)
			continue;
		if ((unsigned)keep[i] < from || fcntl(keep[i], F_SETFD, FD_CLOEXEC) < 0)
			return init_err(in, EBADF, "isle-init: bad descriptor %d", keep[i]);
		int r = close_from_to(from, (unsigned)keep[i] - 1);
		if (r < 0)
			return init_err_sys(in, -r, "close descriptors");
		from = (unsigned)keep[i] + 1;
	}
	int r = close_from_to(from, ~0u);
	return r < 0 ? init_err_sys(in, -r, "close descriptors") : 0;
}
