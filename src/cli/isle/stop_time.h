#pragma once
/* cli/isle/stop_time.h - how stop and restart stop an instance.  Layer: cli. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/isle/command.h"
#include "engine/instance.h"

struct stop_time {
	struct opt_i64 seconds;         /* -1: for ever */
	const char *signal;             /* checked by the parser */
};

#define STOP_TIME_TEXT 32

int stop_time_parse(const char *s, void *target, struct err *e);
int stop_signal_parse(const char *s, void *target, struct err *e);

#define STOP_TIME_OPTIONS \
	{ "signal", 's', OPT_PARSED, offsetof(struct stop_time, signal), "SIGNAL", \
	  "signal to stop it with (default its own)", stop_signal_parse }, \
	{ "time", 't', OPT_PARSED, offsetof(struct stop_time, seconds), "SECONDS", \
	  "time to stop in, before KILL (default its own, or 10)", stop_time_parse }, \
	{ "timeout", 0, OPT_PARSED, offsetof(struct stop_time, seconds), "SECONDS", \
	  "the same as --time", stop_time_parse }

/* Stop in, whose lock is held; one that does not run is fine. */
MUST_CHECK int stop_time_stop(struct isle_call *c, struct instance *in,
			      const struct stop_time *t, struct err *e);
/* The options again, for another process: words ends with NULL. */
void stop_time_words(const struct stop_time *t, char number[STOP_TIME_TEXT],
		     const char *words[5]);
