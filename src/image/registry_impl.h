#pragma once
/*
 * image/registry_impl.h - what registry_*.c share.  Layer: image, private to them.
 */
#include <pthread.h>

#include "image/registry_client.h"

/* A place that serves the repository.  lock guards what changes. */
struct client_endpoint {
	const char *location, *prefix;
	const char *auth_host;          /* whose credentials */
	const char *ca_file;
	bool insecure;
	bool plain;                     /* HTTP: found out by trying */
	bool dead;                      /* a mirror that could not be reached */
	bool reached;                   /* it answered once: what fails now may pass */
	const char *authorization;      /* what works, as far as we know; or NULL */
	unsigned generation;            /* of authorization */
};

struct client {
	struct client_options o;
	enum client_access access;
	const char *host, *path, *mount_from;
	const struct auth_credentials *given;
	struct client_endpoint *endpoints;      /* mirrors first */
	size_t n_endpoints;
	struct arena a;                 /* also under lock once threads are there */
	pthread_mutex_t lock;
};

/*
 * Answer a 401: find out what its challenges want, and leave an authorization in ep.
 * generation is that of the one refused: when another thread has a newer one, it is used.
 * -EACCES when there is none to be had.  *ret_transient: worth another attempt.
 */
MUST_CHECK int client_authorize(struct client *c, struct client_endpoint *ep, struct http *h,
				const struct http_answer *refused, unsigned generation,
				bool *ret_transient, struct err *e);

/* "what the registry said", from an error body (distribution spec, error codes); a's. */
const char *client_error_text(const struct http_answer *ans, struct arena *a);
/* A final status of 4xx or 5xx as an error; path of the endpoint is in the message. */
int client_refused(const struct client *c, const struct client_endpoint *ep,
		   const struct client_request *q, const struct http_answer *ans,
		   struct err *e);
