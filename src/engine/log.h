#pragma once
/*
 * engine/log.h - reading the json-file logs that keepers write (engine/keeper/log_file.c):
 * path, and path.1, path.2 ... that were rotated away, the oldest with the highest number.
 * Layer: engine.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct logs_options {
	bool no_stdout, no_stderr;
	bool timestamps;
	const char *details;            /* or NULL: put ahead of each line ("a=b,c=d") */
	int64_t since_ns, until_ns;     /* of the Unix epoch; 0: no limit */
	int64_t tail;                   /* the last lines; -1: all */
	bool follow;
	/* follow: readable once no more will be written (a keeper's socket without ATTACH,
	 * which says nothing until it ends), or -1. */
	int end_fd;
};

/* One line as it was written, newline included where it had one. */
typedef int logs_line_fn(void *arg, bool is_stderr, const char *p, size_t n, struct err *e);

/*
 * Give each line that is asked for to fn; its failure ends this.  With follow, goes on with
 * what is written, across rotations, until end_fd says so, or a line is past until_ns.
 * A log that is not there is empty.
 */
MUST_CHECK int logs_read(const char *path, const struct logs_options *o, logs_line_fn *fn,
			 void *arg, struct err *e);

/* To stdout and stderr: a logs_line_fn. */
int logs_print(void *arg, bool is_stderr, const char *p, size_t n, struct err *e);
