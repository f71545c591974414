/* vm/modules.c - see modules.h */
#include "vm/modules.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char suffix[] = ".ko";
static const char *const packed[] = { ".ko.xz", ".ko.zst", ".ko.gz" };

struct text {
	const char *p;
	size_t n;
};

void modules_release(struct modules *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->path[i]);
	free(m->path);
	*m = (struct modules){ 0 };
}

static char dashed(char c)
{
	return c == '-' ? '_' : c;
}

/* What ends a module's file name, at its end; 0: nothing does. */
static size_t suffix_bytes(struct text file)
{
	for (size_t i = 0; i < ARRAY_LEN(packed); i++) {
		size_t n = strlen(packed[i]);

		if (file.n > n && memcmp(file.p + file.n - n, packed[i], n) == 0)
			return n;
	}
	size_t n = sizeof(suffix) - 1;
	return file.n > n && memcmp(file.p + file.n - n, suffix, n) == 0 ? n : 0;
}

static bool is_module(struct text file, const char *name)
{
	size_t end = suffix_bytes(file), n = strlen(name);
	const char *slash = memrchr(file.p, '/', file.n);

	if (slash) {
		file.n -= (size_t)(slash + 1 - file.p);
		file.p = slash + 1;
	}
	if (end == 0 || file.n != n + end)
		return false;
	for (size_t i = 0; i < n; i++)
		if (dashed(file.p[i]) != dashed(name[i]))
			return false;
	return true;
}

/* The next line of *text, which moves past it; false at the end. */
static bool next_line(const char **text, struct text *line)
{
	if (!*text || **text == '\0')
		return false;
	line->p = *text;
	line->n = strcspn(*text, "\n");
	*text += line->n + ((*text)[line->n] == '\n');
	return true;
}

/* The last word of *line, which gets shorter by it; empty when there is none. */
static struct text last_word(struct text *line)
{
	size_t end = line->n;

	while (end > 0 && line->p[end - 1] == ' ')
		end--;
	size_t at = end;
	while (at > 0 && line->p[at - 1] != ' ')
		at--;
	line->n = at;
	return (struct text){ line->p + at, end - at };
}

/* A path below the directory. */
static bool stays_inside(struct text file)
{
	if (file.n == 0 || file.n >= PATH_MAX || file.p[0] == '/')
		return false;
	for (size_t i = 0; i < file.n;) {
		const char *slash = memchr(file.p + i, '/', file.n - i);
		size_t n = slash ? (size_t)(slash - file.p) - i : file.n - i;

		if (n == 2 && memcmp(file.p + i, "..", 2) == 0)
			return false;
		i += n + 1;
	}
	return true;
}

static int add_path(struct modules *m, struct text file, struct err *e)
{
	int shown = file.n > 200 ? 200 : (int)file.n;

	if (!stays_inside(file) || suffix_bytes(file) == 0)
		return err_set(e, EPROTO, "modules.dep: \"%.*s\" is no module below its directory",
			       shown, file.p);
	if (suffix_bytes(file) != sizeof(suffix) - 1)
		return err_set(e, EOPNOTSUPP, "module %.*s is compressed: unpack it and run depmod",
			       shown, file.p);
	for (size_t i = 0; i < m->n; i++)
		if (strlen(m->path[i]) == file.n && memcmp(m->path[i], file.p, file.n) == 0)
			return 0;
	if (m->n == MODULES_MAX)
		return err_set(e, E2BIG, "a guest needs more than %d modules", MODULES_MAX);
	m->path = xreallocarray(m->path, m->n + 1, sizeof(*m->path));
	m->path[m->n++] = xasprintf("%.*s", (int)file.n, file.p);
	return 0;
}

int modules_add(struct modules *m, const char *name, const char *dep, const char *builtin,
		struct err *e)
{
	struct text line;

	while (next_line(&dep, &line)) {
		const char *colon = memchr(line.p, ':', line.n);
		struct text file = { line.p, colon ? (size_t)(colon - line.p) : 0 };

		if (!colon || !is_module(file, name))
			continue;
		struct text needs = { colon + 1, line.n - file.n - 1 };
		for (struct text w = last_word(&needs); w.n > 0; w = last_word(&needs)) {
			int r = add_path(m, w, e);

			if (r < 0)
				return r;
		}
		return add_path(m, file, e);
	}
	while (next_line(&builtin, &line))
		if (is_module(line, name))
			return 0;
	return err_set(e, ENOENT, "the kernel has no module %s", name);
}
