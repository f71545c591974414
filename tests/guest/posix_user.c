/* posix_user.c - what ordinary users may do, and whose files are then.  See posix.h. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix.h"

static mode_t mode_of(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? st.st_mode & 07777 : (mode_t)-1;
}

static bool owned(const char *name, uid_t uid, gid_t gid)
{
	struct stat st;

	return lstat(name, &st) == 0 && st.st_uid == uid && st.st_gid == gid;
}

static void make_each_kind(void)
{
	OK(put("f", "x") == 0 && owned("f", 1000, 2000));
	OK(mkdir("d", 0755) == 0 && owned("d", 1000, 2000));
	OK(symlink("f", "l") == 0 && owned("l", 1000, 2000));
	OK(mkfifo("p", 0600) == 0 && owned("p", 1000, 2000));
	FAILS(mknod("dev", S_IFCHR | 0600, 0x103), EPERM);
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	struct stat st;

	OK(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 1000 && st.st_gid == 2000);
	close(fd);
	FAILS(chown("f", 1001, (gid_t)-1), EPERM);
	FAILS(chown("f", (uid_t)-1, 3000), EPERM);
	OK(setxattr("f", "user.mine", "1", 1, 0) == 0);
	FAILS(setxattr("f", "trusted.t", "1", 1, 0), EPERM);
}

static void a_user_owns_what_he_makes(void)
{
	OK(chmod(".", 0777) == 0);
	as_user(1000, 2000, 0, make_each_kind);
	OK(owned("f", 1000, 2000));
}

static void try_closed_doors(void)
{
	FAILS(open("closed/f", O_RDONLY), EACCES);
	FAILS(open("secret", O_RDONLY), EACCES);
	FAILS(open("new", O_WRONLY | O_CREAT, 0644), EACCES);
	FAILS(unlink("readable"), EACCES);
	FAILS(open("readable", O_WRONLY), EACCES);
	FAILS(chmod("readable", 0777), EPERM);
	FAILS(truncate("readable", 0), EACCES);
	FAILS(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
	FAILS(setxattr("readable", "user.x", "1", 1, 0), EACCES);
	OK(holds("readable", "x") && access("readable", R_OK) == 0);
	FAILS(access("readable", W_OK), EACCES);
}

static void modes_are_kept(void)
{
	OK(mkdir("closed", 0700) == 0 && put("closed/f", "x") == 0);
	OK(put("secret", "x") == 0 && chmod("secret", 0600) == 0 && put("readable", "x") == 0);
	as_user(1000, 1000, 0, try_closed_doors);
}

static void through_a_group(void)
{
	OK(put("team/f", "x") == 0 && owned("team/f", 1000, 1000));
	OK(mkdir("team/d", 0755) == 0 && put("team/d/f", "x") == 0);
	OK(put("shared", "changed") == 0);
}

static void supplementary_groups_count(void)
{
	OK(mkdir("team", 0770) == 0 && chown("team", 0, 3000) == 0 && chmod("team", 0770) == 0);
	OK(put("shared", "x") == 0 && chown("shared", 0, 3000) == 0 && chmod("shared", 0660) == 0);
	as_user(1000, 1000, 3000, through_a_group);
	OK(holds("shared", "changed"));
}

static void meddle(void)
{
	FAILS(unlink("theirs"), EPERM);
	FAILS(rename("theirs", "mine"), EPERM);
	OK(put("mine", "x") == 0 && unlink("mine") == 0);
}

static void sticky_directories(void)
{
	OK(chmod(".", 01777) == 0 && put("theirs", "x") == 0 && chown("theirs", 1001, 1001) == 0);
	as_user(1000, 1000, 0, meddle);
	OK(exists("theirs"));
}

static void write_suid(void)
{
	int fd = open("f", O_WRONLY);

	OK(fd >= 0 && write(fd, "y", 1) == 1);
	close(fd);
}

static void truncate_suid(void)
{
	OK(truncate("f", 0) == 0);
}

static void open_truncating_suid(void)
{
	int fd = open("f", O_WRONLY | O_TRUNC);

	OK(fd >= 0);
	close(fd);
}

static void set_id_bits_fall(void)
{
	void (*const ways[])(void) = { write_suid, truncate_suid, open_truncating_suid };

	for (int i = 0; i < 3; i++) {
		OK(put("f", "x") == 0 && chmod("f", 06777) == 0);
		as_user(1000, 1000, 0, ways[i]);
		OK(mode_of("f") == 0777);
	}
	/* Root keeps them; without group execution the bit is something else. */
	OK(chmod("f", 06777) == 0);
	in_child(write_suid);
	OK(mode_of("f") == 06777);
	OK(chmod("f", 02766) == 0);
	as_user(1000, 1000, 0, write_suid);
	OK((mode_of("f") & 04777) == 0766);
}

static void set_group_id(void)
{
	OK(chmod("f", 02755) == 0 && mode_of("f") == 0755);
}

static void chmod_by_a_stranger_to_the_group(void)
{
	OK(put("f", "x") == 0 && chown("f", 1000, 3000) == 0);
	as_user(1000, 1000, 0, set_group_id);
	OK(mode_of("f") == 0755);
}

static void make_in_team(void)
{
	OK(put("team/f", "x") == 0 && owned("team/f", 1000, 3000));
	OK(mkdir("team/d", 0755) == 0 && owned("team/d", 1000, 3000));
	OK(mode_of("team/d") & S_ISGID);
}

static void a_users_files_in_a_setgid_directory(void)
{
	OK(mkdir("team", 0777) == 0 && chown("team", 0, 3000) == 0 && chmod("team", 02777) == 0);
	as_user(1000, 1000, 0, make_in_team);
}

static void cannot_link(void)
{
	OK(put("own", "x") == 0 && link("own", "own2") == 0);
	FAILS(rename("../readonly/f", "f"), EACCES);
}

static void moving_between_directories(void)
{
	OK(mkdir("readonly", 0755) == 0 && put("readonly/f", "x") == 0);
	OK(mkdir("open", 0777) == 0 && chmod("open", 0777) == 0 && chdir("open") == 0);
	as_user(1000, 1000, 0, cannot_link);
	OK(chdir("..") == 0);
}

const struct check user_checks[] = {
	{ "a_user_owns_what_he_makes", a_user_owns_what_he_makes },
	{ "modes_are_kept", modes_are_kept },
	{ "supplementary_groups_count", supplementary_groups_count },
	{ "sticky_directories", sticky_directories },
	{ "set_id_bits_fall", set_id_bits_fall },
	{ "chmod_by_a_stranger_to_the_group", chmod_by_a_stranger_to_the_group },
	{ "a_users_files_in_a_setgid_directory", a_users_files_in_a_setgid_directory },
	{ "moving_between_directories", moving_between_directories },
	{ NULL, NULL },
};
