/*
 * cgroup_v1.c - limits as cgroup v1 takes them, one hierarchy a controller.
 *
 * runtime-spec config-linux.md speaks in the units of these files, so most values
 * go as they are; what needs care is the order in which the kernel accepts two
 * values that bound each other.  Kernel: Documentation/admin-guide/cgroup-v1/.
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

/* --- cpuset ---------------------------------------------------------------- */

/* The value of file in dir, taken from the groups above while it is empty. */
static int cpuset_inherit(const char *mount, const char *dir, const char *file, char *value,
			  size_t n)
{
	CLEANUP_FREE char *parent = xstrdup(dir);
	char *slash;
	int r;

	r = cgd_read(dir, file, value, n);
	if (r < 0 || value[0])
		return r;
	slash = strrchr(parent, '/');
	if ((size_t)(slash - parent) < strlen(mount))
		return -EINVAL;
	*slash = '\0';
	r = cpuset_inherit(mount, parent, file, value, n);
	return r < 0 ? r : cgd_write(dir, file, value);
}

/* cpusets.rst: no task may enter while cpus or mems are empty, and a new group's
 * are.  So are those of parents that were made on the way. */
int cgroup_v1_fill_cpuset(const struct cgroup_hierarchy *h, struct err *e)
{
	CLEANUP_FREE char *dir = cgroup_dir(h);
	char value[CGROUP_VALUE_MAX];
	int r = cpuset_inherit(h->mount, dir, "cpuset.cpus", value, sizeof(value));

	if (r >= 0)
		r = cpuset_inherit(h->mount, dir, "cpuset.mems", value, sizeof(value));
	return r < 0 ? err_sys(e, -r, "fill the cpuset %s", dir) : 0;
}

static void put_cpuset(struct cgroup_writer *w, const struct oci_cpu *c)
{
	if (c->cpus && c->cpus[0])
		cgw_put(w, "cpuset", "cpuset.cpus", "%s", c->cpus);
	if (c->mems && c->mems[0])
		cgw_put(w, "cpuset", "cpuset.mems", "%s", c->mems);
}

/* --- devices --------------------------------------------------------------- */

static int write_rules(const struct cgroup_hierarchy *h, const struct dev_fold *f)
{
	const char *all = f->allow ? "devices.allow" : "devices.deny";
	CLEANUP_FREE char *dir = cgroup_dir(h);
	CLEANUP_FREE char *path = xasprintf("%s/%s", dir, f->allow ? "devices.deny"
								    : "devices.allow");
	CLEANUP_FD int fd = -1;
	int r = cgd_write(dir, all, "a");

	if (r < 0 || f->except.n == 0)
		return r;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < f->except.n; i++) {
		char rule[80];

		dev_rule_print(&f->except.v[i], rule);
		if (write(fd, rule, strlen(rule)) < 0)
			return -errno;
	}
	return 0;
}

int cgroup_v1_set_devices(const struct cgroup *cg, const struct oci_resources *r,
			  struct err *e)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "devices");
	struct dev_rules rules;
	struct dev_fold fold;
	int rc;

	if (!h && cg->rootless)
		return 0;
	if (!h)
		return err_set(e, ENOENT, "device rules cannot be applied: no cgroup hierarchy "
			       "with the devices controller is mounted");
	rc = dev_rules_make(r, &rules, e);
	if (rc < 0)
		return rc;
	rc = dev_fold(&rules, &fold, e);
	dev_rules_release(&rules);
	if (rc < 0)
		return rc;
	rc = write_rules(h, &fold);
	dev_rules_release(&fold.except);
	if (rc == -EPERM && (cg->rootless || cgroup_in_userns())) {
		log_debug("device rules need more privilege than a user namespace gives");
		return 0;
	}
	return rc < 0 ? err_sys(e, -rc, "write the device rules of cgroup %s", h->path) : 0;
}

/* --- memory ----------------------------------------------------------------- */

static void put_memory_limit(struct cgroup_writer *w, int64_t limit)
{
	const char *file = "memory.limit_in_bytes";
	uint64_t usage = 0, peak = 0;
	char value[24];
	int r = cgw_try(w, "memory", file, "%lld", (long long)limit);

	if (r == -EBUSY && cgw_get(w, "memory", "memory.usage_in_bytes", &usage) == 0 &&
	    cgw_get(w, "memory", "memory.max_usage_in_bytes", &peak) == 0) {
		w->rc = err_set(w->e, EBUSY, "unable to set memory limit to %lld (current usage: "
				"%llu, peak usage: %llu)", (long long)limit,
				(unsigned long long)usage, (unsigned long long)peak);
	} else if (r < 0) {
		snprintf(value, sizeof(value), "%lld", (long long)limit);
		cgw_fail(w, r, "memory", file, value);
	}
}

/* memsw may never be below limit, so a pair that grows is written from the top
 * and one that shrinks from the bottom. */
static void put_memory_swap(struct cgroup_writer *w, const struct oci_memory *m)
{
	const char *file = "memory.memsw.limit_in_bytes";
	int64_t limit = m->limit.set ? m->limit.v : 0, swap = m->swap.set ? m->swap.v : 0;
	uint64_t now = 0;
	bool swap_first;

	/* "No limit" for memory leaves swap nothing to be a part of. */
	if (limit == -1 && swap == 0 && cgw_has(w, "memory", file))
		swap = -1;
	if (limit > 0 && swap > 0 && swap < limit) {
		w->rc = err_set(w->e, EINVAL, "memory+swap limit should be >= memory limit");
		return;
	}
	swap_first = limit && swap && cgw_get(w, "memory", "memory.limit_in_bytes", &now) == 0 &&
		     (swap == -1 || now < (uint64_t)swap);
	if (swap && swap_first)
		cgw_put(w, "memory", file, "%lld", (long long)swap);
	if (limit && w->rc == 0)
		put_memory_limit(w, limit);
	if (swap && !swap_first)
		cgw_put(w, "memory", file, "%lld", (long long)swap);
}

static void check_usage(struct cgroup_writer *w, const struct oci_memory *m)
{
	uint64_t usage;

	if (!m->check_before_update.set || !m->check_before_update.v || !m->limit.set ||
	    m->limit.v <= 0 || cgw_get(w, "memory", "memory.usage_in_bytes", &usage) < 0)
		return;
	if ((uint64_t)m->limit.v < usage)
		w->rc = err_set(w->e, EBUSY, "rejecting memory limit %lld < usage %llu",
				(long long)m->limit.v, (unsigned long long)usage);
}

static void put_memory(struct cgroup_writer *w, const struct oci_memory *m)
{
	check_usage(w, m);
	if (w->rc < 0)
		return;
	if (m->use_hierarchy.set)
		cgw_put(w, "memory", "memory.use_hierarchy", m->use_hierarchy.v ? "1" : "0");
	put_memory_swap(w, m);
	/* memory.kernel is deprecated since runtime-spec 1.0.2 ("NOT RECOMMENDED") and
	 * gone from the kernel: ignored, as in runc and crun. */
	if (m->reservation.set && m->reservation.v)
		cgw_put(w, "memory", "memory.soft_limit_in_bytes", "%lld",
			(long long)m->reservation.v);
	if (m->kernel_tcp.set && m->kernel_tcp.v)
		cgw_put(w, "memory", "memory.kmem.tcp.limit_in_bytes", "%lld",
			(long long)m->kernel_tcp.v);
	if (m->disable_oom_killer.set && m->disable_oom_killer.v)
		cgw_put(w, "memory", "memory.oom_control", "1");
	if (m->swappiness.set) {
		if (m->swappiness.v > 100)
			w->rc = w->rc ? w->rc : err_set(w->e, EINVAL, "linux.resources.memory."
				"swappiness: %llu is not within 0..100",
				(unsigned long long)m->swappiness.v);
		else
			cgw_put(w, "memory", "memory.swappiness", "%llu",
				(unsigned long long)m->swappiness.v);
	}
}

/* --- cpu ---------------------------------------------------------------------- */

static void put_shares(struct cgroup_writer *w, uint64_t shares)
{
	uint64_t got;

	cgw_put(w, "cpu", "cpu.shares", "%llu", (unsigned long long)shares);
	/* The kernel clips to 2..262144 without a word. */
	if (w->rc < 0 || cgw_get(w, "cpu", "cpu.shares", &got) < 0 || got == shares)
		return;
	w->rc = err_set(w->e, EINVAL, "the %s allowed cpu-shares is %llu",
			shares > got ? "maximum" : "minimum", (unsigned long long)got);
}

/* Kernels refuse a pair quota/period beyond the parent's ratio, and meanwhile see
 * the new half with the old other: what fails in one order works in the other. */
static void put_bandwidth(struct cgroup_writer *w, const struct oci_cpu *c)
{
	bool quota = c->quota.set && c->quota.v != 0, period = c->period.set && c->period.v;
	bool period_done = false, burst_done = false;

	if (c->burst.set)
		burst_done = cgw_try(w, "cpu", "cpu.cfs_burst_us", "%llu",
				     (unsigned long long)c->burst.v) == 0;
	if (period)
		period_done = cgw_try(w, "cpu", "cpu.cfs_period_us", "%llu",
				      (unsigned long long)c->period.v) == 0;
	if (quota)
		cgw_put(w, "cpu", "cpu.cfs_quota_us", "%lld",
			(long long)(c->quota.v < 0 ? -1 : c->quota.v));
	if (period && !period_done)
		cgw_put(w, "cpu", "cpu.cfs_period_us", "%llu", (unsigned long long)c->period.v);
	/* burst may not be above quota, so it may have to come after it. */
	if (c->burst.set && !burst_done)
		cgw_put(w, "cpu", "cpu.cfs_burst_us", "%llu", (unsigned long long)c->burst.v);
}

static void put_cpu(struct cgroup_writer *w, const struct oci_cpu *c)
{
	bool idle = c->idle.set && c->idle.v != 0;

	if (c->idle.set)
		cgw_put(w, "cpu", "cpu.idle", "%lld", (long long)c->idle.v);
	if (c->shares.set && c->shares.v && !idle)
		put_shares(w, c->shares.v);
	put_bandwidth(w, c);
	if (c->realtime_period.set && c->realtime_period.v)
		cgw_put(w, "cpu", "cpu.rt_period_us", "%llu",
			(unsigned long long)c->realtime_period.v);
	if (c->realtime_runtime.set && c->realtime_runtime.v)
		cgw_put(w, "cpu", "cpu.rt_runtime_us", "%lld",
			(long long)c->realtime_runtime.v);
	put_cpuset(w, c);
}

/* --- block I/O ------------------------------------------------------------------ */

/* The scheduler that enforces weights brings the file: CFQ, or BFQ since 5.0. */
static const char *weight_file(const struct cgroup_writer *w, bool device)
{
	if (cgw_has(w, "blkio", "blkio.weight"))
		return device ? "blkio.weight_device" : "blkio.weight";
	return device ? "blkio.bfq.weight_device" : "blkio.bfq.weight";
}

static void put_block_io(struct cgroup_writer *w, const struct oci_blkio *b)
{
	static const char *const throttle[] = {
		[OCI_THROTTLE_READ_BPS] = "blkio.throttle.read_bps_device",
		[OCI_THROTTLE_WRITE_BPS] = "blkio.throttle.write_bps_device",
		[OCI_THROTTLE_READ_IOPS] = "blkio.throttle.read_iops_device",
		[OCI_THROTTLE_WRITE_IOPS] = "blkio.throttle.write_iops_device",
	};

	if (b->weight.set && b->weight.v)
		cgw_put(w, "blkio", weight_file(w, false), "%llu",
			(unsigned long long)b->weight.v);
	if (b->leaf_weight.set && b->leaf_weight.v)
		cgw_put(w, "blkio", "blkio.leaf_weight", "%llu",
			(unsigned long long)b->leaf_weight.v);
	for (size_t i = 0; i < b->n_weight_devices; i++) {
		const struct oci_blkio_weight_device *d = &b->weight_devices[i];

		if (d->weight.set && d->weight.v)
			cgw_put(w, "blkio", weight_file(w, true), "%lld:%lld %llu",
				(long long)d->major, (long long)d->minor,
				(unsigned long long)d->weight.v);
		if (d->leaf_weight.set && d->leaf_weight.v)
			cgw_put(w, "blkio", "blkio.leaf_weight_device", "%lld:%lld %llu",
				(long long)d->major, (long long)d->minor,
				(unsigned long long)d->leaf_weight.v);
	}
	for (size_t t = 0; t < OCI_THROTTLE_COUNT; t++) {
		for (size_t i = 0; i < b->throttle[t].n; i++) {
			const struct oci_blkio_throttle *d = &b->throttle[t].v[i];

			cgw_put(w, "blkio", throttle[t], "%lld:%lld %llu", (long long)d->major,
				(long long)d->minor, (unsigned long long)d->rate);
		}
	}
}

/* --- the rest -------------------------------------------------------------------- */

static void put_hugepages(struct cgroup_writer *w, const struct oci_resources *r)
{
	if (!cgroup_find(w->cg, "hugetlb") && cgroup_unified(w->cg)) {
		cgroup_v2_put_hugepages(w, r);          /* hybrid */
		return;
	}
	for (size_t i = 0; i < r->n_hugepages; i++) {
		const struct oci_hugepage_limit *l = &r->hugepages[i];
		char file[96];

		snprintf(file, sizeof(file), "hugetlb.%s.limit_in_bytes", l->page_size);
		cgw_put(w, "hugetlb", file, "%llu", (unsigned long long)l->limit);
		/* Reservations, Linux 5.7: so that mmap fails rather than SIGBUS comes. */
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.limit_in_bytes", l->page_size);
		if (cgw_has(w, "hugetlb", file))
			cgw_put(w, "hugetlb", file, "%llu", (unsigned long long)l->limit);
	}
}

void cgroup_put_rdma(struct cgroup_writer *w, const struct oci_resources *r)
{
	for (size_t i = 0; i < r->n_rdma; i++) {
		const struct oci_rdma *d = &r->rdma[i];
		char handles[40] = "", objects[40] = "";

		if (d->hca_handles.set)
			snprintf(handles, sizeof(handles), " hca_handle=%llu",
				 (unsigned long long)d->hca_handles.v);
		if (d->hca_objects.set)
			snprintf(objects, sizeof(objects), " hca_object=%llu",
				 (unsigned long long)d->hca_objects.v);
		if (handles[0] || objects[0])
			cgw_put(w, "rdma", "rdma.max", "%s%s%s", d->device, handles, objects);
	}
}

int cgroup_v1_set(const struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	struct cgroup_writer w = { cg, e, 0 };

	if (r->unified.n > 0)
		return err_set(e, EOPNOTSUPP, "invalid configuration: linux.resources.unified: "
			       "this host has cgroup v1, which \"%s\" cannot be set on",
			       r->unified.v[0].key);
	if (r->memory)
		put_memory(&w, r->memory);
	if (r->cpu)
		put_cpu(&w, r->cpu);
	if (r->pids_limit.set) {
		char value[24];

		cgroup_pids_limit(r->pids_limit.v, value);
		cgw_put(&w, "pids", "pids.max", "%s", value);
	}
	if (r->block_io)
		put_block_io(&w, r->block_io);
	if (r->n_hugepages)
		put_hugepages(&w, r);
	if (r->net_class_id.set && r->net_class_id.v)
		cgw_put(&w, "net_cls", "net_cls.classid", "%llu",
			(unsigned long long)r->net_class_id.v);
	for (size_t i = 0; i < r->n_net_prios; i++)
		cgw_put(&w, "net_prio", "net_prio.ifpriomap", "%s %u", r->net_prios[i].name,
			r->net_prios[i].priority);
	cgroup_put_rdma(&w, r);
	return w.rc;
}
