/*
 * engine/life_sweep.c - cleaning after killed commands and keepers; see life.h.
 *
 * Whoever works on an instance holds its lock: what is marked as begun and can be locked
 * has been left.  Nothing here waits for another command.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/life_impl.h"
#include "engine/names.h"

static int mend(struct engine *eng, const char *id, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };

	int r = instance_find_unlocked(eng, id, &in, e);
	if (r == -EWOULDBLOCK || r == -ENOENT)
		return 0;               /* someone is at it; or was */
	if (r == 0)
		r = instance_refresh(eng, &in, e);
	if (r < 0)
		return r;
	if (in.removing)
		return life_remove(eng, &in, true, true, e);
	if (in.active == INSTANCE_IDLE || instance_is_up(&in))
		return 0;
	/* Its keeper may be on its way to "created": it ends when its starter is gone. */
	if (instance_keeper_lives(eng, id) > 0)
		return 0;
	if (in.active == INSTANCE_STARTING && in.config.auto_remove)
		return life_remove(eng, &in, true, true, e);
	return life_reap(eng, &in, e);
}

/* IDs first: mending changes the rows the query walks. */
static int list_ids(struct engine *eng, bool all, struct arena *a, struct oci_strv *ret,
		    struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	size_t cap = 0;

	int r = db_query(eng->db, &q, e, all ?
			 "SELECT id FROM instances WHERE removing = 1 OR active <> 0" :
			 "SELECT id FROM instances WHERE removing = 1 OR active = 1", "");
	for (; r > 0; r = db_next(q, e)) {
		if (ret->n == cap) {
			const char **v = arena_calloc(a, cap = cap ? 2 * cap : 16, sizeof(*v));

			if (ret->n)
				memcpy(v, ret->v, ret->n * sizeof(*v));
			ret->v = v;
		}
		ret->v[ret->n++] = arena_strdup(a, db_text(q, 0));
	}
	return r;
}

static int sweep(struct engine *eng, bool all, struct err *e)
{
	struct arena a = { 0 };
	struct oci_strv ids = { 0 };
	struct err why;

	int r = list_ids(eng, all, &a, &ids, e);
	/* One that resists does not keep the others from being cleaned, nor us from our work. */
	for (size_t i = 0; r == 0 && i < ids.n; i++)
		if (mend(eng, ids.v[i], &why) < 0)
			log_warn("%s", why.msg);
	arena_release(&a);
	return r;
}

/* A directory no row has: of a create or a remove that was killed at its very end. */
static int sweep_directory(struct engine *eng, const char *id, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;
	struct instance in = { .id = id, .name = id, .lockfd = -1 };

	int r = db_query(eng->db, &q, e, "SELECT 1 FROM instances WHERE id = ?", "s", id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = instance_lock(eng, &in, false, e);
	if (r < 0)
		return r == -EWOULDBLOCK ? 0 : r;
	/* Again under the lock: its row may have come since. */
	db_end(take_ptr(q));
	r = db_query(eng->db, &q, e, "SELECT 1 FROM instances WHERE id = ?", "s", id);
	if (r == 0)
		instance_remove_dir(eng, id);
	fd_close(&in.lockfd);
	return r < 0 ? r : 0;
}

static int sweep_directories(struct engine *eng, struct err *e)
{
	int fd = openat(eng->instancesfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!d)
		return err_sys(e, errno, "list %s/instances", eng->root);
	for (struct dirent *de; r == 0 && (de = readdir(d)); )
		if (strlen(de->d_name) == ID_HEX)
			r = sweep_directory(eng, de->d_name, e);
	closedir(d);
	return r;
}

int engine_sweep_unfinished(struct engine *eng, struct err *e)
{
	return sweep(eng, false, e);
}

int engine_sweep(struct engine *eng, struct err *e)
{
	int r = sweep(eng, true, e);

	return r < 0 ? r : sweep_directories(eng, e);
}
