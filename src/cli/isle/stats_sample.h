#pragma once
/* cli/isle/stats_sample.h - what an instance uses, at one moment and between two.  Layer: cli. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/instance.h"

struct stats_sample {
	bool valid;
	bool groupless;                 /* runs without a control group: net and PIDs alone */
	uint64_t when_ns;               /* CLOCK_MONOTONIC */
	uint64_t cpu_ns;
	uint64_t memory, memory_limit;  /* bytes; without a limit of its own, the host's */
	uint64_t received, sent;        /* bytes */
	uint64_t read, written;         /* bytes */
	uint64_t pids;
};

/* Of an instance that is up; not valid when it has just ended. */
void stats_sample_take(struct engine *eng, const struct instance *in,
		       struct stats_sample *ret);
/* Docker's fields: Name, ID, CPUPerc, MemUsage, MemPerc, NetIO, BlockIO, PIDs. */
json_t *stats_row(const struct instance *in, const struct stats_sample *before,
		  const struct stats_sample *now, bool trunc);
