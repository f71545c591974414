#pragma once
/*
 * image/http.h - one HTTP exchange with a registry, over libcurl.  Layer: image.
 *
 * What a server sends is untrusted: headers, bodies and redirects are bounded, and an
 * Authorization header or a body's bytes never follow a redirect to another origin
 * (scheme, host and port; RFC 9110, 15.4).  Nothing is retried here: image/registry.h does.
 * A struct http belongs to one thread and keeps its connections between exchanges.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define HTTP_REDIRECTS_MAX 8
#define HTTP_CHALLENGES_MAX 4
#define HTTP_HEADERS_BYTES_MAX (256u << 10)

struct http;
struct http_answer;

struct http_options {
	uint64_t stall_ms;              /* give up when no byte moved for so long */
	uint64_t connect_ms;
	const atomic_bool *stop;        /* NULL, or: -ECANCELED soon after it is set */
};

struct http_request {
	const char *method;             /* GET, HEAD, POST, PUT, PATCH */
	const char *url;                /* absolute */
	const char *authorization;      /* value of the header, or NULL */
	const char *const *headers;     /* "Name: value", NULL at the end; or NULL */
	const char *ca_file;            /* for this origin: NULL, the system's authorities */
	bool insecure;                  /* this origin: any certificate, redirects to http */
	bool no_redirect;               /* the answer with its Location is what is wanted */
	uint64_t range_from;            /* > 0: only the bytes from there on */
	/* A body: bytes, or (fd, from) of a file when body is NULL; size 0: an empty one. */
	const char *body;
	int body_fd;
	uint64_t body_from, body_bytes;
	/*
	 * Where a body with status 200 or 206 goes.  start is called before its first byte,
	 * with the answer's head filled in.  A negative return ends the exchange with *e.
	 */
	int (*start)(void *arg, const struct http_answer *a, struct err *e);
	int (*sink)(void *arg, const void *p, size_t n, struct err *e);
	void *arg;
	uint64_t body_max_bytes;        /* without a sink: more is refused */
	atomic_uint_least64_t *sent;    /* NULL, or: counts the body's bytes as they leave */
};

struct http_answer {
	int status;                     /* 0 when no head came */
	/* NULL where absent; of the last head, which no redirect followed. */
	const char *content_type, *content_range, *location, *digest, *retry_after, *range;
	const char *link, *upload_uuid;
	const char *challenges[HTTP_CHALLENGES_MAX];    /* WWW-Authenticate */
	size_t n_challenges;
	int64_t content_bytes;          /* Content-Length, or -1 */
	struct buf body;                /* without a sink; of a failure, its beginning */
	const char *url;                /* the last one asked */
	bool transient;                 /* on failure: another attempt may succeed */
	bool connected;                 /* on failure: the host was reached */
	bool tls;                       /* on failure: of TLS's handshake */
	struct arena a;                 /* holds the strings above */
};

MUST_CHECK int http_new(const struct http_options *o, struct http **ret, struct err *e);
void http_free(struct http *h);         /* NULL is accepted */
static inline void http_cleanup(struct http **h)
{
	http_free(*h);
}
#define CLEANUP_HTTP __attribute__((cleanup(http_cleanup)))

/*
 * Do one exchange and follow its redirects; blocks.  0 for any status that came whole;
 * *ret is filled on failure too, and is the caller's to release in both cases.
 * Messages name the method, the URL without its query (which may carry a signature) and
 * the cause.
 */
MUST_CHECK int http_do(struct http *h, const struct http_request *q, struct http_answer *ret,
		       struct err *e);
void http_answer_release(struct http_answer *a);

/*
 * A URL for messages: without query, fragment and user.  Hangs in a.
 */
const char *http_url_shown(const char *url, struct arena *a);
/* Whether two URLs have the same scheme, host and port. */
bool http_same_origin(const char *a, const char *b);

/*
 * Retry-After (RFC 9110, 10.2.3): seconds, or a date after now (seconds of the epoch).
 * Milliseconds in *ret; -EINVAL when it is neither.
 */
MUST_CHECK int http_retry_after(const char *value, int64_t now, uint64_t *ret);

/* "bytes FIRST-LAST/TOTAL"; *ret_total is UINT64_MAX for "*".  -EINVAL when it is not. */
MUST_CHECK int http_content_range(const char *value, uint64_t *ret_first, uint64_t *ret_last,
				  uint64_t *ret_total);
