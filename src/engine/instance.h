#pragma once
/*
 * engine/instance.h - instances: what was asked for, and what became of it.  Layer: engine.
 *
 * Table instances(id, name UNIQUE, created, image, wall, config, active, removing, stopped):
 * config is the JSON of struct instance_config.  What changes while it runs is not in the
 * table but in status.json, which its keeper writes (engine/keeper/keeper.h).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "engine/engine.h"
#include "oci/image.h"
#include "oci/spec.h"

extern const struct db_schema instance_schema;

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

struct instance_mount {                 /* -v, --mount, --tmpfs, a volume of the image */
	const char *type;               /* "bind", "volume", "tmpfs" */
	const char *source;             /* absolute path, or a volume's name; NULL: anonymous */
	const char *target;
	bool read_only, no_copy, anonymous;
	const char *propagation;        /* "rprivate" ... or NULL */
	struct oci_strv options;        /* more mount options */
	int64_t tmpfs_size_bytes;       /* 0: none */
	uint32_t tmpfs_mode;
};

struct instance_device { const char *host, *path, *permissions; };
struct instance_throttle { const char *device; uint64_t rate; };
struct instance_ulimit { const char *name; int64_t soft, hard; };
struct instance_network {
	const char *name;
	const char *ip4, *ip6, *mac;    /* or NULL */
	struct oci_strv aliases;
};

/* Docker's spelling in JSON (Config and HostConfig of its container object), snake case here. */
struct instance_config {
	/* what runs */
	const char *image;              /* as typed */
	struct oci_strv entrypoint, cmd, env;
	bool entrypoint_set;            /* --entrypoint "" clears the image's */
	const char *working_dir, *user, *hostname, *domainname;
	struct oci_strv group_add;
	struct oci_kvs labels, annotations;
	bool tty, open_stdin, stdin_once, init;
	const char *stop_signal;        /* or NULL: the image's, else TERM */
	int stop_timeout_s;             /* -1: the default */
	struct image_healthcheck health;
	bool health_disable;
	/* how it is kept */
	bool auto_remove;
	enum restart_policy restart;
	unsigned restart_max;
	const char *log_driver;
	struct oci_kvs log_options;
	const char *wall;
	const char *platform;
	struct oci_strv layers;         /* bottom first, below <root>; life_create() fills it */
	/* isolation */
	bool privileged, read_only, no_new_privileges;
	struct oci_strv cap_add, cap_drop, security_options;
	/* NULL, "host", "private", "container:ID", "shareable", "none" */
	const char *pid_mode, *ipc_mode, *uts_mode, *userns_mode, *cgroupns_mode;
	struct instance_device *devices;
	size_t n_devices;
	struct oci_strv device_cgroup_rules;
	struct oci_kvs sysctls;
	struct instance_ulimit *ulimits;
	size_t n_ulimits;
	int oom_score_adj;
	bool oom_kill_disable;
	int64_t shm_size_bytes;         /* 0: 64 MiB */
	/* limits: 0 is none */
	int64_t memory, memory_swap, memory_reservation;
	int64_t nano_cpus, cpu_shares, cpu_period, cpu_quota;
	const char *cpuset_cpus, *cpuset_mems;
	int64_t pids_limit;
	unsigned blkio_weight;
	struct instance_throttle *read_bps, *write_bps, *read_iops, *write_iops;
	size_t n_read_bps, n_write_bps, n_read_iops, n_write_iops;
	const char *cgroup_parent;
	/* files */
	struct instance_mount *mounts;
	size_t n_mounts;
	struct oci_strv volumes_from;
	/* network */
	const char *network_mode;       /* "bridge", "none", "host", "container:ID", a network */
	struct instance_network *networks;      /* those of network_mode and of connect */
	size_t n_networks;
	struct net_port *ports;
	size_t n_ports;
	bool publish_all;
	struct oci_strv expose, extra_hosts, dns, dns_search, dns_options;
};

enum instance_state {
	INSTANCE_CREATED, INSTANCE_RUNNING, INSTANCE_PAUSED, INSTANCE_RESTARTING,
	INSTANCE_EXITED, INSTANCE_DEAD, INSTANCE_REMOVING
};
const char *instance_state_name(enum instance_state s);
struct instance;
/* Running, paused or between two starts: it has a keeper. */
bool instance_is_up(const struct instance *in);

struct instance_status {                /* status.json, checked against what lives */
	enum instance_state state;
	pid_t pid, keeper_pid;          /* 0: none */
	int64_t started_ns, finished_ns;        /* of the Unix epoch; 0: never */
	int exit_code;
	bool oom_killed;
	unsigned restart_count;
	const char *error;              /* "" none */
	const char *health;             /* "", "starting", "healthy", "unhealthy" */
	json_t *health_log;             /* or NULL */
};

/* What of an instance has to be given back: so that a killed command is cleaned after. */
enum instance_active {
	INSTANCE_IDLE,                  /* no keeper, no addresses */
	INSTANCE_STARTING,              /* whoever holds its lock is starting it */
	INSTANCE_ACTIVE,                /* a keeper has it */
};

struct instance {
	struct arena arena;             /* everything below hangs here */
	const char *id;                 /* 64 hex digits */
	const char *name;
	const char *image_id;           /* digest of its config, or NULL when removed */
	int64_t created_ns;
	struct instance_config config;
	struct instance_status status;
	enum instance_active active;
	bool removing;                  /* a command began to remove it */
	bool stopped;                   /* by the user: not again at system start */
	bool lost;                      /* its keeper died without a word: instance_refresh() */
	int start_exit_code;            /* of a start that failed: 126, 127, 125 or 0 */
	int lockfd;                     /* <instance>/lock, flock held; -1 when not locked */
};

void instance_release(struct instance *in);
#define CLEANUP_INSTANCE __attribute__((cleanup(instance_release)))

/* A fresh one: id made, name checked or chosen (adjective_noun), not yet in the table. */
MUST_CHECK int instance_new(struct engine *eng, const char *name, struct instance *ret,
			    struct err *e);
/* By name, ID or unique prefix of one; -ENOENT "no such instance: X".  lock: for changing it. */
MUST_CHECK int instance_find(struct engine *eng, const char *what, bool lock,
			     struct instance *ret, struct err *e);
/* All in the table, oldest first, with their status; *ret is the heap's. */
MUST_CHECK int instance_list(struct engine *eng, struct instance **ret, size_t *ret_n,
			     struct err *e);
void instance_list_free(struct instance *v, size_t n);
/* For run --name and rename: -EINVAL no name, -EEXIST says whose it is. */
MUST_CHECK int instance_check_name_free(struct engine *eng, const char *name, struct err *e);
MUST_CHECK int instance_insert(struct engine *eng, struct instance *in, struct err *e);
MUST_CHECK int instance_save(struct engine *eng, struct instance *in, struct err *e);
/* "<root>/instances/<id>/<file>"; file NULL: the directory.  The heap's. */
char *instance_path(const struct engine *eng, const char *id, const char *file);
/*
 * "<run-root>/bundles/<id>/<file>": what each start makes anew.  It stays until the next
 * one, or until the host goes down.
 */
char *instance_bundle_path(const struct engine *eng, const char *id, const char *file);
/* status.json again.  A keeper that died without a word is noticed here: what is left of the
 * instance is killed, and its status becomes exited, with an error that says so. */
MUST_CHECK int instance_refresh(struct engine *eng, struct instance *in, struct err *e);

/* Docker's inspect object (Id, Created, State, Config, HostConfig, NetworkSettings, Mounts ...). */
MUST_CHECK int instance_describe(struct engine *eng, struct instance *in, json_t **ret,
				 struct err *e);

json_t *instance_config_to_json(const struct instance_config *c);
MUST_CHECK int instance_config_from_json(const json_t *j, struct arena *a,
					 struct instance_config *ret, struct err *e);
