/*
 * engine/keeper/loop.c - the keeper's one loop: descriptors, times, ended children.
 * Memory it used for work is given back before it waits: most keepers wait for days.
 */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "engine/keeper/parts.h"

#define SHRINK_AFTER_MS 1000

uint64_t keeper_now_ms(void)
{
	return time_mono_ns() / 1000000;
}

int64_t keeper_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- children ------------------------------------------------------------------------ */

void loop_forget_early(struct keeper *k)
{
	memset(k->early, 0, sizeof(k->early));
}

bool loop_reaped_early(struct keeper *k, pid_t pid, int *ret_status)
{
	for (size_t i = 0; i < EARLY_MAX; i++) {
		if (k->early[i].pid != pid)
			continue;
		*ret_status = k->early[i].status;
		k->early[i].pid = 0;
		return true;
	}
	return false;
}

static void reap(struct keeper *k)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; ) {
		if (pid == k->pid && !k->ended) {
			k->wait_status = status;
			life_ended(k);
		} else if (!health_reaped(k, pid, status)) {
			k->early[k->early_next].pid = pid;
			k->early[k->early_next].status = status;
			k->early_next = (k->early_next + 1) % EARLY_MAX;
		}
	}
}

static void signals(struct keeper *k)
{
	struct signalfd_siginfo si;

	while (read(k->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		/* The host goes down, or somebody wants the keeper gone: in good order. */
		if (si.ssi_signo == SIGTERM)
			life_stop(k, 0, -1);
	}
	reap(k);
}

/* ---- times ------------------------------------------------------------------------------ */

static void sooner(uint64_t *first, uint64_t at)
{
	if (at && (!*first || at < *first))
		*first = at;
}

static int wait_ms(const struct keeper *k)
{
	uint64_t at = 0, now = keeper_now_ms();

	sooner(&at, k->kill_at_ms);
	sooner(&at, k->restart_at_ms);
	sooner(&at, k->oom_again_ms);
	sooner(&at, k->pty_again_ms);
	sooner(&at, health_deadline_ms(k));
	sooner(&at, clients_deadline_ms(k));
	if (!at)
		return -1;
	return at <= now ? 0 : at - now > INT_MAX ? INT_MAX : (int)(at - now);
}

static bool due(uint64_t at, uint64_t now)
{
	return at && now >= at;
}

static void times(struct keeper *k)
{
	uint64_t now = keeper_now_ms();

	if (due(k->kill_at_ms, now))
		life_kill_due(k);
	if (due(k->restart_at_ms, now))
		life_restart_due(k);
	if (due(k->oom_again_ms, now)) {
		k->oom_again_ms = 0;
		if (k->oomfd >= 0 && k->oom.sock < 0 && job_oom(k, &(struct err){ 0 }) < 0)
			k->oom_again_ms = now + 1000;
	}
	if (due(k->pty_again_ms, now))
		k->pty_again_ms = 0;
	if (due(health_deadline_ms(k), now))
		health_step(k);
	if (due(clients_deadline_ms(k), now))
		clients_retry(k);
}

/* ---- descriptors --------------------------------------------------------------------------- */

enum slot {
	SIGNALS, LISTEN, LIFE, OOM_JOB, OOM, HEALTH_JOB, HEALTH_OUTPUT, OUT, ERR, IN, FIRST_CLIENT
};

/* Not before STARTED is told: a starter need not expect output ahead of it. */
static bool reads_output(const struct keeper *k)
{
	return k->chunk_n == 0 && (k->phase == PHASE_RUNNING || k->phase == PHASE_DRAINING);
}

static size_t fill(const struct keeper *k, struct pollfd *p)
{
	bool out = reads_output(k);

	p[SIGNALS] = (struct pollfd){ k->sigfd, POLLIN, 0 };
	p[LISTEN] = (struct pollfd){ k->listenfd, POLLIN, 0 };
	p[LIFE] = (struct pollfd){ k->life.sock, POLLIN, 0 };
	p[OOM_JOB] = (struct pollfd){ k->oom.sock, POLLIN, 0 };
	p[OOM] = (struct pollfd){ k->oomfd, POLLIN, 0 };
	p[HEALTH_JOB] = (struct pollfd){ k->health.job.sock, POLLIN, 0 };
	p[HEALTH_OUTPUT] = (struct pollfd){ k->health.output, POLLIN, 0 };
	p[OUT] = (struct pollfd){ out && !k->pty_again_ms ? k->io.out : -1, POLLIN, 0 };
	p[ERR] = (struct pollfd){ out ? k->io.err : -1, POLLIN, 0 };
	p[IN] = (struct pollfd){ k->input.len ? k->io.in : -1, POLLOUT, 0 };
	for (size_t i = 0; i < k->n_clients; i++)
		p[FIRST_CLIENT + i] = (struct pollfd){
			k->client[i].fd, (short)(k->client[i].owed ? POLLIN | POLLOUT : POLLIN), 0
		};
	return FIRST_CLIENT + k->n_clients;
}

static void serve_clients(struct keeper *k, const struct pollfd *p, size_t n)
{
	bool retry = false;

	for (size_t i = 0; i < n - FIRST_CLIENT; i++) {
		short got = p[FIRST_CLIENT + i].revents;

		/* An order may have dropped any of them meanwhile. */
		if (k->client[i].fd != p[FIRST_CLIENT + i].fd)
			continue;
		retry = retry || (got & POLLOUT);
		if (got & (POLLIN | POLLHUP | POLLERR))
			clients_read(k, i);
	}
	if (retry)
		clients_retry(k);
	/* Only here do entries move. */
	size_t kept = 0;
	for (size_t i = 0; i < k->n_clients; i++)
		if (k->client[i].fd >= 0)
			k->client[kept++] = k->client[i];
	k->n_clients = kept;
}

/*
 * Jobs' answers before ended children, so that those are known by their makers' word;
 * output before the end of the program that wrote it.
 */
static void serve(struct keeper *k, const struct pollfd *p, size_t n)
{
	if (p[LIFE].revents)
		life_job_ready(k);
	if (p[HEALTH_OUTPUT].revents && k->health.output >= 0)
		health_output_ready(k);
	if (p[HEALTH_JOB].revents && k->health.job.sock >= 0)
		health_job_ready(k);
	if (p[OOM_JOB].revents && k->oom.sock >= 0)
		life_oom_counted(k);
	if (p[OOM].revents && k->oomfd >= 0)
		life_oom_ready(k);
	if (p[OUT].revents && k->io.out >= 0 && reads_output(k))
		stdio_read(k, false);
	if (p[ERR].revents && k->io.err >= 0 && reads_output(k))
		stdio_read(k, true);
	if (p[IN].revents)
		stdio_write(k);
	if (p[SIGNALS].revents)
		signals(k);
	serve_clients(k, p, n);
	if (p[LISTEN].revents)
		clients_accept(k);
}

/* Nothing may come from an empty pipe: while draining, ask instead of waiting. */
static void drain(struct keeper *k)
{
	while (k->chunk_n == 0 && k->io.out >= 0 && k->drain_out)
		stdio_read(k, false);
	while (k->chunk_n == 0 && k->io.err >= 0 && k->drain_err)
		stdio_read(k, true);
	if (stdio_drained(k))
		life_output_done(k);
}

/*
 * The program's text and constants are clean pages of a file, which come back from the page
 * cache when they are touched: a keeper that waits holds those of the wait alone.
 */
static void shrink(void)
{
	const ElfW(Phdr) *ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	size_t n = getauxval(AT_PHNUM);
	uintptr_t page = getauxval(AT_PAGESZ);

	for (size_t i = 0; i < n; i++) {
		uintptr_t from = ph[i].p_vaddr & ~(page - 1);
		uintptr_t to = (ph[i].p_vaddr + ph[i].p_memsz + page - 1) & ~(page - 1);

		/* At a fixed address (ET_EXEC), else these are no addresses. */
		if (ph[i].p_type == PT_LOAD && !(ph[i].p_flags & PF_W) && from)
			(void)!madvise((void *)from, to - from, MADV_DONTNEED);
	}
}

/* One wait, and what it brought.  1 when nothing happened for a while. */
static int step(struct keeper *k, bool idle, struct err *e)
{
	struct pollfd p[FIRST_CLIENT + CLIENTS_MAX];
	size_t n = fill(k, p);
	int ms = wait_ms(k);
	bool trial = !idle && (ms < 0 || ms > SHRINK_AFTER_MS);
	/* Right ahead of the wait, so that little is touched in between. */
	if (idle)
		shrink();
	int r = poll(p, n, trial ? SHRINK_AFTER_MS : ms);

	if (r < 0 && errno != EINTR)
		return err_sys(e, errno, "wait in the keeper");
	if (r > 0)
		serve(k, p, n);
	times(k);
	return r == 0 && trial;
}

int keeper_loop(struct keeper *k, struct err *e)
{
	bool idle = false;

	while (k->phase != PHASE_DONE) {
		if (k->phase == PHASE_DRAINING)
			drain(k);
		int r = step(k, idle, e);
		if (r < 0)
			return r;
		idle = r > 0;
	}
	return 0;
}
