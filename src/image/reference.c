/*
 * image/reference.c - see reference.h; the grammar is that of distribution's
 * reference/regexp.go documentation:
 *
 *	path-component  [a-z0-9]+ (("." | "_" | "__" | "-"+) [a-z0-9]+)*
 *	domain          first component, when it has a "." or ":", is "localhost" or has an
 *	                upper-case letter
 *	tag             [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 */
#include "image/reference.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "oci/image.h"

#define NAME_MAX_BYTES 255              /* domain and path, as registries have it */
#define TAG_MAX_BYTES 128
#define TEXT_MAX_BYTES 4096

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool reference_tag_valid(const char *tag)
{
	size_t n = strlen(tag);

	return n > 0 && n <= TAG_MAX_BYTES && *tag != '.' && *tag != '-' &&
	       strspn(tag, LOWER UPPER DIGITS "_.-") == n;
}

static bool component_valid(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t run = strspn(s + i, LOWER DIGITS);

		if (run == 0)
			return false;
		i += run < n - i ? run : n - i;
		if (i == n)
			return true;
		size_t gap = strspn(s + i, s[i] == '-' ? "-" : s[i] == '_' ? "_" : ".");
		/* "." once, "_" once or twice, "-" any number of times */
		if (gap == 0 || (s[i] == '.' && gap > 1) || (s[i] == '_' && gap > 2))
			return false;
		i += gap;
	}
	return false;
}

static bool port_valid(const char *s)
{
	unsigned v = 0;

	if (!*s || strlen(s) > 5 || s[strspn(s, DIGITS)])
		return false;
	while (*s)
		v = v * 10 + (unsigned)(*s++ - '0');
	return v > 0 && v <= 65535;
}

bool reference_domain_valid(const char *domain)
{
	const char *p = domain;

	if (*p == '[') {
		size_t n = strspn(p + 1, DIGITS "abcdefABCDEF:.");

		if (n < 2 || p[1 + n] != ']')
			return false;
		p += n + 2;
		return !*p || (*p == ':' && port_valid(p + 1));
	}
	for (;;) {
		size_t n = strspn(p, LOWER UPPER DIGITS "-");

		if (n == 0 || p[0] == '-' || p[n - 1] == '-')
			return false;
		p += n;
		if (*p != '.')
			break;
		p++;
	}
	return !*p || (*p == ':' && port_valid(p + 1));
}

/* Is the component s[0..n), which a "/" follows, a host? */
static bool is_domain(const char *s, size_t n)
{
	if (n == 9 && strncmp(s, "localhost", 9) == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (strchr(".:[", s[i]) || (s[i] >= 'A' && s[i] <= 'Z'))
			return true;
	return false;
}

static int bad(const char *text, struct err *e, const char *what)
{
	return err_set(e, EINVAL, "invalid reference \"%.300s\": %s", text, what);
}

static int check_path(const char *text, const char *path, struct err *e)
{
	const char *p = path;

	if (strpbrk(path, UPPER))
		return bad(text, e, "repository name must be lowercase");
	for (;;) {
		size_t n = strcspn(p, "/");

		if (!component_valid(p, n))
			return bad(text, e, n == 0 ? "a part of the name is empty" :
				   "a name is lower-case letters and digits, with single \".\", "
				   "\"_\" or \"-\" between them");
		if (!p[n])
			break;
		p += n + 1;
	}
	/* It would look like an ID. */
	if (strlen(path) == 64 && strspn(path, "0123456789abcdef") == 64)
		return bad(text, e, "64 hex digits are an ID, not a name");
	return 0;
}

/* "oci:DIR[:NAME]": the first colon ends the file's name. */
static int parse_file(const char *text, const char *rest, enum reference_transport t,
		      struct arena *a, struct reference *ret, struct err *e)
{
	size_t n = strcspn(rest, ":");

	if (n == 0)
		return bad(text, e, "a file's name is missing");
	*ret = (struct reference){
		.transport = t, .path = arena_strndup(a, rest, n),
		.tag = rest[n] && rest[n + 1] ? arena_strdup(a, rest + n + 1) : NULL,
	};
	return 0;
}

static const struct {
	const char *prefix;
	enum reference_transport transport;
} transports[] = {
	{ "oci:", REFERENCE_OCI }, { "oci-archive:", REFERENCE_OCI_ARCHIVE },
	{ "docker-archive:", REFERENCE_DOCKER_ARCHIVE },
};

int reference_parse(const char *text, struct arena *a, struct reference *ret, struct err *e)
{
	struct reference r = { .transport = REFERENCE_REGISTRY };

	if (strlen(text) > TEXT_MAX_BYTES)
		return bad(text, e, "it is too long");
	for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
		size_t n = strlen(transports[i].prefix);

		if (strncmp(text, transports[i].prefix, n) == 0)
			return parse_file(text, text + n, transports[i].transport, a, ret, e);
	}
	char *s = arena_strdup(a, text);
	char *at = strchr(s, '@');
	if (at) {
		*at = '\0';
		r.digest = at + 1;
		if (!image_digest_valid(r.digest))
			return bad(text, e, "after \"@\" comes \"sha256:\" and 64 hex digits");
	}
	char *slash = strchr(s, '/'), *last = strrchr(s, '/');
	char *colon = strrchr(last ? last : s, ':');
	if (colon) {
		*colon = '\0';
		r.tag = colon + 1;
		if (!reference_tag_valid(r.tag))
			return bad(text, e, "a tag is at most 128 letters, digits, \"_\", \".\" "
				   "and \"-\", and starts with neither of the last two");
	}
	if (strlen(s) > NAME_MAX_BYTES)
		return bad(text, e, "its name is longer than 255 bytes");
	r.path = s;
	if (slash && is_domain(s, (size_t)(slash - s))) {
		*slash = '\0';
		r.domain = s;
		r.path = slash + 1;
		if (!reference_domain_valid(r.domain))
			return bad(text, e, "before the first \"/\" comes a host, with a port "
				   "from 1 to 65535 behind \":\"");
	}
	int c = *s ? check_path(text, r.path, e) : bad(text, e, "the name is missing");
	if (c == 0)
		*ret = r;
	return c;
}

char *reference_format(const struct reference *r, struct arena *a)
{
	if (r->transport != REFERENCE_REGISTRY) {
		const char *prefix = "";

		for (size_t i = 0; i < ARRAY_LEN(transports); i++)
			if (transports[i].transport == r->transport)
				prefix = transports[i].prefix;
		return arena_printf(a, "%s%s%s%s", prefix, r->path, r->tag ? ":" : "",
				    r->tag ? r->tag : "");
	}
	return arena_printf(a, "%s%s%s%s%s%s%s", r->domain ? r->domain : "",
			    r->domain ? "/" : "", r->path, r->tag ? ":" : "",
			    r->tag ? r->tag : "", r->digest ? "@" : "",
			    r->digest ? r->digest : "");
}
