/* container/foreground.c - see foreground.h */
#include "container/foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define RELAY_BYTES 8192

void foreground_block_signals(sigset_t *ret_old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, ret_old);
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reap all that ended (we may be a subreaper); 1 when pid was among them. */
static int reap(pid_t pid, int *ret_status)
{
	int status, found = 0;

	for (pid_t p; (p = waitpid(-1, &status, WNOHANG)) > 0; )
		if (p == pid) {
			*ret_status = exit_code(status);
			found = 1;
		}
	return found;
}

static void pass_signal(pid_t pid, int sig, int master)
{
	struct winsize ws;

	switch (sig) {
	case SIGCHLD:
	case SIGURG:
		return;
	case SIGWINCH:
		if (master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0)
			if (ioctl(master, TIOCSWINSZ, &ws) < 0)
				log_debug("resize the terminal: %s", err_text(errno));
		if (master >= 0)
			return;
		break;
	default:
		break;
	}
	if (kill(pid, sig) < 0)
		log_debug("pass signal %d on: %s", sig, err_text(errno));
}

/* No terminal: nothing to relay, so waiting for a signal is all there is. */
static int wait_plain(pid_t pid, int *ret_status, struct err *e)
{
	sigset_t all;

	sigfillset(&all);
	while (!reap(pid, ret_status)) {
		siginfo_t si;

		if (sigwaitinfo(&all, &si) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, errno, "wait for the container");
		}
		pass_signal(pid, si.si_signo, -1);
	}
	return 0;
}

struct relay {
	int from, to;
	char data[RELAY_BYTES];
	size_t start, end;
	bool eof;
};

/* One step of a relay on non-blocking descriptors. */
static void relay_step(struct relay *r)
{
	if (r->start == r->end && !r->eof) {
		ssize_t n = read(r->from, r->data, sizeof(r->data));

		if (n > 0) {
			r->start = 0;
			r->end = (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			r->eof = true;          /* EIO: no slave is open any more */
		}
	}
	if (r->start < r->end) {
		ssize_t n = write(r->to, r->data + r->start, r->end - r->start);

		if (n > 0)
			r->start += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			r->eof = true, r->start = r->end;
	}
}

static void relay_poll(const struct relay *r, struct pollfd *in, struct pollfd *out)
{
	bool pending = r->start < r->end;

	in->fd = !pending && !r->eof ? r->from : -1;
	out->fd = pending ? r->to : -1;
}

/* What the program wrote last is still in the pty when it is gone. */
static void relay_drain(struct relay *r)
{
	struct pollfd p = { .fd = r->to, .events = POLLOUT };

	while (!r->eof || r->start < r->end) {
		size_t before = r->start + r->end;

		relay_step(r);
		if (r->start < r->end)
			poll(&p, 1, 1000);
		else if (before == r->start + r->end && !r->eof)
			break;                  /* nothing more: other slaves are open */
	}
}

static int wait_terminal(pid_t pid, int master, int sigfd, int *ret_status, struct err *e)
{
	struct relay in = { .from = STDIN_FILENO, .to = master };
	struct relay out = { .from = master, .to = STDOUT_FILENO };
	bool ended = false;

	while (!ended) {
		struct pollfd p[5] = {
			{ .fd = sigfd, .events = POLLIN },
			{ .events = POLLIN }, { .events = POLLOUT },
			{ .events = POLLIN }, { .events = POLLOUT },
		};

		relay_poll(&in, &p[1], &p[2]);
		relay_poll(&out, &p[3], &p[4]);
		if (poll(p, 5, -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "relay the terminal");
		if (p[0].revents) {
			struct signalfd_siginfo si;

			if (read(sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si))
				pass_signal(pid, (int)si.ssi_signo, master);
			ended = reap(pid, ret_status);
		}
		if (p[1].revents || p[2].revents)
			relay_step(&in);
		if (p[3].revents || p[4].revents)
			relay_step(&out);
	}
	relay_drain(&out);
	return 0;
}

static void set_nonblock(int fd, bool on)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl >= 0)
		fcntl(fd, F_SETFL, on ? fl | O_NONBLOCK : fl & ~O_NONBLOCK);
}

int foreground_wait(pid_t pid, int master, int *ret_status, struct err *e)
{
	if (master < 0)
		return wait_plain(pid, ret_status, e);

	sigset_t all;
	struct termios old, raw;
	bool tty = tcgetattr(STDIN_FILENO, &old) == 0;

	sigfillset(&all);
	CLEANUP_FD int sigfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sigfd < 0)
		return err_sys(e, errno, "make a signalfd");
	if (tty) {
		raw = old;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		pass_signal(pid, SIGWINCH, master);
	}
	set_nonblock(master, true);
	set_nonblock(STDIN_FILENO, true);
	/* It may have ended before the signalfd was there. */
	int r = reap(pid, ret_status) ? 0 : wait_terminal(pid, master, sigfd, ret_status, e);
	set_nonblock(STDIN_FILENO, false);
	if (tty)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	return r;
}
