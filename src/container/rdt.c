/* container/rdt.c - see rdt.h */
#include "container/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define RESCTRL "/sys/fs/resctrl"
#ifndef RDTGROUP_SUPER_MAGIC
#define RDTGROUP_SUPER_MAGIC 0x7655821
#endif
#define SCHEMATA_MAX 65536

/* --- names -------------------------------------------------------------- */

/* closID is a directory name, or "/" for the default group (runtime-spec 1.3). */
static int check_name(const char *name, struct err *e)
{
	if (strcmp(name, "/") == 0)
		return 0;
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ||
	    !strcmp(name, "info") || !strcmp(name, "mon_groups") || !strcmp(name, "mon_data"))
		return err_set(e, EINVAL, "linux.intelRdt.closID: \"%s\" is not the name of a "
			       "resctrl group", name);
	return 0;
}

static char *group_path(const struct oci_rdt *c, const char *id)
{
	if (!c->clos_id)
		return xasprintf(RESCTRL "/%s", id);
	if (strcmp(c->clos_id, "/") == 0)
		return xstrdup(RESCTRL);
	return xasprintf(RESCTRL "/%s", c->clos_id);
}

/* CMT and MBM are the names that monitoring had before runtime-spec 1.3. */
static bool monitors(const struct oci_rdt *c)
{
	return c->enable_monitoring || c->enable_cmt || c->enable_mbm;
}

static char *monitor_path(const struct oci_rdt *c, const char *id)
{
	CLEANUP_FREE char *group = group_path(c, id);

	return xasprintf("%s/mon_groups/%s", group, id);
}

static bool has_schema(const struct oci_rdt *c)
{
	return c->l3_schema || c->mb_schema || c->schemata.n > 0;
}

int rdt_plan(const struct oci_rdt *c, const char *id, char **ret_made, struct err *e)
{
	struct statfs fs;

	*ret_made = NULL;
	int r = check_name(c->clos_id ? c->clos_id : id, e);
	if (r < 0)
		return r;
	if (statfs(RESCTRL, &fs) < 0 || fs.f_type != RDTGROUP_SUPER_MAGIC)
		return err_set(e, ENOTSUP, "linux.intelRdt: no resctrl file system at " RESCTRL
			       ": the processor has no resource director technology, or it is "
			       "not mounted (mount -t resctrl resctrl " RESCTRL ")");
	if (!c->clos_id)
		*ret_made = group_path(c, id);
	else if (monitors(c))
		*ret_made = monitor_path(c, id);
	return 0;
}

/* --- schemata ----------------------------------------------------------- */

/* l3CacheSchema without its MB: lines when memBwSchema says that part (spec). */
static void add_l3(struct buf *b, const char *l3, bool skip_mb)
{
	while (*l3) {
		size_t len = strcspn(l3, "\n");

		if (len > 0 && !(skip_mb && strncmp(l3, "MB:", 3) == 0)) {
			buf_add(b, l3, len);
			buf_add_str(b, "\n");
		}
		l3 += len + (l3[len] == '\n');
	}
}

/* In the order the spec asks for: schemata last, so that it wins. */
static void schemata_text(const char *l3, const char *mb, const struct oci_strv *more,
			  struct buf *b)
{
	if (l3)
		add_l3(b, l3, mb != NULL);
	if (mb)
		buf_printf(b, "%s\n", mb);
	for (size_t i = 0; more && i < more->n; i++)
		buf_printf(b, "%s\n", more->v[i]);
}

/* The kernel tells in info/last_cmd_status why it refused a line. */
static int refused(int code, const char *what, const char *path, struct err *e)
{
	CLEANUP(buf_release) struct buf why = BUF_INIT(512);

	if (file_read_at(AT_FDCWD, RESCTRL "/info/last_cmd_status", &why) < 0 ||
	    why.len == 0 || strncmp(why.data, "ok", 2) == 0)
		return err_sys(e, code, "linux.intelRdt: %s %s", what, path);
	why.data[strcspn(why.data, "\n")] = '\0';
	return err_set(e, code, "linux.intelRdt: %s %s: %s", what, path, why.data);
}

static int write_schemata(const char *group, const struct buf *text, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/schemata", group);
	int r = text->len ? file_write_at(AT_FDCWD, path, text->data) : 0;

	return r < 0 ? refused(-r, "write", path, e) : 0;
}

/* "  L3:0=7FF; 1=7ff" and "L3:0=7ff;1=7ff" say the same: drop blanks, case and
 * leading zeros of the values, which the kernel pads. */
static void normalise(const char *line, size_t len, char *ret, size_t max)
{
	size_t n = 0;
	bool value_start = false;

	for (size_t i = 0; i < len && n + 1 < max; i++) {
		char c = line[i];

		if (c == ' ' || c == '\t')
			continue;
		if (value_start && c == '0' && i + 1 < len && line[i + 1] != ';')
			continue;
		value_start = c == '=';
		if (c >= 'A' && c <= 'Z' && memchr(line, '=', i))
			c = (char)(c - 'A' + 'a');
		ret[n++] = c;
	}
	ret[n] = '\0';
}

static bool has_line(const char *text, const char *wanted)
{
	char line[512];

	while (*text) {
		size_t len = strcspn(text, "\n");

		normalise(text, len, line, sizeof(line));
		if (strcmp(line, wanted) == 0)
			return true;
		text += len + (text[len] == '\n');
	}
	return false;
}

/* A group that exists must already be as l3CacheSchema and memBwSchema say (spec). */
static int compare_schemata(const char *group, const struct oci_rdt *c, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/schemata", group);
	CLEANUP(buf_release) struct buf wanted = BUF_INIT(SCHEMATA_MAX);
	CLEANUP(buf_release) struct buf now = BUF_INIT(SCHEMATA_MAX);
	char line[512];

	schemata_text(c->l3_schema, c->mb_schema, NULL, &wanted);
	if (wanted.len == 0)
		return 0;
	int r = file_read_at(AT_FDCWD, path, &now);
	if (r < 0)
		return err_sys(e, -r, "linux.intelRdt: read %s", path);
	for (const char *p = wanted.data; *p; ) {
		size_t len = strcspn(p, "\n");

		normalise(p, len, line, sizeof(line));
		if (!has_line(now.data ? now.data : "", line))
			return err_set(e, EINVAL, "linux.intelRdt: closID \"%s\" exists, and "
				       "its schemata does not hold \"%.*s\"",
				       c->clos_id, (int)len, p);
		p += len + (p[len] == '\n');
	}
	return 0;
}

/* --- groups ------------------------------------------------------------- */

/* A new group: all its schemata; closID's that exists: compared, then "schemata". */
static int fill_group(const struct oci_rdt *c, const char *group, bool fresh, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(SCHEMATA_MAX);

	if (!fresh) {
		int r = compare_schemata(group, c, e);
		if (r < 0)
			return r;
	}
	schemata_text(fresh ? c->l3_schema : NULL, fresh ? c->mb_schema : NULL,
		      &c->schemata, &text);
	return write_schemata(group, &text, e);
}

int rdt_make(const struct oci_rdt *c, const char *id, struct err *e)
{
	CLEANUP_FREE char *group = group_path(c, id);
	CLEANUP_FREE char *monitor = monitors(c) ? monitor_path(c, id) : NULL;
	bool fresh = false;
	int r = 0;

	if (c->clos_id && !has_schema(c)) {
		if (access(group, F_OK) < 0)
			return err_set(e, ENOENT, "linux.intelRdt: closID \"%s\" does not exist, "
				       "and no schema is given to make it with", c->clos_id);
	} else if (mkdir(group, 0755) == 0) {
		fresh = true;
	} else if (errno != EEXIST) {
		/* ENOSPC: the processor has only so many classes. */
		return refused(errno, "create", group, e);
	}
	r = fill_group(c, group, fresh, e);
	if (r >= 0 && monitor && mkdir(monitor, 0755) < 0 && errno != EEXIST)
		r = refused(errno, "create", monitor, e);
	if (r < 0 && fresh)
		rmdir(group);
	return r;
}

static int add_task(const char *group, pid_t pid, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/tasks", group);
	char number[24];

	snprintf(number, sizeof(number), "%d", pid);
	int r = file_write_at(AT_FDCWD, path, number);
	return r < 0 ? refused(-r, "write", path, e) : 0;
}

int rdt_join(const struct oci_rdt *c, const char *id, pid_t pid, struct err *e)
{
	CLEANUP_FREE char *group = group_path(c, id);
	int r = add_task(group, pid, e);

	if (r < 0 || !monitors(c))
		return r;
	CLEANUP_FREE char *monitor = monitor_path(c, id);
	return add_task(monitor, pid, e);
}

int rdt_remove(const char *made, struct err *e)
{
	if (!made || rmdir(made) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, errno, "remove resctrl group %s", made);
}

int rdt_update(const char *made, const char *l3_schema, const char *mb_schema, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(SCHEMATA_MAX);

	if (strstr(made, "/mon_groups/"))
		return err_set(e, EINVAL, "the container's resctrl group belongs to its closID: "
			       "its schema is not the container's to change");
	schemata_text(l3_schema, mb_schema, NULL, &text);
	return write_schemata(made, &text, e);
}
