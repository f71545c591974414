#pragma once
/*
 * cli/options.h - command line options as data.  Layer: cli.
 *
 * A verb describes its options in one table beside it; parsing, "-h" and the
 * messages all read that table, and a test holds it against the manual.
 *
 * Engines written in Go and in C both call us, so all their spellings are taken:
 *   --long VALUE   --long=VALUE   -long VALUE   -long=VALUE   --flag=false
 *   -s VALUE       -sVALUE        -s=VALUE      -abc (flags)  -- (end of options)
 * Options may stand before and after the positional arguments.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum option_kind {
	OPT_FLAG,               /* bool */
	OPT_FLAG_OFF,           /* bool, true when given as false: --sig-proxy=false */
	OPT_STRING,             /* const char *, into argv */
	OPT_STRINGS,            /* struct oci_strv, repeatable, into argv */
	OPT_UINT,               /* unsigned */
	OPT_PARSED,             /* any type: .parse reads the value */
	OPT_HELP,               /* no target */
};

struct option {
	const char *name;       /* "pid-file"; no dashes */
	char letter;            /* 'p', or 0 */
	unsigned char kind;     /* enum option_kind */
	unsigned short offset;  /* of the target in the verb's struct */
	const char *metavar;    /* "FILE"; NULL for flags */
	const char *help;       /* one line, lower case, no full stop */
	/* OPT_PARSED: value to *target; the message does not name the option. */
	int (*parse)(const char *value, void *target, struct err *e);
};

/* The long option -h of every table. */
#define OPTION_HELP { "help", 'h', OPT_HELP, 0, NULL, "show this help", NULL }

struct option_set {
	const struct option *v;
	size_t n;
};

/*
 * Read argv[0..argc) into target.  Positional arguments are moved to the front of
 * argv and counted in *ret_n; from the stop_after-th on (0: never) everything is
 * positional, so that a container's command keeps its own options.
 * Returns 0, 1 when help was asked for, or -EINVAL.  Strings stay in argv.
 */
MUST_CHECK int options_parse(const struct option_set *set, int argc, char **argv,
			     size_t stop_after, void *target, size_t *ret_n,
			     struct err *e);

/* Free the lists that options_parse() made in target. */
void options_release(const struct option_set *set, void *target);

/* The "Options:" part of -h. */
void options_print(FILE *f, const struct option_set *set);
