#pragma once
/*
 * engine/keeper/parts.h - what the files of the keeper share.  Layer: engine, private to
 * the keeper.
 *
 * One thread, one poll loop (loop.c).  Whatever needs the wall (it parses, allocates, may
 * block) is done by a short-lived forked child, a job, so that this process stays small and
 * always hears its clients.  The life of one run:
 *
 *   CREATING --job says created--> CREATED --GO--> STARTING --executed--> RUNNING
 *   RUNNING --program ended--> DRAINING --output told--> REMOVING --job--> DONE
 *                                                           \--restart--> WAITING -> CREATING
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "oci/wall.h"
#include "proto/keeper.h"

#define CLIENTS_MAX 32
#define CHUNK_BYTES 16384
#define HEALTH_LOG 5
#define HEALTH_OUTPUT_BYTES 4096

/* ---- config.c: keeper.json ------------------------------------------------------ */

enum log_driver { LOG_DRIVER_JSON_FILE, LOG_DRIVER_NONE, LOG_DRIVER_JOURNALD };

struct overlay_config {
	bool set;
	struct oci_strv lower;          /* bottom first */
	const char *upper, *work, *target, *options;
};

struct log_config {
	enum log_driver driver;
	const char *path, *tag;
	uint64_t max_size;              /* bytes; 0: no rotation */
	unsigned max_file;
};

struct health_config {
	bool set, shell;
	struct oci_strv test;           /* without CMD or CMD-SHELL */
	uint64_t interval_ms, timeout_ms, start_period_ms;
	unsigned retries;
};

struct keeper_config {
	struct arena arena;
	const char *id, *name, *image, *bundle, *socket;
	const struct wall *wall;
	struct wall_host host;
	struct overlay_config overlay;
	struct oci_strv shared_sources;
	bool own_network, tty, open_stdin, stdin_once;
	struct log_config log;
	enum keeper_restart restart;
	unsigned restart_max;
	int stop_signal, stop_timeout_ms;
	struct health_config health;
	struct oci_strv reap;
};

/* The file (dirfd, "keeper.json"); strings live in ret->arena. */
MUST_CHECK int keeper_config_load(int dirfd, struct keeper_config *ret, struct err *e);
MUST_CHECK int keeper_config_parse(const char *text, size_t n, struct keeper_config *ret,
				   struct err *e);

/* ---- mount.c ---------------------------------------------------------------------- */

/* Cut our mount namespace's way to the host's (not the other way), then mount the overlay. */
MUST_CHECK int keeper_mount(const struct keeper_config *c, struct err *e);
void keeper_unmount(const struct keeper_config *c);

/* ---- log.c, log_file.c, log_journal.c ------------------------------------------------ */

struct log;
MUST_CHECK int log_sink_open(const struct keeper_config *c, struct log **ret, struct err *e);
/* n bytes of STDOUT or STDERR; whole lines are written, the rest waits for its end. */
void log_sink_add(struct log *l, enum keeper_kind stream, const char *p, size_t n);
/* The program ended: lines without an end are written too. */
void log_sink_flush(struct log *l);
void log_sink_close(struct log *l);

/* ---- restart.c: pure ------------------------------------------------------------------ */

struct restart {
	unsigned count;                 /* restarts so far */
	uint64_t delay_ms;              /* the last one's */
};

/*
 * Whether to start again after exit_code, having run for ran_ms; *ret_ms is how long to
 * wait: 100 ms, doubled each time up to a minute, from the start after a run of 10 s.
 */
bool restart_decide(struct restart *r, enum keeper_restart policy, unsigned max,
		    int exit_code, uint64_t ran_ms, uint64_t *ret_ms);

/* ---- job.c: children that call the wall -------------------------------------------------- */

struct job {
	pid_t pid;                      /* 0: none */
	int sock;                       /* its results, or -1 */
};

struct job_result {
	int r;                          /* 0 or -errno, then msg says why */
	int exit_code;                  /* of the wall, when r < 0 */
	pid_t made;                     /* the process that create or exec made */
	uint64_t count;                 /* OOM kills */
	char msg[ERR_MSG_MAX];
};

struct stdio {
	int in, out, err;               /* the keeper's ends; -1 */
	int console;                    /* listens for the pty's master, or -1 */
	bool master;                    /* in, out: both of the pty */
};

struct keeper;

/* Two results: created, then, after job_go(), started, with a descriptor of oom_fd(). */
MUST_CHECK int job_create(struct keeper *k, const int stdio[3], struct err *e);
MUST_CHECK int job_go(const struct job *j);
/* Remove what is left of the program's instance; the result has the OOM kills. */
MUST_CHECK int job_remove(struct keeper *k, struct err *e);
MUST_CHECK int job_oom(struct keeper *k, struct err *e);
/* A health check's process, a child of ours from its result on; output is a pipe's end. */
MUST_CHECK int job_health(struct keeper *k, int output, struct err *e);
/* Done when this returns. */
MUST_CHECK int job_signal(struct keeper *k, int sig, bool all, struct err *e);
/* 1 and a result; 0 the job ended without one.  *ret_fd as passed, or -1. */
MUST_CHECK int job_result(struct job *j, struct job_result *ret, int *ret_fd);
void job_end(struct job *j);

/* ---- the state -------------------------------------------------------------------------- */

struct client {
	int fd;
	bool starter;                   /* hears CREATED, STARTED, FAILED */
	bool attached;
	unsigned flags;                 /* KEEPER_ATTACH_* */
	bool feeding;                   /* its STDIN is not taken yet */
	bool owed;                      /* the held chunk did not fit its queue */
	uint64_t owed_since_ms;
};

struct health_run { int64_t start_ns, end_ns; int exit_code; char *output; };

struct health {
	int status;                     /* index of "none", "starting", "healthy", "unhealthy" */
	unsigned streak;                /* failures in a row */
	struct health_run log[HEALTH_LOG];
	size_t n;
	struct job job;                 /* starts the check */
	pid_t pid;                      /* the check's process, or 0 */
	int output;                     /* what it writes, or -1 */
	struct buf text;
	int64_t start_ns;
	uint64_t next_ms, deadline_ms, grace_ms;        /* monotonic; next 0: none planned */
	int exit_code;
	bool began;                     /* a check is under way */
};

enum phase {
	PHASE_CREATING, PHASE_CREATED, PHASE_STARTING, PHASE_RUNNING, PHASE_DRAINING,
	PHASE_REMOVING, PHASE_WAITING, PHASE_DONE
};

#define EARLY_MAX 8

struct keeper {
	struct keeper_config cfg;
	int dirfd, lockfd, sigfd, listenfd;
	int hostnet, hostmnt;           /* the starter's namespaces, for reap */
	enum phase phase;
	bool go;                        /* GO came */
	struct client client[CLIENTS_MAX];
	size_t n_clients;
	struct stdio io;
	struct log *log;
	struct job life, oom;           /* create or remove; counting OOM kills */
	int oomfd;
	uint64_t oom_again_ms;          /* do not look before */
	/* output on its way to clients: nothing more is read until all took it */
	char *chunk;
	size_t chunk_n;
	enum keeper_kind chunk_kind;
	size_t drain_out, drain_err;    /* what may still be read once the program has ended */
	/* input on its way to the program */
	struct buf input;
	size_t input_done;
	bool input_end;                 /* close stdin after it */
	unsigned rows, columns;         /* of the last RESIZE */
	uint64_t pty_again_ms;          /* nobody has the terminal open: look again then */
	pid_t pid;                      /* the program, or 0 */
	int wait_status;
	uint64_t started_ms;            /* monotonic */
	bool ended;                     /* pid was reaped */
	/* Orphans that ended before the job that made them said whose they are. */
	struct { pid_t pid; int status; } early[EARLY_MAX];
	unsigned early_next;
	/* the end */
	bool no_restart, stopped_by_user;
	bool told;                      /* who cleans up knows that we ended */
	uint64_t kill_at_ms;            /* SIGKILL then; 0: no */
	bool stop_late;                 /* STOP came while it was being made: then */
	int stop_signal, stop_timeout_ms;
	uint64_t restart_at_ms;
	struct restart restart;
	struct health health;
	/* what status.json tells beside that */
	int64_t started_ns, finished_ns;
	int exit_code;
	bool oom_killed, paused, ran;
	bool failed;                    /* the first start: FAILED was, or could not be, told */
	unsigned long long own_start;
	struct err why;                 /* why it is not running, msg "" none */
};

uint64_t keeper_now_ms(void);
int64_t keeper_now_ns(void);

/* status.c */
MUST_CHECK int status_write(const struct keeper *k, struct err *e);

/* stdio.c: make the program's ends in stdio[3], ours in k->io. */
MUST_CHECK int stdio_open(struct keeper *k, int stdio[3], struct err *e);
/* With a terminal: take its master, which create has sent. */
MUST_CHECK int stdio_accept_console(struct keeper *k, struct err *e);
void stdio_close(struct keeper *k);
/* Read what is there of out or err, log it and give it to the clients. */
void stdio_read(struct keeper *k, bool err);
/* Write input on; its clients are told when all was taken. */
void stdio_write(struct keeper *k);
void stdio_resize(const struct keeper *k, unsigned rows, unsigned columns);
/* From here on only what is in the pipes now is read.  True from stdio_drained(): all was. */
void stdio_drain(struct keeper *k);
bool stdio_drained(const struct keeper *k);

/* clients.c */
MUST_CHECK int clients_add(struct keeper *k, int fd, bool starter);
void clients_accept(struct keeper *k);
void clients_drop(struct keeper *k, size_t i);
/* Give the chunk to who is attached; k->chunk_n is 0 again once all have it. */
void clients_offer(struct keeper *k);
void clients_retry(struct keeper *k);           /* to those that are owed */
/* A message to every attached client, or with starter to the starter alone. */
void clients_tell(struct keeper *k, const struct keeper_message *m, bool starter);
void clients_read(struct keeper *k, size_t i);
/* When the slowest must have taken the chunk, or 0. */
uint64_t clients_deadline_ms(const struct keeper *k);
bool clients_have_owner(const struct keeper *k);

/* health.c */
void health_begin(struct keeper *k);            /* the program runs */
void health_end(struct keeper *k);              /* it does not any more */
uint64_t health_deadline_ms(const struct keeper *k);
void health_step(struct keeper *k);             /* a time has come */
void health_job_ready(struct keeper *k);
void health_output_ready(struct keeper *k);
bool health_reaped(struct keeper *k, pid_t pid, int wait_status);

/* life.c: what happens to the program */
void life_begin(struct keeper *k);              /* create; then GO starts it */
void life_go(struct keeper *k);
void life_job_ready(struct keeper *k);
void life_ended(struct keeper *k);              /* its process was reaped */
void life_output_done(struct keeper *k);
void life_signal(struct keeper *k, int sig);
void life_stop(struct keeper *k, int sig, int timeout_ms);
void life_paused(struct keeper *k, bool on);
void life_kill_due(struct keeper *k);
void life_restart_due(struct keeper *k);
void life_oom_ready(struct keeper *k);
void life_oom_counted(struct keeper *k);
/* The keeper itself cannot go on: kill and remove what it keeps, say why. */
void keeper_abort(struct keeper *k, int exit_code, const struct err *why);
/* Remove what was created and not started, and fail. */
void life_abandon(struct keeper *k, int exit_code);
void life_starter_gone(struct keeper *k);

/* loop.c: until PHASE_DONE. */
void loop_forget_early(struct keeper *k);
bool loop_reaped_early(struct keeper *k, pid_t pid, int *ret_status);
MUST_CHECK int keeper_loop(struct keeper *k, struct err *e);
