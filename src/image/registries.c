/* image/registries.c - see registries.h */
#include "image/registries.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "oci/spec.h"

#define SYSTEM_FILE "/etc/isle/registries.conf"
#define FILE_BYTES_MAX (1u << 20)
#define ENTRIES_MAX 1000

enum section { SECTION_TOP, SECTION_ALIAS, SECTION_REGISTRY };

struct reader {
	struct registries *out;
	const char *file;
	unsigned line;
	enum section section;
	struct registry *registry;      /* of SECTION_REGISTRY */
	struct err *e;
};

static int bad(const struct reader *r, const char *what, const char *value)
{
	return err_set(r->e, EINVAL, "%s:%u: %s \"%.200s\"", r->file, r->line, what, value);
}

/* ---- values ------------------------------------------------------------------ */

static int read_bool(const struct reader *r, const char *value, bool *ret)
{
	static const char *const words[] = { "no", "yes", "false", "true", "0", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(value, words[i]) == 0) {
			*ret = i % 2;
			return 0;
		}
	}
	return bad(r, "expected yes or no, found", value);
}

static int read_host(const struct reader *r, char *value, const char **ret)
{
	if (!reference_domain_valid(value))
		return bad(r, "expected HOST or HOST:PORT, found", value);
	*ret = value;
	return 0;
}

static bool is_loopback(const char *host)
{
	char address[INET_ADDRSTRLEN];
	struct in_addr a;
	size_t n = strcspn(host, ":");

	if (n == 9 && strncmp(host, "localhost", 9) == 0)
		return true;
	if (strncmp(host, "[::1]", 5) == 0)
		return true;
	if (n >= sizeof(address))
		return false;
	memcpy(address, host, n);
	address[n] = '\0';
	return inet_pton(AF_INET, address, &a) == 1 && ntohl(a.s_addr) >> 24 == 127;
}

/* "host[:port][/prefix]", "http://" or "https://" in front. */
static int read_mirror(const struct reader *r, char *value)
{
	struct registry *reg = r->registry;
	struct registry_endpoint m = { .prefix = "" };
	char *word = strpbrk(value, " \t");

	if (word) {
		*word++ = '\0';
		word += strspn(word, " \t");
		if (strcmp(word, "insecure") != 0)
			return bad(r, "expected \"insecure\" or nothing after the mirror, found",
				   word);
		m.insecure = true;
	}
	if (strncmp(value, "http://", 7) == 0) {
		m.insecure = true;
		value += 7;
	} else if (strncmp(value, "https://", 8) == 0) {
		value += 8;
	}
	char *slash = strchr(value, '/');
	if (slash) {
		*slash = '\0';
		size_t n = strlen(slash + 1);
		while (n > 0 && slash[n] == '/')
			n--;
		if (n > 0)
			m.prefix = arena_printf(&r->out->arena, "%.*s/", (int)n, slash + 1);
	}
	int c = read_host(r, value, &m.location);
	if (c < 0)
		return c;
	m.insecure = m.insecure || is_loopback(m.location);
	struct registry_endpoint *list = arena_calloc(&r->out->arena, reg->n_mirrors + 1,
						      sizeof(*list));
	if (reg->n_mirrors > 0)
		memcpy(list, reg->mirrors, reg->n_mirrors * sizeof(*list));
	list[reg->n_mirrors++] = m;
	reg->mirrors = list;
	return 0;
}

static int read_namespace(const struct reader *r, char *value)
{
	struct reference ref;
	struct err ignored = { 0 };

	if (reference_parse(value, &r->out->arena, &ref, &ignored) < 0 || ref.domain ||
	    ref.tag || ref.digest || ref.transport != REFERENCE_REGISTRY)
		return bad(r, "expected a path of lower-case names, found", value);
	r->out->default_namespace = value;
	return 0;
}

static int add_alias(const struct reader *r, char *name, char *value)
{
	struct registries *out = r->out;
	struct err ignored = { 0 };
	struct reference ref;

	if (reference_parse(name, &out->arena, &ref, &ignored) < 0 || ref.domain || ref.tag ||
	    ref.digest)
		return bad(r, "expected a short name, found", name);
	if (reference_parse(value, &out->arena, &ref, &ignored) < 0 || !ref.domain || ref.tag ||
	    ref.digest)
		return bad(r, "expected HOST/NAME without a tag, found", value);
	if (out->n_aliases == ENTRIES_MAX)
		return bad(r, "too many aliases at", name);
	struct registry_alias *list = arena_calloc(&out->arena, out->n_aliases + 1, sizeof(*list));
	if (out->n_aliases > 0)
		memcpy(list, out->aliases, out->n_aliases * sizeof(*list));
	list[out->n_aliases++] = (struct registry_alias){ name, value };
	out->aliases = list;
	return 0;
}

/* ---- lines ------------------------------------------------------------------- */

static const char *const top_keys[] = { "default", "namespace" };
static const char *const registry_keys[] = { "location", "insecure", "mirror" };

static const char *key_at(const void *list, size_t i)
{
	return ((const char *const *)list)[i];
}

static int unknown_key(const struct reader *r, const char *key)
{
	bool top = r->section == SECTION_TOP;
	const char *const *keys = top ? top_keys : registry_keys;
	size_t n = top ? ARRAY_LEN(top_keys) : ARRAY_LEN(registry_keys);
	const char *near = nearest_name(key, n, key_at, keys);

	return err_set(r->e, EINVAL, "%s:%u: unknown key \"%.80s\"%s%s%s", r->file, r->line, key,
		       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int read_key(struct reader *r, char *key, char *value)
{
	if (r->section == SECTION_ALIAS)
		return add_alias(r, key, value);
	if (r->section == SECTION_TOP) {
		if (strcmp(key, "default") == 0)
			return read_host(r, value, &r->out->default_host);
		if (strcmp(key, "namespace") == 0)
			return read_namespace(r, value);
		return unknown_key(r, key);
	}
	if (strcmp(key, "location") == 0)
		return read_host(r, value, &r->registry->self.location);
	if (strcmp(key, "insecure") == 0)
		return read_bool(r, value, &r->registry->self.insecure);
	if (strcmp(key, "mirror") == 0)
		return read_mirror(r, value);
	return unknown_key(r, key);
}

static struct registry *find(const struct registries *r, const char *host)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->list[i].host, host) == 0)
			return &r->list[i];
	return NULL;
}

/* "registry HOST": a later file's section goes on where the earlier one's ended. */
static int open_registry(struct reader *r, char *host)
{
	struct registries *out = r->out;
	const char *checked = NULL;
	int c = read_host(r, host, &checked);

	if (c < 0)
		return c;
	r->section = SECTION_REGISTRY;
	r->registry = find(out, host);
	if (r->registry)
		return 0;
	if (out->n == ENTRIES_MAX)
		return bad(r, "too many registries at", host);
	struct registry *list = arena_calloc(&out->arena, out->n + 1, sizeof(*list));
	if (out->n > 0)
		memcpy(list, out->list, out->n * sizeof(*list));
	list[out->n] = (struct registry){
		.host = host,
		.self = { .location = host, .prefix = "", .insecure = is_loopback(host) },
	};
	out->list = list;
	r->registry = &list[out->n++];
	return 0;
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\r");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r", s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int read_section(struct reader *r, char *s)
{
	size_t n = strlen(s);

	if (s[n - 1] != ']')
		return bad(r, "a section ends with \"]\":", s);
	s[n - 1] = '\0';
	s = trim(s + 1);
	if (strcmp(s, "alias") == 0) {
		r->section = SECTION_ALIAS;
		return 0;
	}
	if (strncmp(s, "registry ", 9) == 0)
		return open_registry(r, trim(s + 9));
	return bad(r, "expected [alias] or [registry HOST], found", s);
}

static int read_line(struct reader *r, char *s)
{
	s[strcspn(s, "#")] = '\0';
	s = trim(s);
	if (!*s)
		return 0;
	if (*s == '[')
		return read_section(r, s);
	char *eq = strchr(s, '=');
	if (!eq)
		return bad(r, "expected KEY = VALUE, found", s);
	*eq = '\0';
	char *value = trim(eq + 1);
	s = trim(s);
	if (!*value)
		return bad(r, "no value for", s);
	return read_key(r, s, value);
}

/* ---- files ------------------------------------------------------------------- */

static int read_file(struct registries *out, const char *file, bool must, struct err *e)
{
	struct reader r = { .out = out, .file = file, .e = e };
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	int c = file_read_at(AT_FDCWD, file, &b);

	/* A home we may not look into has no settings for us. */
	if (!must && (c == -ENOENT || c == -ENOTDIR || c == -EACCES))
		return 0;
	if (c < 0)
		return err_sys(e, -c, "read %s", file);
	/* What is kept points into this copy. */
	char *rest = arena_strndup(&out->arena, b.data ? b.data : "", b.len), *line;
	while (c >= 0 && (line = strsep(&rest, "\n"))) {
		r.line++;
		c = read_line(&r, line);
	}
	return c < 0 ? c : 0;
}

int registries_load(const char *file, struct registries *ret, struct err *e)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	CLEANUP_FREE char *own = NULL;

	*ret = (struct registries){ 0 };
	if (base && *base == '/')
		own = xasprintf("%s/isle/registries.conf", base);
	else if (home && *home == '/')
		own = xasprintf("%s/.config/isle/registries.conf", home);
	int r = read_file(ret, file ? file : SYSTEM_FILE, file, e);
	if (r == 0 && !file && own)
		r = read_file(ret, own, false, e);
	if (r < 0)
		registries_release(ret);
	return r;
}

void registries_release(struct registries *r)
{
	arena_release(&r->arena);
	*r = (struct registries){ 0 };
}

/* ---- use --------------------------------------------------------------------- */

void registries_find(const struct registries *r, const char *host, struct registry *ret)
{
	const struct registry *known = find(r, host);

	if (known)
		*ret = *known;
	else
		*ret = (struct registry){
			.host = host,
			.self = { .location = host, .prefix = "", .insecure = is_loopback(host) },
		};
}

int registries_resolve(const struct registries *r, struct arena *a, struct reference *ref,
		       struct err *e)
{
	struct reference target = { 0 };

	if (!ref->tag && !ref->digest)
		ref->tag = "latest";
	if (ref->domain)
		return 0;
	for (size_t i = 0; i < r->n_aliases; i++) {
		if (strcmp(r->aliases[i].name, ref->path) != 0)
			continue;
		int c = reference_parse(r->aliases[i].target, a, &target, e);
		if (c < 0)
			return c;
		ref->domain = target.domain;
		ref->path = target.path;
		return 0;
	}
	if (!r->default_host)
		return err_set(e, EINVAL, "%s: which registry?  Write HOST/%s, or \"default = "
			       "HOST\" into " SYSTEM_FILE, ref->path, ref->path);
	ref->domain = arena_strdup(a, r->default_host);
	if (r->default_namespace && !strchr(ref->path, '/'))
		ref->path = arena_printf(a, "%s/%s", r->default_namespace, ref->path);
	return 0;
}

const char *registries_familiar(const struct registries *r, struct arena *a, const char *name)
{
	size_t n = r->default_host ? strlen(r->default_host) : 0;

	if (n == 0 || strncmp(name, r->default_host, n) != 0 || name[n] != '/')
		return name;
	const char *rest = name + n + 1;
	size_t k = r->default_namespace ? strlen(r->default_namespace) : 0;
	/* "library/x" is "x", but "library/team/x" is not "team/x". */
	if (k > 0 && strncmp(rest, r->default_namespace, k) == 0 && rest[k] == '/' &&
	    !strchr(rest + k + 1, '/'))
		rest += k + 1;
	else if (k > 0 && !strchr(rest, '/'))
		return name;            /* "x" would be the namespace's */
	return arena_strdup(a, rest);
}
