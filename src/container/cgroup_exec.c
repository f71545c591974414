/*
 * cgroup_exec.c - the group that a process of "exec" joins: the container's, one below it,
 * or the one its first process moved to.
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Calls each(cg, controller, arg) for those ahead of the colon of "cpu,memory:PATH". */
static int each_controller(const struct cgroup *cg, const char *sub,
			   int (*each)(const struct cgroup *cg, const char *c, const void *arg),
			   const void *arg)
{
	CLEANUP_FREE char *list = xstrdup(sub);
	int r = 0;

	list[strcspn(list, ":")] = '\0';
	for (char *save, *c = strtok_r(list, ",", &save); c && r == 0;
	     c = strtok_r(NULL, ",", &save))
		r = each(cg, c, arg);
	return r;
}

static int controller_is_unknown(const struct cgroup *cg, const char *c, const void *arg)
{
	(void)arg;
	return cg->mode != CGROUP_MODE_V1 || !cgroup_find(cg, c);
}

static int controller_is_of(const struct cgroup *cg, const char *c, const void *arg)
{
	const struct cgroup_hierarchy *h = arg;

	(void)cg;
	return cgroup_list_has(h->controllers, c);
}

/*
 * "exec --cgroup": paths below the group, ahead of which runc allows the v1
 * controllers they are meant for, "cpu,memory:PATH".  The last that fits h counts.
 */
static const char *sub_path(const struct cgroup *cg, const struct oci_strv *subs,
			    const struct cgroup_hierarchy *h)
{
	const char *path = "";

	for (size_t i = 0; i < subs->n; i++) {
		const char *colon = strchr(subs->v[i], ':');

		if (!colon)
			path = subs->v[i];
		else if (each_controller(cg, subs->v[i], controller_is_of, h))
			path = colon + 1;
	}
	return path;
}

static int check_subs(const struct cgroup *cg, const struct oci_strv *subs, struct err *e)
{
	for (size_t i = 0; i < subs->n; i++) {
		if (strchr(subs->v[i], ':') &&
		    each_controller(cg, subs->v[i], controller_is_unknown, NULL))
			return err_set(e, EINVAL, "exec --cgroup %s: unknown controller (of v1, "
				       "ahead of the colon)", subs->v[i]);
	}
	return 0;
}

/*
 * A v2 group that hands controllers down cannot hold processes: the payload (an
 * init system) has moved itself below.  Then the new process goes where the
 * container's first process is.  Caller frees; NULL: into the group itself.
 */
static char *init_group(const struct cgroup_hierarchy *h, pid_t init)
{
	CLEANUP_FREE char *dir = cgroup_dir(h);
	CLEANUP_FREE char *own = NULL;
	char text[CGROUP_VALUE_MAX], proc[40];
	size_t n = strlen(h->path);

	if (cgd_read(dir, "cgroup.subtree_control", text, sizeof(text)) < 0 || text[0] == '\0')
		return NULL;
	snprintf(proc, sizeof(proc), "/proc/%d", init);
	if (cgd_read(proc, "cgroup", text, sizeof(text)) < 0)
		return NULL;
	own = cgroup_own_v2(text);
	if (!own || strncmp(own, h->path, n) != 0 || own[n] != '/')
		return NULL;
	return xstrdup(own + n + 1);
}

int cgroup_open_join(struct cgroup *cg, const struct oci_strv *subs, pid_t init, struct err *e)
{
	int bad = check_subs(cg, subs, e);

	if (bad < 0)
		return bad;
	cg->join_may_fail = cg->rootless && subs->n == 0;
	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_hierarchy *h = &cg->h[i];
		CLEANUP_FREE char *below = cgroup_clean_path(sub_path(cg, subs, h));
		int r;

		/* Who says "--cgroup /" means the group itself. */
		if (cgroup_is_v2_tree(h) && !below[0] && subs->n == 0 && init > 0) {
			char *at = init_group(h, init);

			if (at) {
				free(below);
				below = at;
			}
		}
		r = cgroup_open_procs(h, below, e);
		if (r < 0 && !(cg->join_may_fail && cgroup_is_refusal(r)))
			return subs->n == 0 ? r : err_prefix(e, "exec --cgroup: adding pid 0 (the "
							     "new process itself) to cgroups");
	}
	return 0;
}
