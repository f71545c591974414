/*
 * container/init_plan.c - the runtime's half of isle-init: the plan is laid out, the
 * program's bytes are put into a memfd, the child becomes it.  See init_plan.h
 */
#include "container/init_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/cpulist.h"

#define UMASK_DEFAULT 022
#define IOPRIO_CLASS_SHIFT 13   /* ioprio_set(2) */
#define SCHED_ATTR_BYTES 48     /* sched_setattr(2), the first published size */

/* The bytes of isle-init: init/meson.build makes them. */
extern const char init_stub[], init_stub_end[];

/* ---- laying out --------------------------------------------------------- */

static uint32_t add_bytes(struct buf *b, const void *p, size_t n)
{
	static const char zero[8];

	buf_add(b, zero, -b->len % 8);
	uint32_t off = (uint32_t)b->len;
	buf_add(b, p, n);
	return off;
}

static uint32_t add_str(struct buf *b, const char *s)
{
	if (!s)
		return 0;
	uint32_t off = (uint32_t)b->len;
	buf_add(b, s, strlen(s) + 1);
	return off;
}

/* The strings, then their offsets with spare empty slots behind. */
static struct plan_ref add_strv(struct buf *b, const char *const *v, size_t n, size_t spare)
{
	CLEANUP_FREE uintptr_t *slots = xcalloc(n + spare, sizeof(*slots));

	for (size_t i = 0; i < n; i++)
		slots[i] = add_str(b, v[i]);
	return (struct plan_ref){
		.off = add_bytes(b, slots, (n + spare) * sizeof(*slots)), .n = (uint32_t)n,
	};
}

static uint32_t name_hash(const char *s)
{
	uint32_t h = 2166136261u;       /* FNV-1a */

	for (; *s && *s != '='; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && (b[n] == '=' || b[n] == '\0');
}

/* Of equal names the last wins, as in runc; getenv(3) would take the first. */
static struct plan_ref add_env(struct buf *b, const struct oci_strv *env)
{
	CLEANUP_FREE const char **v = xcalloc(env->n, sizeof(*v));
	CLEANUP_FREE uint32_t *hash = xcalloc(env->n, sizeof(*hash));
	size_t n = 0;

	for (size_t i = 0; i < env->n; i++)
		hash[i] = name_hash(env->v[i]);
	for (size_t i = 0; i < env->n; i++) {
		size_t j = i + 1;

		while (j < env->n && !(hash[i] == hash[j] && same_name(env->v[i], env->v[j])))
			j++;
		if (j == env->n)
			v[n++] = env->v[i];
	}
	return add_strv(b, v, n, 2);
}

static struct plan_ref add_rlimits(struct buf *b, const struct oci_process *p)
{
	CLEANUP_FREE struct plan_rlimit *l = xcalloc(p->n_rlimits, sizeof(*l));

	for (size_t i = 0; i < p->n_rlimits; i++) {
		l[i].soft = p->rlimits[i].soft;
		l[i].hard = p->rlimits[i].hard;
		l[i].resource = (uint32_t)p->rlimits[i].resource;
		l[i].name = add_str(b, p->rlimits[i].type);
	}
	return (struct plan_ref){
		.off = add_bytes(b, l, p->n_rlimits * sizeof(*l)), .n = (uint32_t)p->n_rlimits,
	};
}

static struct plan_ref add_hooks(struct buf *b, const struct oci_hooks *hooks)
{
	CLEANUP_FREE struct plan_hook *h = xcalloc(hooks->n, sizeof(*h));

	for (size_t i = 0; i < hooks->n; i++) {
		const struct oci_hook *from = &hooks->v[i];

		h[i].path = add_str(b, from->path);
		h[i].timeout_s = !from->timeout.set ? 0 :
				 from->timeout.v > INT32_MAX ? INT32_MAX : (int32_t)from->timeout.v;
		/* Without args, argv[0] is the path (config.md#posix-platform-hooks, execv). */
		h[i].args = from->args.n ? add_strv(b, from->args.v, from->args.n, 1) :
					   add_strv(b, &from->path, 1, 1);
		h[i].env = add_strv(b, from->env.v, from->env.n, 1);
	}
	return (struct plan_ref){
		.off = add_bytes(b, h, hooks->n * sizeof(*h)), .n = (uint32_t)hooks->n,
	};
}

static int add_list(struct buf *b, const char *what, const char *list, struct plan_ref *ret,
		    struct err *e)
{
	unsigned long mask[CPULIST_WORDS];
	int words = cpulist_parse(what, list, mask, e);

	if (words < 0)
		return words;
	ret->off = add_bytes(b, mask, (size_t)words * sizeof(*mask));
	ret->n = (uint32_t)words;
	return 0;
}

/* ---- what the request says ---------------------------------------------- */

static int plan_user(struct buf *b, struct init_plan *p, const struct init_request *rq,
		     struct err *e)
{
	const struct oci_process *from = rq->process;
	const struct oci_caps *c = &from->caps;

	p->uid = from->user.uid;
	p->gid = from->user.gid;
	p->umask = from->user.umask.set ? (uint32_t)from->user.umask.v & 0777 : UMASK_DEFAULT;
	if (!rq->keep_groups) {
		p->gids.n = (uint32_t)from->user.n_additional_gids;
		p->gids.off = add_bytes(b, from->user.additional_gids,
					from->user.n_additional_gids * sizeof(uint32_t));
	}
	for (size_t i = 0; i < c->unknown.n; i++)
		log_warn("process.capabilities: %s is not known to this kernel: ignored",
			 c->unknown.v[i]);
	/* Without the object all sets are empty, as in runc. */
	if (!c->set)
		return 0;
	if (c->effective & ~c->permitted)
		return err_set(e, EINVAL, "process.capabilities: effective has capabilities "
			       "that are not in permitted");
	p->bounding = c->bounding;
	p->effective = c->effective;
	p->inheritable = c->inheritable;
	p->permitted = c->permitted;
	p->ambient = c->ambient;
	return 0;
}

static int plan_task(struct buf *b, struct init_plan *p, const struct init_request *rq,
		     struct err *e)
{
	const struct oci_process *from = rq->process;
	const struct oci_scheduler *s = from->scheduler;

	p->rlimits = add_rlimits(b, from);
	if (s) {
		p->flags |= INIT_PLAN_SCHEDULER;
		p->sched = (struct plan_sched){
			.size = SCHED_ATTR_BYTES, .policy = (uint32_t)s->policy_nr,
			.flags = s->flags, .nice = (int32_t)s->nice,
			.priority = (uint32_t)s->priority, .runtime = s->runtime,
			.deadline = s->deadline, .period = s->period,
		};
	}
	if (from->io_priority_set) {
		p->flags |= INIT_PLAN_IOPRIO;
		p->ioprio = (uint32_t)from->io_priority_class << IOPRIO_CLASS_SHIFT |
			    (uint32_t)from->io_priority;
	}
	if (rq->personality) {
		p->flags |= INIT_PLAN_PERSONALITY;
		p->personality = *rq->personality;
	}
	if (rq->fork_into_pidns && from->cpu_affinity_final) {
		int r = add_list(b, "process.execCPUAffinity.final", from->cpu_affinity_final,
				 &p->cpus, e);
		if (r < 0)
			return r;
	}
	if (rq->memory_policy && rq->memory_policy->set) {
		p->flags |= INIT_PLAN_MEMPOLICY;
		p->mempolicy = (uint32_t)rq->memory_policy->mode_nr |
			       (uint32_t)rq->memory_policy->flags;
		if (rq->memory_policy->nodes && *rq->memory_policy->nodes)
			return add_list(b, "linux.memoryPolicy.nodes", rq->memory_policy->nodes,
					&p->nodes, e);
	}
	return 0;
}

static int plan_label(struct buf *b, struct init_plan *p, const struct init_request *rq,
		      struct err *e)
{
	const struct oci_process *from = rq->process;
	const char *apparmor = from->apparmor_profile, *selinux = from->selinux_label;

	/* Asked for but not there: refused by who knows the host, before this. */
	if (rq->apparmor && apparmor && *apparmor) {
		p->flags |= INIT_PLAN_APPARMOR;
		p->label = add_str(b, apparmor);
	} else if (rq->selinux && selinux && *selinux) {
		p->flags |= INIT_PLAN_SELINUX;
		p->label = add_str(b, selinux);
	}
	if (p->label && rq->procfs_fd < 0)
		return err_set(e, EINVAL, "a security label needs a procfs");
	return 0;
}

static int plan_seccomp(struct buf *b, struct init_plan *p, const struct init_request *rq,
			struct err *e)
{
	const struct seccomp_program *s = rq->seccomp;

	if (!s || !s->n)
		return 0;
	if (s->n > UINT16_MAX)
		return err_set(e, E2BIG, "linux.seccomp: a filter of %zu instructions", s->n);
	if (s->has_notify && (rq->listener_fd < 0 || !rq->listener_msg))
		return err_set(e, EINVAL, "linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath");
	p->seccomp.off = add_bytes(b, s->insns, s->n * sizeof(struct plan_insn));
	p->seccomp.n = (uint32_t)s->n;
	p->seccomp_flags = s->flags;
	if (s->has_notify) {
		p->flags |= INIT_PLAN_NOTIFY;
		p->listener_msg = add_str(b, rq->listener_msg);
	}
	return 0;
}

static uint32_t plan_flags(const struct init_request *rq)
{
	return (rq->fork_into_pidns ? INIT_PLAN_FORK : INIT_PLAN_MKDIR_CWD) |
	       (rq->setsid ? INIT_PLAN_SETSID : 0) |
	       (rq->set_ctty ? INIT_PLAN_CTTY : 0) |
	       (rq->userns_setgroups_denied || rq->keep_groups ? INIT_PLAN_NO_SETGROUPS : 0) |
	       (rq->process->no_new_privileges ? INIT_PLAN_NO_NEW_PRIVS : 0);
}

/* ---- the memfds ---------------------------------------------------------- */

static int plan_write(const struct init_request *rq, struct buf *b, struct err *e)
{
	const struct oci_process *from = rq->process;
	struct init_plan p = {
		.magic = INIT_PLAN_MAGIC, .version = INIT_PLAN_VERSION,
		.flags = plan_flags(rq),
		.sync_fd = rq->sync_fd, .start_fd = rq->start_fd,
		.procfs_fd = rq->procfs_fd, .listener_fd = rq->listener_fd,
		.preserve_fds = rq->preserve_fds,
	};

	add_bytes(b, &p, sizeof(p));            /* its room; the contents come last */
	int r = plan_user(b, &p, rq, e);
	if (r == 0)
		r = plan_task(b, &p, rq, e);
	if (r == 0)
		r = plan_label(b, &p, rq, e);
	if (r == 0)
		r = plan_seccomp(b, &p, rq, e);
	if (r < 0)
		return r;
	if (rq->start_hooks && rq->start_hooks->n) {
		p.hooks = add_hooks(b, rq->start_hooks);
		p.state_json = add_str(b, rq->state_json ? rq->state_json : "{}");
	}
	p.cwd = add_str(b, from->cwd ? from->cwd : "/");
	p.args = add_strv(b, from->args.v, from->args.n, 1);
	p.env = add_env(b, &from->env);
	buf_add(b, "", 1);
	if (b->overflow)
		return err_set(e, E2BIG, "process: arguments and environment are too long");
	p.size = (uint32_t)b->len;
	memcpy(b->data, &p, sizeof(p));
	return 0;
}

/* A memfd whose number does not fall among the preserved ones. */
static int sealed_above(const char *name, const void *p, size_t n, int exec, int min)
{
	CLEANUP_FD int fd = fd_sealed(name, p, n, exec);

	if (fd < 0 || fd >= min)
		return take_fd(fd);
	int up = fcntl(fd, F_DUPFD_CLOEXEC, min);
	return up < 0 ? -errno : up;
}

int init_prepare(const struct init_request *rq, struct init_exec *ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(INIT_PLAN_BYTES_MAX);
	const int min = 3 + (int)rq->preserve_fds;
	struct init_exec x = {
		-1, -1, { rq->sync_fd, rq->start_fd, rq->procfs_fd, rq->listener_fd },
	};

	*ret = (struct init_exec)INIT_EXEC_NONE;
	for (size_t i = 0; i < ARRAY_LEN(x.keep); i++)
		if (x.keep[i] >= 0 && x.keep[i] < min)
			return err_set(e, EBADF, "preserved descriptors 3 to %d are not all open",
				       min - 1);
	int r = plan_write(rq, &b, e);
	if (r < 0)
		return r;
	x.stub_fd = sealed_above("isle-init", init_stub, (size_t)(init_stub_end - init_stub), 1,
				 min);
	if (x.stub_fd < 0)
		return err_sys(e, -x.stub_fd, "make the memfd of isle-init");
	x.plan_fd = sealed_above("isle-plan", b.data, b.len, 0, min);
	if (x.plan_fd < 0) {
		fd_close(&x.stub_fd);
		return err_sys(e, -x.plan_fd, "make the memfd of the init plan");
	}
	*ret = x;
	return 0;
}

int init_exec_stub(const struct init_exec *x, struct err *e)
{
	char name[] = "isle-init", plan[16];
	char *const argv[] = { name, plan, NULL }, *const envp[] = { NULL };

	for (size_t i = 0; i < ARRAY_LEN(x->keep); i++) {
		int r = x->keep[i] < 0 ? 0 : fd_set_keep(x->keep[i], 1);

		if (r < 0)
			return err_sys(e, -r, "hand descriptor %d to isle-init", x->keep[i]);
	}
	int r = fd_set_keep(x->plan_fd, 1);
	if (r < 0)
		return err_sys(e, -r, "hand the plan to isle-init");
	snprintf(plan, sizeof(plan), "%d", x->plan_fd);
	syscall(SYS_execveat, x->stub_fd, "", argv, envp, AT_EMPTY_PATH);
	return err_sys(e, errno, "exec isle-init");
}

void init_exec_release(struct init_exec *x)
{
	if (!x)
		return;
	fd_close(&x->stub_fd);
	fd_close(&x->plan_fd);
}

void init_request_linux(struct init_request *rq, const struct oci_spec *spec)
{
	if (spec->os.memory_policy.set)
		rq->memory_policy = &spec->os.memory_policy;
	if (spec->os.personality_set)
		rq->personality = &spec->os.personality;
	/* crun's; Podman's --group-add keep-groups sets it. */
	const char *keep = oci_kvs_get(&spec->annotations, "run.oci.keep_original_groups");
	rq->keep_groups = keep && strcmp(keep, "1") == 0;
}

int init_msg_error(const struct init_msg *m, struct err *e)
{
	int code = m->code > 0 ? m->code : EPROTO;

	if (m->sys)
		return err_sys(e, code, "%.*s", (int)sizeof(m->msg) - 1, m->msg);
	return err_set(e, code, "%.*s", (int)sizeof(m->msg) - 1, m->msg);
}
