/*
 * engine/keeper/health.c - the health check: a process in the instance, every interval.
 * Rules are Docker's: exit 0 is healthy, all else a failure; "retries" of them in a row
 * are unhealthy, but not counted during the start period while nothing succeeded yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/parts.h"

enum { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

#define TIMED_OUT_CODE (-1)             /* what Docker records */

static void forget_run(struct health *h)
{
	/* A start that has not answered yet dies; a process is left to be reaped. */
	if (h->job.pid > 0)
		kill(h->job.pid, SIGKILL);
	if (h->job.pid > 0 || h->job.sock >= 0)
		job_end(&h->job);
	if (h->pid > 0)
		kill(h->pid, SIGKILL);
	h->pid = 0;
	fd_close(&h->output);
	buf_release(&h->text);
	h->began = false;
}

void health_begin(struct keeper *k)
{
	struct health *h = &k->health;

	if (!k->cfg.health.set)
		return;
	h->status = HEALTH_STARTING;
	h->streak = 0;
	h->next_ms = keeper_now_ms() + k->cfg.health.interval_ms;
	h->grace_ms = keeper_now_ms() + k->cfg.health.start_period_ms;
}

void health_end(struct keeper *k)
{
	k->health.next_ms = 0;
	forget_run(&k->health);
}

static void record(struct keeper *k, int code, const char *text)
{
	struct health *h = &k->health;

	if (h->n == HEALTH_LOG) {
		free(h->log[0].output);
		memmove(h->log, h->log + 1, (HEALTH_LOG - 1) * sizeof(*h->log));
		h->n--;
	}
	h->log[h->n++] = (struct health_run){
		.start_ns = h->start_ns, .end_ns = keeper_now_ns(), .exit_code = code,
		.output = xstrdup(text),
	};
	if (code == 0) {
		h->streak = 0;
		h->status = HEALTH_HEALTHY;
	} else if (h->status != HEALTH_STARTING || keeper_now_ms() >= h->grace_ms) {
		h->streak++;
		if (h->streak >= k->cfg.health.retries)
			h->status = HEALTH_UNHEALTHY;
	}
	forget_run(h);
	h->next_ms = keeper_now_ms() + k->cfg.health.interval_ms;
	(void)!status_write(k, &(struct err){ 0 });
}

static void probe(struct keeper *k)
{
	struct health *h = &k->health;
	struct err e = { 0 };
	int p[2];

	loop_forget_early(k);
	h->start_ns = keeper_now_ns();
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0) {
		record(k, TIMED_OUT_CODE, "cannot make a pipe");
		return;
	}
	h->output = p[0];
	h->text.max = HEALTH_OUTPUT_BYTES;
	h->began = true;
	h->next_ms = 0;
	h->deadline_ms = keeper_now_ms() + k->cfg.health.timeout_ms;
	/* The program's end blocks, as programs expect of theirs. */
	if (fcntl(p[1], F_SETFL, O_WRONLY) < 0 || job_health(k, p[1], &e) < 0)
		record(k, TIMED_OUT_CODE, e.msg);
	close(p[1]);
}

uint64_t health_deadline_ms(const struct keeper *k)
{
	const struct health *h = &k->health;

	return h->began ? h->deadline_ms : h->next_ms;
}

void health_step(struct keeper *k)
{
	struct health *h = &k->health;
	uint64_t now = keeper_now_ms();

	if (h->began && now >= h->deadline_ms) {
		CLEANUP_FREE char *text = xasprintf("Health check exceeded timeout (%llu ms)",
			(unsigned long long)k->cfg.health.timeout_ms);

		record(k, TIMED_OUT_CODE, text);
	} else if (!h->began && h->next_ms && now >= h->next_ms) {
		if (k->paused)
			h->next_ms = now + k->cfg.health.interval_ms;
		else
			probe(k);
	}
}

/* The bound is ours; what is over is read, so that the check does not hang, and dropped. */
void health_output_ready(struct keeper *k)
{
	struct health *h = &k->health;
	char p[HEALTH_OUTPUT_BYTES];
	ssize_t n = read(h->output, p, sizeof(p));

	if (n > 0) {
		size_t room = h->text.max - h->text.len;

		buf_add(&h->text, p, (size_t)n < room ? (size_t)n : room);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		fd_close(&h->output);
	}
}

static void finish(struct keeper *k)
{
	struct health *h = &k->health;
	size_t before;

	do {                            /* what the process wrote last */
		before = h->text.len;
		if (h->output >= 0)
			health_output_ready(k);
	} while (h->output >= 0 && h->text.len != before);
	CLEANUP_FREE char *text = xstrdup(h->text.data ? h->text.data : "");
	record(k, h->exit_code, text);
}

void health_job_ready(struct keeper *k)
{
	struct health *h = &k->health;
	struct job_result res;
	int fd, r = job_result(&h->job, &res, &fd);

	job_end(&h->job);
	if (r == 0 || res.r < 0) {
		/* Paused since: the next one will tell. */
		if (r > 0 && res.r == -EBUSY) {
			forget_run(h);
			h->next_ms = keeper_now_ms() + k->cfg.health.interval_ms;
			return;
		}
		record(k, r > 0 && res.exit_code > 1 ? res.exit_code : TIMED_OUT_CODE,
		       r > 0 ? res.msg : "the check could not be started");
		return;
	}
	h->pid = res.made;
	int status;
	if (loop_reaped_early(k, h->pid, &status))
		(void)health_reaped(k, h->pid, status);
}

bool health_reaped(struct keeper *k, pid_t pid, int status)
{
	struct health *h = &k->health;

	if (!h->began || h->pid != pid)
		return false;
	h->pid = 0;
	h->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	finish(k);
	return true;
}
