/* cli/isle/run_mounts.c - -v, --mount and --tmpfs: see run_values.h */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/isle/run_values.h"
#include "cli/values.h"

static const char *const propagations[] = {
	"private", "rprivate", "shared", "rshared", "slave", "rslave",
};

/* path made absolute and plain: no ".", "..", "//".  By text, as Docker does. */
static char *absolute(const char *path, struct arena *a)
{
	char cwd[PATH_MAX] = "/";

	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		cwd[0] = '\0';
	char *text = path[0] == '/' ? arena_strdup(a, path) : arena_printf(a, "%s/%s", cwd, path);
	char *ret = arena_alloc(a, strlen(text) + 2), *step;
	size_t n = 0;

	while ((step = strsep(&text, "/"))) {
		if (*step == '\0' || strcmp(step, ".") == 0)
			continue;
		if (strcmp(step, "..") == 0) {
			while (n && ret[--n] != '/')
				;
			continue;
		}
		ret[n++] = '/';
		memcpy(ret + n, step, strlen(step));
		n += strlen(step);
	}
	if (!n)
		ret[n++] = '/';
	ret[n] = '\0';
	return ret;
}

static int target_set(const char *target, struct arena *a, struct instance_mount *m,
		      struct err *e)
{
	if (target[0] != '/')
		return err_set(e, EINVAL, "the target \"%s\" is not an absolute path", target);
	m->target = absolute(target, a);
	if (m->target[1] == '\0')
		return err_set(e, EINVAL, "the target cannot be \"/\"");
	return 0;
}

static int volume_name_check(const char *name, struct err *e)
{
	size_t n = isalnum((unsigned char)name[0]) ? strlen(name) : 0;

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			n = 0;
	if (n < 2)
		return err_set(e, EINVAL, "\"%s\" is not a volume's name (two or more of letters, "
			       "digits, '_', '.', '-'); a folder of the host begins with '/' or "
			       "'./'", name);
	return 0;
}

static bool is_choice(const char *s, const char *const *names, size_t n)
{
	return value_choice(s, names, n, NULL) >= 0;
}

/* -v's third part: "ro,z,rshared". */
static int volume_option(const char *s, struct instance_mount *m, struct err *e)
{
	/* Hints for Docker on a Mac, where files travel: nothing to choose on Linux. */
	static const char *const hints[] = { "consistent", "cached", "delegated" };

	if (strcmp(s, "ro") == 0)
		m->read_only = true;
	else if (strcmp(s, "nocopy") == 0)
		m->no_copy = true;
	else if (is_choice(s, propagations, ARRAY_LEN(propagations)))
		m->propagation = s;
	else if (strcmp(s, "z") == 0 || strcmp(s, "Z") == 0) {
		/* Labels of SELinux: without it there is nothing to label. */
		if (access("/sys/fs/selinux/enforce", F_OK) == 0)
			return err_set(e, EOPNOTSUPP, "\"%s\": SELinux labels are not changed; use "
				       "chcon -Rt container_file_t on the folder", s);
	} else if (strcmp(s, "rw") != 0 && !is_choice(s, hints, ARRAY_LEN(hints))) {
		return err_set(e, EINVAL, "\"%s\" is not one of ro, rw, z, Z, nocopy, [r]private, "
			       "[r]shared, [r]slave", s);
	}
	if (m->propagation && strcmp(m->type, "bind") != 0)
		return err_set(e, EINVAL, "\"%s\" is for folders of the host, not for volumes", s);
	if (m->no_copy && strcmp(m->type, "volume") != 0)
		return err_set(e, EINVAL, "\"%s\" is for volumes, not for folders of the host", s);
	return 0;
}

/* What -v names and nobody made yet becomes an empty directory (Docker). */
static int source_make(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, errno, "look at %s", path);
	return engine_mkdir_all(path, 0755, e);
}

int volume_parse(const char *s, struct arena *a, struct instance_mount *ret, struct err *e)
{
	char *rest = arena_strdup(a, s), *option;
	char *first = strsep(&rest, ":"), *second = strsep(&rest, ":");
	char *options = strsep(&rest, ":");

	*ret = (struct instance_mount){ .type = "volume" };
	if (rest || !*first || (second && !*second))
		return err_set(e, EINVAL, "\"%s\" is not [SOURCE:]TARGET[:OPTIONS]", s);
	if (!second) {
		ret->anonymous = true;
		return target_set(first, a, ret, e);
	}
	int r = target_set(second, a, ret, e);
	if (r < 0)
		return r;
	if (strchr("/.", first[0])) {
		ret->type = "bind";
		ret->source = absolute(first, a);
	} else {
		ret->source = first;
		r = volume_name_check(first, e);
	}
	while (r >= 0 && (option = strsep(&options, ",")))
		r = volume_option(option, ret, e);
	if (r >= 0 && strcmp(ret->type, "bind") == 0)
		r = source_make(ret->source, e);
	return r;
}

/* --- --mount ------------------------------------------------------------ */

static int truth(const char *value, bool *ret, struct err *e)
{
	if (!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*ret = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*ret = false;
	else
		return err_set(e, EINVAL, "\"%s\" is neither true nor false", value);
	return 0;
}

static int mode_parse(const char *s, uint32_t *ret, struct err *e)
{
	char *end;
	unsigned long v = strtoul(s, &end, 8);

	if (!isdigit((unsigned char)*s) || *end || v > 07777)
		return err_set(e, EINVAL, "\"%s\" is not a mode such as 1777", s);
	*ret = (uint32_t)v;
	return 0;
}

static int size_parse(const char *s, int64_t *ret, struct err *e)
{
	int r = value_bytes(s, ret, e);

	return r >= 0 && *ret < 0 ? err_set(e, EINVAL, "\"%s\" is not a size", s) : r;
}

struct mount_field {
	const char *name;
	const char *type;               /* the type of mount it is for, NULL: any */
	int (*set)(const char *value, struct arena *a, struct instance_mount *m, struct err *e);
};

static int set_type(const char *v, struct arena *a, struct instance_mount *m, struct err *e)
{
	static const char *const types[] = { "bind", "volume", "tmpfs" };

	(void)a;
	int i = value_choice(v, types, ARRAY_LEN(types), NULL);
	if (i < 0)
		return err_set(e, EINVAL, "type \"%s\" is not bind, volume or tmpfs", v);
	m->type = types[i];
	return 0;
}

static int set_source(const char *v, struct arena *a, struct instance_mount *m, struct err *e)
{
	(void)a;
	(void)e;
	m->source = v;
	return 0;
}

static int set_read_only(const char *v, struct arena *a, struct instance_mount *m,
			 struct err *e)
{
	(void)a;
	return truth(v, &m->read_only, e);
}

static int set_propagation(const char *v, struct arena *a, struct instance_mount *m,
			   struct err *e)
{
	(void)a;
	m->propagation = v;
	if (!is_choice(v, propagations, ARRAY_LEN(propagations)))
		return err_set(e, EINVAL, "\"%s\" is not one of [r]private, [r]shared, "
			       "[r]slave", v);
	return 0;
}

static int set_no_copy(const char *v, struct arena *a, struct instance_mount *m, struct err *e)
{
	(void)a;
	return truth(v, &m->no_copy, e);
}

static int set_non_recursive(const char *v, struct arena *a, struct instance_mount *m,
			     struct err *e)
{
	bool on = false;
	int r = truth(v, &on, e);

	if (r >= 0 && on)
		words_add(a, &m->options, "bind");
	return r;
}

static int set_size(const char *v, struct arena *a, struct instance_mount *m, struct err *e)
{
	(void)a;
	return size_parse(v, &m->tmpfs_size_bytes, e);
}

static int set_mode(const char *v, struct arena *a, struct instance_mount *m, struct err *e)
{
	(void)a;
	return mode_parse(v, &m->tmpfs_mode, e);
}

static const struct mount_field mount_fields[] = {
	{ "type", NULL, set_type },
	{ "source", NULL, set_source }, { "src", NULL, set_source },
	{ "target", NULL, target_set }, { "dst", NULL, target_set },
	{ "destination", NULL, target_set },
	{ "readonly", NULL, set_read_only }, { "ro", NULL, set_read_only },
	{ "bind-propagation", "bind", set_propagation },
	{ "bind-nonrecursive", "bind", set_non_recursive },
	{ "volume-nocopy", "volume", set_no_copy },
	{ "tmpfs-size", "tmpfs", set_size },
	{ "tmpfs-mode", "tmpfs", set_mode },
};

/* Those that stand alone mean true. */
static bool is_flag(const struct mount_field *f)
{
	return f->set == set_read_only || f->set == set_no_copy || f->set == set_non_recursive;
}

static int mount_field(char *text, struct arena *a, struct instance_mount *m,
		       const struct mount_field **ret, struct err *e)
{
	char *value = strchr(text, '=');
	size_t i = 0;

	if (value)
		*value++ = '\0';
	while (i < ARRAY_LEN(mount_fields) && strcmp(mount_fields[i].name, text))
		i++;
	if (i == ARRAY_LEN(mount_fields))
		return err_set(e, EINVAL, "unknown field \"%s\": there are type, source, target, "
			       "readonly, bind-propagation, bind-nonrecursive, volume-nocopy, "
			       "tmpfs-size, tmpfs-mode", text);
	*ret = &mount_fields[i];
	if ((!value || !*value) && !is_flag(*ret))
		return err_set(e, EINVAL, "the field \"%s\" needs a value", text);
	return (*ret)->set(value, a, m, e);
}

static int mount_check(struct instance_mount *m, struct arena *a, struct err *e)
{
	struct stat st;

	if (!m->target)
		return err_set(e, EINVAL, "the field \"target\" is missing");
	if (strcmp(m->type, "volume") == 0) {
		m->anonymous = !m->source;
		return m->source ? volume_name_check(m->source, e) : 0;
	}
	if (strcmp(m->type, "tmpfs") == 0)
		return m->source ? err_set(e, EINVAL, "a tmpfs has no source") : 0;
	if (!m->source)
		return err_set(e, EINVAL, "the field \"source\" is missing");
	m->source = absolute(m->source, a);
	if (stat(m->source, &st) < 0)
		return err_sys(e, errno, "the source %s", m->source);
	return 0;
}

int mount_parse(const char *s, struct arena *a, struct instance_mount *ret, struct err *e)
{
	char *rest = arena_strdup(a, s), *text;
	const struct mount_field *f = mount_fields, *special = NULL;

	*ret = (struct instance_mount){ .type = "volume" };
	while ((text = strsep(&rest, ","))) {
		int r = mount_field(text, a, ret, &f, e);
		if (r < 0)
			return r;
		if (f->type)
			special = f;
		/* Checked below: "type" may come after it. */
		if (special && f->type && strcmp(f->type, special->type) != 0)
			return err_set(e, EINVAL, "the fields \"%s\" and \"%s\" do not go together",
				       special->name, f->name);
	}
	if (special && special->type && strcmp(special->type, ret->type) != 0)
		return err_set(e, EINVAL, "the field \"%s\" is for type=%s, not type=%s",
			       special->name, special->type, ret->type);
	return mount_check(ret, a, e);
}

/* --- --tmpfs ------------------------------------------------------------ */

int tmpfs_parse(const char *s, struct arena *a, struct instance_mount *ret, struct err *e)
{
	static const char *const words[] = {
		"rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async",
		"noatime", "relatime", "strictatime", "nodiratime",
	};
	char *rest = arena_strdup(a, s), *option;
	char *target = strsep(&rest, ":");

	*ret = (struct instance_mount){ .type = "tmpfs" };
	int r = target_set(target, a, ret, e);
	while (r >= 0 && (option = strsep(&rest, ","))) {
		if (strcmp(option, "ro") == 0)
			ret->read_only = true;
		else if (strncmp(option, "size=", 5) == 0)
			r = size_parse(option + 5, &ret->tmpfs_size_bytes, e);
		else if (strncmp(option, "mode=", 5) == 0)
			r = mode_parse(option + 5, &ret->tmpfs_mode, e);
		else if (is_choice(option, words, ARRAY_LEN(words)) ||
			 strncmp(option, "uid=", 4) == 0 || strncmp(option, "gid=", 4) == 0 ||
			 strncmp(option, "nr_inodes=", 10) == 0)
			words_add(a, &ret->options, option);
		else
			r = err_set(e, EINVAL, "\"%s\" is not an option of tmpfs", option);
	}
	return r;
}
