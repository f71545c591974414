#pragma once
/*
 * image/pull_jobs.h - layers on several connections at once, for pull and push.
 * Layer: image.
 */
#include "image/progress.h"
#include "image/registry_client.h"

#define JOBS_AT_ONCE 3

struct jobs {
	size_t n;                       /* numbered from 0; taken in order */
	/* In a thread of its own, with a connection of its own. */
	int (*run)(void *arg, struct http *h, size_t i, struct err *e);
	void *arg;
	const struct client *client;
	struct progress *progress;      /* drawn meanwhile */
	atomic_bool *stop;              /* set at the first failure: the client's */
};

/* Waits for all; the failure of the first that failed. */
MUST_CHECK int jobs_run(const struct jobs *j, struct err *e);
