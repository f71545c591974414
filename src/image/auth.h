#pragma once
/*
 * image/auth.h - who we are to a registry: challenges, credentials, where they are kept.
 * Layer: image.
 *
 * Credentials are looked for in, and the first file that has some for the name wins:
 *
 *	$REGISTRY_AUTH_FILE, or $XDG_CONFIG_HOME/isle/auth.json (~/.config); `isle login` writes it
 *	$DOCKER_CONFIG/config.json (~/.docker)
 *
 * All have Docker's format: "auths" (base64 of "user:password", or an identity token),
 * "credHelpers" and "credsStore" (docker-credential-NAME, asked by its protocol).
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* ---- WWW-Authenticate ------------------------------------------------------- */

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct auth_challenge {
	enum auth_scheme scheme;
	const char *realm;              /* Bearer: the URL of the token's server */
	const char *service, *scope, *error;    /* NULL where absent */
};

/*
 * One header's value, a list of challenges (RFC 9110, 11.6.1).  The best one of a scheme we
 * speak goes to *ret when it is better than what is there: call it for each header, with
 * *ret zeroed at first.  -EINVAL for what is not such a list; strings hang in a.
 */
MUST_CHECK int auth_challenge_parse(const char *value, struct arena *a,
				    struct auth_challenge *ret);

/* ---- credentials ------------------------------------------------------------ */

struct auth_credentials {
	const char *username, *password;
	const char *identity_token;     /* instead of a password: exchanged for access tokens */
	const char *source;             /* the file or helper, for messages */
};

/*
 * The credentials for host ("h:5000") and path ("team/app", or NULL): the longest name in a
 * file that is a prefix of "host/path" counts.  1 found, 0 there are none, -errno with the
 * file's name.  May run a helper, and waits for it.  Strings hang in a.
 */
MUST_CHECK int auth_find(const char *host, const char *path, struct arena *a,
			 struct auth_credentials *ret, struct err *e);
/* As auth_find(), in one document of Docker's format; name is what messages call it. */
MUST_CHECK int auth_find_in(const char *name, const char *json, size_t n, const char *host,
			    const char *path, struct arena *a, struct auth_credentials *ret,
			    struct err *e);

/*
 * Keep credentials for host in our file (mode 0600, replaced atomically under a lock), or
 * give them to the helper it names for that host.  *ret_where (a's) says where they went.
 */
MUST_CHECK int auth_store(const char *host, const struct auth_credentials *c, struct arena *a,
			  const char **ret_where, struct err *e);
/* Forget them: 1 forgotten, 0 there were none in our file. */
MUST_CHECK int auth_erase(const char *host, struct arena *a, const char **ret_where,
			  struct err *e);

/* "Basic <base64 of user:password>"; a's. */
const char *auth_basic(const struct auth_credentials *c, struct arena *a);

/* RFC 4648, 4.  Decoding refuses what is not base64: -EINVAL. */
char *auth_base64(const void *p, size_t n, struct arena *a);
MUST_CHECK int auth_unbase64(const char *s, struct arena *a, char **ret, size_t *ret_n);

/* ---- docker-credential-NAME ------------------------------------------------- */

/*
 * Run helper's verb ("get", "store", "erase") with input on its standard input.  "get": 1
 * and *ret filled, 0 when it has none for this name.  The others: 0.
 */
MUST_CHECK int auth_helper(const char *helper, const char *verb, const char *input,
			   struct arena *a, struct auth_credentials *ret, struct err *e);
