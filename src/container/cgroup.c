/*
 * cgroup.c - making, joining, freezing, emptying and removing the control group.
 *
 * The order of one create:
 *
 *      cgroup_plan()      paths; an occupied group is refused before anything is saved
 *      (state is saved)
 *      cgroup_make()      mkdir, cpuset, devices, descriptors to join by
 *      cgroup_set()       limits
 *      clone3(), child:   cgroup_join_self()
 *
 * and of a delete: cgroup_kill_all(), cgroup_remove().
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define NS_PER_MS 1000000ull
#define FREEZE_WAIT_MS 2000     /* runc gives up after about that, too */
#define EMPTY_WAIT_MS 10000     /* for processes in uninterruptible sleep */
#define LEFTOVER_WAIT_MS 20
#define NAP_FIRST_NS 20000ull
#define NAP_MAX_NS (20 * NS_PER_MS)

/* Waiting without an event to wait for: short naps that double, up to a time. */
struct nap {
	uint64_t until_ns, next_ns;
};

static struct nap nap_start(unsigned ms)
{
	return (struct nap){ time_mono_ns() + ms * NS_PER_MS, NAP_FIRST_NS };
}

static bool nap_take(struct nap *n)
{
	struct timespec ts = { 0, (long)n->next_ns };

	if (time_mono_ns() >= n->until_ns)
		return false;
	nanosleep(&ts, NULL);
	if (n->next_ns < NAP_MAX_NS)
		n->next_ns *= 2;
	return true;
}

static const char *tree_name(const struct cgroup_hierarchy *h)
{
	return h->controllers[0] ? h->controllers : "unified";
}

bool cgroup_is_v2_tree(const struct cgroup_hierarchy *h)
{
	return h->controllers[0] == '\0';
}

/* --- making -------------------------------------------------------------- */

/* freezer.state / cgroup.events, groups above included: 1, 0 or -errno. */
static int frozen(const struct cgroup *cg)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "freezer");
	char state[16];
	uint64_t v;
	int r;

	if (!h)
		return 0;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	if (cgroup_is_v2_tree(h)) {
		r = cgd_read_key(dir, "cgroup.events", "frozen", &v);
		/* Kernels before 5.2 cannot freeze. */
		return r == -ENOENT ? 0 : r < 0 ? r : v != 0;
	}
	r = cgd_read(dir, "freezer.state", state, sizeof(state));
	return r == -ENOENT ? 0 : r < 0 ? r : strcmp(state, "THAWED") != 0;
}

/*
 * A group that somebody uses is not ours to limit, signal and remove.  A frozen
 * one would stop whoever joins it.
 */
int cgroup_refuse_occupied(const struct cgroup *cg, struct err *e)
{
	struct cgroup_pidlist l = { 0 };
	int r = 0;

	for (size_t i = 0; i < cg->n && r >= 0; i++) {
		CLEANUP_FREE char *dir = cgroup_dir(&cg->h[i]);

		/* Most often it is not there, which costs one look. */
		if (cg->h[i].entered || access(dir, F_OK) < 0)
			continue;
		r = cgd_pids(dir, true, &l);
		if (r < 0)
			r = err_sys(e, -r, "read the processes of cgroup %s", dir);
		else if (l.n > 0)
			r = err_set(e, EBUSY, "container's cgroup is not empty: %zu process(es) "
				    "found in %s", l.n, dir);
	}
	free(l.v);
	if (r < 0)
		return r;
	if (frozen(cg) > 0)
		return err_set(e, EBUSY, "container's cgroup unexpectedly frozen: %s",
			       cgroup_find(cg, "freezer")->path);
	return 0;
}

/* mkdir -p below the mount; a v1 cpuset is usable only once it has been filled. */
static int make_dirs(const struct cgroup_hierarchy *h, bool *ret_made, struct err *e)
{
	CLEANUP_FREE char *dir = cgroup_dir(h);
	size_t at = strlen(h->mount);
	int r;

	*ret_made = true;
	if (mkdir(dir, 0755) == 0)
		return 0;
	if (errno == EEXIST) {
		*ret_made = false;
		return 0;
	}
	while (errno == ENOENT) {
		char *slash = strchr(dir + at + 1, '/');

		if (slash)
			*slash = '\0';
		r = mkdir(dir, 0755) == 0 || errno == EEXIST ? 0 : -errno;
		if (!slash || r < 0) {
			errno = -r;
			break;
		}
		at = (size_t)(slash - dir);
		*slash = '/';
		errno = ENOENT;
	}
	if (errno == 0)
		return 0;
	return err_sys(e, errno, "create cgroup %s (%s)", dir, tree_name(h));
}

int cgroup_open_procs(struct cgroup_hierarchy *h, const char *below, struct err *e)
{
	/* A v2 "cgroup.procs" takes the slow path of the kernel; a v1 "tasks" moves
	 * one thread, which is all there is, without cgroup_threadgroup_rwsem. */
	const char *file = cgroup_is_v2_tree(h) ? "cgroup.procs" : "tasks";
	CLEANUP_FREE char *path = xasprintf("%s%s%s%s/%s", h->mount, h->path,
					    below[0] ? "/" : "", below, file);

	fd_close(&h->join_fd);
	h->join_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (h->join_fd < 0) {
		h->join_fd = -1;
		return err_sys(e, errno, "open %s", path);
	}
	return 0;
}

int cgroup_make_dir(const struct cgroup_hierarchy *h, struct err *e)
{
	bool made = false;
	int r;

	if (cgroup_is_v2_tree(h))
		return cgroup_v2_make(h, e);
	r = make_dirs(h, &made, e);
	if (r >= 0 && cgroup_list_has(h->controllers, "cpuset"))
		r = cgroup_v1_fill_cpuset(h, e);
	return r < 0 ? r : made;
}

bool cgroup_is_refusal(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS;
}

static int make_all(struct cgroup *cg, bool made[CGROUP_HIERARCHIES_MAX], struct err *e)
{
	for (size_t i = 0; i < cg->n; ) {
		if (cg->h[i].entered) {
			made[i++] = true;
			continue;
		}
		int r = cgroup_make_dir(&cg->h[i], e);

		made[i] = r > 0;
		if (r >= 0)
			r = cgroup_open_procs(&cg->h[i], "", e);
		if (r < 0 && cg->rootless && cgroup_is_refusal(r)) {
			/* What nobody asks for may be missing; cgroup_set() says so if
			 * somebody does. */
			cgroup_forget(cg, i);
			continue;
		}
		if (r < 0)
			return r;
		i++;
	}
	if (cg->n == 0)
		cg->mode = CGROUP_MODE_NONE;
	return 0;
}

static int set_devices(const struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	return cg->mode == CGROUP_MODE_V1 ? cgroup_v1_set_devices(cg, r, e)
					  : cgroup_v2_set_devices(cg, r, e);
}

/* What is left in cg is what a clean-up may signal and remove: nothing but the group
 * that a child of ours was born into. */
static void unmake(struct cgroup *cg, const bool made[CGROUP_HIERARCHIES_MAX])
{
	for (size_t i = cg->n; i-- > 0; ) {
		CLEANUP_FREE char *dir = cgroup_dir(&cg->h[i]);

		if (cg->h[i].entered)
			continue;
		if (made[i] && rmdir(dir) < 0)
			log_debug("remove cgroup %s: %s", dir, err_text(errno));
		cgroup_forget(cg, i);
	}
	if (cg->n == 0)
		cg->mode = CGROUP_MODE_NONE;
}

static int make_cgroupfs(struct cgroup *cg, const struct cgroup_request *rq, struct err *e)
{
	bool made[CGROUP_HIERARCHIES_MAX] = { 0 };
	bool all_new = true;
	int r = make_all(cg, made, e);

	for (size_t i = 0; i < cg->n; i++)
		all_new = all_new && made[i];
	/* Between plan and now somebody may have moved in, or frozen a parent. */
	if (r >= 0 && !all_new)
		r = cgroup_refuse_occupied(cg, e);
	else if (r >= 0 && frozen(cg) > 0)
		r = err_set(e, EBUSY, "container's cgroup unexpectedly frozen: %s",
			    cgroup_find(cg, "freezer")->path);
	if (r >= 0 && cg->mode != CGROUP_MODE_NONE)
		r = set_devices(cg, rq->resources, e);
	if (r < 0)
		unmake(cg, made);
	return r;
}

int cgroup_make(struct cgroup *cg, const struct cgroup_request *rq, struct err *e)
{
	int r;

	if (cg->mode == CGROUP_MODE_NONE)
		return 0;
	if (cg->manager == CGROUP_CGROUPFS)
		return make_cgroupfs(cg, rq, e);
	r = cgroup_systemd_start(cg, rq, e);
	if (r < 0) {
		/* Whatever has the name now is not known to be ours. */
		unmake(cg, (const bool[CGROUP_HIERARCHIES_MAX]){ false });
		return r;
	}
	r = cgroup_systemd_join(cg, rq->systemd_pid, e);
	return r < 0 ? r : set_devices(cg, rq->resources, e);
}

/* --- joining -------------------------------------------------------------- */

int cgroup_join_self(const struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_hierarchy *h = &cg->h[i];

		if (h->join_fd < 0 || write(h->join_fd, "0", 1) == 1)
			continue;
		if (cg->join_may_fail && cgroup_is_refusal(-errno))
			continue;
		if (errno == EBUSY && cgroup_is_v2_tree(h))
			return err_set(e, EBUSY, "adding pid 0 (the new process itself) to "
				       "cgroups: %s: device or resource busy: it hands controllers "
				       "down (cgroup.subtree_control), so it may hold no processes",
				       h->path);
		return err_sys(e, errno, "join cgroup %s of %s", h->path, tree_name(h));
	}
	return 0;
}

/* The directory that holds the file fd is open on. */
static int open_dir_of(int fd)
{
	char link[40], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return -1;
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return -1;
	*slash = '\0';
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_birth(struct cgroup *cg)
{
	struct cgroup_hierarchy *h = cgroup_unified(cg);
	struct err e = { 0 };
	int fd;

	if (!h || cg->manager == CGROUP_SYSTEMD)
		return -1;
	if (h->join_fd >= 0) {
		fd = open_dir_of(h->join_fd);
	} else {
		CLEANUP_FREE char *dir = cgroup_dir(h);

		/* One that was there may be another's: cgroup_make() has to look. */
		if (cgroup_v2_make(h, &e) != 1)
			return -1;
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return -1;
	fd_close(&h->join_fd);
	h->entered = true;
	return fd;
}

/* --- limits ---------------------------------------------------------------- */

static bool asks_for_limits(const struct oci_resources *r)
{
	return r->memory || r->cpu || r->block_io || r->pids_limit.set || r->n_hugepages ||
	       r->net_class_id.set || r->n_net_prios || r->n_rdma || r->unified.n;
}

int cgroup_set(const struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	int rc;

	if (!r)
		return 0;
	if (cg->mode == CGROUP_MODE_NONE) {
		if (!asks_for_limits(r))
			return 0;
		return err_set(e, EPERM, "limits (linux.resources) cannot be applied: %s",
			       cg->manager == CGROUP_DISABLED ?
			       "control groups are disabled (--cgroup-manager=disabled)" :
			       "this user may not create control groups here; that takes cgroup "
			       "v2 and a group delegated to the user, as systemd has for logins");
	}
	rc = cg->mode == CGROUP_MODE_V1 ? cgroup_v1_set(cg, r, e) : cgroup_v2_set(cg, r, e);
	if (rc >= 0 && cg->manager == CGROUP_SYSTEMD)
		rc = cgroup_systemd_set(cg, r, e);
	return rc;
}

/* --- freezing --------------------------------------------------------------- */

/* Undo half a freeze; the failure that led here is the one to tell. */
static void write_back(const char *dir, const char *file, const char *value)
{
	int r = cgd_write(dir, file, value);

	if (r < 0)
		log_debug("write %s to %s/%s: %s", value, dir, file, err_text(-r));
}

/*
 * cgroup-v1/freezer-subsystem.rst: a task that forks or sleeps in the kernel can
 * leave the group FREEZING; writing FROZEN again, or thawing for a moment, gets
 * it there.
 */
static int freeze_v1(const char *dir, bool freeze, struct err *e)
{
	const char *want = freeze ? "FROZEN" : "THAWED";
	struct nap nap = nap_start(FREEZE_WAIT_MS);
	char state[16];
	int r;

	for (unsigned try = 1; ; try++) {
		r = cgd_write(dir, "freezer.state", want);
		if (r == 0)
			r = cgd_read(dir, "freezer.state", state, sizeof(state));
		if (r < 0)
			return err_sys(e, -r, "%s cgroup %s", freeze ? "freeze" : "thaw", dir);
		if (strcmp(state, want) == 0)
			return 0;
		if (!nap_take(&nap))
			break;
		if (freeze && try % 16 == 0)
			write_back(dir, "freezer.state", "THAWED");
	}
	if (freeze)
		write_back(dir, "freezer.state", "THAWED");
	return err_set(e, EBUSY, "unable to %s cgroup %s in %d ms: it stays %s",
		       freeze ? "freeze" : "thaw", dir, FREEZE_WAIT_MS, state);
}

static int freeze_v2(const char *dir, bool freeze, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/cgroup.events", dir);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t until = time_mono_ns() + FREEZE_WAIT_MS * NS_PER_MS;
	int r = fd < 0 ? -errno : cgd_write(dir, "cgroup.freeze", freeze ? "1" : "0");

	if (r < 0)
		return err_sys(e, -r, "%s cgroup %s", freeze ? "freeze" : "thaw", dir);
	for (;;) {
		char text[256];
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		uint64_t now = time_mono_ns();

		if (n < 0)
			return err_sys(e, errno, "read %s", path);
		text[n] = '\0';
		if (!!strstr(text, "frozen 1") == freeze)
			return 0;
		if (now >= until)
			break;
		/* A change of the file is reported as an exception. */
		poll(&(struct pollfd){ .fd = fd, .events = POLLPRI }, 1,
		     (int)((until - now) / NS_PER_MS) + 1);
	}
	if (freeze)
		write_back(dir, "cgroup.freeze", "0");
	return err_set(e, EBUSY, "unable to %s cgroup %s in %d ms",
		       freeze ? "freeze" : "thaw", dir, FREEZE_WAIT_MS);
}

int cgroup_freeze(const struct cgroup *cg, bool freeze, struct err *e)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "freezer");

	if (!h)
		return err_set(e, EOPNOTSUPP, "cannot %s: the container has no cgroup with a "
			       "freezer", freeze ? "pause" : "resume");
	CLEANUP_FREE char *dir = cgroup_dir(h);
	return cgroup_is_v2_tree(h) ? freeze_v2(dir, freeze, e) : freeze_v1(dir, freeze, e);
}

int cgroup_is_frozen(const struct cgroup *cg)
{
	return frozen(cg);
}

/* --- processes --------------------------------------------------------------- */

/* The hierarchy that knows the container's processes; a payload that was given
 * one of them to play in is more likely to move about in another. */
static const struct cgroup_hierarchy *census(const struct cgroup *cg)
{
	static const char *const order[] = { "freezer", "devices", "pids" };
	const struct cgroup_hierarchy *h = NULL;

	for (size_t i = 0; i < ARRAY_LEN(order) && !h; i++)
		h = cgroup_find(cg, order[i]);
	return h || cg->n == 0 ? h : &cg->h[0];
}

int cgroup_pids(const struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *e)
{
	const struct cgroup_hierarchy *h = census(cg);
	struct cgroup_pidlist l = { 0 };
	int r;

	*ret = NULL;
	*ret_n = 0;
	if (!h)
		return 0;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	r = cgd_pids(dir, true, &l);
	if (r < 0) {
		free(l.v);
		return err_sys(e, -r, "read the processes of cgroup %s", dir);
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

/* Signal what is there now; returns how many there were. */
static int signal_once(const struct cgroup *cg, int sig, struct err *e)
{
	CLEANUP_FREE pid_t *pids = NULL;
	size_t n;
	int r = cgroup_pids(cg, &pids, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (kill(pids[i], sig) < 0 && errno != ESRCH)
			return err_sys(e, errno, "signal process %d", pids[i]);
	return n > INT32_MAX ? INT32_MAX : (int)n;
}

/*
 * Freezing holds the set still, so that no process is forked past the list.  A
 * set that cannot be frozen is signalled all the same.  A paused container stays
 * paused, except that v1 lets a task die only when thawed.
 */
static int signal_frozen(const struct cgroup *cg, int sig, struct err *e)
{
	bool was_frozen = frozen(cg) > 0;
	bool froze = !was_frozen && cgroup_find(cg, "freezer") &&
		     cgroup_freeze(cg, true, NULL) == 0;
	int r = signal_once(cg, sig, e);

	if (froze || (was_frozen && sig == SIGKILL)) {
		int thawed = cgroup_freeze(cg, false, r < 0 ? NULL : e);

		if (r >= 0 && thawed < 0)
			r = thawed;
	}
	return r;
}

/* cgroup.kill, Linux 5.14: 1 done, 0 not there. */
static int kill_v2(const struct cgroup *cg, struct err *e)
{
	const struct cgroup_hierarchy *h = cgroup_unified(cg);
	int r;

	if (cg->mode != CGROUP_MODE_V2)
		return 0;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	if (access(dir, F_OK) < 0)
		return 1;
	r = cgd_write(dir, "cgroup.kill", "1");
	if (r == -ENOENT || r == -EOPNOTSUPP)   /* old kernel; threaded group */
		return 0;
	return r < 0 ? err_sys(e, -r, "kill cgroup %s", dir) : 1;
}

int cgroup_kill_all(const struct cgroup *cg, int sig, struct err *e)
{
	struct nap nap = nap_start(EMPTY_WAIT_MS);
	int r;

	if (cg->mode == CGROUP_MODE_NONE)
		return err_set(e, EOPNOTSUPP, "the container has no cgroup to find its "
			       "processes by");
	if (sig != SIGKILL) {
		r = signal_frozen(cg, sig, e);
		return r < 0 ? r : 0;
	}
	do {
		r = kill_v2(cg, e);
		if (r == 1)
			r = signal_once(cg, 0, e);      /* counts those left */
		else if (r == 0)
			r = signal_frozen(cg, sig, e);
		if (r <= 0)
			return r;
	} while (nap_take(&nap));
	return err_set(e, EBUSY, "%d process(es) of the container did not die in %d s", r,
		       EMPTY_WAIT_MS / 1000);
}

/* --- removing ---------------------------------------------------------------- */

/*
 * Dying processes leave a group by themselves, in microseconds.  What is still there after
 * a while did not die with the container: it was on its way in, an exec whose runtime was
 * killed, say, and stopped there.
 */
static void kill_leftovers(const char *dir)
{
	struct cgroup_pidlist l = { 0 };

	if (cgd_pids(dir, true, &l) == 0)
		for (size_t i = 0; i < l.n; i++)
			if (l.v[i] > 0 && kill(l.v[i], SIGKILL) == 0)
				log_debug("killed process %d, left in cgroup %s", l.v[i], dir);
	free(l.v);
}

int cgroup_remove(const struct cgroup *cg, struct err *e)
{
	const uint64_t patience = time_mono_ns() + LEFTOVER_WAIT_MS * NS_PER_MS;
	struct nap nap = nap_start(EMPTY_WAIT_MS);
	bool gone[CGROUP_HIERARCHIES_MAX] = { 0 };
	size_t left = cg->n, last = 0;
	int r = 0;

	if (cg->manager == CGROUP_SYSTEMD && cg->n > 0) {
		r = cgroup_systemd_stop(cg, e);
		if (r < 0)
			return r;
	}
	do {
		for (size_t i = 0; i < cg->n; i++) {
			CLEANUP_FREE char *dir = NULL;

			if (gone[i])
				continue;
			dir = cgroup_dir(&cg->h[i]);
			r = cgd_remove(dir);
			if (r == 0) {
				gone[i] = true;
				left--;
			} else if (r != -EBUSY) {
				return err_sys(e, -r, "remove cgroup %s", dir);
			} else if (time_mono_ns() > patience) {
				kill_leftovers(dir);
			}
			last = r == 0 ? last : i;
		}
	} while (left > 0 && nap_take(&nap));
	if (left == 0)
		return 0;
	return err_set(e, EBUSY, "unable to remove cgroup %s%s: it still has processes",
		       cg->h[last].mount, cg->h[last].path);
}
