/* engine/life_end.c - stop, wait, reap, remove: see life.h */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/event.h"
#include "engine/life_impl.h"
#include "engine/names.h"
#include "engine/volume.h"
#include "image/tree.h"
#include "proto/keeper.h"

#define REMOVE_TRIES 10
#define STUCK_MS 10000          /* what a keeper may take beyond the program's own time */

/* --- the keeper ---------------------------------------------------------------------- */

int life_connect(struct engine *eng, const struct instance *in, struct err *e)
{
	CLEANUP_FREE char *path = life_socket_path(eng, in->id);

	int r = keeper_connect(path, e);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(e, ESRCH, "instance %s is not running", in->name);
	return r;
}

/*
 * Wait for the keeper's lock to be free: it is gone then, and so is all it kept.  Looking
 * again costs a moment; waiting in flock(2) could not be ended.
 */
static int await_keeper(struct engine *eng, const struct instance *in, int64_t timeout_ms,
			struct err *e)
{
	int pause_ms = 1;

	for (;;) {
		int r = instance_keeper_lives(eng, in->id);
		if (r < 0)
			return err_sys(e, -r, "look at the keeper of %s", in->name);
		if (r == 0)
			return 0;
		if (timeout_ms <= 0)
			return err_set(e, ETIMEDOUT, "the keeper of %s (process %d) does not end",
				       in->name, (int)in->status.keeper_pid);
		poll(NULL, 0, pause_ms);
		timeout_ms -= pause_ms;
		pause_ms = pause_ms < 16 ? 2 * pause_ms : 16;
	}
}

/* Messages until EXIT or end of file: 1 *ret_code is set, 0 end of file. */
static int await_exit(int sock, int timeout_ms, int *ret_code, struct err *e)
{
	CLEANUP_FREE unsigned char *buf = xmalloc(KEEPER_PACKET_MAX + 1);
	struct keeper_message m = { 0 };

	for (;;) {
		struct pollfd p = { .fd = sock, .events = POLLIN };
		int r = poll(&p, 1, timeout_ms);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			return err_set(e, ETIMEDOUT, "no word from the keeper");
		r = r < 0 ? -errno : keeper_recv(sock, buf, &m, MSG_DONTWAIT);
		if (r == -EAGAIN)
			continue;
		if (r <= 0)
			return r < 0 ? err_sys(e, -r, "hear from the keeper") : 0;
		if (m.kind == KEEPER_EXIT) {
			*ret_code = m.exit_code;
			return 1;
		}
	}
}

int life_wait(struct engine *eng, struct instance *in, int *ret_code, struct err *e)
{
	/* No output, but EXIT. */
	const struct keeper_message attach = { .kind = KEEPER_ATTACH };
	int r = instance_refresh(eng, in, e);

	while (r == 0 && instance_is_up(in)) {
		CLEANUP_FD int sock = life_connect(eng, in, e);

		if (sock >= 0) {
			r = keeper_send(sock, &attach, 0);
			r = r < 0 ? 0 : await_exit(sock, -1, ret_code, e);
			if (r > 0)
				return 0;
		}
		/* It ended before it heard us, or died: status.json knows. */
		if (r == 0)
			r = await_keeper(eng, in, STUCK_MS, e);
		if (r == 0)
			r = instance_refresh(eng, in, e);
	}
	*ret_code = in->status.exit_code;
	return r;
}

static int ask_to_stop(struct engine *eng, struct instance *in, int signal, int64_t timeout_ms,
		       struct err *e)
{
	const struct keeper_message stop = {
		.kind = KEEPER_STOP, .signal = signal,
		.timeout_ms = timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms,
	};
	const struct keeper_message attach = { .kind = KEEPER_ATTACH };
	int code;

	CLEANUP_FD int sock = life_connect(eng, in, e);
	if (sock == -ESRCH)
		return 0;               /* just ended */
	int r = sock < 0 ? sock : keeper_send(sock, &attach, 0);
	if (r == 0)
		r = keeper_send(sock, &stop, 0);
	if (r == -EPIPE || r == -ECONNRESET)
		return 0;
	if (r < 0)
		return err_sys(e, -r, "tell the keeper of %s to stop it", in->name);
	r = await_exit(sock, timeout_ms < 0 ? -1 : (int)(stop.timeout_ms + STUCK_MS), &code, e);
	return r > 0 ? 0 : r;
}

int life_stop(struct engine *eng, struct instance *in, int signal, int timeout_ms, struct err *e)
{
	const struct wall *wall;
	int64_t limit = timeout_ms >= 0 ? timeout_ms : life_stop_timeout_ms(eng, in);
	struct err why;

	int r = instance_refresh(eng, in, e);
	if (r < 0)
		return r;
	in->stopped = true;
	r = instance_mark(eng, in, in->active, e);
	if (r < 0 || !instance_is_up(in))
		return r;
	if (!signal)
		signal = life_signal_number(in->config.stop_signal);
	/* A frozen program hears no signal. */
	r = engine_wall(in->config.wall, &wall, e);
	if (r == 0 && in->status.state == INSTANCE_PAUSED)
		r = wall->resume(&eng->host, in->id, e);
	if (r < 0)
		return r;
	r = ask_to_stop(eng, in, signal, limit, &why);
	if (r == 0)
		r = await_keeper(eng, in, STUCK_MS, &why);
	/* A keeper that does not answer: end it, and what it kept, from outside. */
	if (r < 0 && in->status.keeper_pid > 0) {
		log_debug("%s", why.msg);
		kill(in->status.keeper_pid, SIGKILL);
		r = await_keeper(eng, in, STUCK_MS, e);
	}
	return r < 0 ? r : instance_refresh(eng, in, e);
}

/* --- giving back ------------------------------------------------------------------------ */

int life_give_back(struct engine *eng, struct instance *in, struct err *e)
{
	CLEANUP_FREE char *shm = xasprintf("%s/shm/%s", eng->run_root, in->id);
	CLEANUP_FREE char *socket = life_socket_path(eng, in->id);
	int r = 0;

	if (life_has_networks(&in->config))
		r = net_disconnect(&eng->net, in->id, NULL, e);
	if (r < 0)
		return err_prefix(e, "take back the network of %s", in->name);
	if (in->config.ipc_mode && strcmp(in->config.ipc_mode, "shareable") == 0) {
		umount2(shm, MNT_DETACH);
		rmdir(shm);
	}
	unlink(socket);
	return instance_mark(eng, in, INSTANCE_IDLE, e);
}

int life_reap(struct engine *eng, struct instance *in, struct err *e)
{
	int r = instance_lock(eng, in, true, e);

	/* Having said EXIT a keeper ends at once. */
	if (r == 0)
		r = await_keeper(eng, in, STUCK_MS, e);
	if (r == 0)
		r = instance_refresh(eng, in, e);
	if (r < 0 || in->active == INSTANCE_IDLE)
		return r;
	event_add(eng, "container", "die", in->id,
		  json_pack("{ss ss ss}", "name", in->name, "image", in->config.image,
			    "exitCode", arena_printf(&in->arena, "%d", in->status.exit_code)));
	/* Removing gives back too: once is enough. */
	if (in->config.auto_remove)
		return life_remove(eng, in, false, true, e);
	return life_give_back(eng, in, e);
}

int life_reap_ended(struct engine *eng, struct instance *in, struct err *e)
{
	int r = instance_lock(eng, in, true, e);

	if (r < 0)
		return r;
	/* Its status may not be written yet.  Whoever started it has taken all back before. */
	r = instance_keeper_lives(eng, in->id);
	if (r < 0)
		return err_sys(e, -r, "look at the keeper of %s", in->name);
	return r > 0 ? 0 : life_reap(eng, in, e);
}

/* --- removal ------------------------------------------------------------------------------ */

void instance_remove_dir(struct engine *eng, const char *id)
{
	struct err why;

	if (tree_remove_at(eng->instancesfd, id, &why) < 0)
		log_debug("%s", why.msg);
}

static int remove_row(struct engine *eng, struct instance *in, bool volumes, struct err *e)
{
	int r = db_begin(eng->db, e);

	if (r < 0)
		return r;
	r = image_unhold(&eng->store, in->id, e);
	if (r == 0)
		r = volume_unhold(eng, in->id, volumes, e);
	if (r == 0)
		r = db_run(eng->db, e, "DELETE FROM instances WHERE id = ?", "s", in->id);
	if (r >= 0)
		return db_commit(eng->db, e);
	db_rollback(eng->db);
	return r;
}

/* The thing first, then its record: a kill between leaves a row that says "removing". */
static int remove_things(struct engine *eng, struct instance *in, struct err *e)
{
	const struct wall *wall;
	int r = engine_wall(in->config.wall, &wall, e);

	if (r == 0)
		r = wall->remove(&eng->host, in->id, true, e);
	if (r < 0 && r != -ENOENT)
		return r;
	r = in->active != INSTANCE_IDLE ? life_give_back(eng, in, e) : 0;
	if (r < 0)
		return r;
	CLEANUP_FREE char *bundle = instance_bundle_path(eng, in->id, NULL);
	r = tree_remove_at(AT_FDCWD, bundle, e);
	if (r < 0)
		return r;
	/* Who comes to wait for the lock, as its keeper's reap, makes the file anew in between. */
	for (int tries = 0; tries < REMOVE_TRIES; tries++) {
		r = tree_remove_at(eng->instancesfd, in->id, e);
		if (r != -ENOTEMPTY)
			break;
	}
	return r;
}

int life_remove(struct engine *eng, struct instance *in, bool force, bool volumes, struct err *e)
{
	int r = instance_refresh(eng, in, e);

	if (r < 0)
		return r;
	if (instance_is_up(in) && !force)
		return err_set(e, EBUSY, "instance %s is %s: stop it first, or remove it with -f",
			       in->name, instance_state_name(in->status.state));
	in->removing = true;
	r = instance_mark(eng, in, in->active, e);
	if (r == 0 && instance_is_up(in))
		r = life_stop(eng, in, SIGKILL, 0, e);
	if (r == 0)
		r = remove_things(eng, in, e);
	if (r == 0)
		r = remove_row(eng, in, volumes, e);
	if (r < 0)
		return err_prefix(e, "remove instance %s", in->name);
	/* Made anew by who found the row just before it went: nobody does from here on. */
	instance_remove_dir(eng, in->id);
	event_add(eng, "container", "destroy", in->id,
		  json_pack("{ss ss}", "name", in->name, "image", in->config.image));
	return 0;
}
