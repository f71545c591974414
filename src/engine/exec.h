#pragma once
/* engine/exec.h - the process of an exec: an instance's own, with changes.  Layer: engine. */
#include "engine/instance.h"

struct exec_change {
	struct oci_strv args;           /* the command */
	struct oci_strv env;            /* NAME=VALUE, laid over the instance's; NAME takes away */
	const char *user;               /* "USER[:GROUP]", or NULL: the instance's */
	const char *cwd;                /* or NULL */
	bool tty;
	bool privileged;                /* all capabilities */
};

/*
 * Read config.json of its bundle and make the process of what was asked.  Names of users are
 * looked up in the files of the running instance.  *ret and what it holds live in spec,
 * which is the caller's to release, and in the change.
 */
MUST_CHECK int exec_process_make(struct engine *eng, const struct instance *in,
				 const struct exec_change *o, struct oci_spec *spec,
				 struct oci_process *ret, struct err *e);
