/*
 * cgroup_plan.c - where the groups of a container go; the form kept in the state.
 *
 * A v1 host mounts one tree for each controller (or a few together), a v2 host a
 * single tree, and a hybrid host both:
 *
 *      /sys/fs/cgroup/            tmpfs                       cgroup2
 *        cpu,cpuacct/<path>       v1, one each                <path>
 *        memory/<path>
 *        systemd/<path>           v1, name=systemd
 *        unified/<path>           hybrid only: cgroup2 with what v1 left
 *
 * runtime-spec config-linux.md#cgroups-path: an absolute path is taken from the
 * mount point; what a relative one means is the runtime's choice, which is, as
 * with runc, "below the runtime's own group" (beside it on v2, where a group
 * with processes cannot hand controllers down).
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/mem.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define MOUNTINFO_BYTES_MAX (16u << 20)

char *cgroup_clean_path(const char *path)
{
	char *ret = xmalloc(strlen(path) + 1);
	size_t n = 0;

	while (*path) {
		size_t k = strcspn(path, "/");

		if (k == 2 && path[0] == '.' && path[1] == '.') {
			while (n > 0 && ret[--n] != '/')
				;
		} else if (k > 0 && !(k == 1 && path[0] == '.')) {
			if (n > 0)
				ret[n++] = '/';
			memcpy(ret + n, path, k);
			n += k;
		}
		path += k;
		path += *path == '/';
	}
	ret[n] = '\0';
	return ret;
}

bool cgroup_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += *p == ',' || *p == ' ') {
		size_t k = strcspn(p, ", ");

		if (k == n && memcmp(p, word, n) == 0)
			return true;
		p += k;
	}
	return false;
}

struct cgroup_hierarchy *cgroup_unified(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++)
		if (cg->h[i].controllers[0] == '\0')
			return (struct cgroup_hierarchy *)&cg->h[i];
	return NULL;
}

struct cgroup_hierarchy *cgroup_find(const struct cgroup *cg, const char *controller)
{
	if (cg->mode == CGROUP_MODE_V2 || controller[0] == '\0')
		return cgroup_unified(cg);
	for (size_t i = 0; i < cg->n; i++)
		if (cgroup_list_has(cg->h[i].controllers, controller))
			return (struct cgroup_hierarchy *)&cg->h[i];
	return NULL;
}

char *cgroup_dir(const struct cgroup_hierarchy *h)
{
	return xasprintf("%s%s", h->mount, h->path);
}

/* --- mounts ------------------------------------------------------------- */

struct mount_line {             /* proc_pid_mountinfo(5), the fields used here */
	char *root, *point, *type, *options;
};

/* Undo \ooo in place; the names here hold blanks at worst. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
		    s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static bool mount_line_parse(char *line, struct mount_line *ret)
{
	char *save, *f[6], *tail = strstr(line, " - ");

	if (!tail)
		return false;
	*tail = '\0';
	for (size_t i = 0; i < ARRAY_LEN(f); i++) {
		f[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!f[i])
			return false;
	}
	ret->root = f[3];
	ret->point = f[4];
	ret->type = strtok_r(tail + 3, " ", &save);
	if (!ret->type || !strtok_r(NULL, " ", &save))
		return false;
	ret->options = strtok_r(NULL, " ", &save);
	if (!ret->options)
		return false;
	unescape(ret->root);
	unescape(ret->point);
	return true;
}

#define MOUNTS_MAX 64           /* hierarchies may be mounted in several places */

struct mount_table {
	char *text;             /* the fields point into it */
	struct mount_line v[MOUNTS_MAX];
	size_t n;
};

static void mount_table_read(struct mount_table *t, const char *mountinfo)
{
	char *save;

	t->text = xstrdup(mountinfo);
	for (char *l = strtok_r(t->text, "\n", &save); l && t->n < MOUNTS_MAX;
	     l = strtok_r(NULL, "\n", &save))
		if (mount_line_parse(l, &t->v[t->n]) &&
		    (strcmp(t->v[t->n].type, "cgroup") == 0 ||
		     strcmp(t->v[t->n].type, "cgroup2") == 0))
			t->n++;
}

static void mount_table_cleanup(struct mount_table *t)
{
	free(t->text);
}

/*
 * The mount of the hierarchy, "" being cgroup2.  One below /sys/fs/cgroup wins
 * over others, which may be a container's.  NULL: not mounted.
 */
static const struct mount_line *mount_search(const struct mount_table *t,
					     const char *controllers)
{
	CLEANUP_FREE char *first = xstrdup(controllers);
	const struct mount_line *found = NULL;

	first[strcspn(first, ",")] = '\0';
	for (size_t i = 0; i < t->n; i++) {
		const struct mount_line *m = &t->v[i];
		bool v2 = strcmp(m->type, "cgroup2") == 0;

		if (v2 != (first[0] == '\0') || (!v2 && !cgroup_list_has(m->options, first)))
			continue;
		if (strncmp(m->point, CGROUP_ROOT "/", sizeof(CGROUP_ROOT)) == 0)
			return m;
		found = found ? found : m;
	}
	return found;
}

static bool is_cgroup_fs(const char *path, bool v2)
{
	struct statfs s;

	return statfs(path, &s) == 0 &&
	       s.f_type == (__typeof__(s.f_type))(v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

/*
 * The mount where it is by custom, which spares reading mountinfo, long on a host
 * with many containers.  own is looked for below it: only then is the root of the
 * mount the root of the tree (not so in a container without a cgroup namespace).
 */
static char *mount_guess(const char *controllers, const char *own)
{
	const char *name = controllers[0] == '\0' ? "unified" :
			   strncmp(controllers, "name=", 5) == 0 ? controllers + 5 : controllers;
	CLEANUP_FREE char *mount = xasprintf(CGROUP_ROOT "/%s", name);
	CLEANUP_FREE char *probe = xasprintf("%s%s", mount, own);

	return is_cgroup_fs(probe, controllers[0] == '\0') ? take_ptr(mount) : NULL;
}

/* --- paths -------------------------------------------------------------- */

/* The path of the group below its mount point. */
static char *group_path(const char *path, const char *own, const char *root)
{
	CLEANUP_FREE char *clean = cgroup_clean_path(path);
	size_t n = strlen(root);

	if (path[0] == '/')
		return xasprintf("/%s", clean);
	if (strcmp(root, "/") == 0)
		n = 0;
	if (strncmp(own, root, n) != 0 || (own[n] != '/' && own[n] != '\0') ||
	    strncmp(own, "/..", 3) == 0)
		return xasprintf("/%s", clean);         /* own group is out of sight */
	own += n;
	return xasprintf("%s/%s", strcmp(own, "/") == 0 ? "" : own, clean);
}

/* mounts NULL: guess. */
static int add_hierarchy(struct cgroup *cg, const char *controllers, const char *own,
			 const struct mount_table *mounts, const char *path)
{
	struct cgroup_hierarchy *h = &cg->h[cg->n];
	const struct mount_line *m = mounts ? mount_search(mounts, controllers) : NULL;
	char *mount = mounts ? NULL : mount_guess(controllers, path[0] == '/' ? "" : own);

	if (!mounts && !mount)
		return -EAGAIN;
	/* A hierarchy that is mounted nowhere cannot be used, nor need it be. */
	if (mounts && !m)
		return 0;
	if (cg->n == CGROUP_HIERARCHIES_MAX) {
		free(mount);
		return -E2BIG;
	}
	h->controllers = xstrdup(controllers);
	h->path = group_path(path, own, m ? m->root : "/");
	h->mount = m ? xstrdup(m->point) : mount;
	h->join_fd = -1;
	cg->n++;
	return 0;
}

/* Split "4:memory:/a" in place.  False for a line of another shape. */
static bool own_line_parse(char *line, char **ret_controllers, char **ret_path)
{
	char *c = strchr(line, ':'), *p = c ? strchr(c + 1, ':') : NULL;

	if (!p || p[1] != '/')
		return false;
	*p = '\0';
	*ret_controllers = c + 1;
	*ret_path = p + 1;
	return true;
}

int cgroup_plan_v1(struct cgroup *cg, const char *own, const char *mountinfo,
		   const char *path, bool want_unified, struct err *e)
{
	CLEANUP_FREE char *text = xstrdup(own);
	CLEANUP(mount_table_cleanup) struct mount_table table = { 0 };
	const struct mount_table *mounts = mountinfo ? &table : NULL;
	char *save, *controllers, *own_path, *unified = NULL;
	int r = 0;

	if (mountinfo)
		mount_table_read(&table, mountinfo);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (!own_line_parse(l, &controllers, &own_path))
			continue;
		if (controllers[0] == '\0')
			unified = own_path;
		else
			r = add_hierarchy(cg, controllers, own_path, mounts, path);
		if (r < 0)
			break;
	}
	if (r == 0 && want_unified && unified)
		r = add_hierarchy(cg, "", unified, mounts, path);
	if (r == -E2BIG)
		return err_set(e, E2BIG, "more than %d cgroup hierarchies are mounted",
			       CGROUP_HIERARCHIES_MAX);
	return r;
}

char *cgroup_own_v2(const char *own)
{
	CLEANUP_FREE char *text = xstrdup(own);
	char *save, *controllers, *path;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (own_line_parse(l, &controllers, &path) && controllers[0] == '\0')
			return xstrdup(path);
	return NULL;
}

static void buf_cleanup(struct buf *b)
{
	buf_release(b);
}

static int read_proc(const char *path, struct buf *b, struct err *e)
{
	int r = file_read_at(AT_FDCWD, path, b);

	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	buf_add(b, "", 0);
	return 0;
}

static int plan_v2(struct cgroup *cg, const char *path, struct err *e)
{
	CLEANUP(buf_cleanup) struct buf own = BUF_INIT(1u << 20);
	CLEANUP_FREE char *clean = cgroup_clean_path(path);
	CLEANUP_FREE char *parent = NULL;
	struct cgroup_hierarchy *h = &cg->h[0];

	if (path[0] != '/') {
		int r = read_proc("/proc/self/cgroup", &own, e);

		if (r < 0)
			return r;
		parent = cgroup_own_v2(own.data);
		/* Out of the cgroup namespace the path starts with "/..". */
		if (parent && strncmp(parent, "/..", 3) != 0)
			*strrchr(parent, '/') = '\0';
		else if (parent)
			*parent = '\0';
	}
	h->controllers = xstrdup("");
	h->mount = xstrdup(CGROUP_ROOT);
	h->path = xasprintf("%s/%s", parent ? parent : "", clean);
	h->join_fd = -1;
	cg->n = 1;
	return 0;
}

void cgroup_forget(struct cgroup *cg, size_t i)
{
	free(cg->h[i].controllers);
	free(cg->h[i].mount);
	free(cg->h[i].path);
	fd_close(&cg->h[i].join_fd);
	cg->n--;
	memmove(&cg->h[i], &cg->h[i + 1], (cg->n - i) * sizeof(cg->h[0]));
}

static void drop_hierarchies(struct cgroup *cg)
{
	while (cg->n > 0)
		cgroup_forget(cg, cg->n - 1);
}

static int plan_paths(struct cgroup *cg, const char *path, bool want_unified, struct err *e)
{
	CLEANUP(buf_cleanup) struct buf own = BUF_INIT(1u << 20);
	CLEANUP(buf_cleanup) struct buf mounts = BUF_INIT(MOUNTINFO_BYTES_MAX);
	int r;

	if (is_cgroup_fs(CGROUP_ROOT, true)) {
		cg->mode = CGROUP_MODE_V2;
		return plan_v2(cg, path, e);
	}
	cg->mode = CGROUP_MODE_V1;
	r = read_proc("/proc/self/cgroup", &own, e);
	if (r < 0)
		return r;
	r = cgroup_plan_v1(cg, own.data, NULL, path, want_unified, e);
	if (r != -EAGAIN)
		return r;
	drop_hierarchies(cg);
	r = read_proc("/proc/self/mountinfo", &mounts, e);
	if (r < 0)
		return r;
	return cgroup_plan_v1(cg, own.data, mounts.data, path, want_unified, e);
}

int cgroup_plan(const struct cgroup_request *rq, struct cgroup *cg, struct err *e)
{
	CLEANUP_FREE char *scope = NULL;
	const char *path = rq->path && rq->path[0] ? rq->path : rq->id;
	int r;

	*cg = (struct cgroup){ .manager = rq->manager, .rootless = rq->rootless };
	if (rq->manager == CGROUP_DISABLED)
		return 0;
	if (rq->manager == CGROUP_SYSTEMD) {
		r = cgroup_systemd_plan(rq, cg, &scope, e);
		if (r < 0)
			return r;
		path = scope;
	} else {
		CLEANUP_FREE char *clean = cgroup_clean_path(path);

		if (clean[0] == '\0')
			return err_set(e, EINVAL, "linux.cgroupsPath: \"%s\" is the root of "
				       "the hierarchy, not a group of the container's own", path);
		if (strlen(clean) > PATH_MAX / 2)
			return err_set(e, ENAMETOOLONG, "linux.cgroupsPath is too long");
	}
	/* A hybrid host's unified tree: for what is not mounted as v1, and since tools look
	 * there.  systemd's own, and an ordinary user's, only where it is asked for. */
	bool asked = rq->resources && rq->resources->n_hugepages > 0;
	bool ours = rq->manager == CGROUP_CGROUPFS && !rq->rootless;
	r = plan_paths(cg, path, asked || ours, e);
	if (r < 0)
		return r;
	if (cg->n > 0) {
		r = cgroup_refuse_occupied(cg, e);
		/* It is another's: undoing this create must neither kill nor remove there. */
		if (r < 0) {
			drop_hierarchies(cg);
			cg->mode = CGROUP_MODE_NONE;
		}
		return r;
	}
	cg->mode = CGROUP_MODE_NONE;
	if (rq->rootless)
		return 0;
	return err_set(e, ENOENT, "no cgroup file system is mounted at " CGROUP_ROOT);
}

/* --- the saved form ------------------------------------------------------ */

static const char *const managers[] = {
	[CGROUP_CGROUPFS] = "cgroupfs", [CGROUP_SYSTEMD] = "systemd",
	[CGROUP_DISABLED] = "disabled",
};

static const char *const modes[] = {
	[CGROUP_MODE_NONE] = "none", [CGROUP_MODE_V1] = "v1", [CGROUP_MODE_V2] = "v2",
};

json_t *cgroup_save(const struct cgroup *cg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cg->n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}",
			"controllers", cg->h[i].controllers, "mount", cg->h[i].mount,
			"path", cg->h[i].path));
	return json_pack("{s:s, s:s, s:b, s:s*, s:s*, s:o}", "manager", managers[cg->manager],
			 "mode", modes[cg->mode], "rootless", cg->rootless,
			 "unit", cg->unit, "slice", cg->slice, "hierarchies", list);
}

static int name_index(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; s && i < n; i++)
		if (strcmp(names[i], s) == 0)
			return (int)i;
	return -EINVAL;
}

static int load_hierarchy(const json_t *j, struct cgroup_hierarchy *h)
{
	const char *controllers = json_string_value(json_object_get(j, "controllers"));
	const char *mount = json_string_value(json_object_get(j, "mount"));
	const char *path = json_string_value(json_object_get(j, "path"));

	/* Never the root of a tree: what follows signals and removes what it holds. */
	if (!controllers || !mount || mount[0] != '/' || !path || path[0] != '/' || !path[1])
		return -EINVAL;
	h->controllers = xstrdup(controllers);
	h->mount = xstrdup(mount);
	h->path = xstrdup(path);
	h->join_fd = -1;
	return 0;
}

int cgroup_load(const json_t *j, struct cgroup *cg, struct err *e)
{
	const json_t *list = json_object_get(j, "hierarchies");
	const char *unit = json_string_value(json_object_get(j, "unit"));
	const char *slice = json_string_value(json_object_get(j, "slice"));
	int manager = name_index(managers, ARRAY_LEN(managers),
				 json_string_value(json_object_get(j, "manager")));
	int mode = name_index(modes, ARRAY_LEN(modes),
			      json_string_value(json_object_get(j, "mode")));

	*cg = (struct cgroup){ 0 };
	if (manager < 0 || mode < 0 || json_array_size(list) > CGROUP_HIERARCHIES_MAX)
		return err_set(e, EINVAL, "the saved state has no valid \"cgroup\"");
	cg->manager = (enum cgroup_manager)manager;
	cg->mode = (enum cgroup_mode)mode;
	cg->rootless = json_is_true(json_object_get(j, "rootless"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (load_hierarchy(json_array_get(list, i), &cg->h[i]) < 0) {
			cgroup_release(cg);
			return err_set(e, EINVAL, "the saved state has no valid "
				       "\"cgroup.hierarchies[%zu]\"", i);
		}
		cg->n++;
	}
	cg->unit = unit ? xstrdup(unit) : NULL;
	cg->slice = slice ? xstrdup(slice) : NULL;
	return 0;
}

void cgroup_release(struct cgroup *cg)
{
	if (!cg)
		return;
	drop_hierarchies(cg);
	free(cg->unit);
	free(cg->slice);
	*cg = (struct cgroup){ 0 };
}
