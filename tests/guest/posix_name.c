/* posix_name.c - names: making, linking, moving and removing them.  See posix.h. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "posix.h"

static void mkdir_and_rmdir(void)
{
	struct stat st;

	OK(mkdir("d", 0751) == 0);
	OK(stat("d", &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0751);
	FAILS(mkdir("d", 0755), EEXIST);
	OK(put("d/f", "x") == 0);
	FAILS(rmdir("d"), ENOTEMPTY);
	FAILS(unlink("d"), EISDIR);
	FAILS(rmdir("d/f"), ENOTDIR);
	OK(unlink("d/f") == 0 && rmdir("d") == 0);
	FAILS(rmdir("d"), ENOENT);
}

static void create_exclusive(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0600);

	OK(fd >= 0);
	close(fd);
	FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	OK(symlink("nowhere", "l") == 0);
	FAILS(open("l", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	FAILS(open("f/x", O_RDONLY), ENOTDIR);
	FAILS(open("none", O_RDONLY), ENOENT);
	FAILS(open(".", O_RDWR), EISDIR);
}

static void names_of_all_lengths(void)
{
	char name[NAME_MAX + 2];

	for (size_t n = 1; n <= NAME_MAX; n += 127) {
		memset(name, 'n', n);
		name[n] = '\0';
		OK(put(name, "x") == 0 && holds(name, "x"));
	}
	memset(name, 'n', NAME_MAX + 1);
	name[NAME_MAX + 1] = '\0';
	FAILS(open(name, O_WRONLY | O_CREAT, 0644), ENAMETOOLONG);
	OK(put("with space \t\n and \xff\xfe", "odd") == 0);
	OK(holds("with space \t\n and \xff\xfe", "odd"));
}

static void symlinks(void)
{
	char target[PATH_MAX], back[PATH_MAX];
	struct stat st;

	OK(put("f", "text") == 0 && symlink("f", "l") == 0 && holds("l", "text"));
	OK(lstat("l", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 1);
	memset(target, 't', sizeof(target));
	target[PATH_MAX - 1] = '\0';
	OK(symlink(target, "long") == 0);
	OK(readlink("long", back, sizeof(back)) == PATH_MAX - 1);
	OK(memcmp(back, target, PATH_MAX - 1) == 0);
	OK(symlink("loop", "loop") == 0);
	FAILS(open("loop", O_RDONLY), ELOOP);
	FAILS(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	FAILS(readlink("f", back, sizeof(back)), EINVAL);
	OK(unlink("l") == 0 && exists("f"));
}

static void hard_links(void)
{
	struct stat a, b;

	OK(put("a", "one") == 0 && link("a", "b") == 0);
	OK(stat("a", &a) == 0 && stat("b", &b) == 0);
	OK(a.st_ino == b.st_ino && a.st_nlink == 2 && b.st_nlink == 2);
	OK(put("b", "two") == 0 && holds("a", "two"));
	FAILS(link("a", "b"), EEXIST);
	OK(mkdir("d", 0755) == 0);
	FAILS(link("d", "e"), EPERM);
	OK(unlink("a") == 0 && stat("b", &b) == 0 && b.st_nlink == 1);
	OK(symlink("b", "s") == 0 && link("s", "s2") == 0);
	OK(lstat("s2", &a) == 0 && S_ISLNK(a.st_mode) && a.st_nlink == 2);
}

static void rename_replaces(void)
{
	OK(put("a", "A") == 0 && put("b", "B") == 0);
	OK(rename("a", "b") == 0 && !exists("a") && holds("b", "A"));
	OK(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && put("e/f", "x") == 0);
	FAILS(rename("d", "e"), ENOTEMPTY);
	FAILS(rename("e", "e/inside"), EINVAL);
	FAILS(rename("b", "d"), EISDIR);
	FAILS(rename("d", "b"), ENOTDIR);
	OK(rename("e", "d") == 0 && holds("d/f", "x") && !exists("e"));
	OK(rename("d/f", "g") == 0 && holds("g", "x") && rmdir("d") == 0);
	OK(link("g", "h") == 0 && rename("g", "h") == 0 && exists("g"));
}

static void rename_flags(void)
{
	OK(put("a", "A") == 0 && put("b", "B") == 0 && mkdir("d", 0755) == 0);
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE) == 0 && holds("c", "A"));
	OK(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE) == 0);
	OK(holds("b", "A") && holds("c", "B"));
	OK(renameat2(AT_FDCWD, "b", AT_FDCWD, "d", RENAME_EXCHANGE) == 0 && holds("d", "A"));
	FAILS(renameat2(AT_FDCWD, "c", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
	FAILS(renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
}

static void whiteouts(void)
{
	struct stat st;

	OK(put("a", "A") == 0);
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT) == 0 && holds("b", "A"));
	OK(lstat("a", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void unlinked_stays_open(void)
{
	char buf[8];
	struct stat st;
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	OK(fd >= 0 && write(fd, "abc", 3) == 3 && unlink("f") == 0 && !exists("f"));
	OK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 3);
	OK(pwrite(fd, "def", 3, 3) == 3 && pread(fd, buf, sizeof(buf), 0) == 6);
	OK(memcmp(buf, "abcdef", 6) == 0 && ftruncate(fd, 1) == 0 && fchmod(fd, 0600) == 0);
	OK(fstat(fd, &st) == 0 && st.st_size == 1 && (st.st_mode & 07777) == 0600);
	OK(put("f", "other") == 0 && pread(fd, buf, sizeof(buf), 0) == 1);
	close(fd);
}

static void renamed_stays_open(void)
{
	struct stat a, b;
	int fd;

	OK(mkdir("d", 0755) == 0 && (fd = open("d/f", O_RDWR | O_CREAT, 0644)) >= 0);
	OK(rename("d/f", "g") == 0 && rmdir("d") == 0 && write(fd, "abc", 3) == 3);
	OK(holds("g", "abc") && fstat(fd, &a) == 0 && stat("g", &b) == 0 && a.st_ino == b.st_ino);
	close(fd);
}

static void tmpfile_gets_a_name(void)
{
	char path[64];
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);

	OK(fd >= 0 && write(fd, "abc", 3) == 3 && fstat(fd, &st) == 0 && st.st_nlink == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
	OK(holds("named", "abc") && stat("named", &st) == 0 && (st.st_mode & 07777) == 0640);
	close(fd);
	fd = open(".", O_TMPFILE | O_EXCL | O_WRONLY, 0600);
	OK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW), ENOENT);
	close(fd);
}

static void fifo_writer(void)
{
	int fd = open("p", O_WRONLY);

	OK(fd >= 0 && write(fd, "through", 7) == 7);
	close(fd);
}

static void special_files(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "s" };
	char buf[16];
	struct stat st;

	OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)) == 0 && stat("null", &st) == 0);
	OK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	OK(mknod("far", S_IFBLK | 0600, makedev(259, 70000)) == 0 && stat("far", &st) == 0);
	OK(S_ISBLK(st.st_mode) && st.st_rdev == makedev(259, 70000));
	OK(mknod("reg", S_IFREG | 0600, 0) == 0 && holds("reg", ""));
	OK(mkfifo("p", 0600) == 0);
	/* Both ends open at once, so that neither waits. */
	int fd = open("p", O_RDONLY | O_NONBLOCK);

	OK(fd >= 0);
	in_child(fifo_writer);
	OK(read(fd, buf, sizeof(buf)) == 7);
	close(fd);
	int s = socket(AF_UNIX, SOCK_STREAM, 0), k = socket(AF_UNIX, SOCK_STREAM, 0);

	OK(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s, 1) == 0);
	OK(connect(k, (struct sockaddr *)&a, sizeof(a)) == 0);
	OK(stat("s", &st) == 0 && S_ISSOCK(st.st_mode));
	close(s);
	close(k);
}

const struct check name_checks[] = {
	{ "mkdir_and_rmdir", mkdir_and_rmdir },
	{ "create_exclusive", create_exclusive },
	{ "names_of_all_lengths", names_of_all_lengths },
	{ "symlinks", symlinks },
	{ "hard_links", hard_links },
	{ "rename_replaces", rename_replaces },
	{ "rename_flags", rename_flags },
	{ "whiteouts", whiteouts },
	{ "unlinked_stays_open", unlinked_stays_open },
	{ "renamed_stays_open", renamed_stays_open },
	{ "tmpfile_gets_a_name", tmpfile_gets_a_name },
	{ "special_files", special_files },
	{ NULL, NULL },
};
