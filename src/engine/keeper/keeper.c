/* engine/keeper/keeper.c - the birth and the end of a keeper; see keeper.h */
#include "engine/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/parts.h"
#include "sys/calls.h"
#include "sys/netlink.h"

#define FAILED_CODE 125

/* The starter's terminal, pipes and files are not ours to hold open. */
static int close_inherited(int *starter, struct err *e)
{
	CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_sys(e, errno, "open /dev/null");
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return err_sys(e, errno, "close stdio");
	if (*starter != 3) {
		if (dup3(*starter, 3, O_CLOEXEC) < 0)
			return err_sys(e, errno, "move the starter's socket");
		*starter = 3;
	}
	(void)take_fd(null);            /* closed with the others, or 3 by now */
	int r = sys_close_range(4, ~0u, 0);
	if (r < 0)
		return err_sys(e, -r, "close inherited descriptors");
	return fcntl(3, F_SETFD, FD_CLOEXEC) < 0 ? err_sys(e, errno, "keep the socket") : 0;
}

static int parent_namespace(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", getppid(), name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int take_lock(struct keeper *k, struct err *e)
{
	k->lockfd = openat(k->dirfd, "keeper.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (k->lockfd < 0)
		return err_sys(e, errno, "open keeper.lock");
	if (flock(k->lockfd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_set(e, EBUSY, "the instance has a keeper already")
					    : err_sys(e, errno, "lock keeper.lock");
	return 0;
}

/* Field 22 of /proc/self/stat: with the number it names this process for good. */
static unsigned long long start_time(void)
{
	unsigned long long start = 0;
	char text[1024], *p;
	CLEANUP_FD int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_all(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, "%llu", &start) == 1 ? start : 0;
}

static int open_signals(struct keeper *k, struct err *e)
{
	sigset_t all, own;

	/* SIGPIPE too: a program that closed its stdin is an error of write(2). */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sigemptyset(&own);
	sigaddset(&own, SIGCHLD);
	sigaddset(&own, SIGTERM);
	k->sigfd = signalfd(-1, &own, SFD_CLOEXEC | SFD_NONBLOCK);
	return k->sigfd < 0 ? err_sys(e, errno, "make a signalfd") : 0;
}

static int prepare(struct keeper *k, const char *dir, struct err *e)
{
	k->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dirfd < 0)
		return err_sys(e, errno, "open %s", dir);
	int r = take_lock(k, e);
	if (r == 0)
		r = keeper_config_load(k->dirfd, &k->cfg, e);
	if (r < 0)
		return r;
	k->hostnet = parent_namespace("net");
	k->hostmnt = parent_namespace("mnt");
	k->own_start = start_time();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, errno, "become the program's reaper");
	r = open_signals(k, e);
	if (r == 0)
		r = keeper_mount(&k->cfg, e);
	if (r == 0 && k->cfg.own_network) {
		r = net_loopback_up();
		if (r < 0)
			err_sys(e, -r, "set the loopback device up");
	}
	return r;
}

static int begin(struct keeper *k, struct err *e)
{
	k->chunk = xmalloc(CHUNK_BYTES);
	int r = log_sink_open(&k->cfg, &k->log, e);
	if (r < 0)
		return r;
	life_begin(k);
	if (k->phase == PHASE_DONE)
		return 0;
	/* Beside the making of the instance, which takes longer. */
	k->listenfd = keeper_listen(k->cfg.socket, e);
	return k->listenfd < 0 ? k->listenfd : 0;
}

/*
 * Back to the namespaces we were started from: addresses and rules are kept there.  The host's
 * network is closed to an ordinary user, whose pasta is ended by its number, from anywhere.
 */
static void reap_instance(const struct keeper *k)
{
	bool to_net = k->hostnet >= 0 && !k->cfg.host.rootless;
	sigset_t none;

	/* Of one that never ran the starter takes all back, and waits for us with its lock. */
	if (k->told || !k->ran || !k->cfg.reap.n)
		return;
	if ((to_net && sys_setns(k->hostnet, CLONE_NEWNET) < 0) ||
	    (k->hostmnt >= 0 && sys_setns(k->hostmnt, CLONE_NEWNS) < 0) || chdir("/") < 0)
		return;                 /* the next command finds what is left */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(k->cfg.reap.v[0], (char *const *)k->cfg.reap.v);
}

static void keeper_release(struct keeper *k)
{
	for (size_t i = 0; i < k->n_clients; i++)
		fd_close(&k->client[i].fd);
	log_sink_close(k->log);
	fd_close(&k->listenfd);
	fd_close(&k->sigfd);
	fd_close(&k->hostnet);
	fd_close(&k->hostmnt);
	fd_close(&k->oomfd);
	fd_close(&k->lockfd);
	fd_close(&k->dirfd);
	free(k->chunk);
	buf_release(&k->input);
	for (size_t i = 0; i < k->health.n; i++)
		free(k->health.log[i].output);
	arena_release(&k->cfg.arena);
}

int keeper_main(const char *dir, int starter, char *title, size_t title_bytes,
		int *ret_status, struct err *e)
{
	CLEANUP(keeper_release) struct keeper k = {
		.dirfd = -1, .lockfd = -1, .sigfd = -1, .listenfd = -1, .hostnet = -1,
		.hostmnt = -1, .oomfd = -1, .phase = PHASE_CREATING,
		.io = { .in = -1, .out = -1, .err = -1, .console = -1 },
		.life.sock = -1, .oom.sock = -1, .health.job.sock = -1, .health.output = -1,
		.input.max = CLIENTS_MAX * KEEPER_DATA_MAX,
	};

	setsid();                       /* fails where we lead a session already */
	umask(022);
	int r = close_inherited(&starter, e);
	if (r == 0)
		r = clients_add(&k, starter, true);
	if (r < 0)
		return r;
	r = prepare(&k, dir, e);
	if (r == 0) {
		memset(title, 0, title_bytes);
		snprintf(title, title_bytes, "%s", k.cfg.name);
		r = begin(&k, e);
	}
	if (r == 0)
		r = keeper_loop(&k, e);
	if (r < 0) {
		keeper_abort(&k, FAILED_CODE, e);
		r = 0;
	}
	*ret_status = k.exit_code & 0xff;
	reap_instance(&k);
	return r;
}
