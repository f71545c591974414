/* image/store_files.c - see store_files.h */
#include "image/store_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/tree.h"

const char *const store_algorithms[2] = { "sha256", "sha512" };

const char *store_algorithm(const char *digest)
{
	return store_algorithms[strncmp(digest, "sha512:", 7) == 0];
}

void store_blob_name(const char *digest, char ret[STORE_NAME_MAX])
{
	snprintf(ret, STORE_NAME_MAX, "%s/%.128s", store_algorithm(digest), digest + 7);
}

int store_lock(const struct store *s, int how, struct err *e)
{
	if (mkdirat(s->rootfd, "tmp", 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make %s/tmp", s->root);
	CLEANUP_FD int fd = openat(s->rootfd, "tmp/lock", O_RDWR | O_CREAT | O_CLOEXEC |
				   O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "open %s/tmp/lock", s->root);
	if (TEMP_FAILURE_RETRY(flock(fd, how)) == 0)
		return take_fd(fd);
	if (errno == EWOULDBLOCK)
		return err_set(e, EAGAIN, "%s: images are being pulled or loaded", s->root);
	return err_sys(e, errno, "lock %s/tmp/lock", s->root);
}

int store_sync_dir(int dirfd, const char *path, struct err *e)
{
	CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, errno, "write the store's directory %s", path);
	return 0;
}

/* ---- trees ------------------------------------------------------------------- */

static int next_name(DIR *d, struct dirent **ret, struct err *e)
{
	for (;;) {
		errno = 0;
		struct dirent *de = readdir(d);

		if (!de)
			return errno ? err_sys(e, errno, "read a directory of the store") : 0;
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0) {
			*ret = de;
			return 1;
		}
	}
}

/* A directory that a layer brought may forbid its owner everything; rootless, that is us. */
static int open_subdir(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(dirfd, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = openat(dirfd, name, flags);
	return fd;
}

static int close_dir(DIR *d, int r)
{
	closedir(d);
	return r;
}

int store_empty_dir(int fd, struct err *e)
{
	CLEANUP_FD int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;
	int r;

	if (!d)
		return err_sys(e, errno, "open a directory of the store");
	(void)take_fd(copy);
	while ((r = next_name(d, &de, e)) > 0) {
		r = tree_remove_at(fd, de->d_name, e);
		if (r < 0)
			break;
	}
	return close_dir(d, r);
}

int store_remove(int dirfd, const char *name, uint64_t *ret_freed, struct err *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "look at %s in the store", name);
	if (S_ISDIR(st.st_mode)) {
		CLEANUP_FD int fd = open_subdir(dirfd, name);

		*ret_freed += fd < 0 ? 0 : tree_usage(fd);
	} else {
		*ret_freed += (uint64_t)st.st_blocks * 512;
	}
	return tree_remove_at(dirfd, name, e);
}

/* Two descriptors a level: what lies deeper than 200 is not counted. */
static int count(int dirfd, const char *name, unsigned depth, struct store_count *sum,
		 struct err *e)
{
	CLEANUP_FD int fd = open_subdir(dirfd, name);
	struct dirent *de = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(e, errno, "open %s in the store", name);
	DIR *d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	if (!d)
		return err_sys(e, errno, "read %s in the store", name);
	while ((r = next_name(d, &de, e)) > 0 && de) {
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		sum->tally++;
		if (S_ISREG(st.st_mode)) {
			sum->tally += (uint64_t)st.st_size;
			/* Each name of a file with several counts its share. */
			sum->bytes += (uint64_t)st.st_size / st.st_nlink;
		} else if (S_ISDIR(st.st_mode) && depth < 200) {
			r = count(fd, de->d_name, depth + 1, sum, e);
		}
		if (r < 0)
			break;
	}
	return close_dir(d, r);
}

int store_tree_count(int dirfd, const char *name, struct store_count *ret, struct err *e)
{
	*ret = (struct store_count){ 0 };
	return count(dirfd, name, 0, ret, e);
}
