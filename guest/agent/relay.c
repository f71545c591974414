/*
 * guest/agent/relay.c - the stream of a program that runs.
 *
 *      host                    here                        program
 *      STDIN  ---------------> input, one frame ---------> stdin
 *      STDOUT, STDERR <------- output, one frame <-------- stdout, stderr
 *
 * Of each direction one frame is held.  While it waits nothing more is read from where it
 * came from, so that who does not want more slows the other end down and nothing piles up.
 */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/calls.h"

/* What the kernel holds of a pty whose program is gone; it cannot be asked. */
#define PTY_BYTES 65536
/* A pty with no slave open reports an end of file that may not last. */
#define PTY_AGAIN_MS 50

struct relay {
	struct stream *s;
	struct stdio *io;
	pid_t pid;
	int pidfd;
	bool exited;
	int exit_code;
	struct agent_bytes input;       /* of the last STDIN; points into the stream's reader */
	bool input_end;                 /* close stdin once that is written */
	struct buf output;              /* one encoded frame */
	size_t output_done;
	size_t left_out, left_err;      /* exited: bytes that may still be read */
	bool pty_rests;
	bool host_gone, host_done;      /* it takes nothing more; it sends nothing more */
	char chunk[AGENT_DATA_MAX];
};

enum { AT_HOST, AT_IN, AT_OUT, AT_ERR, AT_PID, AT_COUNT };

/* ---- to the host ------------------------------------------------------------------------- */

static void send_some(struct relay *r)
{
	while (r->output_done < r->output.len) {
		ssize_t n = write(r->s->fd, r->output.data + r->output_done,
				  r->output.len - r->output_done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r->host_gone = r->host_gone || errno != EAGAIN;
			return;
		}
		r->output_done += (size_t)n;
	}
	r->output.len = r->output_done = 0;
}

static void send_message(struct relay *r, const struct agent_message *m)
{
	if (agent_encode(m, &r->output) < 0) {
		log_error("message %d does not fit", m->kind);
		r->host_gone = true;
	}
	send_some(r);
}

static void read_output(struct relay *r, bool err)
{
	int *fd = err ? &r->io->err : &r->io->out;
	size_t *left = err ? &r->left_err : &r->left_out;
	size_t want = sizeof(r->chunk);

	if (r->exited && want > *left)
		want = *left;
	ssize_t n = want ? read(*fd, r->chunk, want) : 0;
	if (n < 0 && errno == EINTR)
		return;
	if (n < 0 && errno == EAGAIN && !r->exited)
		return;
	if (n <= 0) {
		/* After its end, others may hold a pipe open: they are not waited for. */
		if (r->io->terminal && !r->exited)
			r->pty_rests = true;
		else
			fd_close(fd);
		return;
	}
	if (r->exited)
		*left -= (size_t)n;
	send_message(r, &(struct agent_message){
		.kind = err ? AGENT_STDERR : AGENT_STDOUT, .data = { r->chunk, (size_t)n },
	});
}

/* ---- from the host ----------------------------------------------------------------------- */

static void end_input(struct relay *r)
{
	r->input.n = 0;
	r->input_end = false;
	fd_close(&r->io->in);
}

static void write_input(struct relay *r)
{
	while (r->input.n && r->io->in >= 0) {
		ssize_t n = write(r->io->in, r->input.p, r->input.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			end_input(r);           /* EPIPE: nobody reads any more */
			return;
		}
		r->input.p = (const char *)r->input.p + n;
		r->input.n -= (size_t)n;
	}
	r->input.n = 0;
	/* The end of a terminal's input is a character that the host sends. */
	if (r->input_end && !r->io->terminal)
		end_input(r);
}

static void take_message(struct relay *r, const struct agent_message *m)
{
	struct winsize ws = {
		.ws_row = (unsigned short)m->rows, .ws_col = (unsigned short)m->columns,
	};

	switch (m->kind) {
	case AGENT_STDIN:
		r->input = m->data;
		write_input(r);
		return;
	case AGENT_STDIN_EOF:
		r->input_end = true;
		write_input(r);
		return;
	case AGENT_SIGNAL:
		if (!r->exited && sys_pidfd_send_signal(r->pidfd, m->signal) < 0)
			log_debug("signal %d is not sent", m->signal);
		return;
	case AGENT_RESIZE:
		if (r->io->terminal && ioctl(r->io->out, TIOCSWINSZ, &ws) < 0)
			log_debug("resize the terminal: %s", err_text(errno));
		return;
	default:                        /* a request where none can be */
		r->host_gone = true;
		return;
	}
}

static void read_host(struct relay *r)
{
	struct agent_message m;

	/* Frames that came together are worked off until one has to wait. */
	while (!r->input.n && !r->host_gone && !r->host_done) {
		int n = agent_read(&r->s->in, r->s->fd, &m);

		if (n == -EAGAIN)
			return;
		if (n == 0) {           /* half closed: as STDIN_EOF; output goes on */
			r->host_done = true;
			r->input_end = true;
			write_input(r);
		} else if (n < 0) {
			r->host_gone = true;
		} else {
			take_message(r, &m);
		}
	}
}

/* ---- the end ----------------------------------------------------------------------------- */

static size_t held(int fd, bool terminal)
{
	int n = 0;

	if (fd < 0)
		return 0;
	if (terminal)
		return PTY_BYTES;
	return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

static void take_exit(struct relay *r)
{
	int status;

	if (waitpid(r->pid, &status, WNOHANG) != r->pid)
		return;
	r->exited = true;
	r->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	/* What it wrote is there now; what others still write would have no end. */
	r->left_out = held(r->io->out, r->io->terminal);
	r->left_err = held(r->io->err, false);
	r->pty_rests = false;
	end_input(r);
}

static bool drained(const struct relay *r)
{
	return r->exited && r->io->out < 0 && r->io->err < 0 && r->output.len == 0;
}

static void step(struct relay *r)
{
	bool wait_out = r->output.len > 0;
	struct pollfd p[AT_COUNT] = {
		[AT_HOST] = { .fd = r->s->fd, .events =
			(short)((wait_out ? POLLOUT : 0) |
				(r->input.n || r->host_done ? 0 : POLLIN)) },
		[AT_IN] = { .fd = r->input.n ? r->io->in : -1, .events = POLLOUT },
		[AT_OUT] = { .fd = wait_out || r->pty_rests ? -1 : r->io->out, .events = POLLIN },
		[AT_ERR] = { .fd = wait_out ? -1 : r->io->err, .events = POLLIN },
		[AT_PID] = { .fd = r->exited ? -1 : r->pidfd, .events = POLLIN },
	};
	/* Drained without waiting: nothing makes a pipe that others hold open readable. */
	bool draining = r->exited && !wait_out;

	int n = poll(p, AT_COUNT, draining ? 0 : r->pty_rests ? PTY_AGAIN_MS : -1);
	if (n < 0 && errno != EINTR) {
		r->host_gone = true;
		return;
	}
	r->pty_rests = false;
	if (p[AT_HOST].revents & (POLLERR | POLLHUP))
		r->host_gone = true;
	if (p[AT_HOST].revents & POLLOUT)
		send_some(r);
	if (p[AT_HOST].revents & POLLIN)
		read_host(r);
	if (p[AT_IN].revents)
		write_input(r);
	if (p[AT_PID].revents)
		take_exit(r);
	if (r->output.len == 0 && r->io->out >= 0 && (p[AT_OUT].revents || draining))
		read_output(r, false);
	if (r->output.len == 0 && r->io->err >= 0 && (p[AT_ERR].revents || draining))
		read_output(r, true);
}

void relay(struct stream *s, pid_t pid, struct stdio *io, bool (*oom)(void *arg), void *arg)
{
	CLEANUP_FREE struct relay *r = xcalloc(1, sizeof(*r));

	r->s = s;
	r->io = io;
	r->pid = pid;
	r->output.max = AGENT_DATA_MAX + 64;
	r->pidfd = sys_pidfd_open(pid);
	if (r->pidfd < 0 || fcntl(s->fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		log_error("relay process %d: %s", pid, err_text(errno));
		fd_close(&r->pidfd);
		return;
	}
	/* Frames that came with the request are in the reader: poll(2) knows nothing of them. */
	read_host(r);
	while (!r->host_gone && !drained(r)) {
		step(r);
		if (!r->input.n && agent_reader_has(&s->in))
			read_host(r);
	}
	if (!r->host_gone) {
		send_message(r, &(struct agent_message){
			.kind = AGENT_EXIT, .exit_code = r->exit_code, .oom = oom(arg),
		});
		while (!r->host_gone && r->output.len)
			step(r);
	}
	buf_release(&r->output);
	fd_close(&r->pidfd);
}
