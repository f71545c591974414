#pragma once
/*
 * proto/agent.h - messages between the host and the agent in a guest.  Layer: proto.
 *
 * The agent listens on vsock port AGENT_PORT; each operation is a stream of its own, which the
 * host opens, writes one request to, and closes.  Both ends speak in frames:
 *
 *      u32 length | u16 kind | fields ...      length: of kind and fields; all little-endian
 *
 * A field is a number (u32 or u64) or a run of bytes (u32 length, then the bytes); which ones
 * a kind has, in which order and within which bounds, is agent.c's table.
 *
 *      request (host)                          answer (guest)
 *      HELLO     {version}                     WELCOME {version, name: of the agent,
 *                                                data: kernel release, extra: boot id}
 *      CONFIGURE {time_ns, name: hostname,     DONE
 *                 data: entropy, extra: network as JSON}
 *      CREATE    {name: id, data: config.json, CREATED {pid}, then as a program's stream
 *                 extra: tag of the shared root}
 *      START                                   DONE: it was executed
 *      EXEC      {rows, columns, all: detached, data: process as JSON}
 *                                              STARTED {pid}, then as a program's stream;
 *                                                detached: the end, what it prints is lost
 *      KILL      {signal, all}                 DONE
 *      PAUSE, RESUME, DELETE {all: force}      DONE
 *      UPDATE    {data: resources as JSON}     DONE
 *      STATUS, STATS, PIDS                     JSON {data}
 *      OOM                                     OOM_COUNT {count}, and again at each change
 *      SHUTDOWN                                DONE, then the machine powers off
 *      any                                     ERROR {code, exit_code, name: text}
 *
 *      a program's stream
 *        host   STDIN {data}, STDIN_EOF, SIGNAL {signal}, RESIZE {rows, columns}
 *        guest  STDOUT {data}, STDERR {data}, then EXIT {exit_code, oom} and the end
 *
 * Flow control is the stream's own: who does not want more does not read.  A host that closes
 * a program's stream closes the program's stdio; the program is left alone.
 *
 * A machine holds one instance, so only CREATE names it.  Its root.path is not looked at: the
 * root is the shared one.  CONFIGURE may come again, with less: time_ns 0 leaves the clock as
 * it is, and so for what is empty.  The network (mac finds the device, or else its name):
 *
 *      {"interfaces": [{"name": "eth0", "mac": "52:54:00:00:00:01", "mtu": 1500,
 *        "addresses": ["10.88.0.2/16", "fd00::2/64"], "gateways": ["10.88.0.1"]}]}
 *
 * STATUS is {"id", "status": created|running|paused|stopped, "pid"}, PIDS an array of numbers
 * of the guest's, STATS runc's "events --stats" object.
 *
 * Versions: the agent comes from the same build as the host's side, but a machine may be older
 * than the isle that talks to it.  Each end names its version and the host refuses another.
 *
 * Both ends are untrusted here: a guest may be hostile, and a frame that is too long, of an
 * unknown kind, not for this direction, or with bytes missing or left over is -EPROTO.  What
 * is in the bytes (JSON, names) is checked by who uses it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define AGENT_VERSION 1
#define AGENT_PORT 1024
#define AGENT_MODULES "/etc/isle/modules" /* in the initramfs: one path a line, in order */
#define AGENT_HEADER 6
#define AGENT_DATA_MAX 32768            /* of STDIN, STDOUT, STDERR: one frame's */
#define AGENT_DOCUMENT_MAX (4u << 20)   /* of a JSON document */
#define AGENT_FRAME_MAX (AGENT_DOCUMENT_MAX + 8192)

enum agent_kind {
	/* requests */
	AGENT_HELLO = 1, AGENT_CONFIGURE, AGENT_CREATE, AGENT_START, AGENT_EXEC, AGENT_KILL,
	AGENT_PAUSE, AGENT_RESUME, AGENT_DELETE, AGENT_UPDATE, AGENT_STATUS, AGENT_STATS,
	AGENT_PIDS, AGENT_OOM, AGENT_SHUTDOWN,
	/* answers */
	AGENT_WELCOME, AGENT_DONE, AGENT_CREATED, AGENT_STARTED, AGENT_JSON, AGENT_OOM_COUNT,
	AGENT_ERROR,
	/* a program's stream */
	AGENT_STDIN, AGENT_STDIN_EOF, AGENT_SIGNAL, AGENT_RESIZE,
	AGENT_STDOUT, AGENT_STDERR, AGENT_EXIT,
	AGENT_KINDS
};

enum agent_side { AGENT_FROM_HOST, AGENT_FROM_GUEST };

struct agent_bytes {
	const void *p;                  /* not terminated; may hold anything */
	size_t n;
};

struct agent_message {
	enum agent_kind kind;
	/* Of these, the ones named above for the kind; the others are 0. */
	uint32_t version;
	uint32_t pid;                   /* in the guest's first pid namespace */
	int code;                       /* positive errno */
	int exit_code;                  /* 0..255 */
	int signal;                     /* 1..64 */
	bool all, oom;
	unsigned rows, columns;         /* 0..65535 */
	uint64_t time_ns;               /* since 1970 */
	uint64_t count;
	struct agent_bytes name, data, extra;
};

/* Append m's frame to out.  -EINVAL for one that agent_decode() would refuse; out is as before. */
MUST_CHECK int agent_encode(const struct agent_message *m, struct buf *out);

/*
 * Read the first frame of the n bytes at p, sent by `from`: its length with *m filled, whose
 * bytes point into p; 0 while more bytes are needed; -EPROTO.  A frame that is too long or of
 * a wrong kind is refused as soon as its header is there.
 */
MUST_CHECK int agent_decode(const uint8_t *p, size_t n, enum agent_side from,
			    struct agent_message *m);

/* Which side sends frames of this kind. */
enum agent_side agent_kind_side(enum agent_kind kind);

/* ---- over a descriptor ------------------------------------------------------------------- */

/* What was read and not taken yet.  All zero but for from is ready for use. */
struct agent_reader {
	enum agent_side from;           /* the other end */
	uint8_t *data;                  /* grows up to one frame of AGENT_FRAME_MAX */
	size_t at, end, cap;
};

void agent_reader_release(struct agent_reader *r);

/*
 * The next message: 1, its bytes valid until the next call; 0 at end of file between frames;
 * -EAGAIN when fd is non-blocking and has no more now; -EPROTO; -errno of read(2).  Blocks as
 * fd does.
 */
MUST_CHECK int agent_read(struct agent_reader *r, int fd, struct agent_message *m);
/* A whole frame is there already: agent_read() will not read. */
bool agent_reader_has(const struct agent_reader *r);

/* Write the frame to a blocking descriptor.  0, -EINVAL, or -errno of write(2). */
MUST_CHECK int agent_write(int fd, const struct agent_message *m);
/* One without fields; an ERROR out of an error. */
MUST_CHECK int agent_write_kind(int fd, enum agent_kind kind);
MUST_CHECK int agent_write_error(int fd, const struct err *why, int exit_code);
