/*
 * engine/spec_mounts.c - what is mounted inside an instance, and in which order.
 *
 * Docker's defaults first, less those the user's own stand in for; then the files every
 * instance has of its own (hosts, hostname, resolv.conf); then the user's, a shorter path
 * before a longer one, so that nothing is covered that should be seen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/rootless.h"
#include "engine/spec_impl.h"

#define SHM_BYTES (64 << 20)
#define MOUNTS_MAX 1024

static void put_mount(struct spec *s, const char *target, const char *type, const char *source,
		      const char *const *options, size_t n)
{
	json_open(&s->w, NULL, '{');
	json_put_string(&s->w, "destination", target);
	json_put_string(&s->w, "type", type);
	json_put_string(&s->w, "source", source);
	json_put_strings(&s->w, "options", options, n);
	json_close(&s->w, '}');
}

/* Options as one string, "a,b,c". */
static void put(struct spec *s, const char *target, const char *type, const char *source,
		const char *options)
{
	char *copy = arena_strdup(&s->arena, options);
	const char *v[16];
	size_t n = 0;

	for (char *one; n < ARRAY_LEN(v) && (one = strsep(&copy, ",")); )
		v[n++] = one;
	put_mount(s, target, type, source, v, n);
}

/* Something of the user's is at path, or at a directory above it. */
static bool user_has(const struct instance_config *c, const char *path)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		const char *t = c->mounts[i].target;
		size_t n = strlen(t);

		while (n > 1 && t[n - 1] == '/')
			n--;
		if (strncmp(t, path, n) == 0 && (path[n] == '/' || !path[n]) && n > 1)
			return true;
	}
	return false;
}

static int put_shm(struct spec *s, struct err *e)
{
	struct instance other = { .lockfd = -1 };
	int64_t size = s->c->shm_size_bytes > 0 ? s->c->shm_size_bytes : SHM_BYTES;

	if (mode_is(s->c->ipc_mode, "host")) {
		put(s, "/dev/shm", "bind", "/dev/shm", "rbind,rprivate");
		return 0;
	}
	if (mode_is(s->c->ipc_mode, "none"))
		return 0;
	int r = spec_other_instance(s->eng, "--ipc", s->c->ipc_mode, &other, e);
	if (r < 0)
		return r;
	const char *id = r > 0 ? other.id : s->in->id;
	if (r > 0 || mode_is(s->c->ipc_mode, "shareable"))
		put(s, "/dev/shm", "bind", arena_printf(&s->arena, "%s/shm/%s", s->eng->run_root,
							id), "rbind,rprivate");
	else
		put(s, "/dev/shm", "tmpfs", "shm",
		    arena_printf(&s->arena, "nosuid,noexec,nodev,mode=1777,size=%lld",
				 (long long)size));
	if (r > 0)
		instance_release(&other);
	return 0;
}

/*
 * Mounted anew it shows the queues of the IPC namespace it is mounted in (mq_overview(7)), the
 * host's too; only an ordinary user, who may not mount in that one, needs a host's own mount.
 */
static void put_mqueue(struct spec *s)
{
	if (!s->eng->rootless || !mode_is(s->c->ipc_mode, "host"))
		put(s, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	else if (access("/dev/mqueue", F_OK) == 0)
		put(s, "/dev/mqueue", "bind", "/dev/mqueue", "rbind,rprivate");
}

static int put_defaults(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;
	const char *rw = c->privileged ? "rw" : "ro";
	/* A fresh sysfs needs a network namespace that belongs to our user namespace. */
	bool host_net_rootless = s->eng->rootless && mode_is(c->network_mode, "host");

	/* A fresh proc needs a pid namespace that does. */
	bool host_pid_rootless = s->eng->rootless && mode_is(c->pid_mode, "host");

	/* A directory tree of the user's at /dev or /sys is what he wants there. */
	if (!user_has(c, "/proc") && host_pid_rootless)
		put(s, "/proc", "bind", "/proc", "rbind,nosuid,noexec,nodev");
	else if (!user_has(c, "/proc"))
		put(s, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	if (!user_has(c, "/dev"))
		put(s, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	if (!user_has(c, "/dev/pts"))
		put(s, "/dev/pts", "devpts", "devpts",
		    /* Group 5 (tty) may not be there for an ordinary user. */
		    s->eng->rootless && !rootless_has_gid(5) ?
		    "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620" :
		    "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	if (!user_has(c, "/sys") && host_net_rootless)
		put(s, "/sys", "bind", "/sys", "rbind,nosuid,noexec,nodev,ro");
	else if (!user_has(c, "/sys"))
		put(s, "/sys", "sysfs", "sysfs",
		    arena_printf(&s->arena, "nosuid,noexec,nodev,%s", rw));
	if (!user_has(c, "/sys/fs/cgroup"))
		put(s, "/sys/fs/cgroup", "cgroup", "cgroup",
		    arena_printf(&s->arena, "%s,nosuid,noexec,nodev", rw));
	if (!user_has(c, "/dev/mqueue"))
		put_mqueue(s);
	return user_has(c, "/dev/shm") ? 0 : put_shm(s, e);
}

/* hosts, hostname and resolv.conf are files of the instance that owns the network. */
static int put_own_files(struct spec *s, struct err *e)
{
	static const struct { const char *file, *target; bool of_network; } files[] = {
		{ "resolv.conf", "/etc/resolv.conf", true },
		{ "hostname", "/etc/hostname", false },
		{ "hosts", "/etc/hosts", true },
	};
	struct instance other = { .lockfd = -1 };

	int r = spec_other_instance(s->eng, "--network", s->c->network_mode, &other, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *id = r > 0 && files[i].of_network ? other.id : s->in->id;
		CLEANUP_FREE char *source = instance_bundle_path(s->eng, id, files[i].file);

		if (!user_has(s->c, files[i].target))
			put(s, files[i].target, "bind", source,
			    s->c->read_only ? "rbind,rprivate,ro" : "rbind,rprivate");
	}
	if (r > 0)
		instance_release(&other);
	return 0;
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/' && path[1] && path[1] != '/';
	return n;
}

struct place {
	size_t depth, i;                /* of mounts[i].target */
};

static int by_depth(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	/* Among equals, the order they were given in: qsort() keeps none of its own. */
	return x->depth != y->depth ? (x->depth > y->depth) - (x->depth < y->depth) :
				      (x->i > y->i) - (x->i < y->i);
}

static void put_tmpfs(struct spec *s, const struct instance_mount *m)
{
	const char *v[32] = { "noexec", "nosuid", "nodev" };
	size_t n = 3;

	for (size_t i = 0; i < m->options.n && n < ARRAY_LEN(v) - 4; i++)
		v[n++] = m->options.v[i];
	if (m->tmpfs_size_bytes > 0)
		v[n++] = arena_printf(&s->arena, "size=%lld", (long long)m->tmpfs_size_bytes);
	if (m->tmpfs_mode)
		v[n++] = arena_printf(&s->arena, "mode=%o", m->tmpfs_mode);
	if (m->read_only)
		v[n++] = "ro";
	put_mount(s, m->target, "tmpfs", "tmpfs", v, n);
}

static int put_users(struct spec *s, const struct instance_mount *m, struct err *e)
{
	const char *v[32] = { "rbind" }, *source = m->source;
	size_t n = 1;

	if (strcmp(m->type, "tmpfs") == 0) {
		put_tmpfs(s, m);
		return 0;
	}
	if (strcmp(m->type, "volume") == 0)
		source = arena_printf(&s->arena, "%s/volumes/%s/_data", s->eng->root, m->source);
	if (!source)
		return err_set(e, EINVAL, "the mount at %s has no source", m->target);
	v[n++] = m->propagation ? m->propagation : "rprivate";
	v[n++] = m->read_only ? "ro" : "rw";
	for (size_t i = 0; i < m->options.n && n < ARRAY_LEN(v); i++)
		v[n++] = m->options.v[i];
	put_mount(s, m->target, "bind", source, v, n);
	return 0;
}

/* In a user namespace a node is the host's, bound; by another name only a mount does it. */
static void put_moved_devices(struct spec *s)
{
	for (size_t i = 0; i < s->c->n_devices; i++) {
		const struct instance_device *d = &s->c->devices[i];

		if (d->path && strcmp(d->path, d->host) != 0)
			put(s, d->path, "bind", d->host, "rbind,rprivate,nosuid,noexec");
	}
}

int spec_put_mounts(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;

	if (c->n_mounts > MOUNTS_MAX)
		return err_set(e, E2BIG, "more than %d mounts", MOUNTS_MAX);
	struct place *sorted = arena_calloc(&s->arena, c->n_mounts + 1, sizeof(*sorted));
	for (size_t i = 0; i < c->n_mounts; i++)
		sorted[i] = (struct place){ .depth = depth(c->mounts[i].target), .i = i };
	qsort(sorted, c->n_mounts, sizeof(*sorted), by_depth);
	json_open(&s->w, "mounts", '[');
	int r = put_defaults(s, e);
	if (r == 0)
		r = put_own_files(s, e);
	if (r == 0 && s->eng->rootless)
		put_moved_devices(s);
	for (size_t i = 0; r == 0 && i < c->n_mounts; i++)
		r = put_users(s, &c->mounts[sorted[i].i], e);
	if (r == 0 && c->init) {
		CLEANUP_FREE char *init = NULL;

		r = engine_program("isle-pid1", &init, e);
		if (r == 0)
			put(s, "/dev/init", "bind", init, "bind,ro,nosuid,nodev");
	}
	json_close(&s->w, ']');
	return r;
}
