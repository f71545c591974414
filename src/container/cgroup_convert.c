/* cgroup_convert.c - runtime-spec numbers (v1 units) into those of cgroup v2. */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/*
 * The scales meet in three points: 2 -> 1, 1024 -> 100 (both are the default) and
 * 262144 -> 10000.  The curve through them, a quadratic in the logarithms, is the
 * one runc (1.3.2), crun (1.23) and Kubernetes agreed on; the straight line that
 * came before it made 39 of the default 1024, so that containers lost against
 * everything else on the host.
 */
uint64_t cgroup_shares_to_weight(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

/* Straight from 10..1000 to 1..10000, as runc and crun do. */
uint64_t cgroup_blkio_to_io_weight(uint64_t weight)
{
	if (weight == 0)
		return 0;
	if (weight < 10)
		weight = 10;
	return 1 + (weight - 10) * 9999 / 990;
}

/* v1 limits memory and swap together, v2 swap alone. */
int cgroup_swap_to_v2(int64_t memsw, int64_t memory, int64_t *ret, struct err *e)
{
	/* No memory limit and nothing said of swap: no swap limit either. */
	if (memsw == 0 && memory == -1)
		memsw = -1;
	*ret = -1;
	if (memsw == 0)
		return 0;
	if (memsw == -1)
		return 1;
	if (memsw < -1)
		return err_set(e, EINVAL, "invalid memory+swap limit %lld", (long long)memsw);
	if (memory <= 0)
		return err_set(e, EINVAL, "unable to set swap limit without memory limit");
	if (memsw < memory)
		return err_set(e, EINVAL, "memory+swap limit should be >= memory limit");
	*ret = memsw - memory;
	return 1;
}

/* The kernel takes 0, systemd does not; both mean "fork nothing" to a group whose
 * first process has been let in, so one value is used for both. */
void cgroup_pids_limit(int64_t limit, char ret[24])
{
	if (limit < 0)
		snprintf(ret, 24, "max");
	else
		snprintf(ret, 24, "%lld", limit == 0 ? 1ll : (long long)limit);
}
