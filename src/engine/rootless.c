/*
 * engine/rootless.c - see rootless.h
 *
 *   isle (uid 1000)
 *     |-- fork --> outer helper: waits, then newuidmap and newgidmap for its parent
 *     unshare(USER | NS)
 *     |-- told --> the helper writes the maps, which only a process outside may
 *     setresuid(0), exec isle again with ISLE_ROOTLESS=1000
 *
 * Files that programs make belong to the user's subordinate ids (subuid(5)), and a keeper
 * belongs to the user namespace it was born in: exec and stop have to be in that one.  So
 * a command first looks for a keeper of ours that lives and joins its namespace
 * (user_namespaces(7)); without one it makes its own, with the same maps, so that files on
 * disk look the same in each.  Keepers' mount namespaces are copies of ours.
 */
#include "engine/rootless.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/calls.h"

#define MARK "ISLE_ROOTLESS"            /* in our environment: the user's number outside */
#define RANGES_MAX 16
#define FILE_BYTES_MAX (1u << 20)

struct range { unsigned long first, count; };

static long marked(void)
{
	const char *text = getenv(MARK);
	char *end;

	if (!text || !*text)
		return -1;
	long v = strtol(text, &end, 10);
	return *end || v < 0 ? -1 : v;
}

uid_t rootless_host_uid(void)
{
	long uid = marked();

	return uid >= 0 ? (uid_t)uid : getuid();
}

bool rootless_has_gid(unsigned gid)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);

	if (file_read_at(AT_FDCWD, "/proc/self/gid_map", &b) < 0 || !b.data)
		return true;
	for (char *p = b.data; *p; p += strspn(p, " \n")) {
		unsigned long first = strtoul(p, &p, 10);

		strtoul(p, &p, 10);
		if (gid - first < strtoul(p, &p, 10))
			return true;
	}
	return false;
}

/* --- maps -------------------------------------------------------------------------------- */

/* The user's name in /etc/passwd, which subuid(5) may use instead of the number; or "". */
static void user_name(char *ret, size_t size)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	char uid[16];

	ret[0] = 0;
	snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
	if (file_read_at(AT_FDCWD, "/etc/passwd", &b) < 0 || !b.data)
		return;
	for (char *next = b.data, *line; (line = strsep(&next, "\n")); ) {
		char *name = strsep(&line, ":");

		strsep(&line, ":");
		if (name && line && strcmp(strsep(&line, ":"), uid) == 0) {
			snprintf(ret, size, "%s", name);
			return;
		}
	}
}

/* NAME-OR-UID:FIRST:COUNT */
static size_t read_ranges(const char *file, const char *name, struct range *ret)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	char uid[16];
	size_t n = 0;

	snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
	if (file_read_at(AT_FDCWD, file, &b) < 0 || !b.data)
		return 0;
	for (char *next = b.data, *line; n < RANGES_MAX && (line = strsep(&next, "\n")); ) {
		const char *who = strsep(&line, ":"), *first = strsep(&line, ":");

		if (!line || !first || !*who || (strcmp(who, uid) != 0 && strcmp(who, name) != 0))
			continue;
		ret[n].first = strtoul(first, NULL, 10);
		ret[n].count = strtoul(line, NULL, 10);
		n += ret[n].count > 0;
	}
	return n;
}

/* "newuidmap PID 0 UID 1 1 FIRST COUNT ...": 0 is the user, the others follow from 1 on. */
static int exec_map(const char *program, pid_t pid, unsigned own, const struct range *v, size_t n)
{
	char text[4 + 3 * RANGES_MAX][24], *argv[6 + 3 * RANGES_MAX];
	unsigned long next = 1;
	size_t k = 0;

	snprintf(text[0], sizeof(text[0]), "%d", (int)pid);
	snprintf(text[1], sizeof(text[1]), "0");
	snprintf(text[2], sizeof(text[2]), "%u", own);
	snprintf(text[3], sizeof(text[3]), "1");
	for (size_t i = 0; i < n; i++) {
		snprintf(text[4 + 3 * i], sizeof(text[0]), "%lu", next);
		snprintf(text[5 + 3 * i], sizeof(text[0]), "%lu", v[i].first);
		snprintf(text[6 + 3 * i], sizeof(text[0]), "%lu", v[i].count);
		next += v[i].count;
	}
	argv[k++] = (char *)(uintptr_t)program;
	for (size_t i = 0; i < 4 + 3 * n; i++)
		argv[k++] = text[i];
	argv[k] = NULL;
	execvp(program, argv);
	return -errno;
}

static int run_map(const char *program, pid_t pid, unsigned own, const struct range *v, size_t n)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		(void)!exec_map(program, pid, own, v, n);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* Without subordinate ids, or their programs: the user alone is there. */
static int map_one(pid_t pid)
{
	char path[48], text[48];

	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	int r = file_write_at(AT_FDCWD, path, "deny");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)getuid());
	if (r == 0)
		r = file_write_at(AT_FDCWD, path, text);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)getgid());
	return r == 0 ? file_write_at(AT_FDCWD, path, text) : r;
}

/* The helper: waits for its parent's new namespace and writes its maps. */
static int write_maps(pid_t pid)
{
	struct range uids[RANGES_MAX], gids[RANGES_MAX];
	char name[256];

	user_name(name, sizeof(name));
	size_t n_uids = read_ranges("/etc/subuid", name, uids);
	size_t n_gids = read_ranges("/etc/subgid", name, gids);
	if (n_uids == 0 || n_gids == 0)
		return map_one(pid);
	int r = run_map("newgidmap", pid, getgid(), gids, n_gids);
	return r < 0 ? r : run_map("newuidmap", pid, getuid(), uids, n_uids);
}

static int helper(pid_t parent, int ready)
{
	char byte;

	/* End of file: the parent could not make its namespace. */
	if (fd_read_all(ready, &byte, 1) != 1)
		return 1;
	int r = write_maps(parent);
	return r < 0 ? -r & 0x7f : 0;
}

static int make_namespace(struct err *e)
{
	int ready[2], status;
	pid_t self = getpid();

	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	pid_t child = fork();
	if (child < 0)
		return err_sys(e, errno, "fork");
	if (child == 0) {
		close(ready[1]);
		_exit(helper(self, ready[0]));
	}
	close(ready[0]);
	int r = unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? -errno : 0;
	if (r == 0 && write(ready[1], "x", 1) != 1)
		r = -EPIPE;
	close(ready[1]);
	waitpid(child, &status, 0);
	if (r < 0)
		return err_sys(e, -r, "make a user namespace (isle runs as an ordinary user in "
			       "one; sysctl user.max_user_namespaces and "
			       "kernel.unprivileged_userns_clone have to allow it)");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, EPERM, "map ids into the user namespace: newuidmap and newgidmap "
			       "(package uidmap) have to be installed, and the ranges of "
			       "/etc/subuid and /etc/subgid to be this user's own");
	return 0;
}

/* --- joining ----------------------------------------------------------------------------- */

/* The user namespace of process pid, if it is one this user has made: a descriptor. */
static int foreign_userns(pid_t pid)
{
	struct stat theirs, ours;
	char path[48];
	uid_t owner;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0)
		return -errno;
	/* Its number may have gone to another process since. */
	if (theirs.st_ino == ours.st_ino || ioctl(fd, NS_GET_OWNER_UID, &owner) < 0 ||
	    owner != getuid())
		return -ESRCH;
	return take_fd(fd);
}

/* What the keeper of instances/<id> wrote of itself, read before there is an engine. */
static pid_t keeper_of(int instances, const char *id)
{
	static const char key[] = "\"keeperPid\":";
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	CLEANUP_FREE char *path = xasprintf("%s/status.json", id);

	if (file_read_at(instances, path, &b) < 0 || !b.data)
		return 0;
	const char *at = strstr(b.data, key);
	return at ? (pid_t)strtol(at + sizeof(key) - 1, NULL, 10) : 0;
}

/* 1 when a keeper's namespace was joined, 0 when there is none. */
static int join_keeper(const char *root, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/instances", root);
	DIR *d = opendir(path);
	int fd = -1;

	if (!d)
		return 0;
	for (struct dirent *de; fd < 0 && (de = readdir(d)); ) {
		pid_t pid = de->d_name[0] == '.' ? 0 : keeper_of(dirfd(d), de->d_name);

		if (pid > 0)
			fd = foreign_userns(pid);
	}
	closedir(d);
	if (fd < 0)
		return 0;
	int r = sys_setns(fd, CLONE_NEWUSER);
	close(fd);
	if (r < 0)
		return err_sys(e, -r, "join the user namespace of running instances");
	/* Of our own: what is mounted for a moment is seen by nobody else. */
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, errno, "make a mount namespace");
	return 1;
}

/* --- entering ------------------------------------------------------------------------------ */

/* Root of a namespace that does not have all of the ids is no root of the host. */
static bool all_ids_mapped(void)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
	unsigned long inside = 1, outside = 1, count = 0;
	char *p;

	if (file_read_at(AT_FDCWD, "/proc/self/uid_map", &b) < 0 || !b.data)
		return true;
	inside = strtoul(b.data, &p, 10);
	outside = strtoul(p, &p, 10);
	count = strtoul(p, &p, 10);
	return inside == 0 && outside == 0 && count == UINT32_MAX;
}

/* This program again, with the arguments it had. */
static int exec_again(uid_t uid, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(4u << 20);
	char text[16];
	size_t n = 0;

	int r = file_read_at(AT_FDCWD, "/proc/self/cmdline", &b);
	if (r < 0)
		return err_sys(e, -r, "read /proc/self/cmdline");
	char **argv = xcalloc(b.len + 1, sizeof(*argv));
	for (size_t i = 0; i < b.len; i += strlen(b.data + i) + 1)
		argv[n++] = b.data + i;
	snprintf(text, sizeof(text), "%u", (unsigned)uid);
	setenv(MARK, text, 1);
	execv("/proc/self/exe", argv);
	r = errno;
	free(argv);
	return err_sys(e, r, "execute /proc/self/exe");
}

int rootless_enter(const struct engine_options *o, bool *ret, struct err *e)
{
	uid_t uid = getuid();

	*ret = false;
	if (geteuid() == 0) {
		*ret = marked() >= 0 || !all_ids_mapped();
		return 0;
	}
	CLEANUP_FREE char *root = engine_root_path(o, true);
	int r = join_keeper(root, e);
	if (r == 0)
		r = make_namespace(e);
	if (r < 0)
		return r;
	/* Denied where the user alone is mapped; his other groups are nobody's then. */
	if (setgroups(0, NULL) < 0)
		log_debug("setgroups: %s", err_text(errno));
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, errno, "become root of the user namespace");
	return exec_again(uid, e);
}
