/* posix_attr.c - attributes, extended ones and ACLs.  See posix.h. */
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"

static mode_t mode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 ? st.st_mode & 07777 : (mode_t)-1;
}

static void modes_and_umask(void)
{
	umask(027);
	int fd = open("f", O_WRONLY | O_CREAT, 0666);

	OK(fd >= 0 && mode_of("f") == 0640 && close(fd) == 0);
	OK(mkdir("d", 0777) == 0 && mode_of("d") == 0750);
	OK(mknod("p", S_IFIFO | 0666, 0) == 0 && mode_of("p") == 0640);
	umask(0);
	OK(mkdir("all", 01777) == 0 && mode_of("all") == 01777);
	OK(chmod("f", 06755) == 0 && mode_of("f") == 06755);
	OK((fd = open("ro", O_WRONLY | O_CREAT, 0444)) >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

static void owners(void)
{
	struct stat st;

	OK(put("f", "x") == 0 && chown("f", 1234, 4321) == 0 && stat("f", &st) == 0);
	OK(st.st_uid == 1234 && st.st_gid == 4321);
	OK(chown("f", (uid_t)-1, 77) == 0 && stat("f", &st) == 0 && st.st_uid == 1234);
	OK(symlink("f", "l") == 0 && lchown("l", 5, 6) == 0 && lstat("l", &st) == 0);
	OK(st.st_uid == 5 && st.st_gid == 6 && stat("l", &st) == 0 && st.st_uid == 1234);
	OK(chmod("f", 06755) == 0 && chown("f", 1, 1) == 0 && mode_of("f") == 0755);
	OK(mkdir("d", 02755) == 0 && chmod("d", 02755) == 0 && chown("d", 1, 1) == 0);
	OK(mode_of("d") == 02755);
}

static void times(void)
{
	struct timespec t[2] = { { 1000000000, 123456789 }, { 1500000000, 987654321 } };
	struct stat st, was;

	OK(put("f", "x") == 0 && utimensat(AT_FDCWD, "f", t, 0) == 0 && stat("f", &st) == 0);
	OK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
	OK(st.st_mtim.tv_sec == 1500000000 && st.st_mtim.tv_nsec == 987654321);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	OK(utimensat(AT_FDCWD, "f", t, 0) == 0 && stat("f", &st) == 0);
	OK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1500000000);
	OK(symlink("f", "l") == 0);
	t[0] = (struct timespec){ -5, 0 };
	t[1] = (struct timespec){ 7, 0 };
	OK(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW) == 0 && lstat("l", &st) == 0);
	OK(st.st_mtim.tv_sec == 7 && st.st_atim.tv_sec == -5);
	/* Writing sets mtime, chmod ctime only. */
	OK(stat("f", &was) == 0);
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	OK(chmod("f", 0600) == 0 && stat("f", &st) == 0);
	OK(memcmp(&st.st_mtim, &was.st_mtim, sizeof(st.st_mtim)) == 0);
	OK(memcmp(&st.st_ctim, &was.st_ctim, sizeof(st.st_ctim)) != 0);
	OK(put("f", "y") == 0 && stat("f", &st) == 0);
	OK(memcmp(&st.st_mtim, &was.st_mtim, sizeof(st.st_mtim)) != 0);
}

static void directory_times_and_links(void)
{
	struct stat was, st;

	OK(mkdir("d", 0755) == 0 && stat("d", &was) == 0 && was.st_nlink >= 1);
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	OK(put("d/f", "") == 0 && stat("d", &st) == 0);
	OK(memcmp(&st.st_mtim, &was.st_mtim, sizeof(st.st_mtim)) != 0);
	OK(mkdir("d/sub", 0755) == 0 && stat("d", &st) == 0 && st.st_nlink >= was.st_nlink);
}

static void group_of_a_setgid_directory(void)
{
	struct stat st;

	OK(mkdir("d", 0755) == 0 && chown("d", 0, 500) == 0 && chmod("d", 02775) == 0);
	OK(put("d/f", "") == 0 && stat("d/f", &st) == 0 && st.st_gid == 500);
	OK(mkdir("d/e", 0755) == 0 && stat("d/e", &st) == 0 && st.st_gid == 500);
	OK(st.st_mode & S_ISGID);
}

static void extended_attributes(void)
{
	char buf[256], *big = calloc(1, 3000);

	OK(put("f", "x") == 0 && setxattr("f", "user.one", "1", 1, 0) == 0);
	OK(getxattr("f", "user.one", NULL, 0) == 1 && getxattr("f", "user.one", buf, 9) == 1);
	OK(buf[0] == '1');
	FAILS(setxattr("f", "user.one", "2", 1, XATTR_CREATE), EEXIST);
	FAILS(setxattr("f", "user.two", "2", 1, XATTR_REPLACE), ENODATA);
	FAILS(getxattr("f", "user.two", buf, sizeof(buf)), ENODATA);
	OK(setxattr("f", "user.empty", "", 0, 0) == 0 && getxattr("f", "user.empty", buf, 9) == 0);
	OK(setxattr("f", "user.big", big, 3000, 0) == 0);
	OK(getxattr("f", "user.big", NULL, 0) == 3000);
	FAILS(getxattr("f", "user.big", buf, sizeof(buf)), ERANGE);
	OK(getxattr("f", "user.big", big, 3000) == 3000);
	ssize_t n = listxattr("f", buf, sizeof(buf));

	OK(n >= 9 + 11 + 9 && listxattr("f", NULL, 0) == n);
	OK(memmem(buf, (size_t)n, "user.one", 9) && memmem(buf, (size_t)n, "user.big", 9));
	FAILS(listxattr("f", buf, 3), ERANGE);
	OK(removexattr("f", "user.one") == 0);
	FAILS(removexattr("f", "user.one"), ENODATA);
	FAILS(setxattr("f", "strange.name", "1", 1, 0), EOPNOTSUPP);
	OK(mkdir("d", 0755) == 0 && setxattr("d", "user.d", "1", 1, 0) == 0);
	OK(setxattr("d", "trusted.t", "1", 1, 0) == 0 && getxattr("d", "trusted.t", buf, 9) == 1);
	OK(symlink("f", "l") == 0);
	FAILS(lsetxattr("l", "user.l", "1", 1, 0), EPERM);
	OK(lsetxattr("l", "trusted.l", "1", 1, 0) == 0 && lgetxattr("l", "trusted.l", buf, 9) == 1);
	FAILS(getxattr("f", "trusted.l", buf, 9), ENODATA);
	free(big);
}

static int set_caps(const char *name)
{
	struct vfs_cap_data c = { .magic_etc = htole32(VFS_CAP_REVISION_2 |
						       VFS_CAP_FLAGS_EFFECTIVE) };

	c.data[0].permitted = htole32(1u << CAP_NET_RAW);
	return setxattr(name, "security.capability", &c, sizeof(c), 0);
}

static void file_capabilities(void)
{
	char buf[64];

	OK(put("f", "x") == 0 && set_caps("f") == 0);
	OK(getxattr("f", "security.capability", buf, sizeof(buf)) == XATTR_CAPS_SZ_2);
	/* Whoever writes: a program with capabilities is not to be changed under them. */
	OK(put("f", "y") == 0);
	FAILS(getxattr("f", "security.capability", buf, sizeof(buf)), ENODATA);
	OK(set_caps("f") == 0 && truncate("f", 0) == 0);
	FAILS(getxattr("f", "security.capability", buf, sizeof(buf)), ENODATA);
	OK(set_caps("f") == 0 && chown("f", 5, 5) == 0);
	FAILS(getxattr("f", "security.capability", buf, sizeof(buf)), ENODATA);
}

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e[5];
};

/* rw- for the owner, rw- for user 1000, --- for the rest. */
static struct acl acl_for_1000(unsigned perm)
{
	return (struct acl){ { htole32(POSIX_ACL_XATTR_VERSION) }, {
		{ htole16(ACL_USER_OBJ), htole16(7), htole32(ACL_UNDEFINED_ID) },
		{ htole16(ACL_USER), htole16((uint16_t)perm), htole32(1000) },
		{ htole16(ACL_GROUP_OBJ), htole16(0), htole32(ACL_UNDEFINED_ID) },
		{ htole16(ACL_MASK), htole16((uint16_t)perm), htole32(ACL_UNDEFINED_ID) },
		{ htole16(ACL_OTHER), htole16(0), htole32(ACL_UNDEFINED_ID) },
	} };
}

static void can_read(void)
{
	OK(holds("f", "secret"));
}

static void cannot_read(void)
{
	FAILS(open("f", O_RDONLY), EACCES);
}

static void access_acls(void)
{
	struct acl a = acl_for_1000(6), back;

	OK(put("f", "secret") == 0 && chmod("f", 0600) == 0);
	as_user(1000, 1000, 0, cannot_read);
	OK(setxattr("f", "system.posix_acl_access", &a, sizeof(a), 0) == 0);
	OK(getxattr("f", "system.posix_acl_access", &back, sizeof(back)) == sizeof(back));
	OK(memcmp(&a, &back, sizeof(a)) == 0 && mode_of("f") == 0760);
	as_user(1000, 1000, 0, can_read);
	as_user(1001, 1001, 0, cannot_read);
	/* The mask is what chmod's group bits are now. */
	OK(chmod("f", 0700) == 0);
	as_user(1000, 1000, 0, cannot_read);
	OK(removexattr("f", "system.posix_acl_access") == 0);
	FAILS(getxattr("f", "system.posix_acl_access", &back, sizeof(back)), ENODATA);
}

static void default_acls(void)
{
	struct acl a = acl_for_1000(6), back;

	OK(mkdir("d", 0755) == 0);
	OK(setxattr("d", "system.posix_acl_default", &a, sizeof(a), 0) == 0);
	/* It takes the place of the umask. */
	umask(077);
	OK(put("d/f", "secret") == 0 && mkdir("d/e", 0777) == 0);
	umask(022);
	OK(getxattr("d/f", "system.posix_acl_access", &back, sizeof(back)) == sizeof(back));
	OK(mode_of("d/f") == 0640 && mode_of("d/e") == 0760);
	OK(getxattr("d/e", "system.posix_acl_default", &back, sizeof(back)) == sizeof(back));
	OK(chdir("d") == 0);
	as_user(1000, 1000, 0, can_read);
	OK(chdir("..") == 0);
	FAILS(setxattr("d/f", "system.posix_acl_default", &a, sizeof(a), 0), EACCES);
}

static void file_system_figures(void)
{
	struct statvfs v;

	OK(statvfs(".", &v) == 0 && v.f_namemax == 255 && v.f_blocks > 0 && v.f_bsize >= 512);
	OK(v.f_bfree <= v.f_blocks && v.f_bavail <= v.f_bfree);
}

const struct check attr_checks[] = {
	{ "modes_and_umask", modes_and_umask },
	{ "owners", owners },
	{ "times", times },
	{ "directory_times_and_links", directory_times_and_links },
	{ "group_of_a_setgid_directory", group_of_a_setgid_directory },
	{ "extended_attributes", extended_attributes },
	{ "file_capabilities", file_capabilities },
	{ "access_acls", access_acls },
	{ "default_acls", default_acls },
	{ "file_system_figures", file_system_figures },
	{ NULL, NULL },
};
