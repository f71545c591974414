#pragma once
/*
 * cli/isle/describe.h - what the inspect commands share.  Layer: cli.
 */
#include <jansson.h>

#include "cli/isle/command.h"

/* All about the thing called name: a new reference in *ret. */
typedef int describe_work(struct isle_call *c, const char *name, json_t **ret, struct err *e);

struct describe_options {
	const char *format;
};

/* For a command whose target is struct describe_options. */
#define DESCRIBE_OPTIONS_N 2
extern const struct option describe_options[DESCRIBE_OPTIONS_N];

/*
 * Print what work says of each name of c->argv, as one array or by the template format
 * (NULL: none).  A name that fails is one line on stderr and makes the exit status 1.
 */
MUST_CHECK int describe_each(struct isle_call *c, const char *format, describe_work *work,
			     struct err *e);
