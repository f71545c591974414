/* image/tree_usage.c - what a tree takes on disk; see tree.h */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "image/tree.h"

#define DEPTH_MAX 200                   /* each level holds a descriptor */

static void add_dir(int fd, unsigned depth, uint64_t *bytes);

static void add_entry(int dir, const char *name, unsigned depth, uint64_t *bytes)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	/* Of a file with several names each name counts its part. */
	*bytes += (uint64_t)st.st_blocks * 512 /
		  (S_ISDIR(st.st_mode) || st.st_nlink == 0 ? 1 : st.st_nlink);
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return;
	CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		add_dir(fd, depth + 1, bytes);
}

static void add_dir(int fd, unsigned depth, uint64_t *bytes)
{
	CLEANUP_FD int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);

	if (!d)
		return;
	again = -1;                     /* closedir owns it */
	for (struct dirent *de; (de = readdir(d)); )
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			add_entry(fd, de->d_name, depth, bytes);
	closedir(d);
}

uint64_t tree_usage(int dirfd)
{
	uint64_t bytes = 0;

	add_dir(dirfd, 0, &bytes);
	return bytes;
}
