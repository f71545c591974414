/* engine/spec_limits.c - devices, resources and the cgroup of an instance. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/spec_impl.h"

#define CPU_PERIOD_US 100000
#define NANO_PER_CPU 1000000000
#define DEVICES_MAX 4096
#define DIR_DEPTH_MAX 8

struct devices {
	struct device { const char *host, *path, *permissions; struct stat st; } *v;
	size_t n;
};

/* --- devices ---------------------------------------------------------------- */

static int add_device(struct spec *s, struct devices *d, const char *host, const char *path,
		      const char *permissions, unsigned level, struct err *e);

/* A directory stands for the devices below it ("--device /dev/snd"). */
static int add_directory(struct spec *s, struct devices *d, const char *host, const char *path,
			 const char *permissions, unsigned level, struct err *e)
{
	DIR *dir = level < DIR_DEPTH_MAX ? opendir(host) : NULL;
	struct err ignored;

	if (!dir)
		return err_sys(e, level < DIR_DEPTH_MAX ? errno : ELOOP, "open device directory %s",
			       host);
	for (struct dirent *de; (de = readdir(dir)); ) {
		if (de->d_name[0] == '.')
			continue;
		/* What is no device there, or just went away, is left out. */
		int r = add_device(s, d, arena_printf(&s->arena, "%s/%s", host, de->d_name),
				   arena_printf(&s->arena, "%s/%s", path, de->d_name), permissions,
				   level + 1, &ignored);
		if (r == -E2BIG)
			break;
	}
	closedir(dir);
	return 0;
}

static int add_device(struct spec *s, struct devices *d, const char *host, const char *path,
		      const char *permissions, unsigned level, struct err *e)
{
	struct stat st;

	/* Below a directory symlinks are not followed: they would give devices twice. */
	if ((level ? lstat(host, &st) : stat(host, &st)) < 0)
		return err_sys(e, errno, "device %s", host);
	if (S_ISDIR(st.st_mode))
		return add_directory(s, d, host, path, permissions, level, e);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, EINVAL, "%s is no device: to share a file, mount it with -v",
			       host);
	if (d->n == DEVICES_MAX)
		return err_set(e, E2BIG, "more than %d devices", DEVICES_MAX);
	d->v[d->n++] = (struct device){ host, path, permissions, st };
	return 0;
}

/* All of the host's but what each instance has an own of, as Docker does. */
static int add_all_devices(struct spec *s, struct devices *d, struct err *e)
{
	static const char *const own[] = {
		"pts", "shm", "fd", "mqueue", "console", "ptmx", "null", "zero", "full", "tty",
		"random", "urandom", "stdin", "stdout", "stderr", "core", "hugepages",
	};
	struct err ignored;
	DIR *dir = opendir("/dev");

	if (!dir)
		return err_sys(e, errno, "open directory /dev");
	for (struct dirent *de; (de = readdir(dir)); ) {
		bool skip = de->d_name[0] == '.';

		for (size_t i = 0; i < ARRAY_LEN(own); i++)
			skip = skip || strcmp(own[i], de->d_name) == 0;
		if (skip)
			continue;
		const char *path = arena_printf(&s->arena, "/dev/%s", de->d_name);
		if (add_device(s, d, path, path, "rwm", 1, &ignored) == -E2BIG)
			break;
	}
	closedir(dir);
	return 0;
}

static int collect_devices(struct spec *s, struct devices *d, struct err *e)
{
	const struct instance_config *c = s->c;
	int r = 0;

	d->v = arena_calloc(&s->arena, c->privileged ? DEVICES_MAX : DEVICES_MAX / 8,
			    sizeof(*d->v));
	if (c->privileged)
		r = add_all_devices(s, d, e);
	for (size_t i = 0; r == 0 && i < c->n_devices; i++) {
		const struct instance_device *v = &c->devices[i];

		r = add_device(s, d, v->host, v->path ? v->path : v->host,
			       v->permissions ? v->permissions : "rwm", 0, e);
	}
	return r;
}

static void put_devices(struct spec *s, const struct devices *d)
{
	struct json_writer *w = &s->w;

	json_open(w, "devices", '[');
	for (size_t i = 0; i < d->n; i++) {
		const struct device *v = &d->v[i];

		/* Bound as a mount: spec_mounts.c. */
		if (s->eng->rootless && strcmp(v->host, v->path) != 0)
			continue;
		json_open(w, NULL, '{');
		json_put_string(w, "type", S_ISCHR(v->st.st_mode) ? "c" : "b");
		json_put_string(w, "path", v->path);
		json_put_int(w, "major", major(v->st.st_rdev));
		json_put_int(w, "minor", minor(v->st.st_rdev));
		json_put_int(w, "fileMode", v->st.st_mode & 07777);
		json_put_int(w, "uid", v->st.st_uid);
		json_put_int(w, "gid", v->st.st_gid);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void put_rule(struct json_writer *w, bool allow, const char *type, int64_t major_nr,
		     int64_t minor_nr, const char *access)
{
	json_open(w, NULL, '{');
	json_put_bool(w, "allow", allow);
	if (type)
		json_put_string(w, "type", type);
	if (major_nr >= 0)
		json_put_int(w, "major", major_nr);
	if (minor_nr >= 0)
		json_put_int(w, "minor", minor_nr);
	json_put_string(w, "access", access);
	json_close(w, '}');
}

/* "c 1:3 rwm", "a *:* rwm", as the devices cgroup had it. */
static int put_text_rule(struct spec *s, const char *text, struct err *e)
{
	char type, numbers[2][16] = { "", "" }, access[4] = "";
	int64_t nr[2] = { -1, -1 };

	if (sscanf(text, "%c %15[0-9*]:%15[0-9*] %3[rwm]", &type, numbers[0], numbers[1],
		   access) != 4 || !strchr("acb", type))
		return err_set(e, EINVAL, "--device-cgroup-rule \"%.80s\": expected \"TYPE "
			       "MAJOR:MINOR ACCESS\", as \"c 42:* rmw\"", text);
	for (int i = 0; i < 2; i++)
		nr[i] = numbers[i][0] == '*' ? -1 : (int64_t)strtoul(numbers[i], NULL, 10);
	put_rule(&s->w, true, (char[]){ type, 0 }, nr[0], nr[1], access);
	return 0;
}

static int put_device_rules(struct spec *s, const struct devices *d, struct err *e)
{
	/* null, zero, full, tty, console, random and urandom; the runtime adds its own. */
	static const int8_t common[][2] = {
		{ 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 5, 0 }, { 5, 1 },
	};
	const struct instance_config *c = s->c;
	int r = 0;

	json_open(&s->w, "devices", '[');
	if (c->privileged) {
		put_rule(&s->w, true, NULL, -1, -1, "rwm");
	} else {
		put_rule(&s->w, false, NULL, -1, -1, "rwm");
		for (size_t i = 0; i < ARRAY_LEN(common); i++)
			put_rule(&s->w, true, "c", common[i][0], common[i][1], "rwm");
		for (size_t i = 0; i < d->n; i++)
			put_rule(&s->w, true, S_ISCHR(d->v[i].st.st_mode) ? "c" : "b",
				 major(d->v[i].st.st_rdev), minor(d->v[i].st.st_rdev),
				 d->v[i].permissions);
	}
	for (size_t i = 0; r == 0 && i < c->device_cgroup_rules.n; i++)
		r = put_text_rule(s, c->device_cgroup_rules.v[i], e);
	json_close(&s->w, ']');
	return r;
}

/* --- resources ---------------------------------------------------------------- */

static void put_nonzero(struct json_writer *w, const char *key, int64_t v)
{
	if (v != 0)
		json_put_int(w, key, v);
}

/* docker run's reference, "User memory constraints": swap is memory and swap together. */
static void put_memory(struct spec *s)
{
	const struct instance_config *c = s->c;
	int64_t swap = c->memory_swap;

	if (!c->memory && !swap && !c->memory_reservation && !c->oom_kill_disable)
		return;
	if (c->memory > 0 && swap == 0)
		swap = c->memory > INT64_MAX / 2 ? -1 : 2 * c->memory;
	json_open(&s->w, "memory", '{');
	put_nonzero(&s->w, "limit", c->memory);
	put_nonzero(&s->w, "swap", swap);
	put_nonzero(&s->w, "reservation", c->memory_reservation);
	if (c->oom_kill_disable)
		json_put_bool(&s->w, "disableOOMKiller", true);
	json_close(&s->w, '}');
}

static void put_cpu(struct spec *s)
{
	const struct instance_config *c = s->c;
	int64_t period = c->cpu_period, quota = c->cpu_quota;

	if (c->nano_cpus > 0) {
		period = CPU_PERIOD_US;
		quota = c->nano_cpus / (NANO_PER_CPU / CPU_PERIOD_US);
	}
	if (!c->cpu_shares && !period && !quota && !c->cpuset_cpus && !c->cpuset_mems)
		return;
	json_open(&s->w, "cpu", '{');
	put_nonzero(&s->w, "shares", c->cpu_shares);
	put_nonzero(&s->w, "period", period);
	put_nonzero(&s->w, "quota", quota);
	if (c->cpuset_cpus)
		json_put_string(&s->w, "cpus", c->cpuset_cpus);
	if (c->cpuset_mems)
		json_put_string(&s->w, "mems", c->cpuset_mems);
	json_close(&s->w, '}');
}

static int put_throttle(struct spec *s, const char *key, const struct instance_throttle *v,
			size_t n, struct err *e)
{
	struct stat st;

	if (n == 0)
		return 0;
	json_open(&s->w, key, '[');
	for (size_t i = 0; i < n; i++) {
		if (stat(v[i].device, &st) < 0)
			return err_sys(e, errno, "device %s", v[i].device);
		if (!S_ISBLK(st.st_mode))
			return err_set(e, ENOTBLK, "%s is no block device", v[i].device);
		json_open(&s->w, NULL, '{');
		json_put_int(&s->w, "major", major(st.st_rdev));
		json_put_int(&s->w, "minor", minor(st.st_rdev));
		json_put_int(&s->w, "rate", (int64_t)v[i].rate);
		json_close(&s->w, '}');
	}
	json_close(&s->w, ']');
	return 0;
}

static int put_block_io(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;

	if (!c->blkio_weight && !c->n_read_bps && !c->n_write_bps && !c->n_read_iops &&
	    !c->n_write_iops)
		return 0;
	json_open(&s->w, "blockIO", '{');
	put_nonzero(&s->w, "weight", c->blkio_weight);
	int r = put_throttle(s, "throttleReadBpsDevice", c->read_bps, c->n_read_bps, e);
	if (r == 0)
		r = put_throttle(s, "throttleWriteBpsDevice", c->write_bps, c->n_write_bps, e);
	if (r == 0)
		r = put_throttle(s, "throttleReadIOPSDevice", c->read_iops, c->n_read_iops, e);
	if (r == 0)
		r = put_throttle(s, "throttleWriteIOPSDevice", c->write_iops, c->n_write_iops, e);
	json_close(&s->w, '}');
	return r;
}

/*
 * cgroupfs: <parent>/<id>; systemd: a scope in a slice, "slice:prefix:name".  By default a
 * group has no parent of ours: nobody could say when to remove it.
 */
static void put_cgroups_path(struct spec *s)
{
	const char *parent = s->c->cgroup_parent;
	char path[512];

	if (s->eng->host.systemd_cgroup)
		snprintf(path, sizeof(path), "%s:isle:%s",
			 parent ? parent : s->eng->rootless ? "user.slice" : "system.slice",
			 s->in->id);
	else if (s->eng->rootless && !parent)
		return;         /* where the caller's own group lets us, if anywhere */
	else if (!parent)
		snprintf(path, sizeof(path), "/isle-%s", s->in->id);
	else
		snprintf(path, sizeof(path), "%s%s/%s", parent[0] != '/' ? "/" : "", parent,
			 s->in->id);
	json_put_string(&s->w, "cgroupsPath", path);
}

int spec_put_limits(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;
	struct devices d = { 0 };

	int r = collect_devices(s, &d, e);
	if (r < 0)
		return r;
	put_devices(s, &d);
	put_cgroups_path(s);
	json_open(&s->w, "resources", '{');
	r = put_device_rules(s, &d, e);
	put_memory(s);
	put_cpu(s);
	if (c->pids_limit) {
		json_open(&s->w, "pids", '{');
		json_put_int(&s->w, "limit", c->pids_limit);
		json_close(&s->w, '}');
	}
	if (r == 0)
		r = put_block_io(s, e);
	json_close(&s->w, '}');
	return r;
}
