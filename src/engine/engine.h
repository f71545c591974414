#pragma once
/*
 * engine/engine.h - where isle keeps things, opened once a command.  Layer: engine.
 *
 *   <root>      /var/lib/isle, or $XDG_DATA_HOME/isle:  isle.db, blobs, layers,
 *               instances/<id>/ (upper, work, log, keeper.json, status.json),
 *               volumes/<name>/_data
 *   <run-root>  /run/isle, or $XDG_RUNTIME_DIR/isle:    runtime/ (the wall's states),
 *               keepers/<id>/socket, net/,
 *               bundles/<id>/ (config.json, rootfs, hosts, hostname, resolv.conf)
 *
 * isle has no daemon: each command opens this, does its work under the database's and the
 * instance's locks, and ends.  Opening brings nothing up and mends nothing.
 */
#include <stdbool.h>

#include "base/db.h"
#include "base/err.h"
#include "engine/config.h"
#include "image/store.h"
#include "net/net.h"
#include "oci/wall.h"

struct engine_options {                 /* the global options of isle */
	const char *root, *run_root;    /* NULL: the defaults above */
	const char *config_file;        /* NULL: /etc/isle/isle.conf, ~/.config/isle/isle.conf */
	bool debug;
};

struct engine {
	char *root, *run_root;          /* absolute */
	int rootfd, instancesfd;
	struct db *db;
	struct store store;
	struct net net;
	struct wall_host host;
	struct engine_config config;    /* isle.conf */
	char *runtime_program;          /* isle-runtime: started as keeper */
	char *self_program;             /* isle: what a keeper runs to be cleaned after */
	bool rootless;
	/* What the fields above point into. */
	char *state_dir, *net_dir, *bundles_dir, *nft_program;
	char *config_file;              /* --config, absolute; or NULL */
};

MUST_CHECK int engine_open(const struct engine_options *o, struct engine *ret, struct err *e);
void engine_close(struct engine *eng);
#define CLEANUP_ENGINE __attribute__((cleanup(engine_close)))

/*
 * The path of a program of isle's own ("isle-runtime", "isle-image", "isle-nft"): in
 * $ISLE_LIBEXEC, beside /proc/self/exe, in the build tree's place of it, or in libexec/isle.
 * -ENOENT says where it was looked for.  *ret is the heap's.
 */
MUST_CHECK int engine_program(const char *name, char **ret, struct err *e);

/* <root> and <run-root> as engine_open() would have them: the heap's. */
char *engine_root_path(const struct engine_options *o, bool rootless);
char *engine_run_root_path(const struct engine_options *o, bool rootless);

/* Make path and the parents it lacks, mode each; an existing directory is fine. */
MUST_CHECK int engine_mkdir_all(const char *path, unsigned mode, struct err *e);

/* The table of the wall called name ("container"); -EINVAL for one there is not. */
MUST_CHECK int engine_wall(const char *name, const struct wall **ret, struct err *e);
