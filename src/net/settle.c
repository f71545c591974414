/* net/settle.c - see settle.h */
#include "net/settle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/link.h"
#include "net/rules.h"
#include "sys/nlreq.h"

#define TICK_MS 250
/* An unused bridge stays so long after the last disconnect. */
#define BRIDGE_IDLE_MS 1000
/* A namespace that ends takes its veth along, cheaper than we could; then it is our turn. */
#define LINK_IDLE_MS 2000

static int open_dir(const struct net *n, const char *name, struct err *e)
{
	CLEANUP_FREE char *path = name ? xasprintf("%s/%s", n->run_dir, name) :
					 xstrdup(n->run_dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make %s", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

int settle_lock(const struct net *n, int op, struct err *e)
{
	CLEANUP_FD int dir = open_dir(n, NULL, e);

	if (dir < 0)
		return dir;
	CLEANUP_FD int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "open %s/lock", n->run_dir);
	if (TEMP_FAILURE_RETRY(flock(fd, op)) < 0)
		return err_sys(e, errno, "lock %s/lock", n->run_dir);
	return take_fd(fd);
}

bool settle_marked(const struct net *n, const char *device)
{
	CLEANUP_FREE char *path = xasprintf("%s/bridges/%s", n->run_dir, device);

	return access(path, F_OK) == 0;
}

int settle_mark(const struct net *n, const char *device, bool internal, struct err *e)
{
	CLEANUP_FD int dir = open_dir(n, "bridges", e);
	const char *text = internal ? "internal" : "open";

	if (dir < 0)
		return dir;
	int r = file_replace_at(dir, device, text, strlen(text), 0600);
	return r < 0 ? err_sys(e, -r, "write %s/bridges/%s", n->run_dir, device) : 0;
}

int settle_link(const struct net *n, const char *link, struct err *e)
{
	CLEANUP_FD int dir = open_dir(n, "links", e);

	if (dir < 0)
		return dir;
	CLEANUP_FD int fd = openat(dir, link, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, errno, "make %s/links/%s", n->run_dir, link) : 0;
}

static int64_t age_ms(const struct stat *st)
{
	struct timespec now;

	/* The coarse clock is the one files are stamped by. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (now.tv_sec - st->st_mtim.tv_sec) * 1000 +
	       (now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
}

/* each() for the files of a directory, in no order. */
static int walk(const struct net *n, const char *name, struct err *e,
		int (*each)(const struct net *n, int dir, const char *file, void *arg,
			    struct err *e), void *arg)
{
	CLEANUP_FD int dir = open_dir(n, name, e);
	const struct dirent *entry;
	int r = 0;

	if (dir < 0)
		return dir;
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	if (!d) {
		fd_close(&again);
		return err_sys(e, ENOMEM, "read %s/%s", n->run_dir, name);
	}
	while (r == 0 && (entry = readdir(d))) {
		/* file_replace_at()'s temporary files begin with a dot. */
		if (entry->d_name[0] != '.')
			r = each(n, dir, entry->d_name, arg, e);
	}
	(void)closedir(d);
	return r;
}

struct pass {
	int sock;
	int64_t link_age_ms;
	unsigned left;                  /* bridges in use */
	unsigned removed;
	struct buf lines;
};

static int link_gone(const struct net *n, int dir, const char *file, void *arg, struct err *e)
{
	struct pass *p = arg;
	struct stat st;

	(void)n;
	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || age_ms(&st) < p->link_age_ms)
		return 0;
	int r = link_remove(p->sock, file, e);
	if (r == 0)
		(void)unlinkat(dir, file, 0);
	return r;
}

static int bridge_gone(const struct net *n, int dir, const char *file, void *arg,
		       struct err *e)
{
	struct pass *p = arg;
	struct buf kind __attribute__((cleanup(buf_release))) = BUF_INIT(16);

	(void)n;
	int index = link_bridge_find(p->sock, file, e);
	int ports = index > 0 ? link_bridge_ports(p->sock, index, e) : index;
	if (index < 0 || ports < 0)
		return index < 0 ? index : ports;
	if (ports > 0) {
		p->left++;
		return 0;
	}
	int r = index > 0 ? link_remove(p->sock, file, e) : 0;
	if (r == 0)
		r = file_read_at(dir, file, &kind);
	if (r < 0)
		return r;
	buf_printf(&p->lines, "-network %s %s\n", file, kind.len ? kind.data : "open");
	p->removed++;
	return 0;
}

static int unmark(const struct net *n, int dir, const char *file, void *arg, struct err *e)
{
	const struct pass *p = arg;

	(void)n;
	/* Those whose bridge is still there are in use. */
	int index = link_bridge_find(p->sock, file, e);
	if (index == 0)
		(void)unlinkat(dir, file, 0);
	return index < 0 ? index : 0;
}

static int remove_unused(const struct net *n, struct pass *p, struct err *e)
{
	int r = walk(n, "bridges", e, bridge_gone, p);

	if (r < 0 || p->removed == 0)
		return r;
	if (p->left == 0) {
		r = rules_apply(n, "delete", NULL, e);
	} else {
		r = rules_apply(n, "change", &p->lines, e);
		/* Not in the table: then they need not be taken out. */
		r = r == -ENOENT ? 0 : r;
	}
	return r < 0 ? r : walk(n, "bridges", e, unmark, p);
}

/* link_age_ms: of veths to be removed.  bridges: those without ports go too. */
static int settle_pass(const struct net *n, int64_t link_age_ms, bool bridges, struct err *e)
{
	struct pass p = { .link_age_ms = link_age_ms, .lines = BUF_INIT(RULES_BYTES_MAX) };
	CLEANUP_FD int lock = settle_lock(n, LOCK_EX, e);

	if (lock < 0)
		return lock;
	CLEANUP_FD int sock = nlreq_open(NETLINK_ROUTE, -1);
	if (sock < 0)
		return err_sys(e, -sock, "open a netlink socket");
	p.sock = sock;
	int r = walk(n, "links", e, link_gone, &p);
	if (r == 0 && bridges)
		r = remove_unused(n, &p, e);
	buf_release(&p.lines);
	return r;
}

int net_settle(const struct net *n, struct err *e)
{
	return n->rootless ? 0 : settle_pass(n, 0, true, e);
}

/* ---- the process ---------------------------------------------------------------------- */

static int open_settle(const struct net *n, struct err *e)
{
	CLEANUP_FD int dir = open_dir(n, NULL, e);

	if (dir < 0)
		return dir;
	int fd = openat(dir, "settle", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, errno, "open %s/settle", n->run_dir) : fd;
}

void settle_start(const struct net *n)
{
	CLEANUP_FREE char *program = xstrdup(n->nft_helper);
	CLEANUP_FREE char *run_dir = xstrdup(n->run_dir);
	char *const argv[] = { (char *)"isle-nft", (char *)"settle", run_dir, NULL };
	char *const envp[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	struct err e = { 0 };
	pid_t pid;

	CLEANUP_FD int fd = open_settle(n, &e);
	/* The process looks at the time after it has let the lock go: it is not missed. */
	if (fd < 0 || futimens(fd, NULL) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	(void)flock(fd, LOCK_UN);
	(void)posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < 3; i++)
		(void)posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
	(void)posix_spawn_file_actions_addchdir_np(&actions, "/");
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	int code = posix_spawn(&pid, program, &actions, &attr, argv, envp);
	if (code != 0)
		log_debug("execute %s: %s", program, err_text(code));
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
}

static void sleep_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

int settle_main(const struct net *n, struct err *e)
{
	CLEANUP_FD int fd = open_settle(n, e);
	struct stat before, after;
	int r = 0;

	if (fd < 0)
		return fd;
	do {
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return 0;       /* another does it */
		do {
			sleep_ms(TICK_MS);
			if (fstat(fd, &before) < 0)
				return err_sys(e, errno, "stat %s/settle", n->run_dir);
			bool idle = age_ms(&before) >= BRIDGE_IDLE_MS;
			r = settle_pass(n, idle ? 0 : LINK_IDLE_MS, idle, e);
			if (r < 0)
				return r;
			if (idle)
				break;
		} while (true);
		(void)flock(fd, LOCK_UN);
		if (fstat(fd, &after) < 0)
			return err_sys(e, errno, "stat %s/settle", n->run_dir);
	} while (after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
		 after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
	return 0;
}
