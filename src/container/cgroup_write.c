/*
 * cgroup_write.c - a run of limits written to a group, and why one was refused.
 *
 * runtime-spec config-linux.md#control-groups: what cannot be applied is an error.
 * The message names the file, the value, and what is behind the kernel's errno.
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Which of the groups above keeps the controller from reaching this one (v2)? */
static void explain_v2(const struct cgroup_hierarchy *h, const char *controller, char *ret,
		       size_t n)
{
	CLEANUP_FREE char *dir = cgroup_dir(h);
	size_t mount = strlen(h->mount);
	char text[CGROUP_VALUE_MAX];

	if (cgd_read(h->mount, "cgroup.controllers", text, sizeof(text)) == 0) {
		if (!cgroup_list_has(text, controller)) {
			snprintf(ret, n, "%s/cgroup.controllers does not list it (the kernel "
				 "lacks it, or it is mounted as cgroup v1)", h->mount);
			return;
		}
	}
	while (strlen(dir) > mount) {
		uint64_t populated = 0;

		*strrchr(dir, '/') = '\0';
		if (cgd_read(dir, "cgroup.controllers", text, sizeof(text)) < 0 ||
		    !cgroup_list_has(text, controller))
			continue;
		/* The lowest that has it does not pass it on. */
		struct cgroup_pidlist l = { 0 };
		if (cgd_pids(dir, false, &l) == 0)
			populated = l.n;
		free(l.v);
		if (populated && strlen(dir) > mount)
			snprintf(ret, n, "%s does not pass it on, as it holds processes itself "
				 "(%llu; cgroup v2: no internal processes)", dir,
				 (unsigned long long)populated);
		else
			snprintf(ret, n, "%s/cgroup.subtree_control does not pass it on", dir);
		return;
	}
	snprintf(ret, n, "no group above passes it on");
}

static void explain_missing(const struct cgroup *cg, const struct cgroup_hierarchy *h,
			    const char *controller, char *ret, size_t n)
{
	if (h && h->controllers[0] == '\0')
		explain_v2(h, controller, ret, n);
	else if (cg->rootless)
		snprintf(ret, n, "this user may not create groups in its hierarchy");
	else
		snprintf(ret, n, "no hierarchy with it is mounted");
}

void cgw_fail(struct cgroup_writer *w, int rc, const char *controller, const char *file,
	      const char *value)
{
	const struct cgroup_hierarchy *h = cgroup_find(w->cg, controller);
	/* "" is the unified half of a hybrid host; the file tells the controller. */
	CLEANUP_FREE char *name = xstrdup(controller[0] ? controller : file);
	char why[512];

	if (w->rc < 0)
		return;
	w->rc = rc;
	name[strcspn(name, ".")] = '\0';
	if (h) {
		CLEANUP_FREE char *dir = cgroup_dir(h);

		/* The controller's own file is there: just this value is bad. */
		if (rc != -ENOENT && rc != -ENODEV) {
			err_sys(w->e, -rc, "write \"%s\" to %s/%s", value, dir, file);
			return;
		}
		if (h->controllers[0]) {
			err_sys(w->e, -rc, "cannot set %s to \"%s\": the %s controller of this "
				"kernel has no such file or device; %s", file, value,
				name, dir);
			return;
		}
		char text[CGROUP_VALUE_MAX];
		if (cgd_read(dir, "cgroup.controllers", text, sizeof(text)) == 0 &&
		    cgroup_list_has(text, name)) {
			err_sys(w->e, -rc, "cannot set %s to \"%s\": the %s controller is on in "
				"%s, but this kernel has no such file or device", file, value,
				name, dir);
			return;
		}
	}
	explain_missing(w->cg, h, name, why, sizeof(why));
	err_set(w->e, ENOENT, "cannot set %s to \"%s\": the %s controller is not available: %s",
		file, value, name, why);
}

static int write_value(const struct cgroup_writer *w, const char *controller,
		       const char *file, const char *value)
{
	const struct cgroup_hierarchy *h = cgroup_find(w->cg, controller);

	if (!h)
		return -ENOENT;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	return cgd_write(dir, file, value);
}

void cgw_put(struct cgroup_writer *w, const char *controller, const char *file,
	     const char *fmt, ...)
{
	char value[CGROUP_VALUE_MAX];
	va_list ap;
	int n, r;

	if (w->rc < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	r = n < 0 || (size_t)n >= sizeof(value) ? -E2BIG : write_value(w, controller, file, value);
	if (r < 0)
		cgw_fail(w, r, controller, file, value);
}

int cgw_try(struct cgroup_writer *w, const char *controller, const char *file,
	    const char *fmt, ...)
{
	char value[CGROUP_VALUE_MAX];
	va_list ap;
	int n;

	if (w->rc < 0)
		return 0;
	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= sizeof(value) ? -E2BIG
						   : write_value(w, controller, file, value);
}

bool cgw_has(const struct cgroup_writer *w, const char *controller, const char *file)
{
	const struct cgroup_hierarchy *h = cgroup_find(w->cg, controller);

	if (!h)
		return false;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	return cgd_has(dir, file);
}

int cgw_get(const struct cgroup_writer *w, const char *controller, const char *file,
	    uint64_t *ret)
{
	const struct cgroup_hierarchy *h = cgroup_find(w->cg, controller);

	if (!h)
		return -ENOENT;
	CLEANUP_FREE char *dir = cgroup_dir(h);
	return cgd_read_u64(dir, file, ret);
}
