/*
 * engine/spec_user.c - who the program is: --user, --group-add and the image's files.
 *
 * passwd(5) and group(5) are read inside the instance's root by descriptor: they are the
 * image's, and may be symlinks to anywhere.  What they say wrong is skipped, as libc does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/rootless.h"
#include "engine/spec_impl.h"
#include "sys/inroot.h"

#define FILE_BYTES_MAX (4u << 20)
#define GROUPS_MAX 256
#define ID_MAX 2147483647       /* as Docker */

struct lines {
	struct buf b;
	char *next;
};

/* A file that is not there has no lines. */
static int open_lines(const struct spec *s, const char *path, struct lines *l, struct err *e)
{
	*l = (struct lines){ .b = BUF_INIT(FILE_BYTES_MAX) };
	CLEANUP_FD int fd = inroot_open(s->rootfd, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	int r = fd < 0 ? fd : fd_read_buf(fd, &l->b);
	if (r < 0)
		return err_sys(e, -r, "read %s of the image", path);
	l->next = l->b.data;
	return 0;
}

/* The next line's fields between ":", up to n; false at the end. */
static bool next_line(struct lines *l, char **field, size_t n)
{
	while (l->next && *l->next) {
		char *line = l->next;
		size_t i = 0;

		l->next = strchr(line, '\n');
		if (l->next)
			*l->next++ = 0;
		while (i < n && line)
			field[i++] = strsep(&line, ":");
		if (i == n && field[0][0] && field[0][0] != '#')
			return true;
	}
	return false;
}

static bool is_number(const char *text, uint32_t *ret)
{
	char *end;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (errno || v > ID_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* name:password:UID:GID:GECOS:directory:shell.  1 found; *ret_name for the groups. */
static int find_user(struct spec *s, const char *what, const char **ret_name, struct err *e)
{
	struct lines l;
	char *f[6];
	uint32_t number = 0, uid, gid;
	bool numeric = is_number(what, &number);
	int found = 0;

	int r = open_lines(s, "/etc/passwd", &l, e);
	while (r == 0 && !found && next_line(&l, f, ARRAY_LEN(f))) {
		if (!is_number(f[2], &uid) || !is_number(f[3], &gid))
			continue;
		if (strcmp(f[0], what) != 0 && !(numeric && uid == number))
			continue;
		s->uid = uid;
		s->gid = gid;
		s->home = arena_strdup(&s->arena, f[5]);
		*ret_name = arena_strdup(&s->arena, f[0]);
		found = 1;
	}
	buf_release(&l.b);
	return r < 0 ? r : found;
}

static int add_group(struct spec *s, uint32_t gid, struct err *e)
{
	if (gid == s->gid)
		return 0;
	for (size_t i = 0; i < s->n_groups; i++)
		if (s->groups[i] == gid)
			return 0;
	if (s->n_groups == GROUPS_MAX)
		return err_set(e, E2BIG, "more than %d groups", GROUPS_MAX);
	s->groups[s->n_groups++] = gid;
	return 0;
}

/* name:password:GID:members.  The group called what. */
static int find_group(struct spec *s, const char *what, uint32_t *ret, struct err *e)
{
	struct lines l;
	char *f[3];
	int r = open_lines(s, "/etc/group", &l, e);

	if (r == 0)
		r = -ENOENT;
	while (r == -ENOENT && next_line(&l, f, ARRAY_LEN(f)))
		if (strcmp(f[0], what) == 0 && is_number(f[2], ret))
			r = 0;
	buf_release(&l.b);
	if (r == -ENOENT && !is_number(what, ret))
		return err_set(e, EINVAL, "no group %.80s in the image's /etc/group: give a "
			       "number, or another name", what);
	return r == -ENOENT ? 0 : r;
}

static bool is_member(char *members, const char *name)
{
	for (char *one; (one = strsep(&members, ",")); )
		if (strcmp(one, name) == 0)
			return true;
	return false;
}

/* The groups whose member name is. */
static int add_groups_of(struct spec *s, const char *name, struct err *e)
{
	struct lines l;
	char *f[4];
	uint32_t gid;
	int r = open_lines(s, "/etc/group", &l, e);

	while (r == 0 && next_line(&l, f, ARRAY_LEN(f)))
		if (is_number(f[2], &gid) && is_member(f[3], name))
			r = add_group(s, gid, e);
	buf_release(&l.b);
	return r;
}

/* An ordinary user has some ids only, and without subordinate ones no additional groups. */
static int check_ids(struct spec *s, const char *given, struct err *e)
{
	size_t n = 0;

	if (!s->eng->rootless)
		return 0;
	if (!rootless_has_uid(s->uid) || !rootless_has_gid(s->gid))
		return rootless_lacks_ids(arena_printf(&s->arena, "user %s (%u:%u)", given, s->uid,
						       s->gid), e);
	bool settable = s->n_groups > 0 && rootless_sets_groups();
	for (size_t i = 0; settable && i < s->n_groups; i++)
		if (rootless_has_gid(s->groups[i]))
			s->groups[n++] = s->groups[i];
	s->n_groups = n;
	return 0;
}

/* --group-add */
static int add_given_group(struct spec *s, const char *given, struct err *e)
{
	uint32_t gid;

	int r = find_group(s, given, &gid, e);
	if (r < 0)
		return r;
	if (s->eng->rootless && (!rootless_has_gid(gid) || !rootless_sets_groups()))
		return rootless_lacks_ids(arena_printf(&s->arena, "group %s (%u)", given, gid), e);
	return add_group(s, gid, e);
}

int spec_resolve_user(struct spec *s, struct err *e)
{
	const char *given = s->c->user && *s->c->user ? s->c->user : "0", *name = NULL;
	char *user = arena_strdup(&s->arena, given), *group = strchr(user, ':');
	int r;

	if (group)
		*group++ = 0;
	s->groups = arena_calloc(&s->arena, GROUPS_MAX, sizeof(*s->groups));
	s->home = "/";
	int found = find_user(s, *user ? user : "0", &name, e);
	if (found < 0)
		return found;
	if (!found && !is_number(*user ? user : "0", &s->uid))
		return err_set(e, EINVAL, "no user %.80s in the image's /etc/passwd: give a "
			       "number, or another name", user);
	if (group && *group) {
		r = find_group(s, group, &s->gid, e);
		if (r < 0)
			return r;
	} else if (found) {
		r = add_groups_of(s, name, e);
		if (r < 0)
			return r;
	}
	r = check_ids(s, given, e);
	for (size_t i = 0; r == 0 && i < s->c->group_add.n; i++)
		r = add_given_group(s, s->c->group_add.v[i], e);
	return r;
}
