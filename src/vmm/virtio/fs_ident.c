/*
 * vmm/virtio/fs_ident.c - whose files new ones are.  See fs_impl.h.
 *
 * The guest's kernel has checked that its user may do what a request asks for.  Ours then
 * has to make the file as that user, atomically with its name: chown after create would show
 * a root-owned file for a moment, and would drop set-id bits.  So the thread takes the
 * user's file system ids (setfsuid(2)) but keeps its capabilities: permissions are not
 * checked again, which could only be wrong, for the request names neither the user's
 * supplementary groups nor the capabilities that the guest gave him.
 *
 * Ids stay as they are until a request needs others: nothing else that is done for the guest
 * depends on them while the capabilities are there.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/virtio/fs_impl.h"

/*
 * What the kernel holds for this thread, so that it is changed only when a request needs
 * something else.  By thread, not by device: several may be worked by one.
 */
static _Thread_local struct {
	bool ready;
	bool switches;                  /* it may: otherwise all files are made as our own */
	bool fsetid;                    /* CAP_FSETID is effective */
	uid_t uid;
	gid_t gid;
	mode_t mask;
	uint32_t caps[2];               /* effective ones, as found */
} self;

static int cap_set(bool fsetid)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	d[0].effective = self.caps[0];
	d[1].effective = self.caps[1];
	if (!fsetid)
		d[CAP_TO_INDEX(CAP_FSETID)].effective &= ~CAP_TO_MASK(CAP_FSETID);
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

int fs_ident_init(const struct fs *fs)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };
	const uint32_t need = CAP_TO_MASK(CAP_SETUID) | CAP_TO_MASK(CAP_SETGID);

	if (self.ready)
		return 0;
	/*
	 * A umask and a working directory that the process's other threads do not see.  Names
	 * of descriptors are looked up there: in any other place they would be anyone's files.
	 */
	if (unshare(CLONE_FS) < 0 || fchdir(fs->proc_fd) < 0)
		return -errno;
	self.ready = true;
	self.mask = umask(0);
	umask(self.mask);
	self.uid = geteuid();
	self.gid = getegid();
	if (syscall(SYS_capget, &h, d) < 0)
		d[0].effective = 0;
	self.caps[0] = d[0].effective;
	self.caps[1] = d[1].effective;
	self.fsetid = d[0].effective & CAP_TO_MASK(CAP_FSETID);
	self.switches = (d[0].effective & need) == need;
	/* Of this thread only (the C library's would change all): no group of ours counts. */
	if (!self.switches || syscall(SYS_setgroups, 0, NULL) < 0)
		log_debug("virtio fs: no right to change ids: all files are made as %u:%u",
			  self.uid, self.gid);
	return 0;
}

void fs_ident_umask(mode_t mask)
{
	if (self.mask != (mask & 0777))
		umask(mask & 0777);
	self.mask = mask & 0777;
}

int fs_ident_become(const struct fs_call *c)
{
	uid_t uid = c->h.uid;
	gid_t gid = c->h.gid;

	if (!self.switches || (self.uid == uid && self.gid == gid))
		return 0;
	/* They report nothing but the former id: ask with one that is never valid. */
	setfsgid(gid);
	setfsuid(uid);
	self.gid = (gid_t)setfsgid((gid_t)-1);
	self.uid = (uid_t)setfsuid((uid_t)-1);
	/* capabilities(7): leaving 0 drops those for files from the effective set. */
	int r = cap_set(self.fsetid);
	if (r < 0)
		return r;
	return self.uid == uid && self.gid == gid ? 0 : -EOVERFLOW;     /* no such id here */
}

void fs_ident_fsetid(bool keep)
{
	if (!(self.caps[0] & CAP_TO_MASK(CAP_FSETID)) || self.fsetid == keep)
		return;
	if (cap_set(keep) == 0)
		self.fsetid = keep;
}
