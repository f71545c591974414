/* engine/engine.c - see engine.h */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "container/wall.h"
#include "engine/instance.h"
#include "engine/rootless.h"
#include "engine/volume.h"

/* All areas' tables are of one age: raised whenever any of them changes. */
#define DB_VERSION 1

/* --- walls and programs --------------------------------------------------- */

int engine_wall(const char *name, const struct wall **ret, struct err *e)
{
	static const struct wall *const walls[] = { &wall_container };

	for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
		if (strcmp(walls[i]->name, name) == 0) {
			*ret = walls[i];
			return 0;
		}
	}
	return err_set(e, EINVAL, "no wall \"%.40s\": there is \"container\"", name);
}

/* The build tree's folder of a program, beside the one isle itself is in. */
static const struct { const char *name, *folder; } build_places[] = {
	{ "isle", "isle" }, { "isle-runtime", "runtime" }, { "isle-image", "image" },
	{ "isle-nft", "nft" }, { "isle-pid1", "init" },
};

static int try_program(const char *folder, const char *sub, const char *name, char **ret)
{
	CLEANUP_FREE char *path = sub ? xasprintf("%s/../%s/%s", folder, sub, name) :
					xasprintf("%s/%s", folder, name);
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return -ENOENT;
	*ret = realpath(path, NULL);
	return *ret ? 0 : -errno;
}

int engine_program(const char *name, char **ret, struct err *e)
{
	const char *libexec = getenv("ISLE_LIBEXEC");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return err_sys(e, n < 0 ? errno : ENOENT, "read /proc/self/exe");
	self[n] = 0;
	*strrchr(self, '/') = 0;
	if (libexec && *libexec && try_program(libexec, NULL, name, ret) == 0)
		return 0;
	if (try_program(self, NULL, name, ret) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(build_places); i++)
		if (strcmp(build_places[i].name, name) == 0 &&
		    try_program(self, build_places[i].folder, name, ret) == 0)
			return 0;
	if (try_program(self, "libexec/isle", name, ret) == 0 ||
	    try_program(ISLE_LIBEXECDIR, NULL, name, ret) == 0)
		return 0;
	return err_set(e, ENOENT, "program %s is not in $ISLE_LIBEXEC, beside this program (%s) "
		       "nor in %s: install it, or name its folder in ISLE_LIBEXEC", name, self,
		       ISLE_LIBEXECDIR);
}

/* --- roots ------------------------------------------------------------------ */

int engine_mkdir_all(const char *path, unsigned mode, struct err *e)
{
	CLEANUP_FREE char *copy = xstrdup(path);

	for (char *p = copy + 1; ; p++) {
		if (*p && *p != '/')
			continue;
		char was = *p;
		*p = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make directory %s", copy);
		*p = was;
		if (!was)
			return 0;
	}
}

/* A root as given, made absolute; NULL: not given. */
static char *given_path(const char *given)
{
	if (!given || given[0] == '/')
		return given ? xstrdup(given) : NULL;
	CLEANUP_FREE char *cwd = getcwd(NULL, 0);

	return xasprintf("%s/%s", cwd ? cwd : "", given);
}

/* Where an ordinary user has no directory of that kind. */
static char *below_tmp(void)
{
	return xasprintf("/tmp/isle-%u", (unsigned)rootless_host_uid());
}

static int open_dir(const char *path, int *ret, struct err *e)
{
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? err_sys(e, errno, "open directory %s", path) : 0;
}

char *engine_root_path(const struct engine_options *o, bool rootless)
{
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *given = given_path(o->root);

	if (given)
		return given;
	if (!rootless)
		return xstrdup("/var/lib/isle");
	if (xdg && xdg[0] == '/')
		return xasprintf("%s/isle", xdg);
	return home && home[0] == '/' ? xasprintf("%s/.local/share/isle", home) : below_tmp();
}

char *engine_run_root_path(const struct engine_options *o, bool rootless)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char *given = given_path(o->run_root);

	if (given)
		return given;
	if (!rootless)
		return xstrdup("/run/isle");
	if (xdg && xdg[0] == '/')
		return xasprintf("%s/isle", xdg);
	/* su(1) and cron set none: what a login has is meant all the same. */
	CLEANUP_FREE char *login = xasprintf("/run/user/%u", (unsigned)rootless_host_uid());
	return access(login, W_OK) == 0 ? xasprintf("%s/isle", login) : below_tmp();
}

/*
 * 0711, not 0700: the layers below are what programs of other users in a user namespace
 * see as their root, and must be able to search a way to; names they cannot list.
 */
static int make_dirs(struct engine *eng, struct err *e)
{
	static const char *const below_root[] = { "instances", "volumes" };
	static const char *const below_run[] = { "runtime", "keepers", "net", "bundles" };
	struct stat st;

	/* Made once: a command looks at the last one only. */
	CLEANUP_FREE char *last_root = xasprintf("%s/volumes", eng->root);
	CLEANUP_FREE char *last_run = xasprintf("%s/bundles", eng->run_root);
	int r = 0;

	if (stat(last_root, &st) < 0)
		r = engine_mkdir_all(eng->root, 0711, e);
	for (size_t i = 0; r == 0 && stat(last_root, &st) < 0 && i < ARRAY_LEN(below_root); i++) {
		CLEANUP_FREE char *p = xasprintf("%s/%s", eng->root, below_root[i]);
		r = engine_mkdir_all(p, 0711, e);
	}
	if (r == 0 && stat(last_run, &st) < 0)
		r = engine_mkdir_all(eng->run_root, 0711, e);
	for (size_t i = 0; r == 0 && stat(last_run, &st) < 0 && i < ARRAY_LEN(below_run); i++) {
		CLEANUP_FREE char *p = xasprintf("%s/%s", eng->run_root, below_run[i]);
		r = engine_mkdir_all(p, 0700, e);
	}
	return r;
}

static int open_roots(const struct engine_options *o, struct engine *eng, struct err *e)
{
	eng->root = engine_root_path(o, eng->rootless);
	eng->run_root = engine_run_root_path(o, eng->rootless);
	int r = make_dirs(eng, e);
	if (r == 0)
		r = open_dir(eng->root, &eng->rootfd, e);
	if (r < 0)
		return r;
	eng->instancesfd = openat(eng->rootfd, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (eng->instancesfd < 0)
		return err_sys(e, errno, "open directory %s/instances", eng->root);
	return 0;
}

/* --- open and close ------------------------------------------------------- */

static int open_db(struct engine *eng, struct err *e)
{
	const struct db_schema schemas[] = {
		image_schema, net_schema, instance_schema, volume_schema,
	};
	CLEANUP_FREE char *path = xasprintf("%s/isle.db", eng->root);

	return db_open(path, schemas, ARRAY_LEN(schemas), DB_VERSION, &eng->db, e);
}

/* Hand each area what it needs of ours. */
static void fill_areas(struct engine *eng)
{
	eng->state_dir = xasprintf("%s/runtime", eng->run_root);
	eng->net_dir = xasprintf("%s/net", eng->run_root);
	eng->bundles_dir = xasprintf("%s/bundles", eng->run_root);
	eng->store = (struct store){
		.db = eng->db, .root = eng->root, .rootfd = eng->rootfd,
		.rootless = eng->rootless,
	};
	eng->net = (struct net){
		.db = eng->db, .bundles = eng->bundles_dir, .run_dir = eng->net_dir,
		.nft_helper = eng->nft_program ? eng->nft_program : "isle-nft",
		.bridge = eng->config.bridge, .rootless = eng->rootless,
		.subnet4 = *eng->config.subnet4 ? eng->config.subnet4 : NULL,
		.subnet6 = *eng->config.subnet6 ? eng->config.subnet6 : NULL,
	};
	eng->host = (struct wall_host){
		.state_dir = eng->state_dir,
		.systemd_cgroup = strcmp(eng->config.cgroup_manager, "systemd") == 0,
		.rootless = eng->rootless,
	};
}

static int find_programs(struct engine *eng, struct err *e)
{
	struct err ignored;

	int r = engine_program("isle-runtime", &eng->runtime_program, e);
	if (r < 0)
		return r;
	eng->self_program = realpath("/proc/self/exe", NULL);
	if (!eng->self_program)
		return err_sys(e, errno, "read /proc/self/exe");
	/* Only published ports and bridges want it; they say so when it is not there. */
	if (engine_program("isle-nft", &eng->nft_program, &ignored) < 0)
		log_debug("%s", ignored.msg);
	return 0;
}

int engine_open(const struct engine_options *o, struct engine *ret, struct err *e)
{
	*ret = (struct engine){ .rootfd = -1, .instancesfd = -1 };
	/* Others' programs read what we make for them (hosts, roots): modes are as written. */
	umask(022);
	/* As an ordinary user this becomes another process, and does not return. */
	int r = rootless_enter(o, &ret->rootless, e);
	if (r < 0)
		return r;
	r = engine_config_load(o->config_file, &ret->config, e);
	if (r == 0 && o->config_file)
		ret->config_file = realpath(o->config_file, NULL);
	if (r == 0)
		r = find_programs(ret, e);
	if (r == 0)
		r = open_roots(o, ret, e);
	if (r == 0)
		r = open_db(ret, e);
	if (r < 0) {
		engine_close(ret);
		return r;
	}
	fill_areas(ret);
	return 0;
}

void engine_close(struct engine *eng)
{
	db_close(eng->db);
	fd_close(&eng->rootfd);
	fd_close(&eng->instancesfd);
	engine_config_release(&eng->config);
	free(eng->root);
	free(eng->run_root);
	free(eng->runtime_program);
	free(eng->self_program);
	free(eng->state_dir);
	free(eng->net_dir);
	free(eng->bundles_dir);
	free(eng->nft_program);
	free(eng->config_file);
	*eng = (struct engine){ .rootfd = -1, .instancesfd = -1 };
}
