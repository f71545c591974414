/*
 * image/registry_token.c - from a challenge to an authorization.  Layer: image.
 *
 * Basic challenges are answered with the user and password.  Bearer challenges name a
 * realm, from which a token is asked for the scope (distribution's "Token Authentication"):
 * by GET, anonymous or with Basic, or by POST with an identity (refresh) token (its
 * "OAuth2" page).  Secrets are not sent over plain HTTP to where the registry's own
 * connection was TLS, and never follow a redirect.
 */
#include <errno.h>
#include <string.h>

#include <curl/curl.h>

#include "base/json_tree.h"
#include "base/mem.h"
#include "image/registry_impl.h"

#define TOKEN_ANSWER_MAX (1u << 20)
#define CLIENT_ID "isle"

/* name=value of a query or a form, escaped. */
static void add_field(struct buf *b, char before, const char *name, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, 0);

	if (before)
		buf_printf(b, "%c", before);
	buf_printf(b, "%s=%s", name, escaped ? escaped : "");
	curl_free(escaped);
}

static void add_scopes(struct buf *b, char before, const struct client *c,
		       const struct client_endpoint *ep, const struct auth_challenge *ch)
{
	CLEANUP(buf_release) struct buf s = BUF_INIT(4096);

	if (c->access == CLIENT_PING) {
		if (ch->scope)
			add_field(b, before, "scope", ch->scope);
		return;
	}
	buf_printf(&s, "repository:%s%s:%s", ep->prefix, c->path,
		   c->access == CLIENT_PUSH ? "pull,push" : "pull");
	/* The OAuth2 form takes one field with blanks, GET takes both ways. */
	if (c->mount_from)
		buf_printf(&s, " repository:%s%s:pull", ep->prefix, c->mount_from);
	add_field(b, before, "scope", s.data);
}

static void make_get(struct buf *url, const struct client *c, const struct client_endpoint *ep,
		     const struct auth_challenge *ch, const struct auth_credentials *cred)
{
	char before = strchr(ch->realm, '?') ? '&' : '?';

	buf_add_str(url, ch->realm);
	if (ch->service) {
		add_field(url, before, "service", ch->service);
		before = '&';
	}
	if (cred && cred->username) {
		add_field(url, before, "account", cred->username);
		before = '&';
	}
	add_scopes(url, before, c, ep, ch);
}

static void make_post(struct buf *form, const struct client *c, const struct client_endpoint *ep,
		      const struct auth_challenge *ch, const struct auth_credentials *cred)
{
	add_field(form, 0, "grant_type", "refresh_token");
	add_field(form, '&', "refresh_token", cred->identity_token);
	add_field(form, '&', "client_id", CLIENT_ID);
	if (ch->service)
		add_field(form, '&', "service", ch->service);
	add_scopes(form, '&', c, ep, ch);
}

static int read_token(const struct http_answer *ans, struct arena *a, const char **ret,
		      struct err *e)
{
	static const char *const names[] = { "token", "access_token" };
	const struct json_node *root;
	int r = json_tree_parse("the token's answer", ans->body.data ? ans->body.data : "",
				ans->body.len, a, &root, e);

	if (r < 0)
		return err_prefix(e, "%s", ans->url);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct json_node *t = json_tree_member(root, names[i]);

		/* A line break in it would write headers of its own. */
		if (t && t->kind == JSON_KIND_STRING && *t->s && !strpbrk(t->s, "\r\n")) {
			*ret = arena_printf(a, "Bearer %s", t->s);
			return 0;
		}
	}
	return err_set(e, EPROTO, "%s: the answer has no token", ans->url);
}

static int ask_token(struct client *c, const struct client_endpoint *ep, struct http *h,
		     const struct auth_challenge *ch, const struct auth_credentials *cred,
		     const char **ret, bool *ret_transient, struct err *e)
{
	static const char *const form_headers[] = {
		"Content-Type: application/x-www-form-urlencoded", NULL
	};
	CLEANUP(buf_release) struct buf b = BUF_INIT(1u << 20);
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	bool own = strstr(ch->realm, "://") && strncasecmp(ch->realm, "http:", 5) == 0;
	struct http_request q = { .method = "GET", .body_max_bytes = TOKEN_ANSWER_MAX,
				  .insecure = ep->insecure, .ca_file = ep->ca_file };

	if (cred && own && !ep->plain)
		return err_set(e, EACCES, "%s asks for its credentials at \"%s\", in plain text; "
			       "they were not sent", c->host, http_url_shown(ch->realm, &c->a));
	if (cred && cred->identity_token) {
		make_post(&b, c, ep, ch, cred);
		q.method = "POST";
		q.url = ch->realm;
		q.headers = form_headers;
		q.body = b.data;
		q.body_bytes = b.len;
		q.no_redirect = true;
	} else {
		make_get(&b, c, ep, ch, cred);
		q.url = b.data;
		q.authorization = cred ? auth_basic(cred, &c->a) : NULL;
	}
	int r = http_do(h, &q, &ans, e);

	*ret_transient = ans.transient || ans.status == 429 || ans.status >= 500;
	if (r < 0)
		return err_prefix(e, "ask for a token");
	if (ans.status == 200)
		return read_token(&ans, &c->a, ret, e);
	if (*ret_transient)
		return err_set(e, EIO, "ask for a token: %s answered %d", ans.url, ans.status);
	return err_set(e, EACCES, "%s refused a token%s%s%s (%d%s%s); log in with \"isle login "
		       "%s\"", ans.url, cred && cred->source ? " for the credentials in " : "",
		       cred && cred->source ? cred->source : "",
		       cred && !cred->source ? " for that user and password" : "", ans.status,
		       ans.body.len ? ": " : "", client_error_text(&ans, &c->a), ep->auth_host);
}

/* 1 *ret is filled, 0 there are none. */
static int find_credentials(struct client *c, const struct client_endpoint *ep,
			    struct auth_credentials *ret, struct err *e)
{
	if (c->given) {
		*ret = *c->given;
		return 1;
	}
	return auth_find(ep->auth_host, c->path, &c->a, ret, e);
}

static int authorize_locked(struct client *c, struct client_endpoint *ep, struct http *h,
			    const struct http_answer *refused, bool *ret_transient,
			    struct err *e)
{
	struct auth_challenge ch = { 0 };
	struct auth_credentials cred = { 0 };
	const char *authorization = NULL;

	for (size_t i = 0; i < refused->n_challenges; i++)
		if (auth_challenge_parse(refused->challenges[i], &c->a, &ch) < 0)
			return err_set(e, EPROTO, "%s: malformed WWW-Authenticate \"%s\"",
				       refused->url, refused->challenges[i]);
	if (ch.scheme == AUTH_NONE)
		return err_set(e, EACCES, "%s: unauthorized, and no way to log in that isle "
			       "knows (Basic, Bearer)", refused->url);
	int found = find_credentials(c, ep, &cred, e);

	if (found < 0)
		return found;
	if (ch.scheme == AUTH_BEARER) {
		int r = ask_token(c, ep, h, &ch, found ? &cred : NULL, &authorization,
				  ret_transient, e);
		if (r < 0)
			return r;
	} else if (!found || !cred.username) {
		return err_set(e, EACCES, "%s: unauthorized; log in with \"isle login %s\"",
			       refused->url, ep->auth_host);
	} else {
		authorization = auth_basic(&cred, &c->a);
		/* The same again would be refused again. */
		if (ep->authorization && strcmp(ep->authorization, authorization) == 0)
			return err_set(e, EACCES, "%s: unauthorized: wrong user or password%s%s; "
				       "log in with \"isle login %s\"", refused->url,
				       cred.source ? " in " : "", cred.source ? cred.source : "",
				       ep->auth_host);
	}
	ep->authorization = authorization;
	ep->generation++;
	return 0;
}

int client_authorize(struct client *c, struct client_endpoint *ep, struct http *h,
		     const struct http_answer *refused, unsigned generation,
		     bool *ret_transient, struct err *e)
{
	int r = 0;

	*ret_transient = false;
	/* Held over the exchange: the other threads would ask for the same token. */
	pthread_mutex_lock(&c->lock);
	if (ep->generation == generation)
		r = authorize_locked(c, ep, h, refused, ret_transient, e);
	pthread_mutex_unlock(&c->lock);
	return r;
}
