/*
 * engine/keeper/log_journal.c - the journald driver, without libsystemd: one datagram a line
 * in the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): "NAME=value\n", or,
 * as the value may hold anything, "NAME\n", its length in 64 bits little endian, the value,
 * "\n".  Fields are those that Docker's driver has.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/log_impl.h"

#define JOURNAL "/run/systemd/journal/socket"
#define DATAGRAM_MAX 65536
#define SEND_SECONDS 1                  /* a journal that hangs must not hang the program */

static void add_field(struct buf *b, const char *name, const char *p, size_t n)
{
	uint64_t len = htole64(n);

	buf_printf(b, "%s\n", name);
	buf_add(b, &len, sizeof(len));
	buf_add(b, p, n);
	buf_add_str(b, "\n");
}

static int line(struct log *l, enum keeper_kind stream, const char *p, size_t n, bool whole)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(DATAGRAM_MAX);
	const struct keeper_config *c = l->cfg;
	char short_id[13];

	snprintf(short_id, sizeof(short_id), "%s", c->id);
	/* syslog(3): error for stderr, info for stdout. */
	buf_printf(&b, "PRIORITY=%d\n", stream == KEEPER_STDERR ? 3 : 6);
	buf_printf(&b, "CONTAINER_ID=%s\nCONTAINER_ID_FULL=%s\n", short_id, c->id);
	add_field(&b, "CONTAINER_NAME", c->name, strlen(c->name));
	const char *tag = c->log.tag ? c->log.tag : short_id;
	add_field(&b, "CONTAINER_TAG", tag, strlen(tag));
	add_field(&b, "SYSLOG_IDENTIFIER", tag, strlen(tag));
	if (c->image)
		add_field(&b, "IMAGE_NAME", c->image, strlen(c->image));
	if (!whole)
		buf_add_str(&b, "CONTAINER_PARTIAL_MESSAGE=true\n");
	add_field(&b, "MESSAGE", p, n);
	return send(l->fd, b.data, b.len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int commit(struct log *l)
{
	return l->fd >= 0 ? 0 : -ENOTCONN;
}

static const struct log_ops ops = { .line = line, .commit = commit };

int log_journal_open(struct log *l, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
	struct timeval limit = { .tv_sec = SEND_SECONDS };

	l->ops = &ops;
	l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return err_sys(e, errno, "make a socket");
	if (connect(l->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, errno, "log driver journald: connect to " JOURNAL
			       " (is systemd-journald running? json-file needs none)");
	if (setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(e, errno, "set the time limit of " JOURNAL);
	return 0;
}
