/*
 * engine/life_create.c - life_create(): the image's config under the user's, volumes, a row.
 *
 * The order, for a kill at any point: the lock's directory, then one transaction with the
 * row and all it holds, then what is on disk.  A directory without a row is swept.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/event.h"
#include "engine/life_impl.h"
#include "engine/volume.h"
#include "image/tree.h"
#include "sys/inroot.h"

/* --- the image's config --------------------------------------------------------- */

static bool env_named(const struct oci_strv *env, const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], entry, n) == 0 && (env->v[i][n] == '=' || !env->v[i][n]))
			return true;
	return false;
}

static struct oci_strv strv_copy(struct arena *a, const struct oci_strv *v, size_t more)
{
	struct oci_strv ret = { arena_calloc(a, v->n + more + 1, sizeof(*ret.v)), v->n };

	for (size_t i = 0; i < v->n; i++)
		ret.v[i] = arena_strdup(a, v->v[i]);
	return ret;
}

/* The image's, and then the user's, which stand in the place of those of their name. */
static void merge_env(struct instance *in, const struct image_config *img)
{
	struct instance_config *c = &in->config;
	struct oci_strv env = strv_copy(&in->arena, &img->env, c->env.n);
	size_t n = 0;

	for (size_t i = 0; i < env.n; i++)
		if (!env_named(&c->env, env.v[i]))
			env.v[n++] = env.v[i];
	for (size_t i = 0; i < c->env.n; i++)
		env.v[n++] = c->env.v[i];
	env.v[n] = NULL;
	env.n = n;
	c->env = env;
}

static void merge_labels(struct instance *in, const struct image_config *img)
{
	struct instance_config *c = &in->config;
	struct oci_kvs labels = {
		arena_calloc(&in->arena, img->labels.n + c->labels.n + 1, sizeof(*labels.v)), 0
	};

	for (size_t i = 0; i < img->labels.n; i++) {
		const struct oci_kv *l = &img->labels.v[i];

		if (!oci_kvs_get(&c->labels, l->key))
			labels.v[labels.n++] = (struct oci_kv){
				arena_strdup(&in->arena, l->key), arena_strdup(&in->arena, l->value)
			};
	}
	for (size_t i = 0; i < c->labels.n; i++)
		labels.v[labels.n++] = c->labels.v[i];
	c->labels = labels;
}

/* docker run's reference: an entrypoint given makes the image's command void, too. */
static void merge_command(struct instance *in, const struct image_config *img)
{
	struct instance_config *c = &in->config;

	if (c->entrypoint_set)
		return;
	c->entrypoint = strv_copy(&in->arena, &img->entrypoint, 0);
	if (c->cmd.n == 0)
		c->cmd = strv_copy(&in->arena, &img->cmd, 0);
}

static void merge_expose(struct instance *in, const struct image_config *img)
{
	struct instance_config *c = &in->config;
	struct oci_strv all = strv_copy(&in->arena, &c->expose, img->exposed_ports.n);

	for (size_t i = 0; i < img->exposed_ports.n; i++) {
		bool there = false;

		for (size_t k = 0; k < all.n; k++)
			there = there || strcmp(all.v[k], img->exposed_ports.v[i]) == 0;
		if (!there)
			all.v[all.n++] = arena_strdup(&in->arena, img->exposed_ports.v[i]);
	}
	c->expose = all;
}

static void merge_health(struct instance *in, const struct image_config *img)
{
	struct image_healthcheck *h = &in->config.health;
	const struct image_healthcheck *i = &img->health;

	if (in->config.health_disable) {
		*h = (struct image_healthcheck){ 0 };
		return;
	}
	if (!i->set)
		return;
	/* Each part by itself, as docker run's --health-* do. */
	if (h->test.n == 0)
		h->test = strv_copy(&in->arena, &i->test, 0);
	if (!h->interval_ns)
		h->interval_ns = i->interval_ns;
	if (!h->timeout_ns)
		h->timeout_ns = i->timeout_ns;
	if (!h->start_period_ns)
		h->start_period_ns = i->start_period_ns;
	if (!h->retries)
		h->retries = i->retries;
	h->set = h->test.n > 0;
}

static bool mounted_at(const struct instance_config *c, const char *target)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (strcmp(c->mounts[i].target, target) == 0)
			return true;
	return false;
}

static struct instance_mount *add_mount(struct instance *in)
{
	struct instance_config *c = &in->config;
	struct instance_mount *v = arena_calloc(&in->arena, c->n_mounts + 1, sizeof(*v));

	if (c->n_mounts)
		memcpy(v, c->mounts, c->n_mounts * sizeof(*v));
	c->mounts = v;
	return &v[c->n_mounts++];
}

/* "NAME[:ro]": all of another instance's volumes and binds. */
static int merge_volumes_from(struct engine *eng, struct instance *in, const char *from,
			      struct err *e)
{
	struct instance other CLEANUP_INSTANCE = { .lockfd = -1 };
	CLEANUP_FREE char *name = xstrdup(from);
	char *mode = strrchr(name, ':');

	if (mode)
		*mode++ = 0;
	int r = instance_find(eng, name, false, &other, e);
	if (r < 0)
		return err_prefix(e, "--volumes-from %s", from);
	for (size_t i = 0; i < other.config.n_mounts; i++) {
		const struct instance_mount *m = &other.config.mounts[i];

		if (strcmp(m->type, "tmpfs") == 0 || mounted_at(&in->config, m->target))
			continue;
		struct instance_mount *n = add_mount(in);
		*n = (struct instance_mount){
			.type = arena_strdup(&in->arena, m->type),
			.source = arena_strdup(&in->arena, m->source),
			.target = arena_strdup(&in->arena, m->target),
			.propagation = arena_strdup(&in->arena, m->propagation),
			.read_only = m->read_only || (mode && strcmp(mode, "ro") == 0),
			.options = strv_copy(&in->arena, &m->options, 0),
		};
	}
	return 0;
}

static const char *or_image(struct instance *in, const char *ours, const char *images)
{
	return ours && *ours ? ours : images ? arena_strdup(&in->arena, images) : NULL;
}

static void merge_layers(struct engine *eng, struct instance *in, const struct image *img)
{
	struct oci_strv *l = &in->config.layers;
	size_t root = strlen(eng->root);

	l->v = arena_calloc(&in->arena, img->n_layers + 1, sizeof(*l->v));
	l->n = img->n_layers;
	for (size_t i = 0; i < img->n_layers; i++) {
		const char *dir = img->layers[i];

		/* Relative, so that the whole of root may be moved. */
		if (strncmp(dir, eng->root, root) == 0 && dir[root] == '/')
			dir += root + 1;
		l->v[i] = arena_strdup(&in->arena, dir);
	}
}

int life_merge(struct engine *eng, struct instance *in, const struct image *img, struct err *e)
{
	const struct image_config *ic = &img->config;
	struct instance_config *c = &in->config;
	int r = 0;

	in->image_id = arena_strdup(&in->arena, img->id);
	merge_layers(eng, in, img);
	merge_command(in, ic);
	merge_env(in, ic);
	merge_labels(in, ic);
	merge_expose(in, ic);
	merge_health(in, ic);
	c->working_dir = or_image(in, c->working_dir, ic->working_dir);
	c->user = or_image(in, c->user, ic->user);
	c->stop_signal = or_image(in, c->stop_signal, ic->stop_signal);
	if (!c->image)
		c->image = img->n_names ? arena_strdup(&in->arena, img->names[0]) : in->image_id;
	if (!c->wall)
		c->wall = arena_strdup(&in->arena, eng->config.wall);
	if (!c->log_driver)
		c->log_driver = arena_strdup(&in->arena, eng->config.log_driver);
	if (!c->network_mode)
		c->network_mode = NET_DEFAULT;
	for (size_t i = 0; r == 0 && i < c->volumes_from.n; i++)
		r = merge_volumes_from(eng, in, c->volumes_from.v[i], e);
	for (size_t i = 0; r == 0 && i < ic->volumes.n; i++)
		if (!mounted_at(c, ic->volumes.v[i]))
			*add_mount(in) = (struct instance_mount){
				.type = "volume", .anonymous = true,
				.target = arena_strdup(&in->arena, ic->volumes.v[i]),
			};
	if (r == 0 && !c->hostname) {
		char host[256] = "";

		if (c->uts_mode && strcmp(c->uts_mode, "host") == 0)
			(void)!gethostname(host, sizeof(host) - 1);
		c->hostname = *host ? arena_strdup(&in->arena, host) :
				      arena_printf(&in->arena, "%.12s", in->id);
	}
	return r;
}

/* --- volumes -------------------------------------------------------------------- */

static int is_empty(int dirfd, const char *name)
{
	CLEANUP_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool empty = true;

	if (!d)
		return -errno;
	(void)take_fd(fd);
	for (struct dirent *de; empty && (de = readdir(d)); )
		empty = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
	closedir(d);
	return empty;
}

/*
 * The copy is made beside and takes the place of the empty directory by rename, which fails
 * where another was faster: a volume is filled whole or not at all.
 */
static int fill(struct engine *eng, int rootfd, const struct instance_mount *m, struct err *e)
{
	CLEANUP_FREE char *dir = xasprintf("%s/volumes/%s", eng->root, m->source);

	CLEANUP_FD int from = inroot_open(rootfd, m->target, O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return 0;               /* the image has no directory there */
	CLEANUP_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_sys(e, errno, "open volume %s", dir);
	int r = is_empty(fd, "_data");
	if (r <= 0)
		return r < 0 ? err_sys(e, -r, "look into volume %s", dir) : 0;
	r = tree_remove_at(fd, "_data.new", e);
	if (r == 0 && mkdirat(fd, "_data.new", 0755) < 0)
		r = err_sys(e, errno, "make %s/_data.new", dir);
	if (r < 0)
		return r;
	CLEANUP_FD int to = openat(fd, "_data.new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = to < 0 ? err_sys(e, errno, "open %s/_data.new", dir) :
		     tree_copy_dir(from, to, &(struct tree_options){ 0 }, e);
	if (r < 0)
		return err_prefix(e, "fill volume %s from %s of the image", m->source, m->target);
	if (renameat(fd, "_data.new", fd, "_data") < 0 && errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, errno, "fill volume %s", m->source);
	return 0;
}

int life_fill_volumes(struct engine *eng, struct instance *in, struct err *e)
{
	CLEANUP_FD int rootfd = -1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < in->config.n_mounts; i++) {
		const struct instance_mount *m = &in->config.mounts[i];

		if (strcmp(m->type, "volume") != 0 || m->no_copy)
			continue;
		if (rootfd < 0)
			rootfd = life_mount(eng, in, true, e);
		r = rootfd < 0 ? rootfd : fill(eng, rootfd, m, e);
	}
	return r;
}

static int hold_volumes(struct engine *eng, struct instance *in, struct err *e)
{
	static const struct oci_kvs none;
	int r = 0;

	for (size_t i = 0; r == 0 && i < in->config.n_mounts; i++) {
		struct instance_mount *m = &in->config.mounts[i];

		if (strcmp(m->type, "volume") != 0)
			continue;
		if (!m->source)
			m->anonymous = true;
		r = volume_make(eng, m->source, &none, m->anonymous, &in->arena, &m->source, e);
		if (r == 0)
			r = volume_hold(eng, m->source, in->id, e);
	}
	return r;
}

/* --- the whole -------------------------------------------------------------------- */

static int record(struct engine *eng, struct instance *in, const struct image *img, struct err *e)
{
	int r = db_begin(eng->db, e);

	if (r < 0)
		return r;
	r = hold_volumes(eng, in, e);
	if (r == 0)
		r = image_hold(&eng->store, img, in->id, e);
	if (r == 0)
		r = instance_insert(eng, in, e);
	if (r == 0)
		return db_commit(eng->db, e);
	db_rollback(eng->db);
	return r;
}

int life_create(struct engine *eng, struct instance *in, const struct image *img, struct err *e)
{
	int r = life_merge(eng, in, img, e);

	if (r == 0)
		r = instance_lock(eng, in, true, e);
	if (r < 0)
		return r;
	r = record(eng, in, img, e);
	if (r < 0) {
		instance_remove_dir(eng, in->id);
		return r;
	}
	r = life_fill_volumes(eng, in, e);
	if (r == 0)
		r = life_make_dirs(eng, in, e);
	if (r < 0) {
		struct err why;

		if (life_remove(eng, in, true, true, &why) < 0)
			log_debug("%s", why.msg);
		return r;
	}
	event_add(eng, "container", "create", in->id,
		  json_pack("{ss ss}", "name", in->name, "image", in->config.image));
	return 0;
}
