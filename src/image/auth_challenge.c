/*
 * image/auth_challenge.c - the grammar of WWW-Authenticate.  Layer: image.
 *
 * RFC 9110, 11.6.1:
 *
 *	WWW-Authenticate = #challenge
 *	challenge        = scheme [ 1*SP ( token68 / #( token BWS "=" BWS ( token / quoted ) ) ) ]
 *
 * The comma separates parameters and challenges alike: what follows it is a parameter when
 * a "=" comes after the word, and a new challenge otherwise.  Registries send
 *
 *	Bearer realm="https://auth.example/token",service="registry",scope="repository:a:pull"
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "image/auth.h"

/* RFC 9110, 5.6.2: tchar. */
static bool is_token(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

/* token68 (11.2) has what a token has, and "/" and "=" at its end. */
static bool is_token68(char c)
{
	return is_token(c) || c == '/' || c == '=';
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

static const char *skip_list(const char *s)
{
	return s + strspn(s, " \t,");
}

static const char *take_token(const char **s, struct arena *a)
{
	const char *from = *s;

	while (is_token(**s))
		(*s)++;
	return *s == from ? NULL : arena_strndup(a, from, (size_t)(*s - from));
}

/* A quoted-string (5.6.4): "\" takes the next character as it is. */
static const char *take_quoted(const char **s, struct arena *a)
{
	char *out = arena_alloc(a, strlen(*s) + 1), *to = out;
	const char *p = *s + 1;

	for (; *p && *p != '"'; p++) {
		if (*p == '\\' && !*++p)
			return NULL;
		*to++ = *p;
	}
	if (!*p)
		return NULL;
	*s = p + 1;
	return out;
}

static const char **param_slot(struct auth_challenge *c, const char *name)
{
	if (strcasecmp(name, "realm") == 0)
		return &c->realm;
	if (strcasecmp(name, "service") == 0)
		return &c->service;
	if (strcasecmp(name, "scope") == 0)
		return &c->scope;
	if (strcasecmp(name, "error") == 0)
		return &c->error;
	return NULL;
}

/* "name = value" at *s: 1 taken, 0 there is none (a new challenge), -EINVAL. */
static int take_param(const char **s, struct arena *a, struct auth_challenge *c)
{
	const char *p = *s;
	const char *name = take_token(&p, a);

	if (!name)
		return -EINVAL;
	p = skip_blanks(p);
	if (*p != '=')
		return 0;
	p = skip_blanks(p + 1);
	const char *value = *p == '"' ? take_quoted(&p, a) : take_token(&p, a);
	const char **slot = param_slot(c, name);

	if (!value)
		return -EINVAL;
	if (slot && !*slot)             /* the first counts, as for Docker */
		*slot = value;
	*s = p;
	return 1;
}

/* A token68 takes the whole rest of its challenge: up to a comma or the end. */
static bool skip_token68(const char **s)
{
	const char *p = *s;

	while (is_token68(*p))
		p++;
	if (p == *s || (p[-1] != '=' && memchr(*s, '=', (size_t)(p - *s))))
		return false;
	const char *after = skip_blanks(p);

	if (*after && *after != ',')
		return false;
	*s = after;
	return true;
}

static int take_params(const char **s, struct arena *a, struct auth_challenge *c)
{
	for (;;) {
		const char *p = skip_list(*s);
		int r;

		if (!*p) {
			*s = p;
			return 0;
		}
		r = take_param(&p, a, c);
		if (r <= 0)
			return r;
		*s = skip_blanks(p);
		if (**s && **s != ',')
			return -EINVAL;
	}
}

static void keep_better(const struct auth_challenge *c, struct auth_challenge *ret)
{
	/* A Bearer without a place to get the token is of no use. */
	if (c->scheme > ret->scheme && (c->scheme != AUTH_BEARER || c->realm))
		*ret = *c;
}

int auth_challenge_parse(const char *value, struct arena *a, struct auth_challenge *ret)
{
	const char *s = skip_list(value);

	while (*s) {
		struct auth_challenge c = { 0 };
		const char *scheme = take_token(&s, a);

		if (!scheme || (*s && *s != ' ' && *s != '\t' && *s != ','))
			return -EINVAL;
		if (strcasecmp(scheme, "bearer") == 0)
			c.scheme = AUTH_BEARER;
		else if (strcasecmp(scheme, "basic") == 0)
			c.scheme = AUTH_BASIC;
		s = skip_blanks(s);
		if (*s && *s != ',' && !skip_token68(&s) && take_params(&s, a, &c) < 0)
			return -EINVAL;
		keep_better(&c, ret);
		s = skip_list(s);
	}
	return 0;
}
