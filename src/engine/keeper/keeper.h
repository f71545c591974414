#pragma once
/*
 * engine/keeper/keeper.h - the keeper: one small process a running instance.
 * Layer: engine, without the engine's libraries (no sqlite, no curl): a role of isle-runtime.
 *
 * It owns the instance's mount namespace (its overlay is mounted there and nowhere else,
 * so nothing is left when it ends), its network namespace, stdio or pty, log, exit
 * status, restart policy and health checks.  It reads <dir>/keeper.json once, which isle
 * wrote, and writes <dir>/status.json (replaced by rename), which isle reads:
 *
 *   keeper.json              what is marked ? may be absent
 *     id, name, wall ("container"), stateDir, systemdCgroup?, rootless?
 *     bundle                   directory of config.json
 *     image?                   its name, for the journal
 *     mount? {lower: [bottom first], upper, work, target, options?: "volatile,userxattr"}
 *     ownNetwork?              true: born in a network namespace of its own; lo is brought up
 *     sharedSources?: [path]   sources of binds with shared propagation: stay the host's peers
 *                              (config.json says rootfsPropagation "rshared" then)
 *     tty?, openStdin?, stdinOnce?
 *     log? {driver: json-file|none|journald, path, maxSize, maxFile, tag}   maxSize in bytes
 *     restart? {policy: no|on-failure|always|unless-stopped, max}           max 0: no limit
 *     stop? {signal, timeoutMs}                                             15, 10000; -1: for ever
 *     health? {test: [CMD, ...]|[CMD-SHELL, text]|[NONE], intervalMs, timeoutMs,
 *              startPeriodMs, retries}         0: Docker's defaults
 *     socket                   path that clients connect to
 *     reap?: [argv...]         executed at the end, in the namespaces that the starter was in,
 *                              unless an owner client cleans up
 *   status.json                times in nanoseconds of the Unix epoch, 0: never
 *     status: created|running|restarting|paused|exited; pid, keeperPid
 *     keeperStart              field 22 of the keeper's /proc/PID/stat
 *     startedAt, finishedAt, exitCode, error, oomKilled, restartCount
 *     stoppedByUser            STOP or a killing SIGNAL ended it
 *     health? {status, failingStreak, log: [{start, end, exitCode, output}]}
 *
 * The keeper holds a flock on <dir>/keeper.lock: whoever gets it knows it is gone.
 */
#include <stddef.h>

#include "base/err.h"

/*
 * Be the keeper of the instance in dir; starter is the socket to who started us
 * (proto/keeper.h).  title are title_bytes of the command line, where the instance's name is
 * put for ps(1), as far as it fits; dir may lie in it.  Closes all descriptors but those.
 * Returns at the end of the instance, the program's exit code in
 * *ret_status; an error only where the starter was not told of it.
 */
MUST_CHECK int keeper_main(const char *dir, int starter, char *title, size_t title_bytes,
			   int *ret_status, struct err *e);
