/*
 * cgroup_v2.c - one tree for all controllers: handing them down, and limits.
 *
 * A group has the controllers that its parent lists in cgroup.subtree_control, and
 * a group that lists any may hold no processes itself, the root excepted
 * (cgroup-v2.rst, "Top-down Constraint", "No Internal Process Constraint").
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"

/* --- making ----------------------------------------------------------------- */

/* "+a +b" of those words of have that got lacks. */
static void missing_words(char *have, const char *got, char *ret, size_t n)
{
	size_t len = 0;

	ret[0] = '\0';
	for (char *save, *c = strtok_r(have, " ", &save); c; c = strtok_r(NULL, " ", &save))
		if (!cgroup_list_has(got, c) && len + strlen(c) + 3 < n)
			len += (size_t)snprintf(ret + len, n - len, "%s+%s", len ? " " : "", c);
}

/*
 * Pass on what dir has.  One write for all; if one controller is refused (cpu while
 * real-time tasks are about), each by itself.  What stays out is an error only
 * when a limit needs it, and cgroup_write.c then finds out why.
 */
static void hand_down(const char *dir)
{
	char have[CGROUP_VALUE_MAX], got[CGROUP_VALUE_MAX], want[CGROUP_VALUE_MAX];
	int r;

	if (cgd_read(dir, "cgroup.controllers", have, sizeof(have)) < 0 ||
	    cgd_read(dir, "cgroup.subtree_control", got, sizeof(got)) < 0)
		return;
	missing_words(have, got, want, sizeof(want));
	if (want[0] == '\0')
		return;
	r = cgd_write(dir, "cgroup.subtree_control", want);
	if (r == 0)
		return;
	for (char *save, *c = strtok_r(want, " ", &save); c; c = strtok_r(NULL, " ", &save)) {
		r = cgd_write(dir, "cgroup.subtree_control", c);
		if (r < 0)
			log_debug("write %s to %s/cgroup.subtree_control: %s", c, dir,
				  err_text(-r));
	}
}

/* cgroup-v2.rst, "Threads": below a threaded group only threaded ones work, and a
 * process cannot enter "domain invalid". */
static int check_type(const char *dir, struct err *e)
{
	char type[32];

	if (cgd_read(dir, "cgroup.type", type, sizeof(type)) < 0 || strcmp(type, "domain") == 0)
		return 0;
	return err_set(e, EOPNOTSUPP, "cannot enter cgroup %s: its type is \"%s\", as a group "
		       "above it is threaded", dir, type);
}

int cgroup_v2_make(const struct cgroup_hierarchy *h, struct err *e)
{
	CLEANUP_FREE char *dir = cgroup_dir(h);
	size_t at = strlen(h->mount);
	bool made = false;

	for (;;) {
		char *slash = strchr(dir + at + 1, '/');

		dir[at] = '\0';
		hand_down(dir);
		dir[at] = '/';
		if (slash)
			*slash = '\0';
		made = mkdir(dir, 0755) == 0;
		if (!made && errno != EEXIST)
			return err_sys(e, errno, "create cgroup %s", dir);
		if (!slash)
			break;
		*slash = '/';
		at = (size_t)(slash - dir);
	}
	if (check_type(dir, e) < 0) {
		if (made && cgd_remove(dir) < 0)
			log_debug("remove cgroup %s failed", dir);
		return -e->code;
	}
	return made;
}

/* --- limits ------------------------------------------------------------------- */

static void put_limit(struct cgroup_writer *w, const char *controller, const char *file,
		      int64_t v)
{
	if (v < 0)
		cgw_put(w, controller, file, "max");
	else
		cgw_put(w, controller, file, "%lld", (long long)v);
}

static void check_usage(struct cgroup_writer *w, const struct oci_memory *m)
{
	uint64_t usage = 0, swap = 0;
	int64_t limit = m->limit.set ? m->limit.v : 0, memsw = m->swap.set ? m->swap.v : 0;

	if (!m->check_before_update.set || !m->check_before_update.v ||
	    cgw_get(w, "memory", "memory.current", &usage) < 0)
		return;
	if (limit > 0 && (uint64_t)limit < usage) {
		w->rc = err_set(w->e, EBUSY, "rejecting memory limit %lld < usage %llu",
				(long long)limit, (unsigned long long)usage);
		return;
	}
	if (memsw > 0 && cgw_get(w, "memory", "memory.swap.current", &swap) == 0 &&
	    (uint64_t)memsw < usage + swap)
		w->rc = err_set(w->e, EBUSY, "rejecting memory+swap limit %lld < usage %llu",
				(long long)memsw, (unsigned long long)(usage + swap));
}

static void put_memory(struct cgroup_writer *w, const struct oci_memory *m)
{
	int64_t limit = m->limit.set ? m->limit.v : 0, memsw = m->swap.set ? m->swap.v : 0;
	int64_t swap = -1;
	uint64_t now;
	int r;

	check_usage(w, m);
	if (w->rc < 0)
		return;
	/* An update that names swap alone is relative to the limit in force. */
	if (memsw > 0 && limit == 0 && cgw_get(w, "memory", "memory.max", &now) == 0 &&
	    now != UINT64_MAX)
		r = cgroup_swap_to_v2(memsw, (int64_t)now, &swap, w->e);
	else
		r = cgroup_swap_to_v2(memsw, limit, &swap, w->e);
	if (r < 0) {
		w->rc = r;
		return;
	}
	/* Without swap accounting there is nothing to lift or to allow. */
	if (r > 0 && (swap > 0 || cgw_has(w, "memory", "memory.swap.max")))
		put_limit(w, "memory", "memory.swap.max", swap);
	if (limit)
		put_limit(w, "memory", "memory.max", limit);
	if (m->reservation.set && m->reservation.v)
		put_limit(w, "memory", "memory.low", m->reservation.v);
	if (w->rc < 0)
		return;
	if (m->disable_oom_killer.set && m->disable_oom_killer.v)
		w->rc = err_set(w->e, EOPNOTSUPP, "linux.resources.memory.disableOOMKiller: "
				"cgroup v2 cannot disable the OOM killer");
	else if (m->swappiness.set)
		w->rc = err_set(w->e, EOPNOTSUPP, "linux.resources.memory.swappiness: "
				"cgroup v2 has no swappiness of a group");
}

/* cpu.max is "QUOTA PERIOD"; what the document leaves out stays as it is. */
static void put_cpu_max(struct cgroup_writer *w, const struct oci_cpu *c)
{
	bool period = c->period.set && c->period.v;
	bool quota = c->quota.set && c->quota.v != 0;
	char value[64] = "max";

	if (!quota && !period)
		return;
	if (quota && c->quota.v > 0) {
		snprintf(value, sizeof(value), "%lld", (long long)c->quota.v);
	} else if (!quota) {
		CLEANUP_FREE char *dir = cgroup_dir(cgroup_unified(w->cg));

		if (cgd_read(dir, "cpu.max", value, sizeof(value)) == 0)
			value[strcspn(value, " ")] = '\0';
	}
	if (period)
		cgw_put(w, "cpu", "cpu.max", "%s %llu", value, (unsigned long long)c->period.v);
	else
		cgw_put(w, "cpu", "cpu.max", "%s", value);
}

static void put_cpu(struct cgroup_writer *w, const struct oci_cpu *c)
{
	bool burst_done = false, idle = c->idle.set && c->idle.v != 0;

	if ((c->realtime_runtime.set && c->realtime_runtime.v) ||
	    (c->realtime_period.set && c->realtime_period.v)) {
		w->rc = err_set(w->e, EOPNOTSUPP, "linux.resources.cpu: realtimeRuntime and "
				"realtimePeriod cannot be set on cgroup v2");
		return;
	}
	if (c->idle.set)
		cgw_put(w, "cpu", "cpu.idle", "%lld", (long long)c->idle.v);
	/* An idle group has no weight. */
	if (c->shares.set && c->shares.v && !idle)
		cgw_put(w, "cpu", "cpu.weight", "%llu",
			(unsigned long long)cgroup_shares_to_weight(c->shares.v));
	/* burst <= quota must hold at each step. */
	if (c->burst.set)
		burst_done = cgw_try(w, "cpu", "cpu.max.burst", "%llu",
				     (unsigned long long)c->burst.v) == 0;
	put_cpu_max(w, c);
	if (c->burst.set && !burst_done)
		cgw_put(w, "cpu", "cpu.max.burst", "%llu", (unsigned long long)c->burst.v);
	if (c->cpus && c->cpus[0])
		cgw_put(w, "cpuset", "cpuset.cpus", "%s", c->cpus);
	if (c->mems && c->mems[0])
		cgw_put(w, "cpuset", "cpuset.mems", "%s", c->mems);
}

/* BFQ keeps v1's scale (1..1000) in a file of its own. */
static void put_io_weight(struct cgroup_writer *w, const char *device, uint64_t weight)
{
	if (cgw_has(w, "io", "io.bfq.weight"))
		cgw_put(w, "io", "io.bfq.weight", "%s%llu", device, (unsigned long long)weight);
	else
		cgw_put(w, "io", "io.weight", "%s%llu", device,
			(unsigned long long)cgroup_blkio_to_io_weight(weight));
}

static void put_block_io(struct cgroup_writer *w, const struct oci_blkio *b)
{
	static const char *const key[] = {
		[OCI_THROTTLE_READ_BPS] = "rbps", [OCI_THROTTLE_WRITE_BPS] = "wbps",
		[OCI_THROTTLE_READ_IOPS] = "riops", [OCI_THROTTLE_WRITE_IOPS] = "wiops",
	};

	if (b->weight.set && b->weight.v)
		put_io_weight(w, "", b->weight.v);
	/* leafWeight has no counterpart: a v2 group with children has no tasks. */
	for (size_t i = 0; i < b->n_weight_devices; i++) {
		const struct oci_blkio_weight_device *d = &b->weight_devices[i];
		char device[64];

		snprintf(device, sizeof(device), "%lld:%lld ", (long long)d->major,
			 (long long)d->minor);
		if (d->weight.set && d->weight.v)
			put_io_weight(w, device, d->weight.v);
	}
	for (size_t t = 0; t < OCI_THROTTLE_COUNT; t++) {
		for (size_t i = 0; i < b->throttle[t].n; i++) {
			const struct oci_blkio_throttle *d = &b->throttle[t].v[i];
			char rate[24] = "max";

			/* 0 lifts the limit, as it does on v1. */
			if (d->rate > 0)
				snprintf(rate, sizeof(rate), "%llu",
					 (unsigned long long)d->rate);
			cgw_put(w, "io", "io.max", "%lld:%lld %s=%s", (long long)d->major,
				(long long)d->minor, key[t], rate);
		}
	}
}

void cgroup_v2_put_hugepages(struct cgroup_writer *w, const struct oci_resources *r)
{
	/* On a hybrid host "" names the unified half. */
	const char *controller = w->cg->mode == CGROUP_MODE_V2 ? "hugetlb" : "";

	for (size_t i = 0; i < r->n_hugepages; i++) {
		const struct oci_hugepage_limit *l = &r->hugepages[i];
		char file[96];

		snprintf(file, sizeof(file), "hugetlb.%s.max", l->page_size);
		cgw_put(w, controller, file, "%llu", (unsigned long long)l->limit);
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", l->page_size);
		if (cgw_has(w, controller, file))
			cgw_put(w, controller, file, "%llu", (unsigned long long)l->limit);
	}
}

/*
 * config-linux.md#unified: files by name, and the values as they are; several lines
 * (io.max) are several writes.  It comes last, so it overrides what was converted.
 */
static void put_unified(struct cgroup_writer *w, const struct oci_kv *kv)
{
	CLEANUP_FREE char *controller = xstrdup(kv->key);
	CLEANUP_FREE char *dir = cgroup_dir(cgroup_unified(w->cg));
	CLEANUP_FREE char *value = xstrdup(kv->value);

	if (w->rc < 0)
		return;
	if (strchr(kv->key, '/') || kv->key[0] == '\0' || kv->key[0] == '.') {
		w->rc = err_set(w->e, EINVAL, "unified resource \"%s\" must be a file name (no "
				"slashes)", kv->key);
		return;
	}
	controller[strcspn(controller, ".")] = '\0';
	if (strlen(controller) == strlen(kv->key)) {
		w->rc = err_set(w->e, EINVAL, "unified resource \"%s\" is unknown: a name is "
				"CONTROLLER.FILE", kv->key);
		return;
	}
	if (!cgd_has(dir, kv->key)) {
		char text[CGROUP_VALUE_MAX];

		if (cgd_read(dir, "cgroup.controllers", text, sizeof(text)) == 0 &&
		    (strcmp(controller, "cgroup") == 0 || cgroup_list_has(text, controller)))
			w->rc = err_set(w->e, ENOENT, "unified resource \"%s\" is unknown to this "
					"kernel", kv->key);
		else
			cgw_fail(w, -ENOENT, controller, kv->key, kv->value);
		return;
	}
	for (char *save, *l = strtok_r(value, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		cgw_put(w, controller, kv->key, "%s", l);
}

int cgroup_v2_set(const struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	struct cgroup_writer w = { cg, e, 0 };

	if ((r->net_class_id.set && r->net_class_id.v) || r->n_net_prios)
		return err_set(e, EOPNOTSUPP, "linux.resources.network: cgroup v2 has neither "
			       "net_cls nor net_prio");
	if (r->pids_limit.set) {
		char value[24];

		cgroup_pids_limit(r->pids_limit.v, value);
		cgw_put(&w, "pids", "pids.max", "%s", value);
	}
	if (r->memory && w.rc == 0)
		put_memory(&w, r->memory);
	if (r->block_io)
		put_block_io(&w, r->block_io);
	if (r->cpu && w.rc == 0)
		put_cpu(&w, r->cpu);
	if (r->n_hugepages)
		cgroup_v2_put_hugepages(&w, r);
	cgroup_put_rdma(&w, r);
	for (size_t i = 0; i < r->unified.n; i++)
		put_unified(&w, &r->unified.v[i]);
	return w.rc;
}
