/* proto/keeper.c - see keeper.h */
#include "proto/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define BACKLOG 16

/* What a number of the header is, and what it may be. */
enum number {
	NONE, PID, CODE, EXIT_CODE, OOM, ON, FLAGS, ROWS, COLUMNS, SIGNAL, SIGNAL_OR_0, TIMEOUT,
	DELAY, RESTART, RETRIES, NUMBERS
};

enum tail { NO_TAIL, BYTES, TEXT };

static const struct shape {
	unsigned char number[3];        /* enum number */
	unsigned char tail;             /* enum tail */
} shapes[KEEPER_KINDS] = {
	[KEEPER_GO] = { { NONE }, NO_TAIL },
	[KEEPER_CREATED] = { { PID }, NO_TAIL },
	[KEEPER_STARTED] = { { PID }, NO_TAIL },
	[KEEPER_FAILED] = { { CODE, EXIT_CODE }, TEXT },
	[KEEPER_ATTACH] = { { FLAGS }, NO_TAIL },
	[KEEPER_STDIN] = { { NONE }, BYTES },
	[KEEPER_RESIZE] = { { ROWS, COLUMNS }, NO_TAIL },
	[KEEPER_SIGNAL] = { { SIGNAL }, NO_TAIL },
	[KEEPER_STOP] = { { SIGNAL_OR_0, TIMEOUT }, NO_TAIL },
	[KEEPER_POLICY] = { { RESTART, RETRIES }, NO_TAIL },
	[KEEPER_PAUSED] = { { ON }, NO_TAIL },
	[KEEPER_DETACH] = { { NONE }, NO_TAIL },
	[KEEPER_STDOUT] = { { NONE }, BYTES },
	[KEEPER_STDERR] = { { NONE }, BYTES },
	[KEEPER_TAKEN] = { { NONE }, NO_TAIL },
	[KEEPER_EXIT] = { { EXIT_CODE, OOM }, NO_TAIL },
	[KEEPER_RESTART] = { { EXIT_CODE, DELAY }, NO_TAIL },
	[KEEPER_ERROR] = { { CODE }, TEXT },
};

static const struct { int32_t min, max; } ranges[NUMBERS] = {
	[NONE] = { 0, 0 },
	[PID] = { 0, INT32_MAX },
	[CODE] = { 0, 4095 },
	[EXIT_CODE] = { 0, 255 },
	[OOM] = { 0, 1 },
	[ON] = { 0, 1 },
	[FLAGS] = { 0, 15 },
	[ROWS] = { 0, UINT16_MAX },
	[COLUMNS] = { 0, UINT16_MAX },
	[SIGNAL] = { 1, 64 },
	[SIGNAL_OR_0] = { 0, 64 },
	[TIMEOUT] = { -1, INT32_MAX },
	[DELAY] = { 0, INT32_MAX },
	[RESTART] = { KEEPER_RESTART_NO, KEEPER_RESTART_UNLESS_STOPPED },
	[RETRIES] = { 0, INT32_MAX },
};

static int32_t number_get(const struct keeper_message *m, enum number what)
{
	switch (what) {
	case PID: return m->pid;
	case CODE: return m->code;
	case EXIT_CODE: return m->exit_code;
	case OOM: return m->oom;
	case ON: return m->on;
	case FLAGS: return (int32_t)m->flags;
	case ROWS: return (int32_t)m->rows;
	case COLUMNS: return (int32_t)m->columns;
	case SIGNAL: case SIGNAL_OR_0: return m->signal;
	case TIMEOUT: return m->timeout_ms;
	case DELAY: return m->delay_ms;
	case RESTART: return (int32_t)m->restart;
	case RETRIES: return (int32_t)m->max_retries;
	default: return 0;
	}
}

static void number_set(struct keeper_message *m, enum number what, int32_t v)
{
	switch (what) {
	case PID: m->pid = v; break;
	case CODE: m->code = v; break;
	case EXIT_CODE: m->exit_code = v; break;
	case OOM: m->oom = v; break;
	case ON: m->on = v; break;
	case FLAGS: m->flags = (unsigned)v; break;
	case ROWS: m->rows = (unsigned)v; break;
	case COLUMNS: m->columns = (unsigned)v; break;
	case SIGNAL: case SIGNAL_OR_0: m->signal = v; break;
	case TIMEOUT: m->timeout_ms = v; break;
	case DELAY: m->delay_ms = v; break;
	case RESTART: m->restart = (enum keeper_restart)v; break;
	case RETRIES: m->max_retries = (unsigned)v; break;
	default: break;
	}
}

int keeper_encode(const struct keeper_message *m, unsigned char h[KEEPER_HEADER])
{
	const struct shape *s = &shapes[m->kind < KEEPER_KINDS ? m->kind : 0];
	int32_t v[4] = { (int32_t)m->kind };

	if (m->kind < KEEPER_GO || m->kind >= KEEPER_KINDS || m->n > KEEPER_DATA_MAX ||
	    (m->n && s->tail == NO_TAIL))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(s->number); i++) {
		enum number what = s->number[i];

		v[i + 1] = number_get(m, what);
		if (v[i + 1] < ranges[what].min || v[i + 1] > ranges[what].max)
			return -EINVAL;
	}
	memcpy(h, v, KEEPER_HEADER);
	return 0;
}

/* One line for a terminal, whoever wrote it. */
static void text_clean(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = '?';
	s[n] = '\0';
}

int keeper_decode(unsigned char *p, size_t n, struct keeper_message *m)
{
	int32_t v[4];

	if (n < KEEPER_HEADER || n > KEEPER_PACKET_MAX)
		return -EPROTO;
	memcpy(v, p, KEEPER_HEADER);
	if (v[0] < KEEPER_GO || v[0] >= KEEPER_KINDS)
		return -EPROTO;
	const struct shape *s = &shapes[v[0]];
	*m = (struct keeper_message){ .kind = (enum keeper_kind)v[0] };
	for (size_t i = 0; i < ARRAY_LEN(s->number); i++) {
		enum number what = s->number[i];

		if (v[i + 1] < ranges[what].min || v[i + 1] > ranges[what].max)
			return -EPROTO;
		number_set(m, what, v[i + 1]);
	}
	if (n > KEEPER_HEADER && s->tail == NO_TAIL)
		return -EPROTO;
	m->data = (const char *)p + KEEPER_HEADER;
	m->n = n - KEEPER_HEADER;
	if (s->tail == TEXT)
		text_clean((char *)p + KEEPER_HEADER, m->n);
	return 0;
}

int keeper_send(int sock, const struct keeper_message *m, int flags)
{
	unsigned char h[KEEPER_HEADER];
	struct iovec iov[] = {
		{ .iov_base = h, .iov_len = sizeof(h) },
		{ .iov_base = (char *)m->data, .iov_len = m->n },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };

	int r = keeper_encode(m, h);
	if (r < 0)
		return r;
	return TEMP_FAILURE_RETRY(sendmsg(sock, &msg, flags | MSG_NOSIGNAL)) < 0 ? -errno : 0;
}

int keeper_recv(int sock, unsigned char *buf, struct keeper_message *m, int flags)
{
	/* MSG_TRUNC: the packet's own length, so that a longer one is seen to be. */
	ssize_t n = TEMP_FAILURE_RETRY(recv(sock, buf, KEEPER_PACKET_MAX, flags | MSG_TRUNC));

	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	int r = keeper_decode(buf, (size_t)n, m);
	return r < 0 ? r : 1;
}

int keeper_send_kind(int sock, enum keeper_kind kind)
{
	return keeper_send(sock, &(struct keeper_message){ .kind = kind }, 0);
}

int keeper_send_error(int sock, enum keeper_kind kind, int exit_code, const struct err *why,
		      int flags)
{
	struct keeper_message m = {
		.kind = kind,
		.code = why->code,
		.exit_code = exit_code,
		.data = why->msg,
		.n = strlen(why->msg),
	};

	return keeper_send(sock, &m, flags);
}

/* ---- sockets with long names --------------------------------------------------- */

/* path as an address, its directory by a descriptor: sun_path has 108 bytes. */
static int address(const char *path, struct sockaddr_un *ret, int *ret_dir)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *dir = slash ? xasprintf("%.*s", (int)(slash - path + 1), path)
				       : xstrdup(".");

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*ret_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dir < 0)
		return -errno;
	int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_dir,
			 slash ? slash + 1 : path);
	return n >= (int)sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

int keeper_listen(const char *path, struct err *e)
{
	CLEANUP_FD int dir = -1;
	struct sockaddr_un a;

	int r = address(path, &a, &dir);
	if (r < 0)
		return err_sys(e, -r, "listen at %s", path);
	CLEANUP_FD int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return err_sys(e, errno, "make a socket");
	if (unlink(a.sun_path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove the old socket %s", path);
	/* Its mode is the socket's own at bind: nobody can connect before it is narrow. */
	if (fchmod(s, 0600) < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(s, BACKLOG) < 0)
		return err_sys(e, errno, "listen at %s", path);
	return take_fd(s);
}

int keeper_connect(const char *path, struct err *e)
{
	CLEANUP_FD int dir = -1;
	struct sockaddr_un a;

	int r = address(path, &a, &dir);
	if (r < 0)
		return err_sys(e, -r, "connect to the keeper at %s", path);
	CLEANUP_FD int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_sys(e, errno, "make a socket");
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, errno, "connect to the keeper at %s", path);
	return take_fd(s);
}
