/* engine/attach.c - see attach.h */
#include "engine/attach.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "proto/keeper.h"

/* ---- detach keys ------------------------------------------------------------------ */

/* "a" or "ctrl-a": the byte that a terminal sends, or -1. */
static int key_byte(const char *s, size_t n)
{
	static const char ctrl[] = "ctrl-";

	if (n == 1)
		return (unsigned char)s[0];
	if (n != sizeof(ctrl) || strncmp(s, ctrl, sizeof(ctrl) - 1) != 0)
		return -1;
	char c = s[n - 1];
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	return c == '@' || (c >= '[' && c <= '_') ? c - '@' : -1;
}

int detach_keys_parse(const char *s, struct detach_keys *ret, struct err *e)
{
	ret->n = 0;
	while (*s) {
		size_t n = strcspn(s, ",");
		int byte = key_byte(s, n);

		if (byte < 0)
			return err_set(e, EINVAL, "invalid detach keys: \"%.*s\" is neither one "
				       "character nor ctrl- and one of a-z @ [ \\ ] ^ _",
				       (int)n, s);
		if (ret->n == DETACH_KEYS_MAX)
			return err_set(e, EINVAL, "invalid detach keys: more than %d",
				       DETACH_KEYS_MAX);
		ret->key[ret->n++] = (unsigned char)byte;
		s += n + (s[n] == ',');
	}
	return 0;
}

bool detach_keys_scan(const struct detach_keys *k, size_t *matched, const unsigned char *p,
		      size_t n, unsigned char *out, size_t *ret_n)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i++) {
		if (k->n && p[i] == k->key[*matched]) {
			if (++*matched < k->n)
				continue;
			*matched = 0;
			*ret_n = o;
			return true;
		}
		/* What was held back was meant for the program, and p[i] may begin anew. */
		memcpy(out + o, k->key, *matched);
		o += *matched;
		*matched = 0;
		if (k->n && p[i] == k->key[0])
			*matched = 1;
		else
			out[o++] = p[i];
	}
	*ret_n = o;
	return false;
}

/* ---- the session ------------------------------------------------------------------- */

struct session {
	const struct attach *a;
	struct detach_keys keys;
	size_t matched;
	bool feeding;                   /* a STDIN is not taken yet: no other is sent */
	bool input_open, raw, done;
	struct termios saved;
	sigset_t old_mask;
	int sigfd;
	struct attach_end *end;
};

static int keeper_gone(struct err *e)
{
	return err_set(e, EPIPE, "the keeper of the instance is gone; isle inspect tells how the "
		       "instance is");
}

static int tell(const struct session *s, const struct keeper_message *m, struct err *e)
{
	int r = keeper_send(s->a->sock, m, 0);

	/* It may have ended just now: what it said last is still to be read. */
	if (r == -EPIPE || r == -ECONNRESET)
		return 0;
	return r < 0 ? err_sys(e, -r, "write to the instance's keeper") : 0;
}

static int send_size(const struct session *s, struct err *e)
{
	struct winsize ws;

	if (!s->a->tty || (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 &&
			   ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0))
		return 0;
	return tell(s, &(struct keeper_message){
		.kind = KEEPER_RESIZE, .rows = ws.ws_row, .columns = ws.ws_col }, e);
}

/* What is passed on: all but what concerns this process alone. */
static void proxied(sigset_t *set)
{
	static const int own[] = {
		SIGCHLD, SIGPIPE, SIGURG, SIGWINCH, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS, SIGILL,
		SIGFPE, SIGTRAP, SIGABRT,
	};

	sigfillset(set);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(set, own[i]);
}

static int take_signals(struct session *s, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	if (s->a->sig_proxy && !s->a->tty)
		proxied(&set);
	if (s->a->tty)
		sigaddset(&set, SIGWINCH);
	if (s->raw) {                   /* to give the terminal back first */
		sigaddset(&set, SIGTERM);
		sigaddset(&set, SIGHUP);
		sigaddset(&set, SIGINT);
		sigaddset(&set, SIGQUIT);
	}
	sigprocmask(SIG_BLOCK, &set, &s->old_mask);
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->sigfd < 0 ? err_sys(e, errno, "make a signalfd") : 0;
}

static int signal_ready(struct session *s, struct err *e)
{
	struct signalfd_siginfo si;
	int r = 0;

	while (r == 0 && read(s->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			r = send_size(s, e);
		else if (s->raw)
			r = err_set(e, EINTR, "ended by signal %u; the instance goes on",
				    si.ssi_signo);
		else
			r = tell(s, &(struct keeper_message){
				.kind = KEEPER_SIGNAL, .signal = (int)si.ssi_signo }, e);
	}
	return r;
}

/* ---- input ---------------------------------------------------------------------------- */

static int send_input(struct session *s, const unsigned char *p, size_t n, struct err *e)
{
	s->feeding = n > 0;
	return tell(s, &(struct keeper_message){
		.kind = KEEPER_STDIN, .data = (const char *)p, .n = n }, e);
}

static int input_ready(struct session *s, struct err *e)
{
	unsigned char p[KEEPER_DATA_MAX - DETACH_KEYS_MAX], out[KEEPER_DATA_MAX];
	ssize_t n = read(STDIN_FILENO, p, sizeof(p));
	size_t len = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {                   /* EIO: the terminal is gone */
		s->input_open = false;
		return send_input(s, p, 0, e);
	}
	if (!s->a->tty)
		return send_input(s, p, (size_t)n, e);
	if (detach_keys_scan(&s->keys, &s->matched, p, (size_t)n, out, &len)) {
		s->done = s->end->detached = true;
		int r = len ? send_input(s, out, len, e) : 0;
		return r < 0 ? r : tell(s, &(struct keeper_message){ .kind = KEEPER_DETACH }, e);
	}
	return len ? send_input(s, out, len, e) : 0;
}

/* ---- what the keeper says ------------------------------------------------------------------ */

static int output(int fd, const struct keeper_message *m, struct err *e)
{
	for (size_t done = 0; done < m->n; ) {
		ssize_t n = write(fd, m->data + done, m->n - done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			/* Shared with somebody who made it non-blocking. */
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return err_sys(e, errno, "write the instance's output");
		}
	}
	return 0;
}

static int keeper_ready(struct session *s, struct err *e)
{
	unsigned char packet[KEEPER_PACKET_MAX + 1];
	struct keeper_message m;
	int r = keeper_recv(s->a->sock, packet, &m, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return 0;
	if (r == -EPROTO)
		return err_set(e, EPROTO, "the instance's keeper sent what is no message: is it of "
			       "another version of isle?");
	if (r <= 0)
		return keeper_gone(e);
	switch (m.kind) {
	case KEEPER_STDOUT:
		return output(STDOUT_FILENO, &m, e);
	case KEEPER_STDERR:
		return output(STDERR_FILENO, &m, e);
	case KEEPER_TAKEN:
		s->feeding = false;
		return 0;
	case KEEPER_RESTART:
	case KEEPER_EXIT:
		s->end->restarting = m.kind == KEEPER_RESTART;
		s->end->exit_code = m.exit_code;
		s->end->oom = m.oom;
		s->done = true;
		return 0;
	case KEEPER_ERROR:
		return err_set(e, m.code ? m.code : EPROTO, "%s", m.data);
	default:
		return 0;               /* CREATED, STARTED: the starter's, heard already */
	}
}

static int relay(struct session *s, struct err *e)
{
	int r = send_size(s, e);

	while (r == 0 && !s->done) {
		bool reads = s->input_open && !s->feeding;
		struct pollfd p[] = {
			{ .fd = s->a->sock, .events = POLLIN },
			{ .fd = s->sigfd, .events = POLLIN },
			{ .fd = reads ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "wait for the instance");
		if (p[1].revents)
			r = signal_ready(s, e);
		if (r == 0 && p[0].revents)
			r = keeper_ready(s, e);
		if (r == 0 && !s->done && p[2].revents)
			r = input_ready(s, e);
	}
	return r;
}

int attach_run(const struct attach *a, struct attach_end *ret, struct err *e)
{
	struct session s = { .a = a, .input_open = a->input, .sigfd = -1, .end = ret };
	struct termios raw;

	*ret = (struct attach_end){ 0 };
	const char *keys = a->detach_keys ? a->detach_keys : DETACH_KEYS_DEFAULT;
	int r = detach_keys_parse(keys, &s.keys, e);
	if (r < 0)
		return r;
	s.raw = a->tty && a->input && tcgetattr(STDIN_FILENO, &s.saved) == 0;
	r = take_signals(&s, e);
	if (r == 0 && s.raw) {
		raw = s.saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	if (r == 0)
		r = relay(&s, e);
	if (s.raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &s.saved);
	fd_close(&s.sigfd);
	sigprocmask(SIG_SETMASK, &s.old_mask, NULL);
	return r;
}
