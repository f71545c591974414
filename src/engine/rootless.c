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
 * a command first looks for another one or a keeper of ours that lives and joins its
 * namespace (user_namespaces(7)); without one it makes its own, with the same maps, so that
 * files on disk look the same in each.  Keepers' mount namespaces are copies of ours.
 */
#include "engine/rootless.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/rootless_maps.h"
#include "sys/calls.h"

#define MARK "ISLE_ROOTLESS"            /* in our environment: the user's number outside */
#define FILE_BYTES_MAX (1u << 20)
#define EXEC_MS 2000                    /* what another command's execve may take */

/*
 * Processes in our user namespace, "PID START" a line of <run-root>/userns: commands add
 * themselves, as a keeper is known to others only once it wrote its status.
 */
struct members {
	int fd;                         /* locked */
	char *path;
	struct member { pid_t pid; unsigned long long start; } *v;
	size_t n;
};

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

static bool has_id(const char *map, unsigned id)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);

	if (file_read_at(AT_FDCWD, map, &b) < 0 || !b.data)
		return true;
	for (char *p = b.data; *p; p += strspn(p, " \n")) {
		unsigned long first = strtoul(p, &p, 10);

		strtoul(p, &p, 10);
		if (id - first < strtoul(p, &p, 10))
			return true;
	}
	return false;
}

bool rootless_has_uid(unsigned uid)
{
	return has_id("/proc/self/uid_map", uid);
}

bool rootless_has_gid(unsigned gid)
{
	return has_id("/proc/self/gid_map", gid);
}

bool rootless_sets_groups(void)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(64);

	return file_read_at(AT_FDCWD, "/proc/self/setgroups", &b) < 0 || !b.data ||
	       strncmp(b.data, "deny", 4) != 0;
}

int rootless_lacks_ids(const char *what, struct err *e)
{
	char name[256];

	maps_user_name(rootless_host_uid(), name, sizeof(name));
	return err_set(e, EINVAL, "%s is not among the ids that /etc/subuid and /etc/subgid give "
		       "%s; as root: " ROOTLESS_MEND, what, name, name);
}

/* --- making ------------------------------------------------------------------------------ */

/* The helper: waits for its parent's new namespace and writes its maps. */
static enum maps_result helper(pid_t parent, int ready)
{
	char byte;

	/* End of file: the parent could not make its namespace, and says so. */
	return fd_read_all(ready, &byte, 1) == 1 ? maps_write(parent) : MAPS_WRITTEN;
}

static int make_namespace(struct err *e)
{
	int ready[2], status;
	pid_t self = getpid();
	uid_t uid = getuid();           /* nobody's, between unshare(2) and the maps */

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
	if (!WIFEXITED(status))
		return maps_error(MAPS_REFUSED, uid, e);
	return WEXITSTATUS(status) == MAPS_WRITTEN ? 0 :
	       maps_error((enum maps_result)WEXITSTATUS(status), uid, e);
}

/* --- joining ----------------------------------------------------------------------------- */

/* Field 22 of proc_pid_stat(5): with it a number is one process's for ever.  0: gone. */
static unsigned long long start_of(pid_t pid)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
	unsigned long long start = 0;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read_at(AT_FDCWD, path, &b) < 0 || !b.data)
		return 0;
	/* The name before it may hold blanks and ')'. */
	const char *rest = strrchr(b.data, ')');
	if (!rest || rest[1] == 0 || rest[2] == 'Z' ||
	    sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
		   "%*d %*d %llu", &start) != 1)
		return 0;
	return start;
}

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
	if (theirs.st_ino == ours.st_ino || ioctl(fd, NS_GET_OWNER_UID, &owner) < 0 ||
	    owner != getuid())
		return -ESRCH;
	return take_fd(fd);
}

/* One that is listed lets nobody look (ptrace(2), "dumpable") until its execve is over. */
static int wait_userns(const struct member *m)
{
	int fd = foreign_userns(m->pid);

	for (int ms = 0; fd == -EACCES && ms < EXEC_MS && start_of(m->pid) == m->start; ms++) {
		poll(NULL, 0, 1);
		fd = foreign_userns(m->pid);
	}
	return fd;
}

static void add_member(struct members *l, pid_t pid)
{
	const struct member m = { .pid = pid, .start = start_of(pid) };

	if (m.start == 0)
		return;
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = m;
}

/* Those that live, of the list in the file. */
static int read_members(struct members *l, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);

	int r = fd_read_buf(l->fd, &b);
	if (r < 0)
		return err_sys(e, -r, "read %s", l->path);
	for (char *p = b.data, *end; p && *p; p = end + strspn(end, "\n")) {
		pid_t pid = (pid_t)strtol(p, &end, 10);
		unsigned long long start = strtoull(end, &end, 10);

		if (end == p)
			break;
		if (pid > 0 && start != 0 && start_of(pid) == start)
			add_member(l, pid);
	}
	return 0;
}

static int write_members(const struct members *l, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);

	for (size_t i = 0; i < l->n; i++)
		buf_printf(&b, "%d %llu\n", (int)l->v[i].pid, l->v[i].start);
	int r = ftruncate(l->fd, 0) < 0 || lseek(l->fd, 0, SEEK_SET) < 0 ? -errno : 0;
	if (r == 0 && b.data)
		r = fd_write_all(l->fd, b.data, b.len);
	return r < 0 ? err_sys(e, -r, "write %s", l->path) : 0;
}

/* Below /tmp anybody may have made it before us. */
static int own_directory(const char *path, struct err *e)
{
	struct stat st;
	int r = engine_mkdir_all(path, 0711, e);

	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return err_sys(e, errno, "look at %s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != getuid())
		return err_set(e, EPERM, "%s is not this user's own directory: set HOME and "
			       "XDG_RUNTIME_DIR, or name others by --root and --run-root", path);
	return 0;
}

/* Open and locked: two first commands at once make one namespace, not two. */
static int open_members(const char *run_root, struct members *l, struct err *e)
{
	l->path = xasprintf("%s/userns", run_root);
	l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0)
		return err_sys(e, errno, "open %s", l->path);
	if (TEMP_FAILURE_RETRY(flock(l->fd, LOCK_EX)) < 0)
		return err_sys(e, errno, "lock %s", l->path);
	return read_members(l, e);
}

static void close_members(struct members *l)
{
	fd_close(&l->fd);
	free(l->path);
	free(l->v);
}

/* What the keeper of instances/<id> wrote of itself, while it lives: it holds its lock. */
static pid_t keeper_of(int instances, const char *id)
{
	static const char key[] = "\"keeperPid\":";
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	CLEANUP_FREE char *path = xasprintf("%s/status.json", id);
	CLEANUP_FREE char *lock = xasprintf("%s/keeper.lock", id);

	CLEANUP_FD int fd = openat(instances, lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
	    file_read_at(instances, path, &b) < 0 || !b.data)
		return 0;
	const char *at = strstr(b.data, key);
	return at ? (pid_t)strtol(at + sizeof(key) - 1, NULL, 10) : 0;
}

/* A keeper that was there before the list, or whose starter has left it. */
static int find_keeper(const char *root, struct members *l)
{
	CLEANUP_FREE char *path = xasprintf("%s/instances", root);
	DIR *d = opendir(path);
	int fd = -ESRCH;

	if (!d)
		return -ESRCH;
	for (struct dirent *de; fd < 0 && (de = readdir(d)); ) {
		pid_t pid = de->d_name[0] == '.' ? 0 : keeper_of(dirfd(d), de->d_name);

		if (pid <= 0)
			continue;
		fd = foreign_userns(pid);
		if (fd >= 0)
			add_member(l, pid);
	}
	closedir(d);
	return fd;
}

/* 1 when the namespace of a command or a keeper was joined, 0 when there is none. */
static int join(const char *root, struct members *l, struct err *e)
{
	int userns = -ESRCH;

	for (size_t i = 0; userns < 0 && i < l->n; i++)
		userns = wait_userns(&l->v[i]);
	if (userns < 0)
		userns = find_keeper(root, l);
	if (userns < 0)
		return 0;
	CLEANUP_FD int fd = userns;
	int r = sys_setns(fd, CLONE_NEWUSER);
	if (r < 0)
		return err_sys(e, -r, "join the user namespace of running instances");
	/* Of our own: what is mounted for a moment is seen by nobody else. */
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, errno, "make a mount namespace");
	return 1;
}

/* The lock goes with the execve that follows. */
static int join_or_make(const char *root, const char *run_root, struct members *l,
			struct err *e)
{
	int r = own_directory(root, e);

	if (r == 0)
		r = own_directory(run_root, e);
	if (r == 0)
		r = open_members(run_root, l, e);
	if (r == 0)
		r = join(root, l, e);
	if (r == 0)
		r = make_namespace(e);
	if (r < 0)
		return r;
	add_member(l, getpid());
	return write_members(l, e);
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
	CLEANUP(close_members) struct members l = { .fd = -1 };
	CLEANUP_FREE char *root = engine_root_path(o, true);
	CLEANUP_FREE char *run_root = engine_run_root_path(o, true);
	int r = join_or_make(root, run_root, &l, e);
	if (r < 0)
		return r;
	/* Denied where the user alone is mapped; his other groups are nobody's then. */
	if (setgroups(0, NULL) < 0)
		log_debug("setgroups: %s", err_text(errno));
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, errno, "become root of the user namespace");
	return exec_again(uid, e);
}
