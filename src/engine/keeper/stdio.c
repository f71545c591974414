/* engine/keeper/stdio.c - the program's pipes or pty, and what flows through them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "container/console.h"
#include "engine/keeper/parts.h"

#define CONSOLE "console"               /* a socket's name while create sends the pty */
#define PTY_AGAIN_MS 200
#define PTY_BYTES 65536                 /* more than a pty holds */

static int nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* ours: the index of the end that is the keeper's, which alone never blocks. */
static int make_pipe(int *ret_ours, int *ret_theirs, int ours, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	*ret_ours = p[ours];
	*ret_theirs = p[!ours];
	int r = nonblock(p[ours]);
	return r < 0 ? err_sys(e, -r, "make a pipe's end non-blocking") : 0;
}

static int console_listen(const struct keeper *k, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	CLEANUP_FD int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" CONSOLE, k->dirfd);
	unlinkat(k->dirfd, CONSOLE, 0);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0)
		return err_sys(e, errno, "listen for the terminal");
	return take_fd(s);
}

int stdio_open(struct keeper *k, int stdio[3], struct err *e)
{
	int r;

	k->io = (struct stdio){ .in = -1, .out = -1, .err = -1, .console = -1 };
	stdio[0] = stdio[1] = stdio[2] = -1;
	if (k->cfg.tty) {
		k->io.console = console_listen(k, e);
		if (k->io.console < 0)
			return k->io.console;
		for (int i = 0; i < 3; i++)
			stdio[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		return 0;
	}
	if (k->cfg.open_stdin)
		r = make_pipe(&k->io.in, &stdio[0], 1, e);
	else
		r = (stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0
		    ? err_sys(e, errno, "open /dev/null") : 0;
	if (r == 0)
		r = make_pipe(&k->io.out, &stdio[1], 0, e);
	return r < 0 ? r : make_pipe(&k->io.err, &stdio[2], 0, e);
}

int stdio_accept_console(struct keeper *k, struct err *e)
{
	if (k->io.console < 0)
		return 0;
	CLEANUP_FD int s = accept4(k->io.console, NULL, NULL, SOCK_CLOEXEC);
	if (s < 0)
		return err_sys(e, errno, "take the terminal");
	int master = console_recv_fd(s, e);
	if (master < 0)
		return master;
	fd_close(&k->io.console);
	unlinkat(k->dirfd, CONSOLE, 0);
	k->io.in = k->io.out = master;
	k->io.master = true;
	int r = nonblock(master);
	return r < 0 ? err_sys(e, -r, "make the terminal non-blocking") : 0;
}

void stdio_close(struct keeper *k)
{
	if (k->io.console >= 0)
		unlinkat(k->dirfd, CONSOLE, 0);
	if (k->io.master)
		k->io.in = -1;          /* the same as out */
	fd_close(&k->io.in);
	fd_close(&k->io.out);
	fd_close(&k->io.err);
	fd_close(&k->io.console);
	k->io.master = false;
	k->pty_again_ms = 0;
}

/* ---- output ------------------------------------------------------------------------- */

void stdio_read(struct keeper *k, bool err)
{
	int *fd = err ? &k->io.err : &k->io.out;
	size_t *left = err ? &k->drain_err : &k->drain_out;
	size_t want = CHUNK_BYTES;

	if (k->phase == PHASE_DRAINING && want > *left)
		want = *left;
	ssize_t n = want ? read(*fd, k->chunk, want) : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (k->phase == PHASE_DRAINING && errno == EAGAIN)
			*left = 0;      /* others hold it open: what they write is not awaited */
		return;
	}
	if (n <= 0) {                   /* EIO: no slave of the pty is open */
		*left = 0;
		/* The program may open its terminal again. */
		if (k->io.master)
			k->pty_again_ms = keeper_now_ms() + PTY_AGAIN_MS;
		else
			fd_close(fd);
		return;
	}
	if (k->phase == PHASE_DRAINING)
		*left -= (size_t)n;
	k->chunk_n = (size_t)n;
	k->chunk_kind = err ? KEEPER_STDERR : KEEPER_STDOUT;
	log_sink_add(k->log, k->chunk_kind, k->chunk, k->chunk_n);
	clients_offer(k);
}

static size_t held(int fd, bool master)
{
	int n = fd < 0 ? 0 : master ? PTY_BYTES : fcntl(fd, F_GETPIPE_SZ);

	return n > 0 ? (size_t)n : 0;
}

void stdio_drain(struct keeper *k)
{
	k->drain_out = held(k->io.out, k->io.master);
	k->drain_err = held(k->io.err, false);
}

bool stdio_drained(const struct keeper *k)
{
	return (k->io.out < 0 || k->drain_out == 0) && (k->io.err < 0 || k->drain_err == 0) &&
	       k->chunk_n == 0;
}

/* ---- input ---------------------------------------------------------------------------- */

static void input_close(struct keeper *k)
{
	if (!k->io.master)
		fd_close(&k->io.in);
	k->input_end = false;
}

void stdio_write(struct keeper *k)
{
	while (k->input.len > k->input_done && k->io.in >= 0) {
		ssize_t n = write(k->io.in, k->input.data + k->input_done,
				  k->input.len - k->input_done);

		if (n > 0)
			k->input_done += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR) {
			input_close(k);         /* EPIPE: nobody reads any more */
			break;
		}
	}
	/* All was taken, or there is nobody to take it. */
	buf_release(&k->input);
	k->input.max = CLIENTS_MAX * KEEPER_DATA_MAX;
	k->input_done = 0;
	for (size_t i = 0; i < k->n_clients; i++) {
		struct client *c = &k->client[i];

		if (c->fd >= 0 && c->feeding)
			(void)!keeper_send(c->fd, &(struct keeper_message){ .kind = KEEPER_TAKEN },
					   MSG_DONTWAIT);
		c->feeding = false;
	}
	if (k->input_end)
		input_close(k);
}

void stdio_resize(const struct keeper *k, unsigned rows, unsigned columns)
{
	struct winsize ws = {
		.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns,
	};

	if (k->io.master)
		(void)!ioctl(k->io.out, TIOCSWINSZ, &ws);
}
