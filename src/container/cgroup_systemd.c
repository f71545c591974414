/*
 * cgroup_systemd.c - the container's group as a systemd scope.
 *
 * Who writes the tree below systemd must be asked for a delegated part of it
 * (systemd's CGROUP_DELEGATION).  The way is a transient scope, which is made
 * around a process that exists already.  isle-runtime is static and cannot load
 * libsystemd, so the bus is spoken by the small program isle-systemd:
 *
 *      isle-systemd [--user] start UNIT SLICE PID PROPERTY...
 *      isle-systemd [--user] set UNIT PROPERTY...
 *      isle-systemd [--user] stop UNIT
 *      isle-systemd --user root                  prints the user manager's group
 *
 * A PROPERTY is NAME=SIGNATURE:VALUE as src/cli/systemd/main.c describes; a '?'
 * ahead marks one that older versions of systemd lack and that may be left out.
 * It exits 0, or 1 with one line on its standard error.
 *
 * Limits are written to the group's files too (cgroup_v1.c, cgroup_v2.c): systemd
 * knows only some of them, and it must know those, or "daemon-reload" undoes them.
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/version.h"
#include "container/cpulist.h"

#define HELPER "isle-systemd"
#define ARGS_MAX 256
#define OUTPUT_MAX 900          /* fits a struct err with its prefix */

struct args {                   /* heap strings, NULL-terminated */
	char *v[ARGS_MAX + 1];
	size_t n;
};

static void args_take(struct args *a, char *s)
{
	if (a->n < ARGS_MAX)
		a->v[a->n++] = s;
	else
		free(s);
}

static void args_release(struct args *a)
{
	while (a->n > 0)
		free(a->v[--a->n]);
}

#define prop(a, ...) args_take(a, xasprintf(__VA_ARGS__))

/* --- running the helper ---------------------------------------------------- */

/* $ISLE_LIBEXEC, beside this program (a build tree), PREFIX/libexec/isle by way of
 * this program's place, and where it was built to be installed. */
static char *find_helper(struct err *e)
{
	const char *env = getenv("ISLE_LIBEXEC");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *try[3] = { NULL, NULL, NULL }, *ret = NULL;

	if (env && env[0]) {
		try[0] = xasprintf("%s/" HELPER, env);
	} else {
		/* A sealed copy of the program has no place. */
		if (n > 0 && strncmp(self, "/memfd:", 7) != 0) {
			self[n] = '\0';
			*strrchr(self, '/') = '\0';
			try[0] = xasprintf("%s/" HELPER, self);
			try[1] = xasprintf("%s/../libexec/isle/" HELPER, self);
		}
		try[2] = xstrdup(ISLE_LIBEXECDIR "/" HELPER);
	}
	for (size_t i = 0; i < ARRAY_LEN(try); i++) {
		if (!ret && try[i] && access(try[i], X_OK) == 0)
			ret = take_ptr(try[i]);
		free(try[i]);
	}
	if (!ret)
		err_set(e, ENOENT, "the systemd cgroup driver needs the program " HELPER ", "
			"which is neither in %s nor beside this program (set ISLE_LIBEXEC)",
			env && env[0] ? env : ISLE_LIBEXECDIR);
	return ret;
}

static int wait_for(pid_t pid, const char *what, const char *output, struct err *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for " HELPER);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(e, EIO, HELPER " %s: killed by signal %d", what,
			       WTERMSIG(status));
	return err_set(e, EIO, HELPER " %s: %s", what, output[0] ? output : "failed");
}

/* Run it; ret gets what it wrote, standard output and error alike. */
static int run_helper(struct args *a, char ret[OUTPUT_MAX], struct err *e)
{
	CLEANUP_FREE char *path = find_helper(e);
	const char *what = a->v[1];
	posix_spawn_file_actions_t fa;
	int pipefd[2], r;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (!path)
		return -e->code;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, pipefd[1], 1);
	posix_spawn_file_actions_adddup2(&fa, pipefd[1], 2);
	a->v[a->n] = NULL;
	r = posix_spawn(&pid, path, &fa, NULL, a->v, environ);
	posix_spawn_file_actions_destroy(&fa);
	fd_close(&pipefd[1]);
	if (r != 0) {           /* a positive errno */
		fd_close(&pipefd[0]);
		return err_sys(e, r, "run %s", path);
	}
	while (len < OUTPUT_MAX - 1 &&
	       (n = TEMP_FAILURE_RETRY(read(pipefd[0], ret + len, OUTPUT_MAX - 1 - len))) > 0)
		len += (size_t)n;
	fd_close(&pipefd[0]);
	while (len > 0 && ret[len - 1] == '\n')
		len--;
	ret[len] = '\0';
	return wait_for(pid, what, ret, e);
}

static void args_begin(struct args *a, const struct cgroup *cg, const char *verb)
{
	*a = (struct args){ 0 };
	prop(a, "%s", HELPER);
	if (cg->rootless)
		prop(a, "--user");
	prop(a, "%s", verb);
}

/* --- names ------------------------------------------------------------------- */

/* systemd.unit(5): what a unit may be called. */
static bool unit_name_ok(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 256 && s[0] != '.' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			 ":-_.\\@") == n;
}

/* systemd.slice(5): dashes are levels. */
char *cgroup_slice_expand(const char *slice)
{
	static const char suffix[] = ".slice";
	struct buf b = BUF_INIT(PATH_MAX);
	size_t n = strlen(slice), base;

	if (n < sizeof(suffix) || strcmp(slice + n - 6, suffix) != 0 || !unit_name_ok(slice))
		return NULL;
	if (strcmp(slice, "-.slice") == 0)
		return xstrdup("");
	base = n - 6;
	/* No level may be without a name. */
	if (slice[0] == '-' || slice[base - 1] == '-' || strstr(slice, "--"))
		return NULL;
	for (size_t i = 1; i <= base; i++)
		if (i == base || slice[i] == '-')
			buf_printf(&b, "/%.*s%s", (int)i, slice, suffix);
	if (b.overflow) {
		buf_release(&b);
		return NULL;
	}
	return b.data;
}

/* linux.cgroupsPath is "slice:prefix:name" with this driver. */
static int names_parse(const struct cgroup_request *rq, struct cgroup *cg, struct err *e)
{
	CLEANUP_FREE char *text = xstrdup(rq->path ? rq->path : "");
	const char *def = rq->rootless ? "user.slice" : "system.slice";
	char *prefix, *name;

	if (text[0] == '\0') {
		cg->slice = xstrdup(def);
		cg->unit = xasprintf("isle-%s.scope", rq->id);
	} else {
		prefix = strchr(text, ':');
		name = prefix ? strchr(prefix + 1, ':') : NULL;
		if (!name)
			return err_set(e, EINVAL, "expected cgroupsPath to be of format "
				       "\"slice:prefix:name\" for systemd cgroups, got \"%s\" "
				       "instead", text);
		*prefix++ = '\0';
		*name++ = '\0';
		if (name[0] == '\0')
			return err_set(e, EINVAL, "linux.cgroupsPath: the name is empty");
		cg->slice = xstrdup(text[0] ? text : def);
		cg->unit = xasprintf("%s%s%s.scope", prefix, prefix[0] ? "-" : "", name);
	}
	if (!unit_name_ok(cg->unit))
		return err_set(e, EINVAL, "linux.cgroupsPath: \"%s\" cannot be the name of a "
			       "systemd unit", cg->unit);
	return 0;
}

int cgroup_systemd_plan(const struct cgroup_request *rq, struct cgroup *cg, char **ret_path,
			struct err *e)
{
	CLEANUP_FREE char *slices = NULL;
	char root[OUTPUT_MAX] = "";
	struct args a;
	int r = names_parse(rq, cg, e);

	if (r < 0)
		return r;
	slices = cgroup_slice_expand(cg->slice);
	if (!slices)
		return err_set(e, EINVAL, "linux.cgroupsPath: \"%s\" is not the name of a "
			       "systemd slice", cg->slice);
	if (rq->rootless) {
		/* The user's manager has its own part of the tree. */
		args_begin(&a, cg, "root");
		r = run_helper(&a, root, e);
		args_release(&a);
		if (r < 0)
			return r;
		if (strcmp(root, "/") == 0)
			root[0] = '\0';
	}
	*ret_path = xasprintf("%s%s/%s", root, slices, cg->unit);
	return 0;
}

/* --- properties ---------------------------------------------------------------- */

static unsigned mask_byte(const unsigned long *mask, size_t i)
{
	return mask[i / sizeof(*mask)] >> (i % sizeof(*mask) * 8) & 0xff;
}

char *cgroup_list_to_mask(const char *what, const char *list, struct err *e)
{
	unsigned long mask[CPULIST_WORDS];
	int words = cpulist_parse(what, list, mask, e);
	size_t bytes = 0, n = words < 0 ? 0 : (size_t)words * sizeof(mask[0]);
	struct buf b = BUF_INIT(CPULIST_BITS_MAX / 4);

	if (words < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (mask_byte(mask, i))
			bytes = i + 1;
	for (size_t i = 0; i < bytes; i++)
		buf_printf(&b, "%02x", mask_byte(mask, i));
	return b.data ? b.data : xstrdup("");
}

static void prop_limit(struct args *a, const char *name, int64_t v)
{
	prop(a, "%s=t:%llu", name, v < 0 ? (unsigned long long)UINT64_MAX
					 : (unsigned long long)v);
}

/* The period that a quota is relative to which comes without one ("update"). */
static uint64_t period_in_force(const struct cgroup *cg)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "cpu");
	unsigned long long v = 0;
	char text[64];

	if (!h)
		return 100000;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	if (cg->mode == CGROUP_MODE_V1) {
		if (cgd_read(dir, "cpu.cfs_period_us", text, sizeof(text)) == 0)
			(void)!sscanf(text, "%llu", &v);
	} else if (cgd_read(dir, "cpu.max", text, sizeof(text)) == 0) {
		(void)!sscanf(text, "%*s %llu", &v);
	}
	return v ? v : 100000;          /* the kernel's default, in a group yet to be made */
}

/* systemd counts microseconds of CPU a second, in steps of 10 ms. */
static void prop_quota(struct args *a, const struct cgroup *cg, const struct oci_cpu *c)
{
	uint64_t period = c->period.set && c->period.v ? c->period.v : period_in_force(cg);
	uint64_t per_sec;

	if (c->period.set && c->period.v)
		prop(a, "?CPUQuotaPeriodUSec=t:%llu", (unsigned long long)c->period.v);
	if (!c->quota.set || c->quota.v == 0)
		return;
	if (c->quota.v < 0) {
		prop_limit(a, "CPUQuotaPerSecUSec", -1);
		return;
	}
	per_sec = (uint64_t)c->quota.v * 1000000 / period;
	per_sec = (per_sec + 9999) / 10000 * 10000;
	prop(a, "CPUQuotaPerSecUSec=t:%llu", (unsigned long long)per_sec);
}

static int props_cpu(struct args *a, const struct cgroup *cg, const struct oci_cpu *c,
		     struct err *e)
{
	if (c->shares.set && c->shares.v) {
		if (cg->mode == CGROUP_MODE_V1)
			prop(a, "CPUShares=t:%llu", (unsigned long long)c->shares.v);
		else if (!c->idle.set || c->idle.v == 0)
			prop(a, "CPUWeight=t:%llu",
			     (unsigned long long)cgroup_shares_to_weight(c->shares.v));
	}
	prop_quota(a, cg, c);
	if (cg->mode == CGROUP_MODE_V1)
		return 0;
	for (int i = 0; i < 2; i++) {
		const char *list = i ? c->mems : c->cpus;
		CLEANUP_FREE char *mask = NULL;

		if (!list || !list[0])
			continue;
		mask = cgroup_list_to_mask(i ? "linux.resources.cpu.mems" :
					   "linux.resources.cpu.cpus", list, e);
		if (!mask)
			return -e->code;
		prop(a, "?%s=ay:%s", i ? "AllowedMemoryNodes" : "AllowedCPUs", mask);
	}
	return 0;
}

static int props_memory(struct args *a, const struct cgroup *cg, const struct oci_memory *m,
			struct err *e)
{
	int64_t limit = m->limit.set ? m->limit.v : 0, swap = -1;
	int r;

	if (limit)
		prop_limit(a, cg->mode == CGROUP_MODE_V1 ? "MemoryLimit" : "MemoryMax", limit);
	if (cg->mode == CGROUP_MODE_V1)
		return 0;
	if (m->reservation.set && m->reservation.v)
		prop_limit(a, "MemoryLow", m->reservation.v);
	if (m->swap.set && m->swap.v > 0 && limit == 0)
		return 0;       /* relative to a limit systemd was told before */
	r = cgroup_swap_to_v2(m->swap.set ? m->swap.v : 0, limit, &swap, e);
	if (r > 0)
		prop_limit(a, "MemorySwapMax", swap);
	return r < 0 ? r : 0;
}

static int props_resources(struct args *a, const struct cgroup *cg,
			   const struct oci_resources *r, struct err *e)
{
	int rc = 0;

	if (r->cpu)
		rc = props_cpu(a, cg, r->cpu, e);
	if (rc >= 0 && r->memory)
		rc = props_memory(a, cg, r->memory, e);
	if (r->pids_limit.set)
		prop_limit(a, "TasksMax", r->pids_limit.v == 0 ? 1 : r->pids_limit.v);
	if (r->block_io && r->block_io->weight.set && r->block_io->weight.v) {
		if (cg->mode == CGROUP_MODE_V1)
			prop(a, "BlockIOWeight=t:%llu",
			     (unsigned long long)r->block_io->weight.v);
		else
			prop(a, "IOWeight=t:%llu", (unsigned long long)
			     cgroup_blkio_to_io_weight(r->block_io->weight.v));
	}
	return rc;
}

/* The name of a driver's major number in /proc/devices; "" unknown. */
static void driver_name(const char *text, char type, int64_t major, char ret[64])
{
	const char *p = strstr(text, type == 'b' ? "Block devices:" : "Character devices:");
	long long nr;
	int n;

	ret[0] = '\0';
	for (p = p ? strchr(p, '\n') : NULL; p; p = strchr(p + 1, '\n')) {
		if (p[1] == '\n' || p[1] == '\0')
			return;
		if (sscanf(p + 1, "%lld %63s%n", &nr, ret, &n) >= 2 && nr == major)
			return;
		ret[0] = '\0';
	}
}

/*
 * systemd.resource-control(5): DeviceAllow= knows nodes by path, and drivers by
 * name.  systemd needs the list only so that its own reload does not replace ours
 * by "everything"; a rule it cannot say, about a driver that is not there, can
 * match nothing anyway.
 */
static int props_devices(struct args *a, const struct oci_resources *r, struct err *e)
{
	CLEANUP_FREE char *devices = xcalloc(1, 16384);
	struct dev_rules rules;
	struct dev_fold fold;
	int rc = dev_rules_make(r, &rules, e);

	if (rc < 0)
		return rc;
	rc = dev_fold(&rules, &fold, e);
	dev_rules_release(&rules);
	if (rc < 0)
		return rc;
	/* It has no deny list: what is allowed but for exceptions is ours alone. */
	prop(a, "DevicePolicy=s:%s", fold.allow ? "auto" : "strict");
	if (cgd_read("/proc", "devices", devices, 16384) < 0)
		devices[0] = '\0';
	for (size_t i = 0; i < fold.except.n && !fold.allow; i++) {
		const struct dev_rule *d = &fold.except.v[i];
		const char *class = d->type == 'b' ? "block" : "char";
		char line[80], name[64] = "*", *access;

		dev_rule_print(d, line);
		access = strrchr(line, ' ') + 1;
		if (d->major >= 0 && d->minor >= 0) {
			prop(a, "DeviceAllow=a(ss):/dev/%s/%lld:%lld %s", class,
			     (long long)d->major, (long long)d->minor, access);
			continue;
		}
		if (d->major >= 0)
			driver_name(devices, d->type, d->major, name);
		if (name[0])
			prop(a, "DeviceAllow=a(ss):%s-%s %s", class, name, access);
	}
	dev_rules_release(&fold.except);
	return 0;
}

/* --- scopes --------------------------------------------------------------------- */

static int props_annotations(struct args *a, const struct oci_kvs *kvs, struct err *e)
{
	static const char prefix[] = "org.systemd.property.";

	for (size_t i = 0; kvs && i < kvs->n; i++) {
		const struct oci_kv *kv = &kvs->v[i];
		char *p = NULL;
		int r;

		if (strncmp(kv->key, prefix, sizeof(prefix) - 1) != 0)
			continue;
		r = cgroup_systemd_property(kv->key + sizeof(prefix) - 1, kv->value, &p, e);
		if (r < 0)
			return err_prefix(e, "annotation %s", kv->key);
		args_take(a, p);
	}
	return 0;
}

static void props_scope(struct args *a, const struct cgroup *cg, const char *id)
{
	static const char *const on[] = {
		/* systemd makes a controller's group only where it accounts. */
		"Delegate", "CPUAccounting", "MemoryAccounting", "TasksAccounting",
		"IOAccounting",
	};

	prop(a, "Description=s:isle container %s", id);
	prop(a, "DefaultDependencies=b:false");
	/* Collected even after a failure, so that the name is free again. */
	prop(a, "?CollectMode=s:inactive-or-failed");
	for (size_t i = 0; i < ARRAY_LEN(on); i++)
		prop(a, "%s=b:true", strcmp(on[i], "IOAccounting") == 0 &&
		     cg->mode == CGROUP_MODE_V1 ? "BlockIOAccounting" : on[i]);
}

int cgroup_systemd_join(const struct cgroup *cg, pid_t pid, struct err *e)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < cg->n; i++) {
		CLEANUP_FREE char *dir = cgroup_dir(&cg->h[i]);
		int r = cgroup_make_dir(&cg->h[i], e);

		/* systemd has moved the process already where it keeps the tree. */
		if (r >= 0 && cg->mode == CGROUP_MODE_V1 &&
		    !cgroup_list_has(cg->h[i].controllers, "name=systemd")) {
			r = cgd_write(dir, "cgroup.procs", text);
			if (r < 0)
				err_sys(e, -r, "move process %d to cgroup %s", pid, dir);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int cgroup_systemd_start(struct cgroup *cg, const struct cgroup_request *rq, struct err *e)
{
	char output[OUTPUT_MAX];
	struct args a;
	int r;

	if (rq->systemd_pid <= 0)
		return err_set(e, EINVAL, "the systemd driver needs a process to make a scope for");
	args_begin(&a, cg, "start");
	prop(&a, "%s", cg->unit);
	prop(&a, "%s", cg->slice);
	prop(&a, "%d", rq->systemd_pid);
	props_scope(&a, cg, rq->id);
	r = rq->resources ? props_resources(&a, cg, rq->resources, e) : 0;
	if (r >= 0)
		r = props_devices(&a, rq->resources, e);
	/* Last, so that the document can override. */
	if (r >= 0)
		r = props_annotations(&a, rq->annotations, e);
	if (r >= 0 && a.n == ARGS_MAX)
		r = err_set(e, E2BIG, "too many properties for a systemd scope");
	if (r >= 0)
		r = run_helper(&a, output, e);
	args_release(&a);
	cg->systemd_told = r >= 0;
	return r;
}

int cgroup_systemd_set(const struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	char output[OUTPUT_MAX];
	struct args a;
	size_t fixed;
	int rc;

	/* The scope was started with these a moment ago. */
	if (cg->systemd_told)
		return 0;
	args_begin(&a, cg, "set");
	prop(&a, "%s", cg->unit);
	fixed = a.n;
	rc = props_resources(&a, cg, r, e);
	if (rc >= 0 && a.n > fixed)
		rc = run_helper(&a, output, e);
	args_release(&a);
	return rc;
}

int cgroup_systemd_stop(const struct cgroup *cg, struct err *e)
{
	char output[OUTPUT_MAX];
	struct args a;
	int r;

	args_begin(&a, cg, "stop");
	prop(&a, "%s", cg->unit);
	r = run_helper(&a, output, e);
	args_release(&a);
	return r;
}
