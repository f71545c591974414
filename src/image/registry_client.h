#pragma once
/*
 * image/registry_client.h - requests to one repository: endpoints, tokens, retries.
 * Layer: image.
 *
 * A client knows where a repository can be reached (mirrors, then the registry itself) and
 * who we are there.  It is shared by threads; each brings a connection of its own
 * (client_http()).  Blocks, up to the options' bounds.
 *
 *	GET  -> 401 + WWW-Authenticate -> token from its realm -> GET with the token
 *	     -> 429, 5xx, a cut, a stall -> wait, again        (tries in a row without progress)
 *	     -> anything else of a mirror -> the next endpoint
 */
#include <stdatomic.h>

#include "image/auth.h"
#include "image/http.h"
#include "image/registries.h"

struct client_options {
	unsigned tries;                 /* in a row, without a byte of progress; at least 1 */
	uint64_t delay_ms;              /* before the second one; doubles, up to 30 s */
	uint64_t stall_ms;              /* silence after which a connection counts as dead */
	const atomic_bool *stop;        /* NULL, or: ends waits and exchanges soon */
	/* NULL, or: told each time something is tried again, from any thread. */
	void (*note)(void *arg, const char *line);
	void *note_arg;
};
#define CLIENT_OPTIONS_DEFAULT { .tries = 6, .delay_ms = 500, .stall_ms = 30000 }
#define CLIENT_DELAY_MAX_MS 30000
#define CLIENT_RETRY_AFTER_MAX_MS 300000        /* a registry that asks for more is refused */

struct client;

enum client_access { CLIENT_PING, CLIENT_PULL, CLIENT_PUSH };

/*
 * host as references have it; path NULL with CLIENT_PING.  Mirrors serve CLIENT_PULL alone.
 * mount_from: another repository of the host that a push wants to read, or NULL.
 * credentials: instead of the kept ones (login); or NULL.  Nothing is sent yet.
 */
struct client_target {
	const char *host, *path, *mount_from;
	enum client_access access;
	const struct auth_credentials *credentials;
};
MUST_CHECK int client_new(const struct registries *r, const struct client_target *t,
			  const struct client_options *o, struct client **ret, struct err *e);
void client_free(struct client *c);     /* NULL is accepted */
static inline void client_cleanup(struct client **c)
{
	client_free(*c);
}
#define CLEANUP_CLIENT __attribute__((cleanup(client_cleanup)))

/* A connection for one thread. */
MUST_CHECK int client_http(const struct client *c, struct http **ret, struct err *e);

struct client_request {
	struct http_request http;       /* url, authorization, ca_file, insecure are filled in */
	const char *path;               /* below /v2/<repository>/; "": /v2/ itself */
	const char *url;                /* instead of path: an upload's place, absolute or not */
	/*
	 * NULL, or how many bytes of a resource of size_bytes have come: the sink's to count.
	 * Each attempt asks for the rest, and an attempt with progress starts the tries anew.
	 */
	const uint64_t *position;
	uint64_t size_bytes;
	bool missing_ok;                /* 404 is an answer */
	bool once;                      /* no retries: the caller begins further back */
};

/*
 * 0 with a status of 2xx (3xx where no_redirect; 404 where missing_ok), or -errno: -EACCES
 * (401, 403: the line says how to log in), -ENOENT (404), -EBUSY (429), -ECANCELED ...
 * *ret is the caller's to release in both cases.
 */
MUST_CHECK int client_do(struct client *c, struct http *h, const struct client_request *q,
			 struct http_answer *ret, struct err *e);

