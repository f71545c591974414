#pragma once
/*
 * cli/isle/each.h - one command, several names.  Layer: cli.
 *
 * Each name is done whatever becomes of the others; a failure is one line on stderr and
 * makes the exit status 1.
 */
#include "cli/isle/command.h"
#include "engine/instance.h"

typedef int each_work(struct isle_call *c, struct instance *in, struct err *e);
typedef int each_name_work(struct isle_call *c, const char *name, const void *arg, struct err *e);

/* work on each name of c->argv; what was typed is printed, where print says so, for 0. */
MUST_CHECK int each_name(struct isle_call *c, bool print, each_name_work *work, const void *arg,
			 struct err *e);

/*
 * work on each name of c->argv, found afresh, its lock taken where lock says so.  What was
 * typed is printed for each success, where print says so.
 */
MUST_CHECK int each_instance(struct isle_call *c, bool lock, bool print, each_work *work,
			     struct err *e);

/*
 * The same for work that waits long: with several names, each is a process of its own,
 * "isle VERB OPTIONS NAME", some at once.  options ends with NULL.
 */
MUST_CHECK int each_at_once(struct isle_call *c, const char *verb, const char *const *options,
			    each_work *work, struct err *e);

/* Tell what happened to in ("start", "die" ...): its name and image go along. */
void each_event(struct isle_call *c, const struct instance *in, const char *action);
