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
 *        ATTACH  {flags}                 from now on DATA and EXIT come
 *        STDIN   bytes                   n == 0: end of input
 *        RESIZE  {rows, columns}
 *        SIGNAL  {signal}                to the program
 *        STOP    {signal, timeout_ms}    no restart; signal, later SIGKILL
 *        POLICY  {restart, max_retries}  from update --restart
 *        DETACH                          no more DATA
 *      keeper -> client
 *        STDOUT, STDERR bytes
 *        EXIT    {exit_code, oom}        the program ended and is not restarted: then close
 *        RESTART {exit_code, delay_ms}   it ended and will be started again
 *        ERROR   {code, text}
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KEEPER_DATA_MAX 32768

enum keeper_kind {
	KEEPER_GO = 1, KEEPER_CREATED, KEEPER_STARTED, KEEPER_FAILED, KEEPER_ATTACH,
	KEEPER_STDIN, KEEPER_RESIZE, KEEPER_SIGNAL, KEEPER_STOP, KEEPER_POLICY, KEEPER_DETACH,
	KEEPER_STDOUT, KEEPER_STDERR, KEEPER_EXIT, KEEPER_RESTART, KEEPER_ERROR,
};

#define KEEPER_ATTACH_STDIN  1u
#define KEEPER_ATTACH_STDOUT 2u
#define KEEPER_ATTACH_STDERR 4u
#define KEEPER_ATTACH_OWNER  8u         /* this client cleans up when it hears EXIT */
