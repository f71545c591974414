/*
 * container/init/ids.c - who the payload is: groups, ids, capabilities.  See init.h
 *
 * The way from root to the payload's user keeps all permitted capabilities until the
 * very end, because loading a filter without no_new_privs takes CAP_SYS_ADMIN
 * (seccomp(2)), and because a filter may refuse everything after it:
 *
 *	bounding set, groups, ids        ids_become_user()
 *	effective: the payload's         ids_caps_as_payload(), while files are looked at
 *	                                 and the start is waited for
 *	effective: all; ambient          ids_caps_raise(), where the next step needs it
 *	the filter
 *	permitted, effective             ids_caps_final(), one system call
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container/init/init.h"

#define CAPS_MAX 64
#define CAP_VERSION_3 0x20080522        /* capget(2) */
#define PTS_MAJOR_MIN 136               /* Unix98 pty slaves: devices.txt of the kernel */
#define PTS_MAJOR_MAX 143

struct cap_header {
	uint32_t version;
	int pid;
};

struct cap_data {
	uint32_t effective, permitted, inheritable;
};

static int caps_get(uint64_t *permitted)
{
	struct cap_header h = { .version = CAP_VERSION_3 };
	struct cap_data d[2] = { 0 };

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	*permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	return 0;
}

static int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct cap_header h = { .version = CAP_VERSION_3 };
	const struct cap_data d[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		  (uint32_t)(inheritable >> 32) },
	};

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/*
 * A user other than root must be able to open /dev/stdout again, so pipes and sockets
 * made by the engine, and a terminal of ours, become the user's.  A file or device
 * node of the host that was bound in as stdio is never touched.
 */
int ids_stdio_owner(struct init *in)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0) {
			if (errno == EBADF)
				continue;
			return init_err_sys(in, errno, "stat stdio %d", fd);
		}
		unsigned major = (unsigned)(st.st_rdev >> 8) & 0xfff;
		bool tty = S_ISCHR(st.st_mode) && (in->plan->flags & INIT_PLAN_CTTY) &&
			   major >= PTS_MAJOR_MIN && major <= PTS_MAJOR_MAX;

		if (st.st_uid == in->plan->uid ||
		    !(tty || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
			continue;
		/* Not ours to give (a user namespace, a read-only mount): then it stays. */
		if (fchown(fd, in->plan->uid, (gid_t)-1) < 0 && errno != EPERM &&
		    errno != EROFS && errno != EINVAL && errno != ENOSYS)
			return init_err_sys(in, errno, "change the owner of stdio %d", fd);
	}
	return 0;
}

/* One call a capability, each with new credentials (2 us): none is made in vain. */
static int bounding_drop(struct init *in)
{
	for (int cap = 0; cap < CAPS_MAX; cap++) {
		if ((in->plan->bounding >> cap & 1) || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)            /* past the last one the kernel knows */
			break;
		int code = errno;
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
			return init_err_sys(in, code, "drop capability %d of the bounding set",
					    cap);
	}
	return 0;
}

static int groups_set(struct init *in)
{
	const struct init_plan *p = in->plan;

	if (p->flags & INIT_PLAN_NO_SETGROUPS) {
		if (p->gids.n)
			return init_err(in, EPERM, "additional groups cannot be set: setgroups "
					"is denied in this user namespace");
		return 0;
	}
	/* The empty list too: the caller's groups must not stay.  Raw calls here and below:
	 * one thread, so there is nothing for the libc to synchronise. */
	if (syscall(SYS_setgroups, p->gids.n, plan_array(in, p->gids)) == 0)
		return 0;
	int code = errno;
	/* Shut in a joined user namespace, but there are none already. */
	if (code == EPERM && p->gids.n == 0 && syscall(SYS_getgroups, 0, NULL) == 0)
		return 0;
	return init_err_sys(in, code, "set the additional groups");
}

int ids_become_user(struct init *in)
{
	const struct init_plan *p = in->plan;

	int r = bounding_drop(in);
	if (r == 0)
		r = groups_set(in);
	if (r < 0)
		return r;
	/* Becoming root keeps them anyway. */
	if (p->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return init_err_sys(in, errno, "keep capabilities");
	if (syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0)
		return init_err_sys(in, errno, "set gid %u", p->gid);
	if (syscall(SYS_setresuid, p->uid, p->uid, p->uid) < 0)
		return init_err_sys(in, errno, "set uid %u", p->uid);
	if (p->uid != 0 && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return init_err_sys(in, errno, "keep capabilities no longer");
	r = caps_get(&in->permitted);
	return r < 0 ? init_err_sys(in, -r, "read capabilities") : 0;
}

int ids_caps_as_payload(struct init *in)
{
	int r = caps_set(in->plan->effective & in->permitted, in->permitted, 0);

	return r < 0 ? init_err_sys(in, -r, "lower capabilities") : 0;
}

/*
 * A capability this process does not have cannot be given: it is left out, as runc
 * does.  An ambient one must be permitted and inheritable (capabilities(7)).
 */
int ids_caps_raise(struct init *in)
{
	const struct init_plan *p = in->plan;
	uint64_t inheritable = p->inheritable & in->permitted;
	uint64_t ambient = p->ambient & inheritable & p->permitted;

	int r = caps_set(in->permitted, in->permitted, inheritable);
	if (r < 0)
		return init_err_sys(in, -r, "raise capabilities");
	for (int cap = 0; ambient >> cap; cap++)
		if ((ambient >> cap & 1) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return init_err_sys(in, errno, "raise ambient capability %d", cap);
	return 0;
}

int ids_caps_final(struct init *in)
{
	const struct init_plan *p = in->plan;
	uint64_t permitted = p->permitted & in->permitted;
	int r = caps_set(p->effective & permitted, permitted, p->inheritable & in->permitted);

	return r < 0 ? init_err_sys(in, -r, "set capabilities") : 0;
}
