/*
 * image/registry_client.c - requests to one repository: endpoints, attempts, retries.
 * Layer: image.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json_tree.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/registry_impl.h"

#define CONNECT_MS 15000

/* --- making --------------------------------------------------------------- */

/* A private authority for one host, where Docker and containers look for theirs too. */
static const char *find_ca(const char *host, struct arena *a)
{
	static const char *const dirs[] = {
		"/etc/isle/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d",
	};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		const char *path = arena_printf(a, "%s/%s/ca.crt", dirs[i], host);

		if (access(path, R_OK) == 0)
			return path;
	}
	return NULL;
}

static void set_endpoint(struct client *c, struct client_endpoint *ep,
			 const struct registry_endpoint *from, const char *auth_host)
{
	ep->location = arena_strdup(&c->a, from->location);
	ep->prefix = arena_strdup(&c->a, from->prefix ? from->prefix : "");
	ep->auth_host = arena_strdup(&c->a, auth_host);
	ep->ca_file = find_ca(from->location, &c->a);
	ep->insecure = from->insecure;
}

int client_new(const struct registries *r, const struct client_target *t,
	       const struct client_options *o, struct client **ret, struct err *e)
{
	struct registry reg;
	struct client *c = xcalloc(1, sizeof(*c));

	registries_find(r, t->host, &reg);
	c->o = *o;
	if (c->o.tries == 0)
		c->o.tries = 1;
	c->access = t->access;
	c->host = arena_strdup(&c->a, t->host);
	c->path = arena_strdup(&c->a, t->path);
	c->mount_from = arena_strdup(&c->a, t->mount_from);
	c->given = t->credentials;
	size_t mirrors = t->access == CLIENT_PULL ? reg.n_mirrors : 0;

	c->n_endpoints = mirrors + 1;
	c->endpoints = arena_calloc(&c->a, c->n_endpoints, sizeof(*c->endpoints));
	for (size_t i = 0; i < mirrors; i++)
		set_endpoint(c, &c->endpoints[i], &reg.mirrors[i], reg.mirrors[i].location);
	set_endpoint(c, &c->endpoints[mirrors], &reg.self, t->host);
	int code = pthread_mutex_init(&c->lock, NULL);

	if (code != 0) {
		arena_release(&c->a);
		free(c);
		return err_sys(e, code, "set up a client for %s", t->host);
	}
	*ret = c;
	return 0;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	arena_release(&c->a);
	free(c);
}

int client_http(const struct client *c, struct http **ret, struct err *e)
{
	struct http_options o = {
		.stall_ms = c->o.stall_ms,
		.connect_ms = c->o.stall_ms < CONNECT_MS ? c->o.stall_ms : CONNECT_MS,
		.stop = c->o.stop,
	};

	return http_new(&o, ret, e);
}

/* --- what a registry says ------------------------------------------------- */

const char *client_error_text(const struct http_answer *ans, struct arena *a)
{
	const struct json_node *root, *m;

	/* {"errors":[{"code":"DENIED","message":"requested access ... is denied"}]} */
	if (!ans->body.data ||
	    json_tree_parse("", ans->body.data, ans->body.len, a, &root, NULL) < 0)
		return "";
	m = json_tree_at(root, "errors[0].message");
	if (m->kind == JSON_KIND_STRING && *m->s)
		return m->s;
	m = json_tree_at(root, "details");
	return m->kind == JSON_KIND_STRING ? m->s : "";
}

int client_refused(const struct client *c, const struct client_endpoint *ep,
		   const struct client_request *q, const struct http_answer *ans,
		   struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const char *said = client_error_text(ans, &a);
	const char *sep = *said ? ": " : "";
	const char *verb = q->http.method;

	switch (ans->status) {
	case 401:
		return err_set(e, EACCES, "%s %s: unauthorized%s%s; log in with \"isle login %s\"",
			       verb, ans->url, sep, said, ep->auth_host);
	case 403:
		return err_set(e, EACCES, "%s %s: denied%s%s; log in with \"isle login %s\" as "
			       "someone who may", verb, ans->url, sep, said, ep->auth_host);
	case 404:
		return err_set(e, ENOENT, "%s %s: not found%s%s; check the name and the tag",
			       verb, ans->url, sep, said);
	case 429:
		return err_set(e, EBUSY, "%s %s: too many requests (429%s%s), %u times in a row; "
			       "try later, or log in for a higher limit", verb, ans->url, sep,
			       said, c->o.tries);
	default:
		if (ans->status >= 500)
			return err_set(e, EIO, "%s %s: the registry failed (%d%s%s), %u times in "
				       "a row; try later", verb, ans->url, ans->status, sep, said,
				       c->o.tries);
		return err_set(e, EPROTO, "%s %s: unexpected answer %d%s%s", verb, ans->url,
			       ans->status, sep, said);
	}
}

static bool is_success(const struct client_request *q, int status)
{
	return (status >= 200 && status < 300) || (q->missing_ok && status == 404) ||
	       (q->http.no_redirect && status >= 300 && status < 400);
}

/* --- one attempt ----------------------------------------------------------- */

static const char *make_url(const struct client *c, const struct client_endpoint *ep,
			    const struct client_request *q, bool plain, struct arena *a)
{
	const char *scheme = plain ? "http" : "https";

	if (q->url && strstr(q->url, "://"))
		return q->url;
	if (q->url)
		return arena_printf(a, "%s://%s%s%s", scheme, ep->location,
				    *q->url == '/' ? "" : "/", q->url);
	if (!*q->path)
		return arena_printf(a, "%s://%s/v2/", scheme, ep->location);
	return arena_printf(a, "%s://%s/v2/%s%s/%s", scheme, ep->location, ep->prefix, c->path,
			    q->path);
}

/* HTTP instead of HTTPS, for a registry that may be insecure and did not speak TLS. */
static bool fall_back(struct client *c, struct client_endpoint *ep, bool was_plain,
		      const struct http_answer *ans)
{
	bool fall;

	if (!ep->insecure || was_plain || ans->status != 0)
		return false;
	pthread_mutex_lock(&c->lock);
	/* After TLS worked once, its failure is a failure. */
	fall = ep->plain || !ep->authorization;
	ep->plain |= fall;
	pthread_mutex_unlock(&c->lock);
	return fall;
}

/* The certificate was not accepted: say also how to do without one.  Returns -e->code. */
static int err_untrusted(const struct client_endpoint *ep, struct err *e)
{
	struct err why = *e;

	return err_set(e, why.code, "%s; for a registry of your own without a certificate write "
		       "\"insecure = yes\" below [registry %s] in registries.conf", why.msg,
		       ep->location);
}

/* The exchange, after a fall-back to HTTP where that is due. */
static int exchange(struct client *c, struct client_endpoint *ep, struct http *h,
		    const struct client_request *q, unsigned *ret_generation,
		    struct http_answer *ans, struct err *e)
{
	for (;;) {
		CLEANUP(arena_release) struct arena a = { 0 };
		struct http_request hq = q->http;

		pthread_mutex_lock(&c->lock);
		bool plain = ep->plain;

		*ret_generation = ep->generation;
		hq.authorization = arena_strdup(&a, ep->authorization);
		pthread_mutex_unlock(&c->lock);
		hq.url = make_url(c, ep, q, plain, &a);
		hq.insecure = ep->insecure;
		hq.ca_file = ep->ca_file;
		hq.range_from = q->position ? *q->position : 0;
		/* An upload's place may be another host's: our secrets are not for it. */
		CLEANUP_FREE char *base = xasprintf("%s://%s/", plain ? "http" : "https",
						    ep->location);

		if (q->url && !http_same_origin(hq.url, base))
			hq.authorization = NULL;
		int r = http_do(h, &hq, ans, e);

		if (r == 0 || !fall_back(c, ep, plain, ans)) {
			return r < 0 && ans->tls && !ep->insecure ?
				err_untrusted(ep, e) : r;
		}
		http_answer_release(ans);
	}
}

/* As client_do(), once, at one endpoint; *ret_transient: another attempt may help. */
static int attempt(struct client *c, struct client_endpoint *ep, struct http *h,
		   const struct client_request *q, struct http_answer *ans,
		   bool *ret_transient, struct err *e)
{
	unsigned generation;

	for (unsigned asked = 0; ; asked++) {
		int r = exchange(c, ep, h, q, &generation, ans, e);

		pthread_mutex_lock(&c->lock);
		ep->reached |= ans->status != 0;
		/* A host that answered and now refuses is being started anew. */
		*ret_transient = ans->transient || (ep->reached && r == -ECONNREFUSED);
		pthread_mutex_unlock(&c->lock);
		if (r < 0)
			return r;
		/* Twice: a token may have run out while another thread fetched it. */
		if (ans->status != 401 || asked == 2)
			break;
		r = client_authorize(c, ep, h, ans, generation, ret_transient, e);
		if (r < 0)
			return r;
		http_answer_release(ans);
	}
	if (is_success(q, ans->status))
		return 0;
	*ret_transient = ans->status == 429 || ans->status == 408 || ans->status >= 500;
	return client_refused(c, ep, q, ans, e);
}

/* --- attempts --------------------------------------------------------------- */

/* Doubling, a quarter more or less, so that many clients do not come back as one. */
static uint64_t backoff_ms(const struct client *c, unsigned failed)
{
	uint64_t ms = c->o.delay_ms;

	for (unsigned i = 1; i < failed && ms < CLIENT_DELAY_MAX_MS; i++)
		ms *= 2;
	if (ms > CLIENT_DELAY_MAX_MS)
		ms = CLIENT_DELAY_MAX_MS;
	return ms - ms / 4 + (uint64_t)random() % (ms / 2 + 1);
}

static int wait_ms(const struct client *c, uint64_t ms, struct err *e)
{
	while (ms > 0) {
		uint64_t slice = ms < 50 ? ms : 50;
		struct timespec t = { .tv_nsec = (long)slice * 1000000 };

		if (c->o.stop && atomic_load(c->o.stop))
			return err_set(e, ECANCELED, "stopped");
		nanosleep(&t, NULL);
		ms -= slice;
	}
	return 0;
}

/* How long the answer asks us to wait, or our own measure. */
static int next_wait(const struct client *c, const struct http_answer *ans, unsigned failed,
		     uint64_t *ret_ms, struct err *e)
{
	uint64_t asked;

	*ret_ms = backoff_ms(c, failed);
	if (ans->status < 400 || !ans->retry_after ||
	    http_retry_after(ans->retry_after, time(NULL), &asked) < 0)
		return 0;
	if (asked > CLIENT_RETRY_AFTER_MAX_MS)
		return err_set(e, EBUSY, "%s: the registry answered %d and asks to wait %llu "
			       "seconds; try again then, or log in for a higher limit", ans->url,
			       ans->status, (unsigned long long)asked / 1000);
	if (asked > *ret_ms)
		*ret_ms = asked;
	return 0;
}

static void note(const struct client *c, uint64_t ms, const struct err *e)
{
	CLEANUP_FREE char *line = xasprintf("%s; again in %llu.%llu s", e->msg,
					    (unsigned long long)ms / 1000,
					    (unsigned long long)ms % 1000 / 100);

	log_debug("%s", line);
	if (c->o.note)
		c->o.note(c->o.note_arg, line);
}

static int attempts(struct client *c, struct client_endpoint *ep, struct http *h,
		    const struct client_request *q, struct http_answer *ans, struct err *e)
{
	for (unsigned failed = 0; ; ) {
		uint64_t before = q->position ? *q->position : 0, ms;
		bool transient = false;
		int r = attempt(c, ep, h, q, ans, &transient, e);

		if (r == 0)
			return 0;
		/* Cut after the last byte: all is there. */
		if (transient && q->position && *q->position == q->size_bytes)
			return 0;
		if (q->position && *q->position > before)
			failed = 0;
		if (!transient || q->once || ++failed >= c->o.tries)
			return r;
		r = next_wait(c, ans, failed, &ms, e);
		if (r < 0)
			return r;
		note(c, ms, e);
		r = wait_ms(c, ms, e);
		if (r < 0)
			return r;
		http_answer_release(ans);
	}
}

int client_do(struct client *c, struct http *h, const struct client_request *q,
	      struct http_answer *ret, struct err *e)
{
	int r = -ENOENT;

	*ret = (struct http_answer){ 0 };
	for (size_t i = 0; i < c->n_endpoints; i++) {
		struct client_endpoint *ep = &c->endpoints[i];
		bool last = i + 1 == c->n_endpoints;

		pthread_mutex_lock(&c->lock);
		bool dead = ep->dead;

		pthread_mutex_unlock(&c->lock);
		if (dead && !last)
			continue;
		http_answer_release(ret);
		r = attempts(c, ep, h, q, ret, e);
		if (r == 0 && (ret->status != 404 || last))
			return 0;
		/* What our own side found wrong is so at every endpoint. */
		if (r == -ECANCELED || last)
			return r;
		log_debug("mirror %s: %s", ep->location, r < 0 ? e->msg : "not found");
		if (r < 0 && !ret->connected && ret->status == 0) {
			pthread_mutex_lock(&c->lock);
			ep->dead = true;
			pthread_mutex_unlock(&c->lock);
		}
	}
	return r;
}
