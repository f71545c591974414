/* container/state.c - see state.h */
#include "container/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "container/hooks.h"
#include "container/lifecycle.h"
#include "sys/calls.h"

#define STATE_BYTES_MAX (1u << 20)
#define STATE_ID_MAX 255                /* it is a file name */

const char *status_name(enum container_status s)
{
	static const char *const names[] = {
		[STATUS_CREATING] = "creating", [STATUS_CREATED] = "created",
		[STATUS_RUNNING] = "running", [STATUS_PAUSED] = "paused",
		[STATUS_STOPPED] = "stopped",
	};

	return names[s];
}

int state_check_id(const char *id, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-";

	if (!*id)
		return err_set(e, EINVAL, "container id cannot be empty");
	/* A leading dot: "." and "..", and names that ls(1) hides. */
	if (id[strspn(id, allowed)] || id[0] == '.')
		return err_set(e, EINVAL, "invalid container id format: invalid character in "
			       "container ID \"%s\": only letters, digits and _+.- are allowed, "
			       "and no dot first", id);
	if (strlen(id) > STATE_ID_MAX)
		return err_set(e, EINVAL, "invalid container id: longer than %d bytes",
			       STATE_ID_MAX);
	return 0;
}

/* mkdir -p of the states' directory; it is the caller's own, not an image's. */
static int root_make(const char *root, struct err *e)
{
	if (mkdir(root, 0700) == 0 || errno == EEXIST)
		return 0;

	CLEANUP_FREE char *copy = xstrdup(root);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0711) < 0 && errno != EEXIST)
			return err_sys(e, errno, "create state directory %s", copy);
		*p = '/';
	}
	if (mkdir(root, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "create state directory %s", root);
	return 0;
}

static int root_open(const struct runtime *rt, struct err *e)
{
	int fd = open(rt->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "open state directory %s", rt->root) : fd;
}

static int dir_open_locked(int rootfd, const char *id, bool wait)
{
	CLEANUP_FD int fd = openat(rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat held, named;

	if (fd < 0)
		return -errno;
	if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) < 0)
		return -errno;
	/* While we waited, a delete and a create may have put another here. */
	if (fstat(fd, &held) < 0 || fstatat(rootfd, id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    held.st_ino != named.st_ino)
		return -ESTALE;
	return take_fd(fd);
}

int state_new(const struct runtime *rt, const char *id, struct state *st, struct err *e)
{
	*st = (struct state){ .dirfd = -1 };
	int r = state_check_id(id, e);
	if (r < 0)
		return r;
	r = root_make(rt->root, e);
	if (r < 0)
		return r;
	CLEANUP_FD int rootfd = root_open(rt, e);
	if (rootfd < 0)
		return rootfd;

	for (int tries = 0; tries < 8; tries++) {
		bool fresh = mkdirat(rootfd, id, 0711) == 0;

		if (!fresh && errno != EEXIST)
			return err_sys(e, errno, "create %s/%s", rt->root, id);
		int fd = dir_open_locked(rootfd, id, fresh);
		if (fd == -ESTALE || fd == -ENOENT)
			continue;
		if (fd == -EWOULDBLOCK)
			return err_set(e, EEXIST, "container with given ID already exists: %s "
				       "(another command holds it)", id);
		if (fd < 0)
			return err_sys(e, -fd, "lock %s/%s", rt->root, id);
		/*
		 * Ours, unless between our mkdir and our lock others cleaned it as torn and
		 * made a container here: this may be their directory, made in full.
		 */
		if (fresh && faccessat(fd, "state.json", F_OK, 0) < 0) {
			st->id = xstrdup(id);
			st->dirfd = fd;
			return 0;
		}
		close(fd);
		/* A killed create or delete leaves a directory that nobody commits. */
		r = lifecycle_clean_torn(rt, id, e);
		if (r < 0)
			return r;
	}
	return err_set(e, EEXIST, "container with given ID already exists: %s", id);
}

static const char *obj_str(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

static char *obj_dup(const json_t *j, const char *key)
{
	const char *s = obj_str(j, key);

	return s ? xstrdup(s) : NULL;
}

static int state_from_json(const json_t *j, struct state *st, struct err *e)
{
	st->bundle = obj_dup(j, "bundle");
	st->rootfs = obj_dup(j, "rootfs");
	st->created = obj_dup(j, "created");
	st->oci_version = obj_dup(j, "ociVersion");
	st->intel_rdt_group = obj_dup(j, "intelRdtGroup");
	st->owner = (uid_t)json_integer_value(json_object_get(j, "owner"));
	st->pid = (pid_t)json_integer_value(json_object_get(j, "pid"));
	st->pid_start = (unsigned long long)json_integer_value(json_object_get(j, "pidStart"));
	st->creating = json_is_true(json_object_get(j, "creating"));
	st->started = json_is_true(json_object_get(j, "started"));
	st->ns_flags = (unsigned)json_integer_value(json_object_get(j, "nsFlags"));
	st->has_process = json_is_true(json_object_get(j, "hasProcess"));
	st->has_poststart = json_is_true(json_object_get(j, "hasPoststart"));
	st->has_poststop = json_is_true(json_object_get(j, "hasPoststop"));
	st->annotations = json_incref(json_object_get(j, "annotations"));
	if (!st->bundle || !st->oci_version)
		return err_set(e, EINVAL, "state of container %s is damaged", st->id);
	return cgroup_load(json_object_get(j, "cgroup"), &st->cgroup, e);
}

int state_load(const struct runtime *rt, const char *id, bool lock, struct state *st,
	       struct err *e)
{
	*st = (struct state){ .dirfd = -1 };
	int r = state_check_id(id, e);
	if (r < 0)
		return r;

	CLEANUP_FD int rootfd = open(rt->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = -ENOENT;
	if (rootfd >= 0 && lock)
		fd = dir_open_locked(rootfd, id, true);
	else if (rootfd >= 0)
		fd = openat(rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -ENOENT || fd == -ESTALE || (fd == -1 && errno == ENOENT))
		return err_set(e, ENOENT, "container does not exist: %s", id);
	if (fd < 0)
		return err_sys(e, fd == -1 ? errno : -fd, "open %s/%s", rt->root, id);
	st->dirfd = fd;
	st->id = xstrdup(id);

	CLEANUP(buf_release) struct buf b = BUF_INIT(STATE_BYTES_MAX);
	r = file_read_at(fd, "state.json", &b);
	if (r == -ENOENT) {
		/* Killed before the first save: nothing was made yet. */
		st->creating = true;
		return 0;
	}
	if (r < 0)
		return err_sys(e, -r, "read %s/%s/state.json", rt->root, id);
	CLEANUP_JSON json_t *j = NULL;
	r = json_parse("state.json", b.data, b.len, &j, e);
	if (r < 0)
		return r;
	return state_from_json(j, st, e);
}

int state_save(struct state *st, struct err *e)
{
	CLEANUP_JSON json_t *j = json_pack(
		"{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:I, s:I, s:I, s:b, s:b, s:I, s:b, s:b, s:b, "
		"s:O*, s:o*}",
		"id", st->id, "ociVersion", st->oci_version, "bundle", st->bundle,
		"rootfs", st->rootfs, "created", st->created,
		"intelRdtGroup", st->intel_rdt_group, "owner", (json_int_t)st->owner,
		"pid", (json_int_t)st->pid, "pidStart", (json_int_t)st->pid_start,
		"creating", st->creating, "started", st->started,
		"nsFlags", (json_int_t)st->ns_flags, "hasProcess", st->has_process,
		"hasPoststart", st->has_poststart, "hasPoststop", st->has_poststop,
		"annotations", st->annotations,
		"cgroup", cgroup_save(&st->cgroup));
	if (!j)
		return err_set(e, EINVAL, "write state of container %s: a path in it is not "
			       "valid UTF-8", st->id);

	CLEANUP(buf_release) struct buf b = BUF_INIT(STATE_BYTES_MAX);
	json_add(&b, j, JSON_COMPACT);
	int r = file_replace_at(st->dirfd, "state.json", b.data, b.len, 0600);
	return r < 0 ? err_sys(e, -r, "write state of container %s", st->id) : 0;
}

void state_unlock(const struct state *st)
{
	flock(st->dirfd, LOCK_UN);
}

int state_relock(const struct runtime *rt, const struct state *st, struct err *e)
{
	struct stat held, named;

	if (TEMP_FAILURE_RETRY(flock(st->dirfd, LOCK_EX)) < 0)
		return err_sys(e, errno, "lock %s/%s", rt->root, st->id);
	CLEANUP_FD int rootfd = root_open(rt, e);
	if (rootfd < 0)
		return rootfd;
	if (fstat(st->dirfd, &held) < 0 ||
	    fstatat(rootfd, st->id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    held.st_ino != named.st_ino)
		return -ENOENT;
	return 0;
}

int state_remove(const struct runtime *rt, struct state *st, struct err *e)
{
	CLEANUP_FD int rootfd = root_open(rt, e);
	if (rootfd < 0)
		return rootfd;
	CLEANUP_FD int dup = openat(st->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = dup < 0 ? NULL : fdopendir(dup);
	if (!d)
		return err_sys(e, errno, "read state directory of %s", st->id);
	dup = -1;                       /* closedir owns it */

	/* start and notify sockets' names, and what a killed save left. */
	unlinkat(st->dirfd, "notify/notify.sock", 0);
	/* state.json last: as long as it is there, a delete can be taken up again. */
	for (struct dirent *de; (de = readdir(d)); )
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, "..") &&
		    strcmp(de->d_name, "state.json") &&
		    unlinkat(st->dirfd, de->d_name, 0) < 0 && errno == EISDIR)
			unlinkat(st->dirfd, de->d_name, AT_REMOVEDIR);
	closedir(d);
	unlinkat(st->dirfd, "state.json", 0);
	if (unlinkat(rootfd, st->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s/%s", rt->root, st->id);
	return 0;
}

void state_release(struct state *st)
{
	if (!st)
		return;
	free(st->id);
	free(st->bundle);
	free(st->rootfs);
	free(st->created);
	free(st->oci_version);
	free(st->intel_rdt_group);
	json_decref(st->annotations);
	cgroup_release(&st->cgroup);
	fd_close(&st->dirfd);
	*st = (struct state){ .dirfd = -1 };
}

int proc_stat_read(pid_t pid, char *ret_state, unsigned long long *ret_start)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	ssize_t n = fd_read_all(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? (int)n : -ESRCH;
	text[n] = '\0';

	/* proc(5): the name in field 2 may hold anything, so count from its end. */
	const char *p = strrchr(text, ')');
	if (!p || sscanf(p, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
			 "%*d %*d %*d %*d %llu", ret_state, ret_start) != 2)
		return -EPROTO;
	return 0;
}

/* Is the init there, ours and not a zombie? */
static bool init_alive(const struct state *st)
{
	unsigned long long start = 0;
	char s = 0;

	if (st->pid <= 0 || proc_stat_read(st->pid, &s, &start) < 0)
		return false;
	return start == st->pid_start && s != 'Z' && s != 'X';
}

int state_status(const struct state *st, enum container_status *ret, struct err *e)
{
	if (st->creating) {
		*ret = STATUS_CREATING;
		return 0;
	}
	if (!init_alive(st)) {
		*ret = STATUS_STOPPED;
		return 0;
	}
	if (st->cgroup.mode != CGROUP_MODE_NONE) {
		int frozen = cgroup_is_frozen(&st->cgroup);

		if (frozen < 0 && frozen != -ENOENT)
			return err_sys(e, -frozen, "read freezer state of container %s", st->id);
		if (frozen > 0) {
			*ret = STATUS_PAUSED;
			return 0;
		}
	}
	*ret = st->started ? STATUS_RUNNING : STATUS_CREATED;
	return 0;
}

int state_pidfd(const struct state *st)
{
	if (st->pid <= 0)
		return -ESRCH;
	CLEANUP_FD int fd = sys_pidfd_open(st->pid);
	if (fd < 0)
		return fd;
	/* Checked after opening: from here on the number cannot be another's. */
	return init_alive(st) ? take_fd(fd) : -ESRCH;
}

/* From /etc/passwd alone: a static program has no other source of names. */
static json_t *owner_name(uid_t uid)
{
	FILE *f = uid ? fopen("/etc/passwd", "re") : NULL;
	json_t *name = uid ? json_sprintf("#%u", uid) : json_string("root");

	for (struct passwd *p; f && (p = fgetpwent(f)); )
		if (p->pw_uid == uid && json_string_set(name, p->pw_name) == 0)
			break;
	if (f)
		fclose(f);
	return name;
}

json_t *state_to_oci(const struct state *st, enum container_status s, bool extended)
{
	json_t *j = json_pack("{s:s, s:s}", "ociVersion", OCI_VERSION, "id", st->id);

	json_object_set_new(j, "pid", json_integer(s == STATUS_STOPPED ? 0 : st->pid));
	json_object_set_new(j, "status", json_string(status_name(s)));
	json_object_set_new(j, "bundle", json_string(st->bundle ? st->bundle : ""));
	if (extended) {
		json_object_set_new(j, "rootfs", json_string(st->rootfs ? st->rootfs : ""));
		json_object_set_new(j, "created", json_string(st->created ? st->created : ""));
		json_object_set_new(j, "owner", owner_name(st->owner));
	}
	if (st->annotations)
		json_object_set(j, "annotations", st->annotations);
	return j;
}

int state_load_spec(const struct state *st, struct oci_spec *spec, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(JSON_BYTES_MAX);
	int r = file_read_at(st->dirfd, "config.json", &b);

	if (r < 0)
		return err_sys(e, -r, "read the stored config.json of container %s", st->id);
	return oci_spec_parse("config.json", b.data, b.len, spec, e);
}

static int id_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_list(const struct runtime *rt, char ***ret, size_t *ret_n, struct err *e)
{
	*ret = NULL;
	*ret_n = 0;
	DIR *d = opendir(rt->root);
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "read %s", rt->root);

	size_t cap = 0;
	for (struct dirent *de; (de = readdir(d)); ) {
		/* The cache's name holds a character no id may have. */
		if (state_check_id(de->d_name, NULL) < 0)
			continue;
		if (*ret_n == cap) {
			cap = cap ? 2 * cap : 16;
			*ret = xreallocarray(*ret, cap, sizeof(**ret));
		}
		(*ret)[(*ret_n)++] = xstrdup(de->d_name);
	}
	closedir(d);
	if (*ret_n)
		qsort(*ret, *ret_n, sizeof(**ret), id_compare);
	return 0;
}
