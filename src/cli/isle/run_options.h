#pragma once
/*
 * cli/isle/run_options.h - the options of run, create and update.  Layer: cli.
 *
 * One table.  update takes a slice of it, create all but what is run's own:
 *
 *	| run's own | create's, too ...           | limits and --help: update's, too |
 */
#include "cli/options.h"
#include "engine/instance.h"
#include "oci/spec.h"

struct run_options {
	/* run alone */
	bool detach, no_sig_proxy;
	const char *detach_keys;
	/* run and create */
	bool quiet;
	const char *name, *pull, *cidfile;
	struct oci_strv attach;         /* "stdin", "stdout", "stderr" */
	/* What run_options_finish() reads into config; options write the rest straight into it. */
	struct oci_strv env, env_files, labels, label_files, annotations, publish, volumes,
			mounts, tmpfs, networks, aliases, devices, ulimits, sysctls,
			add_hosts, security, log_options, expose, dns;
	struct oci_strv read_bps, write_bps, read_iops, write_iops;
	const char *entrypoint, *health_cmd, *ip4, *ip6, *mac, *stop_timeout;
	bool restart_set;
	struct instance_config config;
};

#define RUN_OPTIONS_COUNT 88            /* all */
#define RUN_OPTIONS_OWN 3               /* the first: run's alone */
#define RUN_OPTIONS_LIMITS 13           /* the last, --help among them: update's */
extern const struct option run_option_table[RUN_OPTIONS_COUNT];

/*
 * Read what was left as text into o->config and check what depends on another.  Strings hang
 * in a or in argv.  -EINVAL names the option.  The user's files and environment are read,
 * and folders that -v wants are made.
 */
MUST_CHECK int run_options_finish(struct run_options *o, struct arena *a, struct err *e);

/* The limits alone: update's part of the above. */
MUST_CHECK int run_limits_check(const struct instance_config *c, struct err *e);
