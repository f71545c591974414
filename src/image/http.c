/*
 * image/http.c - one HTTP exchange with a registry, over libcurl.  Layer: image.
 *
 * Redirects are followed here and not by libcurl, because the rules differ: an
 * Authorization header stays with its origin, TLS is not left for plain text, an upload
 * is repeated from its first byte, and the chain is bounded.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/log.h"
#include "base/mem.h"
#include "image/http.h"

#define HEADER_VALUE_MAX 8192
#define FAILURE_BODY_MAX (16u << 10)    /* what is read of an answer nobody asked for */
#define RECEIVE_BYTES (256L << 10)

struct http {
	CURL *curl;
	struct http_options o;
	char why[CURL_ERROR_SIZE];
};

/* One exchange, as libcurl's callbacks see it. */
struct exchange {
	struct http *h;
	const struct http_request *q;
	struct http_answer *a;
	struct err *e;
	uint64_t body_at;               /* of the request's body */
	uint64_t received;
	size_t header_bytes;
	bool started;
	int failed;                     /* -errno of a callback, *e is set */
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_new(const struct http_options *o, struct http **ret, struct err *e)
{
	struct http *h;

	pthread_once(&curl_once, start_curl);
	h = xcalloc(1, sizeof(*h));
	h->o = *o;
	h->curl = curl_easy_init();
	if (!h->curl) {
		free(h);
		return err_set(e, ENOMEM, "set up libcurl");
	}
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}

void http_answer_release(struct http_answer *a)
{
	buf_release(&a->body);
	arena_release(&a->a);
	*a = (struct http_answer){ 0 };
}

/* --- URLs ---------------------------------------------------------------- */

static void free_url(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void free_part(char **s)
{
	curl_free(*s);
}

#define CLEANUP_URL CLEANUP(free_url)
#define CLEANUP_PART CLEANUP(free_part)

const char *http_url_shown(const char *url, struct arena *a)
{
	const char *scheme = strstr(url, "://");
	const char *host = scheme ? scheme + 3 : url;
	const char *path = host + strcspn(host, "/?#");
	const char *user = memrchr(host, '@', (size_t)(path - host));
	size_t n = strcspn(path, "?#");

	if (user)
		return arena_printf(a, "%.*s%.*s", (int)(host - url), url,
				    (int)(path - user - 1 + (ptrdiff_t)n), user + 1);
	return arena_strndup(a, url, (size_t)(path - url) + n);
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	CLEANUP_PART char *x = NULL;
	CLEANUP_PART char *y = NULL;

	return curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	       curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	       strcasecmp(x, y) == 0;
}

bool http_same_origin(const char *a, const char *b)
{
	CLEANUP_URL CURLU *x = curl_url();
	CLEANUP_URL CURLU *y = curl_url();

	return x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
	       curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK &&
	       same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) &&
	       same_part(x, y, CURLUPART_PORT);
}

/* --- libcurl's callbacks ------------------------------------------------- */

static const char **header_slot(struct http_answer *a, const char *name, size_t n)
{
	const struct { const char *name; const char **at; } known[] = {
		{ "content-type", &a->content_type },
		{ "content-range", &a->content_range },
		{ "docker-content-digest", &a->digest },
		{ "docker-upload-uuid", &a->upload_uuid },
		{ "link", &a->link },
		{ "location", &a->location },
		{ "range", &a->range },
		{ "retry-after", &a->retry_after },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i].name) == n && strncasecmp(known[i].name, name, n) == 0)
			return known[i].at;
	if (n == strlen("www-authenticate") && strncasecmp(name, "www-authenticate", n) == 0 &&
	    a->n_challenges < HTTP_CHALLENGES_MAX)
		return &a->challenges[a->n_challenges++];
	return NULL;
}

/* A new head: of a "100 Continue", or of what comes after it. */
static void reset_head(struct http_answer *a)
{
	const char *url = a->url;
	struct arena keep = a->a;

	buf_release(&a->body);
	*a = (struct http_answer){ .url = url, .a = keep, .content_bytes = -1 };
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * n;
	const char *colon = memchr(line, ':', len);

	x->header_bytes += len;
	if (x->header_bytes > HTTP_HEADERS_BYTES_MAX) {
		x->failed = err_set(x->e, EPROTO, "the headers are longer than %u bytes",
				    HTTP_HEADERS_BYTES_MAX);
		return 0;
	}
	if (len > 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		reset_head(x->a);
		return len;
	}
	if (!colon)
		return len;
	const char **slot = header_slot(x->a, line, (size_t)(colon - line));
	const char *v = colon + 1, *end = line + len;

	while (v < end && isspace((unsigned char)*v))
		v++;
	while (end > v && isspace((unsigned char)end[-1]))
		end--;
	if (slot && (size_t)(end - v) <= HEADER_VALUE_MAX)
		*slot = arena_strndup(&x->a->a, v, (size_t)(end - v));
	else if (slot)
		*slot = "";
	return len;
}

static void read_head(struct exchange *x)
{
	long status = 0;
	curl_off_t n = -1;

	curl_easy_getinfo(x->h->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(x->h->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n);
	x->a->status = (int)status;
	x->a->content_bytes = n;
}

static bool wanted(int status)
{
	return status >= 200 && status < 300;
}

static int start_body(struct exchange *x)
{
	const struct http_request *q = x->q;

	x->started = true;
	read_head(x);
	if (!wanted(x->a->status))
		x->a->body.max = FAILURE_BODY_MAX;
	else if (!q->sink)
		x->a->body.max = q->body_max_bytes;
	else if (q->start)
		return q->start(q->arg, x->a, x->e);
	return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * n;

	if (!x->started)
		x->failed = start_body(x);
	if (x->failed < 0)
		return 0;
	x->received += len;
	if (wanted(x->a->status) && x->q->sink) {
		x->failed = x->q->sink(x->q->arg, p, len, x->e);
		return x->failed < 0 ? 0 : len;
	}
	buf_add(&x->a->body, p, len);
	if (x->a->body.overflow && wanted(x->a->status)) {
		x->failed = err_set(x->e, EPROTO, "the answer is longer than %llu bytes",
				    (unsigned long long)x->q->body_max_bytes);
		return 0;
	}
	/* Of a failure the beginning is enough; a connection is not worth an endless one. */
	return x->received > 64 * FAILURE_BODY_MAX && !wanted(x->a->status) ? 0 : len;
}

static size_t on_send(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	const struct http_request *q = x->q;
	uint64_t left = q->body_bytes - x->body_at, len = size * n;

	if (len > left)
		len = left;
	if (q->body) {
		memcpy(p, q->body + x->body_at, len);
	} else if (len > 0) {
		ssize_t r = pread(q->body_fd, p, len, (off_t)(q->body_from + x->body_at));

		if (r <= 0) {
			x->failed = err_sys(x->e, r < 0 ? errno : EIO, "read what is sent");
			return CURL_READFUNC_ABORT;
		}
		len = (uint64_t)r;
	}
	x->body_at += len;
	if (q->sent)
		atomic_fetch_add(q->sent, len);
	return len;
}

/* libcurl sends a body again when a kept connection turns out to be closed. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
	struct exchange *x = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->q->body_bytes)
		return CURL_SEEKFUNC_FAIL;
	if (x->q->sent)
		atomic_fetch_sub(x->q->sent, x->body_at - (uint64_t)offset);
	x->body_at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct exchange *x = arg;

	(void)a, (void)b, (void)c, (void)d;
	return x->h->o.stop && atomic_load(x->h->o.stop);
}

/* --- one exchange -------------------------------------------------------- */

static void set_body(CURL *c, const struct http_request *q)
{
	bool has = strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0;

	if (!has) {
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
		curl_easy_setopt(c, CURLOPT_NOBODY, strcmp(q->method, "HEAD") == 0 ? 1L : 0L);
		return;
	}
	curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_bytes);
}

static void set_callbacks(CURL *c, struct exchange *x)
{
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(c, CURLOPT_READDATA, x);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_rewind);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

/* own: the origin the request was made for, which may see its secrets. */
static void set_request(struct exchange *x, const char *url, bool own)
{
	const struct http_request *q = x->q;
	CURL *c = x->h->curl;
	long stall = (long)((x->h->o.stall_ms + 999) / 1000);

	curl_easy_reset(c);             /* keeps connections, cookies and sessions */
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->h->why);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "isle");
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, RECEIVE_BYTES);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)x->h->o.connect_ms);
	/* One byte a second, so that a slow line is not taken for a dead one. */
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, stall > 0 ? stall : 1L);
	if (own && q->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, q->ca_file);
	if (own && q->insecure) {
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (q->range_from > 0) {
		char range[32];

		snprintf(range, sizeof(range), "%llu-", (unsigned long long)q->range_from);
		curl_easy_setopt(c, CURLOPT_RANGE, range);
	}
	set_body(c, q);
	set_callbacks(c, x);
}

static struct curl_slist *make_headers(const struct http_request *q, bool own)
{
	struct curl_slist *list = NULL;

	for (const char *const *s = q->headers; s && *s; s++)
		list = curl_slist_append(list, *s);
	if (own && q->authorization) {
		CLEANUP_FREE char *line = xasprintf("Authorization: %s", q->authorization);

		list = curl_slist_append(list, line);
		explicit_bzero(line, strlen(line));
	}
	return list;
}

/* What libcurl says, as our code and the three questions a caller asks. */
static int explain(struct exchange *x, CURLcode code)
{
	struct http_answer *a = x->a;
	const char *why = *x->h->why ? x->h->why : curl_easy_strerror(code);

	a->connected = true;
	if (x->failed < 0)
		return x->failed;
	switch (code) {
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(x->e, ECANCELED, "stopped");
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		a->connected = false;
		return err_set(x->e, EHOSTUNREACH, "%s; check the name and this host's DNS", why);
	case CURLE_COULDNT_CONNECT:
		a->connected = false;
		return err_set(x->e, ECONNREFUSED, "%s", why);
	case CURLE_OPERATION_TIMEDOUT:
		a->transient = true;
		if (strncmp(why, "Operation too slow", 18) == 0)
			return err_set(x->e, ETIMEDOUT, "nothing came for %llu seconds",
				       (unsigned long long)(x->h->o.stall_ms + 999) / 1000);
		return err_set(x->e, ETIMEDOUT, "%s", why);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		a->tls = true;
		return err_set(x->e, EPROTO, "TLS: %s", why);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		a->transient = true;
		return err_set(x->e, ECONNRESET, "the connection was cut: %s", why);
	default:
		return err_set(x->e, EPROTO, "%s", why);
	}
}

static int exchange(struct exchange *x, const char *url, bool own)
{
	struct curl_slist *headers = make_headers(x->q, own);
	CURLcode code;

	x->h->why[0] = '\0';
	set_request(x, url, own);
	curl_easy_setopt(x->h->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(x->h->curl);
	curl_slist_free_all(headers);
	read_head(x);
	/* The beginning of a failure's body is all that was wanted of it. */
	if (code == CURLE_WRITE_ERROR && x->failed == 0 && !wanted(x->a->status))
		code = CURLE_OK;
	if (code != CURLE_OK || x->failed < 0)
		return explain(x, code);
	if (!x->started && x->q->sink && strcmp(x->q->method, "GET") == 0) {
		x->failed = start_body(x);      /* an empty body has a head too */
		if (x->failed < 0)
			return explain(x, code);
	}
	log_debug("%s %s: %d", x->q->method, x->a->url, x->a->status);
	return 0;
}

/* --- redirects ----------------------------------------------------------- */

static bool is_redirect(const struct http_request *q, int status)
{
	bool reads = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;

	if (q->no_redirect)
		return false;
	if (status == 307 || status == 308)
		return true;
	return reads && (status == 301 || status == 302 || status == 303);
}

/* Where to go next, absolute; hangs in the answer. */
static int next_url(struct exchange *x, const char **ret)
{
	const struct http_request *q = x->q;
	char *to = NULL;

	curl_easy_getinfo(x->h->curl, CURLINFO_REDIRECT_URL, &to);
	if (!to)
		return err_set(x->e, EPROTO, "a redirect (%d) without a place to go",
			       x->a->status);
	if (strncasecmp(to, "https://", 8) != 0 && strncasecmp(to, "http://", 7) != 0)
		return err_set(x->e, EPROTO, "a redirect to \"%s\", which is not HTTP",
			       http_url_shown(to, &x->a->a));
	if (strncasecmp(x->a->url, "https:", 6) == 0 && strncasecmp(to, "http:", 5) == 0 &&
	    !q->insecure)
		return err_set(x->e, EPROTO, "a redirect to \"%s\", which leaves TLS",
			       http_url_shown(to, &x->a->a));
	*ret = arena_strdup(&x->a->a, to);
	return 0;
}

int http_do(struct http *h, const struct http_request *q, struct http_answer *ret,
	    struct err *e)
{
	const char *url = q->url;
	bool own = true;
	int r = 0;

	*ret = (struct http_answer){ .content_bytes = -1 };
	for (unsigned hops = 0; ; hops++) {
		struct exchange x = { .h = h, .q = q, .a = ret, .e = e };

		if (hops > HTTP_REDIRECTS_MAX) {
			r = err_set(e, ELOOP, "more than %d redirects; the registry or a proxy "
				    "ahead of it sends us in circles", HTTP_REDIRECTS_MAX);
			break;
		}
		ret->url = http_url_shown(url, &ret->a);
		/* A secret does not come back once another origin chose the way. */
		own = own && http_same_origin(q->url, url);
		r = exchange(&x, url, own);
		if (r < 0 || !is_redirect(q, ret->status))
			break;
		r = next_url(&x, &url);
		if (r < 0)
			break;
	}
	if (r < 0)
		return err_prefix(e, "%s %s", q->method, ret->url);
	return 0;
}
