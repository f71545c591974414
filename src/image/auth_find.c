/*
 * image/auth_find.c - credentials in files of Docker's format.  Layer: image.
 *
 *	{ "auths":       { "h:5000": { "auth": "<base64 of user:password>" },
 *	                   "https://h/v1/": { "identitytoken": "..." } },
 *	  "credHelpers": { "h2": "pass" },
 *	  "credsStore":  "secretservice" }
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "image/auth.h"
#include "image/auth_file.h"

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *auth_base64(const void *p, size_t n, struct arena *a)
{
	const unsigned char *in = p;
	char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1), *to = out;

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)in[i] << 16;

		if (i + 1 < n)
			v |= (unsigned)in[i + 1] << 8;
		if (i + 2 < n)
			v |= in[i + 2];
		*to++ = base64_digits[v >> 18];
		*to++ = base64_digits[v >> 12 & 63];
		*to++ = i + 1 < n ? base64_digits[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? base64_digits[v & 63] : '=';
	}
	return out;
}

int auth_unbase64(const char *s, struct arena *a, char **ret, size_t *ret_n)
{
	size_t n = strlen(s), len = 0;
	unsigned bits = 0, have = 0;
	char *out = arena_alloc(a, n / 4 * 3 + 4);

	while (n > 0 && s[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		const char *d = s[i] ? strchr(base64_digits, s[i]) : NULL;

		if (!d)
			return -EINVAL;
		bits = bits << 6 | (unsigned)(d - base64_digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[len++] = (char)(bits >> have & 0xff);
		}
	}
	if (n % 4 == 1)
		return -EINVAL;
	out[len] = '\0';
	*ret = out;
	*ret_n = len;
	return 0;
}

const char *auth_basic(const struct auth_credentials *c, struct arena *a)
{
	const char *pair = arena_printf(a, "%s:%s", c->username ? c->username : "",
					c->password ? c->password : "");

	return arena_printf(a, "Basic %s", auth_base64(pair, strlen(pair), a));
}

/* --- names --------------------------------------------------------------- */

/*
 * Whether key names host: with a scheme or Docker's old "/v1/" around it, or as the "index."
 * host that Docker writes for a registry whose names leave that part out.
 */
static bool is_host(const char *key, const char *host)
{
	const char *scheme = strstr(key, "://");
	size_t n, len = strlen(host);

	if (scheme)
		key = scheme + 3;
	n = strcspn(key, "/");
	if (key[n] && strcmp(key + n, "/") != 0 && strcmp(key + n, "/v1/") != 0 &&
	    strcmp(key + n, "/v2/") != 0 && strcmp(key + n, "/v1") != 0 &&
	    strcmp(key + n, "/v2") != 0)
		return false;
	if (n == len && strncasecmp(key, host, n) == 0)
		return true;
	return n == len + 6 && strncmp(key, "index.", 6) == 0 &&
	       strncasecmp(key + 6, host, len) == 0;
}

/* The length of key when it is a prefix, by whole parts, of "host/path"; 0 when not. */
static size_t prefix_len(const char *key, const char *host, const char *path)
{
	size_t n = strlen(host), m = strlen(key), len = path ? strlen(path) : 0;

	if (is_host(key, host))
		return n;
	if (!path || m <= n + 1 || strncasecmp(key, host, n) != 0 || key[n] != '/')
		return 0;
	key += n + 1;
	m -= n + 1;
	return m <= len && memcmp(key, path, m) == 0 && (m == len || path[m] == '/') ?
	       n + 1 + m : 0;
}

static const struct json_node *best_member(const struct json_node *o, const char *host,
					   const char *path)
{
	const struct json_node *best = NULL;
	size_t best_len = 0;

	if (!o || o->kind != JSON_KIND_OBJECT)
		return NULL;
	for (const struct json_node *i = o->first; i; i = i->next) {
		size_t len = prefix_len(i->key, host, path);

		if (len > best_len) {
			best = i;
			best_len = len;
		}
	}
	return best;
}

const char *auth_file_helper(const struct json_node *root, const char *host)
{
	const struct json_node *h =
		best_member(json_tree_member(root, "credHelpers"), host, NULL);

	if (!h)
		h = json_tree_member(root, "credsStore");
	return h && h->kind == JSON_KIND_STRING && *h->s ? h->s : NULL;
}

const char *auth_file_key(const struct json_node *root, const char *host)
{
	const struct json_node *m = best_member(json_tree_member(root, "auths"), host, NULL);

	return m ? m->key : NULL;
}

/* --- one file ------------------------------------------------------------ */

static const char *string_member(const struct json_node *o, const char *key)
{
	const struct json_node *m = json_tree_member(o, key);

	return m && m->kind == JSON_KIND_STRING && *m->s ? m->s : NULL;
}

static int read_entry(const char *name, const struct json_node *o, struct arena *a,
		      struct auth_credentials *ret, struct err *e)
{
	const char *auth = string_member(o, "auth");
	char *pair;
	size_t n;

	ret->source = arena_strdup(a, name);
	ret->identity_token = string_member(o, "identitytoken");
	ret->username = string_member(o, "username");
	ret->password = string_member(o, "password");
	if (auth) {
		char *colon;

		if (auth_unbase64(auth, a, &pair, &n) < 0 || strlen(pair) != n ||
		    !(colon = strchr(pair, ':')))
			return err_set(e, EINVAL, "%s: \"auth\" of %s is not the base64 of "
				       "user:password; log in again", name, o->key);
		*colon = '\0';
		ret->username = pair;
		ret->password = colon + 1;
	}
	return ret->identity_token || (ret->username && ret->password);
}

int auth_find_in(const char *name, const char *json, size_t n, const char *host,
		 const char *path, struct arena *a, struct auth_credentials *ret, struct err *e)
{
	const struct json_node *root, *entry;
	const char *helper;
	int r = json_tree_parse(name, json, n, a, &root, e);

	*ret = (struct auth_credentials){ 0 };
	if (r < 0)
		return r;
	/* An entry with something in it first: Docker leaves empty ones beside a helper. */
	entry = best_member(json_tree_member(root, "auths"), host, path);
	if (entry) {
		r = read_entry(name, entry, a, ret, e);
		if (r != 0)
			return r;
	}
	helper = auth_file_helper(root, host);
	if (!helper)
		return 0;
	r = auth_helper(helper, "get", entry ? entry->key : host, a, ret, e);
	return r < 0 ? err_prefix(e, "%s", name) : r;
}

/* --- the files ----------------------------------------------------------- */

const char *auth_file_path(struct arena *a)
{
	const char *path = getenv("REGISTRY_AUTH_FILE");
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (path && *path)
		return arena_strdup(a, path);
	if (xdg && xdg[0] == '/')
		return arena_printf(a, "%s/isle/auth.json", xdg);
	return home && home[0] == '/' ? arena_printf(a, "%s/.config/isle/auth.json", home)
				      : NULL;
}

static const char *docker_path(struct arena *a)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (dir && *dir)
		return arena_printf(a, "%s/config.json", dir);
	return home && home[0] == '/' ? arena_printf(a, "%s/.docker/config.json", home) : NULL;
}

int auth_file_read(const char *path, struct buf *b, struct err *e)
{
	int r = file_read_at(AT_FDCWD, path, b);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return err_sys(e, -r, "read credentials from %s", path);
	return b->len > 0;              /* an empty file says nothing */
}

int auth_find(const char *host, const char *path, struct arena *a,
	      struct auth_credentials *ret, struct err *e)
{
	const char *files[] = { auth_file_path(a), docker_path(a) };

	*ret = (struct auth_credentials){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(buf_release) struct buf b = BUF_INIT(AUTH_FILE_BYTES_MAX);

		if (!files[i])
			continue;
		int r = auth_file_read(files[i], &b, e);

		if (r > 0)
			r = auth_find_in(files[i], b.data, b.len, host, path, a, ret, e);
		if (r != 0)
			return r;
	}
	return 0;
}
