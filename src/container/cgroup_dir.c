/* cgroup_dir.c - one control group as a directory: read, write, walk, remove. */
#include "container/cgroup_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* No group of ours lies deeper; a payload that nests deeper meets the kernel's
 * cgroup.max.depth or this. */
#define DEPTH_MAX 128

static int join_path(char ret[PATH_MAX], const char *dir, const char *file)
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", dir, file);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int cgd_write(const char *dir, const char *file, const char *value)
{
	char path[PATH_MAX];
	int r = join_path(path, dir, file);

	return r < 0 ? r : file_write_at(AT_FDCWD, path, value);
}

int cgd_read(const char *dir, const char *file, char *ret, size_t n)
{
	char path[PATH_MAX];
	CLEANUP_FD int fd = -1;
	int r = join_path(path, dir, file);
	ssize_t got;

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = fd_read_all(fd, ret, n);
	if (got < 0)
		return (int)got;
	if ((size_t)got == n)
		return -EFBIG;
	while (got > 0 && ret[got - 1] == '\n')
		got--;
	ret[got] = '\0';
	return 0;
}

static int parse_u64(const char *s, uint64_t *ret)
{
	char *end;

	if (strcmp(s, "max") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	errno = 0;
	*ret = strtoull(s, &end, 10);
	if (end == s || (*end != '\0' && *end != ' ' && *end != '\n'))
		return -EPROTO;
	if (errno == ERANGE || *ret > INT64_MAX)
		*ret = UINT64_MAX;
	return 0;
}

int cgd_read_u64(const char *dir, const char *file, uint64_t *ret)
{
	char buf[64];
	int r = cgd_read(dir, file, buf, sizeof(buf));

	return r < 0 ? r : parse_u64(buf, ret);
}

int cgd_read_key(const char *dir, const char *file, const char *key, uint64_t *ret)
{
	char buf[CGROUP_VALUE_MAX] = "";
	size_t n = strlen(key);
	int r = cgd_read(dir, file, buf, sizeof(buf));

	if (r < 0)
		return r;
	for (char *p = buf; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return parse_u64(p + n + 1, ret);
	}
	return -ENOENT;
}

bool cgd_has(const char *dir, const char *file)
{
	char path[PATH_MAX];

	return join_path(path, dir, file) == 0 && access(path, F_OK) == 0;
}

static int walk(char path[PATH_MAX], size_t len, int depth,
		int (*fn)(const char *dir, void *arg), void *arg)
{
	DIR *d = opendir(path);
	struct dirent *de;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r >= 0 && (de = readdir(d))) {
		size_t n = strlen(de->d_name);

		/* cgroup file systems always tell the type. */
		if (de->d_type != DT_DIR || strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (len + n + 2 > PATH_MAX || depth >= DEPTH_MAX) {
			r = -ENAMETOOLONG;
			break;
		}
		path[len] = '/';
		memcpy(path + len + 1, de->d_name, n + 1);
		r = walk(path, len + 1 + n, depth + 1, fn, arg);
		path[len] = '\0';
	}
	closedir(d);
	return r < 0 ? r : fn(path, arg);
}

int cgd_walk(const char *dir, int (*fn)(const char *dir, void *arg), void *arg)
{
	char path[PATH_MAX];
	size_t n = strlen(dir);

	if (n >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, dir, n + 1);
	return walk(path, n, 0, fn, arg);
}

static int remove_one(const char *dir, void *arg)
{
	(void)arg;
	return rmdir(dir) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgd_remove(const char *dir)
{
	/* The usual group has no children: one call, no listing. */
	if (rmdir(dir) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	return cgd_walk(dir, remove_one, NULL);
}

static void pid_add(struct cgroup_pidlist *l, pid_t pid)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 32;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n++] = pid;
}

/* The file is read in pieces: a fork bomb's list is long. */
static int pids_of(const char *dir, void *arg)
{
	struct cgroup_pidlist *l = arg;
	char path[PATH_MAX], buf[4096];
	CLEANUP_FD int fd = -1;
	unsigned long pid = 0;
	bool digits = false;
	ssize_t n;
	int r = join_path(path, dir, "cgroup.procs");

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (unsigned long)(buf[i] - '0');
				digits = true;
				continue;
			}
			/* 0: a process that this pid namespace cannot name. */
			if (digits && pid > 0)
				pid_add(l, (pid_t)pid);
			pid = 0;
			digits = false;
		}
	}
	if (n == 0)
		return 0;
	/* ENODEV: removed while open.  EOPNOTSUPP: a threaded group, whose processes
	 * the domain above it lists. */
	return errno == ENODEV || errno == EOPNOTSUPP ? 0 : -errno;
}

int cgd_pids(const char *dir, bool below, struct cgroup_pidlist *l)
{
	return below ? cgd_walk(dir, pids_of, l) : pids_of(dir, l);
}
