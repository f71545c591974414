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
 *   keeper.json
 *     id, name, wall, stateDir, runtimeRoot, systemdCgroup, rootless
 *     bundle                   directory of config.json
 *     mount {lower: [...bottom first], upper, work, target, options}
 *     tty, openStdin, stdinOnce
 *     log {driver: json-file|none|journald, path, maxSize, maxFile, tag}
 *     restart {policy: no|on-failure|always|unless-stopped, max}
 *     stop {signal, timeoutMs}
 *     health {test: [...], intervalMs, timeoutMs, startPeriodMs, retries}
 *     socket                   path that clients connect to
 *     reap: [argv...]          executed at the end, unless an owner client cleans up
 *   status.json
 *     status: created|running|restarting|paused|exited; pid, keeperPid, keeperStart
 *     startedAt, finishedAt, exitCode, error, oomKilled, restartCount
 *     health {status, failingStreak, log: [{start, end, exitCode, output}]}
 *
 * The keeper holds a flock on <dir>/keeper.lock: whoever gets it knows it is gone.
 */
#include "base/err.h"

/*
 * Be the keeper of the instance in dir; starter is the socket to who started us
 * (proto/keeper.h).  Returns at the end of the instance, the program's exit code in
 * *ret_status; an error only where the starter was not told of it.
 */
MUST_CHECK int keeper_main(const char *dir, int starter, int *ret_status, struct err *e);
