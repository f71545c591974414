/*
 * engine/keeper/clients.c - who is connected: output to them, orders from them.
 *
 * Output goes to a client's socket, whose queue in the kernel is the bound.  When it is
 * full, the keeper holds the one chunk and reads no more of the program's output until
 * everybody has it: nothing is lost, as in a pipe of the shell's.  A client that takes
 * nothing for SLOW_MS is dropped, so that it cannot stop the program; only the owner may,
 * who is the one that ran it.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/parts.h"

#define SLOW_MS 10000
#define QUEUE_BYTES 65536               /* the kernel doubles it (socket(7)) */
#define QUEUE_LAST_BYTES 98304          /* raised to this, a full queue takes one message more */

static void set_queue(int fd, int bytes)
{
	(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int clients_add(struct keeper *k, int fd, bool starter)
{
	if (k->n_clients == CLIENTS_MAX)
		return -EMFILE;
	set_queue(fd, QUEUE_BYTES);
	k->client[k->n_clients++] = (struct client){ .fd = fd, .starter = starter };
	return 0;
}

void clients_accept(struct keeper *k)
{
	CLEANUP_FD int fd = accept4(k->listenfd, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t n = sizeof(peer);
	struct err e;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return;
	if (peer.uid != 0 && peer.uid != geteuid())
		return;
	if (clients_add(k, fd, false) == 0) {
		(void)take_fd(fd);
		return;
	}
	err_set(&e, EMFILE, "the keeper has %d clients, which is all it takes", CLIENTS_MAX);
	(void)!keeper_send_error(fd, KEEPER_ERROR, 0, &e, MSG_DONTWAIT);
}

static void stdin_gone(struct keeper *k)
{
	for (size_t i = 0; i < k->n_clients; i++)
		if (k->client[i].fd >= 0 && (k->client[i].flags & KEEPER_ATTACH_STDIN))
			return;
	if (k->cfg.stdin_once && !k->cfg.tty) {
		k->input_end = true;
		stdio_write(k);
	}
}

/* The loop removes the entry: indices stay as they are meanwhile. */
void clients_drop(struct keeper *k, size_t i)
{
	struct client c = k->client[i];

	fd_close(&k->client[i].fd);
	k->client[i] = (struct client){ .fd = -1 };
	if (c.flags & KEEPER_ATTACH_STDIN)
		stdin_gone(k);
	if (c.starter)
		life_starter_gone(k);
}

static void drop_slow(struct keeper *k, size_t i)
{
	struct err e;

	err_set(&e, ETIMEDOUT, "detached: this client took no output for %d s", SLOW_MS / 1000);
	set_queue(k->client[i].fd, QUEUE_LAST_BYTES);
	(void)!keeper_send_error(k->client[i].fd, KEEPER_ERROR, 0, &e, MSG_DONTWAIT);
	clients_drop(k, i);
}

static bool wants(const struct client *c, enum keeper_kind kind)
{
	unsigned flag = kind == KEEPER_STDERR ? KEEPER_ATTACH_STDERR : KEEPER_ATTACH_STDOUT;

	return c->fd >= 0 && c->attached && (c->flags & flag);
}

/* False when its queue is full. */
static bool give(struct keeper *k, size_t i)
{
	struct keeper_message m = {
		.kind = k->chunk_kind, .data = k->chunk, .n = k->chunk_n,
	};
	int r = keeper_send(k->client[i].fd, &m, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return false;
	if (r < 0)
		clients_drop(k, i);
	return true;
}

static void release_chunk(struct keeper *k)
{
	for (size_t i = 0; i < k->n_clients; i++)
		if (k->client[i].fd >= 0 && k->client[i].owed)
			return;
	k->chunk_n = 0;
}

void clients_offer(struct keeper *k)
{
	for (size_t i = 0; i < k->n_clients; i++) {
		if (!wants(&k->client[i], k->chunk_kind) || give(k, i))
			continue;
		k->client[i].owed = true;
		k->client[i].owed_since_ms = keeper_now_ms();
	}
	release_chunk(k);
}

void clients_retry(struct keeper *k)
{
	uint64_t now = keeper_now_ms();

	for (size_t i = 0; i < k->n_clients; i++) {
		struct client *c = &k->client[i];

		if (c->fd < 0 || !c->owed)
			continue;
		if (give(k, i))
			k->client[i].owed = false;
		else if (!(c->flags & KEEPER_ATTACH_OWNER) && now >= c->owed_since_ms + SLOW_MS)
			drop_slow(k, i);
	}
	release_chunk(k);
}

uint64_t clients_deadline_ms(const struct keeper *k)
{
	uint64_t first = 0;

	for (size_t i = 0; i < k->n_clients; i++) {
		const struct client *c = &k->client[i];
		uint64_t at = c->owed_since_ms + SLOW_MS;

		if (c->fd >= 0 && c->owed && !(c->flags & KEEPER_ATTACH_OWNER) &&
		    (!first || at < first))
			first = at;
	}
	return first;
}

void clients_tell(struct keeper *k, const struct keeper_message *m, bool starter)
{
	for (size_t i = 0; i < k->n_clients; i++) {
		struct client *c = &k->client[i];

		if (c->fd < 0 || !(starter ? c->starter : c->attached))
			continue;
		int r = keeper_send(c->fd, m, MSG_DONTWAIT);
		if (r == -EAGAIN) {
			set_queue(c->fd, QUEUE_LAST_BYTES);
			r = keeper_send(c->fd, m, MSG_DONTWAIT);
		}
		if (r < 0)
			clients_drop(k, i);
	}
}

bool clients_have_owner(const struct keeper *k)
{
	for (size_t i = 0; i < k->n_clients; i++)
		if (k->client[i].fd >= 0 && k->client[i].attached &&
		    (k->client[i].flags & KEEPER_ATTACH_OWNER))
			return true;
	return false;
}

/* ---- orders ------------------------------------------------------------------------------ */

/* -EPROTO: more than one STDIN at a time. */
static int take_input(struct keeper *k, struct client *c, const struct keeper_message *m)
{
	if (c->feeding)
		return -EPROTO;
	if (m->n == 0) {
		/* As Docker has it: without --interactive's "once", others may still feed it. */
		if (k->cfg.stdin_once && !k->cfg.tty)
			k->input_end = true;
	} else {
		c->feeding = true;
		if (k->cfg.open_stdin)
			buf_add(&k->input, m->data, m->n);
	}
	stdio_write(k);
	return 0;
}

static void take_policy(struct keeper *k, const struct keeper_message *m)
{
	k->cfg.restart = m->restart;
	k->cfg.restart_max = m->max_retries;
}

static int obey(struct keeper *k, struct client *c, const struct keeper_message *m)
{
	switch (m->kind) {
	case KEEPER_GO:
		if (!c->starter)
			return -EPROTO;
		k->go = true;
		life_go(k);
		return 0;
	case KEEPER_ATTACH:
		c->attached = true;
		c->flags = m->flags;
		return 0;
	case KEEPER_DETACH:
		c->attached = c->owed = false;
		c->flags = 0;
		release_chunk(k);
		return 0;
	case KEEPER_STDIN:
		return take_input(k, c, m);
	case KEEPER_RESIZE:
		k->rows = m->rows;
		k->columns = m->columns;
		stdio_resize(k, m->rows, m->columns);
		return 0;
	case KEEPER_SIGNAL:
		life_signal(k, m->signal);
		return 0;
	case KEEPER_STOP:
		k->stopped_by_user = true;
		life_stop(k, m->signal, m->timeout_ms);
		return 0;
	case KEEPER_POLICY:
		take_policy(k, m);
		return 0;
	case KEEPER_PAUSED:
		life_paused(k, m->on);
		return 0;
	default:
		return -EPROTO;
	}
}

void clients_read(struct keeper *k, size_t i)
{
	unsigned char packet[KEEPER_PACKET_MAX + 1];
	struct keeper_message m;

	int r = keeper_recv(k->client[i].fd, packet, &m, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return;
	if (r > 0)
		r = obey(k, &k->client[i], &m);
	else
		r = -EPIPE;
	if (r < 0 && k->client[i].fd >= 0)
		clients_drop(k, i);
}
