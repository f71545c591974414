#pragma once
/*
 * engine/life.h - the life of an instance: create, start, stop, remove.  Layer: engine.
 *
 *  isle (this process)                      keeper (isle-runtime keeper)     the wall
 *   transaction: name, addresses, ports
 *   bundle, keeper.json
 *   clone3: new mount (and net) namespace --> mounts the overlay
 *   net_connect() in its namespace            wall create ------------------> made
 *                                  <-- CREATED
 *   GO -->                                    wall start --------------------> runs
 *                                  <-- STARTED
 *   (goes on as first client, or leaves)      log, clients, wait
 *                                             EXIT; wall remove
 *   owner or `isle system reap`: addresses, ports, --rm
 */
#include "engine/instance.h"

/*
 * The image's config merged in, volumes made and filled, the instance in the table, its lock
 * held: nothing runs.  With in->active INSTANCE_STARTING (run) a start has to follow: killed
 * before, the next command removes an auto_remove one.
 */
MUST_CHECK int life_create(struct engine *eng, struct instance *in, const struct image *img,
			   struct err *e);
/*
 * Start it (its lock held).  *ret_sock is the socket to its keeper, to attach by
 * (proto/keeper.h), the caller's to close.  Attach before anything is printed: flags are
 * KEEPER_ATTACH_*, sent ahead of GO.  When it fails nothing runs, nothing is leased, an
 * auto_remove one is removed, and in->start_exit_code is 126, 127 or 125.
 */
MUST_CHECK int life_start(struct engine *eng, struct instance *in, unsigned attach_flags,
			  int *ret_sock, struct err *e);
/* After its keeper has ended: addresses, ports, names back; auto_remove removes it. */
MUST_CHECK int life_reap(struct engine *eng, struct instance *in, struct err *e);
/* The same by a keeper that has ended itself: nothing, when it was started again since. */
MUST_CHECK int life_reap_ended(struct engine *eng, struct instance *in, struct err *e);
/* signal, wait up to timeout_ms (-1: its own), SIGKILL; waits for the end. */
MUST_CHECK int life_stop(struct engine *eng, struct instance *in, int signal, int timeout_ms,
			 struct err *e);
MUST_CHECK int life_remove(struct engine *eng, struct instance *in, bool force,
			   bool volumes, struct err *e);
/* Blocks until it is not running; the exit code. */
MUST_CHECK int life_wait(struct engine *eng, struct instance *in, int *ret_code,
			 struct err *e);
/* A socket to the keeper of a running instance; -ESRCH when it has none. */
MUST_CHECK int life_connect(struct engine *eng, const struct instance *in, struct err *e);

/* config.json, written to its bundle (instance_bundle_path(), engine/spec.c). */
MUST_CHECK int spec_write(struct engine *eng, const struct instance *in, struct err *e);

/*
 * The overlay of an instance that does not run, as a mount that is attached nowhere: a
 * descriptor of its root, gone with its last use.  read_only does not touch the upper
 * directory: for export, diff, and reading the image's files.  Of a running one only the
 * read_only form is meant, and shows its upper directory without its mounts.
 */
MUST_CHECK int life_mount(struct engine *eng, const struct instance *in, bool read_only,
			  struct err *e);

/*
 * Clean what killed commands and keepers left: all instances half removed, half started, or
 * whose keeper died, and directories no row has.  One that resists is a warning in the log.
 */
MUST_CHECK int engine_sweep(struct engine *eng, struct err *e);
/* The first two alone, by one indexed query that mostly finds nothing: for run and start. */
MUST_CHECK int engine_sweep_unfinished(struct engine *eng, struct err *e);
