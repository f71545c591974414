#pragma once
/*
 * guest/agent/parts.h - isle-agent, the first process of a guest: what its files share.
 *
 *      main.c          the loop: a connection becomes a process, what ends is reaped
 *      boot.c          from the kernel's hands to a system a container can be made in
 *      serve.c         one request and its answer
 *      configure.c     clock, entropy, hostname; network.c what is on the network
 *      program.c       a program and its stdio; relay.c the stream of it
 *
 * The agent is thin on purpose: container/ makes the container, as on a host.  Each stream
 * is served by a process of its own, so that blocking code serves many, a fault ends one
 * stream instead of the machine, and the program is the child of who reports its end.
 *
 *      agent (PID 1) --fork--> server of CREATE --clone--> the program
 *                    --fork--> server of EXEC   --clone--> another one
 *                    --fork--> server of KILL, a moment
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/wall.h"
#include "proto/agent.h"

#define AGENT_DIR "/run/isle"
#define AGENT_ROOT AGENT_DIR "/root"            /* the shared root is mounted here */
#define AGENT_BUNDLE AGENT_DIR "/bundle"
#define AGENT_STATE AGENT_DIR "/runtime"

/* What main() was told; the servers inherit it. */
struct agent {
	int listener;                   /* vsock, or of the tests a unix socket */
	const char *root;               /* tests: a directory instead of a shared tag; or NULL */
};

/* A stream, as its server sees it. */
struct stream {
	const struct agent *agent;
	int fd;                         /* blocking until a program's stream begins */
	struct agent_reader in;
};

/* ---- boot.c ------------------------------------------------------------------------------ */

/* File systems, a root that can be pivoted from, stdio, modules, loopback. */
MUST_CHECK int boot(struct err *e);
/* Write everything back and power off; only returns when that is impossible. */
void boot_power_off(void);

/* ---- serve.c ----------------------------------------------------------------------------- */

/* Answer the one request of the stream; returns when it ended. */
void serve(struct stream *s);

/* ---- configure.c, network.c -------------------------------------------------------------- */

MUST_CHECK int configure(const struct agent_message *m, struct err *e);
/* text: n bytes of JSON, as proto/agent.h has it. */
MUST_CHECK int network_configure(const char *text, size_t n, struct err *e);

/* ---- program.c --------------------------------------------------------------------------- */

extern const struct wall_host agent_host;

/* The name of the one instance, on the heap; -ENOENT. */
MUST_CHECK int program_instance(char **ret, struct err *e);
/* CREATE and EXEC: an error is the caller's to send, and then nothing was sent. */
MUST_CHECK int program_create(struct stream *s, const struct agent_message *m, struct err *e);
MUST_CHECK int program_exec(struct stream *s, const struct agent_message *m, struct err *e);

/* ---- relay.c ----------------------------------------------------------------------------- */

/* Our ends of a program's stdio: non-blocking, each a descriptor of its own, or -1. */
struct stdio {
	int in, out, err;
	bool terminal;                  /* in and out are a pty's master */
};

void stdio_release(struct stdio *io);
/*
 * Pass on what the program and the host send each other until the program has ended, then
 * send EXIT.  When the host goes away first the program's stdio is closed and it is left
 * alone.  oom() says at the end whether a process was killed for want of memory.  pid is a
 * child of ours.
 */
void relay(struct stream *s, pid_t pid, struct stdio *io, bool (*oom)(void *arg), void *arg);
