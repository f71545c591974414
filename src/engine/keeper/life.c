/* engine/keeper/life.c - what happens to the program, from create to its last end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/parts.h"

#define OOM_SETTLE_MS 100               /* v1 tells ahead of the count's growing */

static void note(struct keeper *k)
{
	/* A full disk: the file stays as it was, and isle asks the wall and the lock too. */
	(void)!status_write(k, &(struct err){ 0 });
}

/* Nothing is left, and nobody finds a keeper here any more: who hears of it may go on. */
static void leave(struct keeper *k)
{
	k->phase = PHASE_DONE;
	k->pid = 0;
	stdio_close(k);
	keeper_unmount(&k->cfg);
	note(k);
	fd_close(&k->listenfd);
	if (k->cfg.socket)
		unlink(k->cfg.socket);
	fd_close(&k->lockfd);
}

/* Not running and not going to: tell who waits, and let the loop end. */
static void finish(struct keeper *k)
{
	leave(k);
	k->told = clients_have_owner(k);
	clients_tell(k, &(struct keeper_message){
		.kind = KEEPER_EXIT, .exit_code = k->exit_code, .oom = k->oom_killed,
	}, false);
}

/* The first start failed: nothing is left of it when the starter hears. */
static void fail_first(struct keeper *k, int exit_code)
{
	k->exit_code = exit_code;
	leave(k);
	for (size_t i = 0; i < k->n_clients; i++)
		if (k->client[i].starter && k->client[i].fd >= 0)
			k->told = keeper_send_error(k->client[i].fd, KEEPER_FAILED, exit_code,
						    &k->why, MSG_DONTWAIT) == 0;
}

static void fail(struct keeper *k, int exit_code)
{
	if (k->life.sock >= 0)
		job_end(&k->life);
	if (!k->ran) {
		fail_first(k, exit_code);
		return;
	}
	/* As Docker: a restart that cannot be is the end. */
	k->exit_code = exit_code == 125 ? 128 : exit_code;
	finish(k);
}

void life_begin(struct keeper *k)
{
	int stdio[3];

	k->phase = PHASE_CREATING;
	k->pid = 0;
	k->ended = false;
	k->why.msg[0] = '\0';
	loop_forget_early(k);
	int r = stdio_open(k, stdio, &k->why);
	if (r == 0)
		r = job_create(k, stdio, &k->why);
	for (int i = 0; i < 3; i++)
		fd_close(&stdio[i]);
	if (r < 0)
		fail(k, 125);
}

void life_go(struct keeper *k)
{
	if (!k->go || k->phase != PHASE_CREATED)
		return;
	k->phase = PHASE_STARTING;
	if (job_go(&k->life) < 0) {
		err_set(&k->why, EPROTO, "the process that makes the instance has died");
		fail(k, 125);
	}
}

static bool starter_here(const struct keeper *k)
{
	for (size_t i = 0; i < k->n_clients; i++)
		if (k->client[i].fd >= 0 && k->client[i].starter)
			return true;
	return false;
}

static void created(struct keeper *k, const struct job_result *res)
{
	k->pid = res->made;
	k->phase = PHASE_CREATED;
	if (stdio_accept_console(k, &k->why) < 0) {
		fail(k, 125);
		return;
	}
	if (k->rows)
		stdio_resize(k, k->rows, k->columns);
	int status;
	if (loop_reaped_early(k, k->pid, &status)) {
		k->ended = true;
		k->wait_status = status;
	}
	clients_tell(k, &(struct keeper_message){ .kind = KEEPER_CREATED, .pid = k->pid }, true);
	if (!k->go && !starter_here(k)) {
		life_starter_gone(k);
		return;
	}
	if (!k->ran)
		note(k);
	life_go(k);
}

static void started(struct keeper *k)
{
	k->phase = PHASE_RUNNING;
	k->ran = true;
	k->started_ms = keeper_now_ms();
	k->started_ns = keeper_now_ns();
	k->paused = false;
	clients_tell(k, &(struct keeper_message){ .kind = KEEPER_STARTED, .pid = k->pid }, true);
	for (size_t i = 0; i < k->n_clients; i++)
		k->client[i].starter = false;
	note(k);
	health_begin(k);
	if (k->ended)
		life_ended(k);
	else if (k->stop_late)
		life_stop(k, k->stop_signal, k->stop_timeout_ms);
	k->stop_late = false;
}

static void decide(struct keeper *k)
{
	uint64_t ran = keeper_now_ms() - k->started_ms, delay;

	if (k->no_restart || k->why.msg[0] ||
	    !restart_decide(&k->restart, k->cfg.restart, k->cfg.restart_max, k->exit_code, ran,
			    &delay)) {
		finish(k);
		return;
	}
	k->phase = PHASE_WAITING;
	k->restart_at_ms = keeper_now_ms() + delay;
	note(k);
	clients_tell(k, &(struct keeper_message){
		.kind = KEEPER_RESTART, .exit_code = k->exit_code, .delay_ms = (int)delay,
	}, false);
}

static void removed(struct keeper *k, const struct job_result *res)
{
	job_end(&k->life);
	k->oom_killed = k->oom_killed || res->count > 0;
	if (res->r < 0)
		err_set(&k->why, -res->r, "clean up: %s", res->msg);
	decide(k);
}

void life_job_ready(struct keeper *k)
{
	struct job_result res = { 0 };
	int fd, r = job_result(&k->life, &res, &fd);

	if (r == 0) {
		bool late = k->phase == PHASE_RUNNING || k->phase == PHASE_DRAINING;

		/* It ends by itself once the program runs; before that something killed it. */
		job_end(&k->life);
		if (late)
			return;
		res.r = -EPROTO;
		res.exit_code = 125;
		snprintf(res.msg, sizeof(res.msg),
			 "the process that makes the instance was killed");
	}
	switch (k->phase) {
	case PHASE_CREATING:
	case PHASE_STARTING:
		if (res.r < 0) {
			err_set(&k->why, -res.r, "%s", res.msg);
			fail(k, res.exit_code);
		} else if (k->phase == PHASE_CREATING) {
			created(k, &res);
		} else {
			started(k);
		}
		break;
	case PHASE_REMOVING:
		removed(k, &res);
		break;
	default:
		fd_close(&k->oomfd);
		k->oomfd = fd;
		return;
	}
	fd_close(&fd);
}

/* ---- the end -------------------------------------------------------------------------- */

void life_ended(struct keeper *k)
{
	int s = k->wait_status;

	k->ended = true;
	if (k->phase == PHASE_CREATED) {
		err_set(&k->why, ESRCH, "the instance's first process ended before its start");
		life_abandon(k, 125);
		return;
	}
	if (k->phase != PHASE_RUNNING)
		return;                 /* STARTING: the job tells why, or that it ran */
	k->exit_code = WIFSIGNALED(s) ? 128 + WTERMSIG(s) : WEXITSTATUS(s);
	k->finished_ns = keeper_now_ns();
	k->kill_at_ms = 0;
	k->paused = false;
	health_end(k);
	fd_close(&k->oomfd);
	k->oom_again_ms = 0;
	k->phase = PHASE_DRAINING;
	stdio_drain(k);
}

void life_output_done(struct keeper *k)
{
	log_sink_flush(k->log);
	stdio_close(k);
	if (k->life.sock >= 0)
		job_end(&k->life);
	k->pid = 0;
	k->phase = PHASE_REMOVING;
	struct err e = { 0 };
	if (job_remove(k, &e) < 0) {
		k->why = e;
		finish(k);
	}
}

/* What was created and will not be started goes away. */
void life_abandon(struct keeper *k, int exit_code)
{
	struct job_result res;
	int fd;

	if (k->life.sock >= 0)
		job_end(&k->life);      /* it waits for GO: its end of file */
	if (job_remove(k, &(struct err){ 0 }) == 0)
		(void)!job_result(&k->life, &res, &fd);
	fail(k, exit_code);
}

void life_starter_gone(struct keeper *k)
{
	/* While it is being made, created() looks. */
	if (k->phase != PHASE_CREATED || k->go)
		return;
	err_set(&k->why, EPIPE, "who started the instance went away before it ran");
	life_abandon(k, 125);
}

/* ---- orders ---------------------------------------------------------------------------- */

void life_signal(struct keeper *k, int sig)
{
	struct err e = { 0 };

	if (k->phase != PHASE_RUNNING)
		return;
	/* Docker's ExitOnNext: what is killed by hand stays down. */
	if (sig == SIGKILL || sig == k->cfg.stop_signal)
		k->no_restart = k->stopped_by_user = true;
	(void)!job_signal(k, sig, false, &e);
}

void life_stop(struct keeper *k, int sig, int timeout_ms)
{
	k->no_restart = true;
	if (timeout_ms < 0)
		timeout_ms = k->cfg.stop_timeout_ms;
	if (k->phase == PHASE_WAITING) {
		finish(k);
		return;
	}
	if (k->phase == PHASE_CREATED && !k->go) {
		err_set(&k->why, ECANCELED, "the instance was stopped before it ran");
		life_abandon(k, 125);
		return;
	}
	if (k->phase < PHASE_RUNNING) {
		k->stop_late = true;
		k->stop_signal = sig;
		k->stop_timeout_ms = timeout_ms;
	}
	if (k->phase != PHASE_RUNNING)
		return;
	(void)!job_signal(k, sig ? sig : k->cfg.stop_signal, false, &(struct err){ 0 });
	k->kill_at_ms = timeout_ms < 0 ? 0 : keeper_now_ms() + (uint64_t)timeout_ms;
	if (timeout_ms == 0)
		life_kill_due(k);
}

void life_kill_due(struct keeper *k)
{
	struct err e = { 0 };

	k->kill_at_ms = 0;
	if (k->phase == PHASE_RUNNING && job_signal(k, SIGKILL, false, &e) < 0)
		k->kill_at_ms = keeper_now_ms() + 1000;         /* once more */
}

void life_paused(struct keeper *k, bool on)
{
	if (k->phase != PHASE_RUNNING)
		return;
	k->paused = on;
	note(k);
}

void life_restart_due(struct keeper *k)
{
	k->restart_at_ms = 0;
	life_begin(k);
}

/* ---- memory ----------------------------------------------------------------------------- */

/* Readable: an eventfd, or inotify's records; both are emptied by reading. */
void life_oom_ready(struct keeper *k)
{
	char p[4096];

	if (read(k->oomfd, p, sizeof(p)) < 0 && errno != EAGAIN && errno != EINTR)
		fd_close(&k->oomfd);
	else if (!k->oom_again_ms)
		k->oom_again_ms = keeper_now_ms() + OOM_SETTLE_MS;
}

void life_oom_counted(struct keeper *k)
{
	struct job_result res;
	int fd, r = job_result(&k->oom, &res, &fd);

	job_end(&k->oom);
	if (r == 0 || res.r < 0) {
		fd_close(&k->oomfd);    /* the group is gone */
	} else if (res.count > 0) {
		k->oom_killed = true;
		fd_close(&k->oomfd);    /* said once: there is no more to tell */
		note(k);
	}
}

void keeper_abort(struct keeper *k, int exit_code, const struct err *why)
{
	struct job_result res;
	int fd;

	k->why = *why;
	if (k->life.sock >= 0)
		job_end(&k->life);
	if (k->cfg.wall && k->phase != PHASE_DONE && job_remove(k, &(struct err){ 0 }) == 0)
		(void)!job_result(&k->life, &res, &fd);
	fail(k, exit_code);
}
