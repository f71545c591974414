#pragma once
/*
 * proto/keeper.h - messages between a keeper and its clients.  Layer: proto.
 *
 * A SOCK_SEQPACKET socket, one message a packet: a header, then up to KEEPER_DATA_MAX bytes.
 * A client is another process of the same user, still not trusted to be well-formed: every
 * field is checked here, and an unknown kind or a wrong length is -EPROTO (close).
 *
 *      starter (isle) -> keeper          over the inherited descriptor, at birth
 *        GO                              the network is ready: start the program
 *      keeper -> starter
 *        CREATED {pid}                   the instance exists, waiting for GO
 *        STARTED {pid}                   the program was executed
 *        FAILED  {code, exit_code, text} nothing is left
 *      client -> keeper                  the starter may go on as the first client
 *        ATTACH  {flags}                 from now on STDOUT, STDERR and EXIT come
 *        STDIN   bytes                   n == 0: end of input
 *        RESIZE  {rows, columns}
 *        SIGNAL  {signal}                to the program
 *        STOP    {signal, timeout_ms}    no restart; signal, later SIGKILL; 0, -1: its own
 *        POLICY  {restart, max_retries}  from update --restart
 *        PAUSED  {on}                    the client has paused or resumed the instance
 *        DETACH                          no more STDOUT and STDERR, and no EXIT
 *      keeper -> client
 *        STDOUT, STDERR bytes
 *        TAKEN                           the program took the last STDIN: send the next.  One
 *                                        at a time, so that a SIGNAL never waits behind it
 *        EXIT    {exit_code, oom}        the program ended and is not restarted: then close
 *        RESTART {exit_code, delay_ms}   it ended and will be started again
 *        ERROR   {code, text}
 *
 * In the packet: kind and three numbers of 32 bits in the host's order (both ends are on
 * it), unused numbers 0, then the bytes or the text.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define KEEPER_DATA_MAX 32768
#define KEEPER_HEADER 16
#define KEEPER_PACKET_MAX (KEEPER_HEADER + KEEPER_DATA_MAX)

enum keeper_kind {
	KEEPER_GO = 1, KEEPER_CREATED, KEEPER_STARTED, KEEPER_FAILED, KEEPER_ATTACH,
	KEEPER_STDIN, KEEPER_RESIZE, KEEPER_SIGNAL, KEEPER_STOP, KEEPER_POLICY, KEEPER_DETACH,
	KEEPER_STDOUT, KEEPER_STDERR, KEEPER_EXIT, KEEPER_RESTART, KEEPER_ERROR,
	KEEPER_PAUSED, KEEPER_TAKEN,
	KEEPER_KINDS
};

#define KEEPER_ATTACH_STDIN  1u
#define KEEPER_ATTACH_STDOUT 2u
#define KEEPER_ATTACH_STDERR 4u
#define KEEPER_ATTACH_OWNER  8u         /* this client cleans up when it hears EXIT */

enum keeper_restart {                   /* POLICY's restart, as in keeper.json's order */
	KEEPER_RESTART_NO, KEEPER_RESTART_ON_FAILURE, KEEPER_RESTART_ALWAYS,
	KEEPER_RESTART_UNLESS_STOPPED
};

struct keeper_message {
	enum keeper_kind kind;
	/* Of these, the ones named above for the kind; the others are 0. */
	pid_t pid;
	int code;                       /* positive errno */
	int exit_code;                  /* 0..255 */
	bool oom, on;
	unsigned flags;                 /* KEEPER_ATTACH_* */
	unsigned rows, columns;         /* 0..65535 */
	int signal;
	int timeout_ms, delay_ms;
	enum keeper_restart restart;
	unsigned max_retries;           /* 0: no limit */
	const char *data;               /* STDIN, STDOUT, STDERR; text: terminated, one line */
	size_t n;
};

/* The header of m into h; -EINVAL for one that keeper_decode() would refuse. */
MUST_CHECK int keeper_encode(const struct keeper_message *m, unsigned char h[KEEPER_HEADER]);
/*
 * Read a packet of n bytes; m->data points into p, where p[n] must be writable (it becomes
 * the text's end).  -EPROTO: not a message.
 */
MUST_CHECK int keeper_decode(unsigned char *p, size_t n, struct keeper_message *m);

/* Send one message; flags as send(2) has them (MSG_DONTWAIT: -EAGAIN when the queue is full). */
MUST_CHECK int keeper_send(int sock, const struct keeper_message *m, int flags);
/* Receive into buf, of KEEPER_PACKET_MAX + 1 bytes: 1, 0 at end of file, -EAGAIN, -EPROTO. */
MUST_CHECK int keeper_recv(int sock, unsigned char *buf, struct keeper_message *m, int flags);
/* Messages without numbers and text, and ERROR or FAILED out of an error. */
MUST_CHECK int keeper_send_kind(int sock, enum keeper_kind kind);
MUST_CHECK int keeper_send_error(int sock, enum keeper_kind kind, int exit_code,
				 const struct err *why, int flags);

/*
 * A socket that listens at path, or one connected to it; paths longer than sun_path are
 * fine.  Listening replaces what a dead keeper left there; the mode is 0600.
 * Connecting is -ECONNREFUSED or -ENOENT when no keeper is there.
 */
MUST_CHECK int keeper_listen(const char *path, struct err *e);
MUST_CHECK int keeper_connect(const char *path, struct err *e);
