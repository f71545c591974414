/* container/checkpoint.c - a container into files; see checkpoint.h */
#include "container/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/criu.h"
#include "container/lifecycle.h"

#define PROC_BYTES_MAX (4u << 20)

/* Majors of the slave sides of Unix98 ptys (Documentation/admin-guide/devices.txt). */
#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST 143

/* --- stdio ---------------------------------------------------------------- */

/* Is the mount that descriptor fd of pid was opened on one of the container's? */
static bool mount_is_inside(pid_t pid, int fd, long *ret_mount)
{
	CLEANUP(buf_release) struct buf info = BUF_INIT(PROC_BYTES_MAX);
	CLEANUP(buf_release) struct buf mounts = BUF_INIT(PROC_BYTES_MAX);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	if (file_read_at(AT_FDCWD, path, &info) < 0 || !info.len)
		return true;
	const char *at = strstr(info.data, "mnt_id:");
	if (!at)
		return true;
	*ret_mount = strtol(at + strlen("mnt_id:"), NULL, 10);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	if (file_read_at(AT_FDCWD, path, &mounts) < 0 || !mounts.len)
		return true;
	for (const char *line = mounts.data; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (*line && strtol(line, NULL, 10) == *ret_mount)
			return true;
	}
	return false;
}

/*
 * Name one of stdin, stdout, stderr as criu knows it: "pipe:[1]", "tty[8801:1b]",
 * "file[2f:1c]" for a file outside (the host's /dev/null, a log), else its path.
 * What lies outside is also declared to criu, so that restore can put another in place.
 */
static char *name_stdio(struct criu *c, pid_t pid, int fd)
{
	char path[64], link[PATH_MAX];
	struct stat st;
	long mount = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n < 0 || stat(path, &st) < 0)
		return arena_strdup(&c->arena, "");
	link[n] = '\0';
	char *name = NULL;
	if (S_ISCHR(st.st_mode) && major(st.st_rdev) >= PTS_MAJOR_FIRST &&
	    major(st.st_rdev) <= PTS_MAJOR_LAST)
		name = arena_printf(&c->arena, "tty[%lx:%lx]", (unsigned long)st.st_rdev,
				    (unsigned long)st.st_dev);
	else if ((S_ISCHR(st.st_mode) || S_ISREG(st.st_mode)) &&
		 !mount_is_inside(pid, fd, &mount))
		name = arena_printf(&c->arena, "file[%lx:%lx]", (unsigned long)mount,
				    (unsigned long)st.st_ino);
	if (!name)
		return arena_strdup(&c->arena, link);
	criu_opt(c, "--external", "%s", name);
	return name;
}

static int save_stdio(struct criu *c, pid_t pid, struct err *e)
{
	CLEANUP_FD int dir = open(c->image_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(buf_release) struct buf text = BUF_INIT(64u << 10);
	CLEANUP_JSON json_t *names = json_array();

	if (dir < 0)
		return err_sys(e, errno, "open directory %s", c->image_dir);
	for (int fd = 0; fd < 3; fd++)
		json_array_append_new(names, json_string(name_stdio(c, pid, fd)));
	json_add(&text, names, JSON_COMPACT);
	int r = file_replace_at(dir, CRIU_STDIO_FILE, text.data, text.len, 0600);
	return r < 0 ? err_sys(e, -r, "write %s/" CRIU_STDIO_FILE, c->image_dir) : 0;
}

/* --- arguments ------------------------------------------------------------ */

/* The group criu freezes, so that nothing is forked while it looks. */
static void add_freezer(struct criu *c, const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_hierarchy *h = &cg->h[i];

		if (cg->mode == CGROUP_MODE_V2 || strcmp(h->controllers, "freezer") == 0) {
			criu_opt(c, "--freeze-cgroup", "%s%s", h->mount, h->path);
			return;
		}
	}
}

/* A namespace that others made is not saved, only named; restore brings the one of its
 * configuration. */
static int add_namespaces(struct criu *c, const struct oci_spec *spec, pid_t pid,
			  struct err *e)
{
	static const struct { enum oci_ns type; const char *name, *label; } known[] = {
		{ OCI_NS_NETWORK, "net", "extRootNetNS" },
		{ OCI_NS_PID, "pid", "extRootPidNS" },
	};
	char path[64];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const struct oci_namespace *ns = oci_ns_find(spec, known[i].type);

		if (!ns || !ns->path)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, known[i].name);
		if (stat(path, &st) < 0)
			return err_sys(e, errno, "open %s", path);
		criu_opt(c, "--external", "%s[%lu]:%s", known[i].name,
			 (unsigned long)st.st_ino, known[i].label);
	}
	return 0;
}

static int add_page_server(struct criu *c, const struct checkpoint_opts *o, struct err *e)
{
	const char *colon = o->page_server ? strrchr(o->page_server, ':') : NULL;

	if (o->page_server && (!colon || colon == o->page_server || !colon[1]))
		return err_set(e, EINVAL, "option --page-server: \"%s\" is not ADDRESS:PORT",
			       o->page_server);
	if (!colon && o->criu.lazy_pages)
		return err_set(e, EINVAL, "option --lazy-pages: say with --page-server "
			       "ADDRESS:PORT where criu is to offer the pages");
	if (!colon)
		return 0;
	/* With lazy pages criu is the server itself. */
	if (!o->criu.lazy_pages)
		criu_arg(c, "--page-server");
	criu_opt(c, "--address", "%.*s", (int)(colon - o->page_server), o->page_server);
	criu_opt(c, "--port", "%s", colon + 1);
	return 0;
}

static int add_dump_args(struct criu *c, const struct checkpoint_opts *o,
			 const struct state *st, const struct oci_spec *spec, struct err *e)
{
	criu_opt(c, "-t", "%d", st->pid);
	criu_opt(c, "--root", "%s", st->rootfs ? st->rootfs : "/");
	if (o->leave_running && !o->pre_dump)
		criu_arg(c, "--leave-running");
	if (o->tcp_skip_in_flight)
		criu_arg(c, "--skip-in-flight");
	if (o->link_remap)
		criu_arg(c, "--link-remap");
	if (o->pre_dump || o->parent_path)
		criu_arg(c, "--track-mem");
	if (o->parent_path)
		criu_opt(c, "--prev-images-dir", "%s", o->parent_path);
	add_freezer(c, &st->cgroup);
	int r = add_page_server(c, o, e);
	if (r >= 0)
		r = add_namespaces(c, spec, st->pid, e);
	if (r >= 0)
		r = criu_external_mounts(c, spec, &st->cgroup, st->pid, NULL, e);
	if (r < 0)
		return r;
	if (spec->process && spec->process->terminal)
		criu_opt(c, "--external", "mnt[/dev/console]:/dev/console");
	return o->pre_dump ? 0 : save_stdio(c, st->pid, e);
}

/* --- the operation -------------------------------------------------------- */

static int check_opts(const struct checkpoint_opts *o, struct err *e)
{
	if (o->pre_dump && o->criu.lazy_pages)
		return err_set(e, EINVAL, "--pre-dump and --lazy-pages contradict each other");
	/* criu looks for it from the image directory, on another host too. */
	if (o->parent_path && o->parent_path[0] == '/')
		return err_set(e, EINVAL, "option --parent-path: \"%s\" must be relative to the "
			       "image path", o->parent_path);
	return 0;
}

static int load_live(const struct runtime *rt, const char *id, struct state *st,
		     struct err *e)
{
	enum container_status status;
	int r = state_load(rt, id, true, st, e);

	if (r >= 0)
		r = state_status(st, &status, e);
	if (r < 0)
		return r;
	if (status == STATUS_STOPPED)
		return err_set(e, EINVAL, "container not running");
	if (status != STATUS_RUNNING && status != STATUS_PAUSED)
		return err_set(e, EINVAL, "cannot checkpoint a container in the %s state",
			       status_name(status));
	return 0;
}

int container_checkpoint(const struct runtime *rt, const char *id,
			 const struct checkpoint_opts *o, struct err *e)
{
	CLEANUP(state_release) struct state st = { .dirfd = -1 };
	CLEANUP(oci_spec_release) struct oci_spec spec = { 0 };
	CLEANUP(criu_release) struct criu c = { .sync = -1 };

	int r = check_opts(o, e);
	if (r >= 0)
		r = load_live(rt, id, &st, e);
	if (r >= 0)
		r = state_load_spec(&st, &spec, e);
	if (r >= 0)
		r = criu_init(&c, o->pre_dump ? "pre-dump" : "dump", &o->criu, true, e);
	if (r >= 0)
		r = add_dump_args(&c, o, &st, &spec, e);
	if (r >= 0)
		r = criu_spawn(&c, NULL, e);
	if (r >= 0)
		r = criu_finish(&c, e);
	if (r < 0 || o->leave_running || o->pre_dump)
		return r;
	/* criu has ended it. */
	r = lifecycle_kill_init(&st, e);
	return r < 0 ? r : lifecycle_destroy(rt, &st, e);
}
