/*
 * container/mount_page.c - new mounts of file systems by mount(2), with all options in one
 * page: for a value that fsconfig(2) takes no more, as it stops at 255 bytes
 * ("upperdir=" with a long path, say).
 *
 * mount(2) wants a place.  It gets a directory of a tmpfs that lies over the new root for
 * that moment, where nobody else looks and whatever rootfsPropagation says is private; what is
 * mounted there is copied and then goes through the same steps as one from fsmount(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "container/rootfs_parts.h"
#include "sys/calls.h"

#define PAGE_BYTES 4096         /* mount(2): the last byte is a zero */
#define PLACE "m"

static unsigned long flags_of(const struct fs_request *rq)
{
	static const struct { uint64_t attr; unsigned long flag; } table[] = {
		{ MOUNT_ATTR_RDONLY, MS_RDONLY }, { MOUNT_ATTR_NOSUID, MS_NOSUID },
		{ MOUNT_ATTR_NODEV, MS_NODEV }, { MOUNT_ATTR_NOEXEC, MS_NOEXEC },
		{ MOUNT_ATTR_NODIRATIME, MS_NODIRATIME }, { MOUNT_ATTR_NOATIME, MS_NOATIME },
		{ MOUNT_ATTR_STRICTATIME, MS_STRICTATIME },
		{ MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW },
	};
	unsigned long flags = rq->opt->flags & (MS_SYNCHRONOUS | MS_DIRSYNC | MS_MANDLOCK |
						MS_LAZYTIME | MS_POSIXACL | MS_I_VERSION |
						MS_SILENT);

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (rq->attr & table[i].attr)
			flags |= table[i].flag;
	return flags;
}

static int fill_page(struct buf *b, const struct fs_request *rq, struct err *e)
{
	if (rq->mode)
		buf_printf(b, ",mode=%s", rq->mode);
	if (rq->label && access("/sys/fs/selinux/enforce", F_OK) == 0)
		buf_printf(b, ",context=\"%s\"", rq->label);
	for (size_t i = 0; i < rq->opt->n_data; i++)
		buf_printf(b, ",%s", rq->opt->data[i]);
	if (b->overflow)
		return err_set(e, E2BIG, "its options are longer than the %d bytes that the kernel "
			       "takes", PAGE_BYTES - 1);
	return 0;
}

static int mount_in(int place, const struct fs_request *rq, const char *page, struct err *e)
{
	if (mkdirat(place, PLACE, 0755) < 0 || fchdir(place) < 0)
		return err_sys(e, errno, "make a place");
	if (mount(rq->source, PLACE, rq->type, flags_of(rq), page) < 0)
		return err_sys(e, errno, "file system type %s", rq->type);
	int tree = tree_clone(place, PLACE, false, false);
	return tree < 0 ? err_sys(e, -tree, "take the mount") : tree;
}

int fs_new_by_page(const struct rootfs *r, const struct fs_request *rq, struct err *e)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT(PAGE_BYTES);
	CLEANUP_FD int place = -1;

	int n = fill_page(&b, rq, e);
	if (n < 0)
		return n;
	place = fs_new_plain("tmpfs", "tmpfs", 0);
	if (place < 0)
		return err_sys(e, -place, "make a place");
	n = tree_attach(place, r->root, "");
	if (n < 0)
		return err_sys(e, -n, "make a place");
	/* The comma ahead of the first option is not one. */
	int tree = mount_in(place, rq, b.len ? b.data + 1 : NULL, e);
	if (fchdir(place) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
		n = tree < 0 ? tree : err_sys(e, errno, "unmount the place");
		fd_close(&tree);
		return n;
	}
	return tree;
}
