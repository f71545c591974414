#pragma once
/* engine/config.h - isle.conf: one "key = value" a line.  Layer: engine. */
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "oci/spec.h"

struct engine_config {
	struct arena arena;
	const char *log_driver;         /* "json-file" */
	const char *log_max_size;       /* "" none */
	unsigned log_max_file;
	const char *bridge;             /* "isle0" */
	const char *subnet4, *subnet6;  /* pools of the default network */
	const char *cgroup_manager;     /* "cgroupfs", "systemd" */
	const char *wall;               /* "container": what run uses unless told */
	unsigned stop_timeout_s;        /* 10 */
};

/*
 * Read file, or the two defaults (the later one wins); a missing default is fine.  An
 * unknown key or a bad value is -EINVAL: file:line, the key, and the nearest known one.
 */
MUST_CHECK int engine_config_load(const char *file, struct engine_config *ret, struct err *e);
void engine_config_release(struct engine_config *c);
