#pragma once
/*
 * cli/isle/launch.h - what run, create, start and attach share: from an image's name to an
 * instance, and the terminal in front of it.  Layer: cli.
 */
#include "cli/isle/command.h"
#include "cli/isle/run_options.h"

/*
 * The image that c->argv[0] names, pulled as o says, made an instance of, with the command
 * in c->argv[1...]; *in is locked and ours to start (start: it will be, at once).  Writes
 * --cidfile.  1: a pull failed, and said why.
 */
MUST_CHECK int launch_create(struct isle_call *c, struct run_options *o, bool start,
			     struct instance *in, struct err *e);

struct launch {
	bool in, out, err;              /* our streams that are the instance's */
	bool owner;                     /* clean up after it, when it ends while we are there */
	bool no_sig_proxy;
	const char *detach_keys;        /* NULL: the default */
};

/* A terminal's input must be a terminal: -ENOTTY. */
MUST_CHECK int launch_check_terminal(const struct instance_config *config, bool input,
				     struct err *e);
/*
 * Start in, whose lock is held, with our streams; wait for its end or the detach keys.  The
 * lock is given back once it runs.  *ret_status is the program's, 0 after a detach; of a
 * failure 125, 126 or 127.
 */
MUST_CHECK int launch_foreground(struct isle_call *c, struct instance *in,
				 const struct launch *l, int *ret_status, struct err *e);
/* The same for one that runs already; sock is from life_connect(). */
MUST_CHECK int launch_attach(struct isle_call *c, struct instance *in, const struct launch *l,
			     int sock, int *ret_status, struct err *e);
