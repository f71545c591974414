/*
 * container/init/task.c - attributes of the task that survive exec: limits, scheduling,
 * terminal, signals, label.  See init.h
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container/init/init.h"

#define IOPRIO_WHO_PROCESS 1    /* ioprio_set(2) */
#define KERNEL_SIGSET_BYTES 8
#define KERNEL_SIGNALS 64

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

void task_signals_default(void)
{
	/* As the kernel lays it out: handler, flags, restorer, mask; all zero is SIG_DFL. */
	const unsigned long dfl[4] = { 0 }, none = 0;

	/* Raw calls: the libc keeps some signals to itself, but they too are inherited. */
	for (int sig = 1; sig <= KERNEL_SIGNALS; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			syscall(SYS_rt_sigaction, sig, dfl, NULL, KERNEL_SIGSET_BYTES);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_BYTES);
}

int task_terminal(struct init *in)
{
	/* EPERM: a leader already, which is what was wanted. */
	if ((in->plan->flags & INIT_PLAN_SETSID) && setsid() < 0 && errno != EPERM)
		return init_err_sys(in, errno, "setsid");
	if ((in->plan->flags & INIT_PLAN_CTTY) && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		return init_err_sys(in, errno, "set the controlling terminal");
	return 0;
}

/*
 * Limits come in two steps.  Raising a hard limit wants CAP_SYS_RESOURCE, so it is done
 * and its failure told early; lowering cannot fail, and waits until isle-init needs
 * no descriptor, process or file of its own any more.
 */
static int rlimits_raise(struct init *in)
{
	const struct plan_rlimit *l = plan_array(in, in->plan->rlimits);

	for (uint32_t i = 0; i < in->plan->rlimits.n; i++) {
		const char *name = plan_str(in, l[i].name);
		struct rlimit now;

		if (l[i].soft > l[i].hard)
			return init_err(in, EINVAL,
					"set rlimit %s: soft limit above the hard limit", name);
		if (getrlimit((int)l[i].resource, &now) < 0)
			return init_err_sys(in, errno, "get rlimit %s", name);
		if (l[i].hard <= now.rlim_max)
			continue;
		now.rlim_max = l[i].hard;
		if (setrlimit((int)l[i].resource, &now) < 0)
			return init_err_sys(in, errno, "set rlimit %s", name);
	}
	return 0;
}

static int rlimits_set(struct init *in)
{
	const struct plan_rlimit *l = plan_array(in, in->plan->rlimits);

	for (uint32_t i = 0; i < in->plan->rlimits.n; i++) {
		struct rlimit want = { .rlim_cur = l[i].soft, .rlim_max = l[i].hard };

		if (setrlimit((int)l[i].resource, &want) < 0)
			return init_err_sys(in, errno, "set rlimit %s", plan_str(in, l[i].name));
	}
	return 0;
}

static int scheduler_set(struct init *in)
{
	if (!(in->plan->flags & INIT_PLAN_SCHEDULER))
		return 0;
	if (syscall(SYS_sched_setattr, 0, &in->plan->sched, 0) == 0)
		return 0;
	/* sched_setattr(2), EPERM: a deadline task must be allowed on every CPU. */
	if (errno == EPERM && in->plan->sched.policy == SCHED_DEADLINE)
		return init_err_sys(in, errno, "set the scheduler: process scheduler can't be used "
				    "together with AllowedCPUs (cpu.cpus), or CAP_SYS_NICE is "
				    "missing");
	return init_err_sys(in, errno, "set the scheduler");
}

/* A SCHED_DEADLINE task may not fork (sched(7)), and hooks are to be forked yet. */
static bool scheduler_late(const struct init *in)
{
	return in->plan->sched.policy == SCHED_DEADLINE;
}

int task_early(struct init *in)
{
	const struct init_plan *p = in->plan;

	int r = rlimits_raise(in);
	if (r == 0 && !scheduler_late(in))
		r = scheduler_set(in);
	if (r < 0)
		return r;
	if ((p->flags & INIT_PLAN_IOPRIO) &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, p->ioprio) < 0)
		return init_err_sys(in, errno, "set the I/O priority");
	if (p->cpus.n && syscall(SYS_sched_setaffinity, 0, p->cpus.n * sizeof(unsigned long),
				 plan_array(in, p->cpus)) < 0)
		return init_err_sys(in, errno, "set the CPU affinity");
	/* maxnode counts one more than the bits: set_mempolicy(2), BUGS. */
	if ((p->flags & INIT_PLAN_MEMPOLICY) &&
	    syscall(SYS_set_mempolicy, p->mempolicy, p->nodes.n ? plan_array(in, p->nodes) : NULL,
		    p->nodes.n ? p->nodes.n * 8 * sizeof(unsigned long) + 1 : 0) < 0)
		return init_err_sys(in, errno, "set the memory policy");
	if ((p->flags & INIT_PLAN_PERSONALITY) && personality((unsigned long)p->personality) < 0)
		return init_err_sys(in, errno, "set the personality");
	return 0;
}

int task_late(struct init *in)
{
	int r = scheduler_late(in) ? scheduler_set(in) : 0;

	return r < 0 ? r : rlimits_set(in);
}

/*
 * The label of the coming exec: "exec NAME" for AppArmor, the context itself for SELinux
 * (proc_pid_attr(5)).  Through the runtime's own procfs: the image's /proc may lie.
 */
int task_label(struct init *in)
{
	static const char verb[] = "exec ";
	const struct init_plan *p = in->plan;
	const char *label = plan_str(in, p->label);
	char text[4096 + sizeof(verb)];

	if (!label)
		return 0;
	size_t n = strlen(label), at = 0;
	if (n > 4096)
		return init_err(in, EINVAL, "security label too long");
	if (p->flags & INIT_PLAN_APPARMOR) {
		memcpy(text, verb, sizeof(verb) - 1);
		at = sizeof(verb) - 1;
	}
	memcpy(text + at, label, n + 1);

	int fd = -1;
	/* attr/apparmor/ is there when LSMs are stacked, Linux 5.8. */
	if (p->flags & INIT_PLAN_APPARMOR)
		fd = openat(p->procfs_fd, "self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		fd = openat(p->procfs_fd, "self/attr/exec", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return init_err_sys(in, errno, "open the label file of this process");
	ssize_t k = write(fd, text, at + n);
	int code = k < 0 ? errno : (size_t)k != at + n ? EIO : 0;
	close(fd);
	close(p->procfs_fd);
	return code ? init_err_sys(in, code, "set the security label \"%s\"", label) : 0;
}
