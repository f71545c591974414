/*
 * engine/spec.c - an instance's config.json, with Docker's defaults; see life.h.
 *
 * Made anew at every start: devices, addresses and the instances whose namespaces are joined
 * may have changed.  The network namespace is the keeper's, which is born into it; net.*
 * sysctls are not here but written when that namespace is made, engine/life_start.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/capabilities.h"
#include "engine/instance_impl.h"
#include "engine/life.h"
#include "engine/rootless.h"
#include "engine/seccomp_default.h"
#include "engine/spec_impl.h"

#define SPEC_BYTES_MAX (16u << 20)
#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- options of one text ------------------------------------------------------ */

const char *spec_security_option(const struct instance_config *c, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = c->security_options.n; i-- > 0; ) {
		const char *s = c->security_options.v[i];

		if (strncmp(s, key, n) == 0 && (s[n] == '=' || s[n] == ':'))
			return s + n + 1;
	}
	return NULL;
}

bool spec_security_flag(const struct instance_config *c, const char *word)
{
	for (size_t i = 0; i < c->security_options.n; i++)
		if (strcmp(c->security_options.v[i], word) == 0)
			return true;
	const char *value = spec_security_option(c, word);
	return value && strcmp(value, "true") == 0;
}

int spec_other_instance(struct engine *eng, const char *option, const char *mode,
			struct instance *ret, struct err *e)
{
	static const char prefix[] = "container:";

	if (!mode || strncmp(mode, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	int r = instance_find(eng, mode + sizeof(prefix) - 1, false, ret, e);
	if (r < 0)
		return err_prefix(e, "%s %s", option, mode);
	if (ret->status.state == INSTANCE_RUNNING || ret->status.state == INSTANCE_PAUSED)
		return 1;
	err_set(e, ESRCH, "%s %s: instance %s is not running: start it first", option, mode,
		ret->name);
	instance_release(ret);
	return -ESRCH;
}

/* --- process -------------------------------------------------------------------- */

static bool env_has(const struct oci_strv *env, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], entry, n) == 0)
			return true;
	return false;
}

static void put_env(struct spec *s)
{
	const struct instance_config *c = s->c;
	const char *own[] = {
		PATH_DEFAULT,
		arena_printf(&s->arena, "HOSTNAME=%s", c->hostname ? c->hostname : ""),
		c->tty ? "TERM=xterm" : NULL,
		arena_printf(&s->arena, "HOME=%s", s->home),
	};

	json_open(&s->w, "env", '[');
	for (size_t i = 0; i < 3; i++)
		if (own[i] && !env_has(&c->env, own[i]))
			json_put_string(&s->w, NULL, own[i]);
	for (size_t i = 0; i < c->env.n; i++)
		/* "-e NAME" without a value here takes it out. */
		if (strchr(c->env.v[i], '='))
			json_put_string(&s->w, NULL, c->env.v[i]);
	if (!env_has(&c->env, own[3]))
		json_put_string(&s->w, NULL, own[3]);
	json_close(&s->w, ']');
}

static int put_args(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;

	if (c->entrypoint.n + c->cmd.n == 0)
		return err_set(e, EINVAL, "no command specified: the image %s names none, so one "
			       "has to be given after it", c->image ? c->image : "");
	json_open(&s->w, "args", '[');
	if (c->init) {
		json_put_string(&s->w, NULL, "/dev/init");
		json_put_string(&s->w, NULL, "--");
	}
	for (size_t i = 0; i < c->entrypoint.n; i++)
		json_put_string(&s->w, NULL, c->entrypoint.v[i]);
	for (size_t i = 0; i < c->cmd.n; i++)
		json_put_string(&s->w, NULL, c->cmd.v[i]);
	json_close(&s->w, ']');
	return 0;
}

static void put_cap_set(struct spec *s, const char *key, uint64_t caps)
{
	json_open(&s->w, key, '[');
	for (int cap = 0; cap < 64 && oci_cap_name(cap); cap++)
		if (caps >> cap & 1)
			json_put_string(&s->w, NULL, oci_cap_name(cap));
	json_close(&s->w, ']');
}

/* A user who is not root starts without any, and gets them by files with capabilities. */
static void put_caps(struct spec *s)
{
	uint64_t now = s->uid == 0 ? s->caps : 0;

	json_open(&s->w, "capabilities", '{');
	put_cap_set(s, "bounding", s->caps);
	put_cap_set(s, "effective", now);
	put_cap_set(s, "permitted", now);
	json_close(&s->w, '}');
}

static int put_rlimits(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;

	json_open(&s->w, "rlimits", '[');
	for (size_t i = 0; i < c->n_ulimits; i++) {
		const struct instance_ulimit *u = &c->ulimits[i];
		char type[64];
		size_t n = (size_t)snprintf(type, sizeof(type), "RLIMIT_%s", u->name);

		for (size_t k = 0; k < n && k < sizeof(type); k++)
			if (type[k] >= 'a' && type[k] <= 'z')
				type[k] = (char)(type[k] - 'a' + 'A');
		if (n >= sizeof(type) || oci_rlimit_from_name(type) < 0)
			return err_set(e, EINVAL, "--ulimit %.40s: no such limit", u->name);
		json_open(&s->w, NULL, '{');
		json_put_string(&s->w, "type", type);
		/* -1 is no limit: all ones as the document's unsigned number. */
		if (u->hard < 0)
			json_put_raw(&s->w, "hard", "18446744073709551615");
		else
			json_put_int(&s->w, "hard", u->hard);
		if (u->soft < 0)
			json_put_raw(&s->w, "soft", "18446744073709551615");
		else
			json_put_int(&s->w, "soft", u->soft);
		json_close(&s->w, '}');
	}
	json_close(&s->w, ']');
	return 0;
}

static void put_user(struct spec *s)
{
	json_open(&s->w, "user", '{');
	json_put_int(&s->w, "uid", s->uid);
	json_put_int(&s->w, "gid", s->gid);
	json_open(&s->w, "additionalGids", '[');
	/* Docker names the primary group here as well. */
	if (!s->eng->rootless || rootless_sets_groups())
		json_put_int(&s->w, NULL, s->gid);
	for (size_t i = 0; i < s->n_groups; i++)
		json_put_int(&s->w, NULL, s->groups[i]);
	json_close(&s->w, ']');
	json_close(&s->w, '}');
}

/* Labels of SELinux and profiles of AppArmor: where the host has none, "off" is all there is. */
static int put_lsm(struct spec *s, struct err *e)
{
	const char *apparmor = spec_security_option(s->c, "apparmor");
	const char *label = spec_security_option(s->c, "label");

	if (apparmor && strcmp(apparmor, "unconfined") != 0) {
		if (access("/sys/module/apparmor/parameters/enabled", F_OK) < 0)
			return err_set(e, EOPNOTSUPP, "--security-opt apparmor=%.80s: this kernel "
				       "runs without AppArmor", apparmor);
		json_put_string(&s->w, "apparmorProfile", apparmor);
	}
	if (label && strcmp(label, "disable") != 0)
		return err_set(e, EOPNOTSUPP, "--security-opt label=%.80s: only \"disable\" is "
			       "supported", label);
	return 0;
}

static int put_process(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;

	json_open(&s->w, "process", '{');
	json_put_bool(&s->w, "terminal", c->tty);
	put_user(s);
	int r = put_args(s, e);
	if (r < 0)
		return r;
	put_env(s);
	json_put_string(&s->w, "cwd", c->working_dir && *c->working_dir ? c->working_dir : "/");
	put_caps(s);
	r = put_rlimits(s, e);
	if (r == 0)
		r = put_lsm(s, e);
	json_put_bool(&s->w, "noNewPrivileges",
		      c->no_new_privileges || spec_security_flag(c, "no-new-privileges"));
	json_put_int(&s->w, "oomScoreAdj", c->oom_score_adj);
	json_close(&s->w, '}');
	return r;
}

/* --- linux ---------------------------------------------------------------------- */

static void put_paths(struct spec *s)
{
	static const char *const masked[] = {
		"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap",
	};
	static const char *const read_only[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
	};
	const char *system = spec_security_option(s->c, "systempaths");

	if (s->c->privileged || (system && strcmp(system, "unconfined") == 0))
		return;
	json_put_strings(&s->w, "maskedPaths", masked, ARRAY_LEN(masked));
	json_put_strings(&s->w, "readonlyPaths", read_only, ARRAY_LEN(read_only));
}

static int put_seccomp(struct spec *s, struct err *e)
{
	const char *profile = spec_security_option(s->c, "seccomp");

	if (!profile || strcmp(profile, "builtin") == 0) {
		if (!s->c->privileged)
			seccomp_put_default(&s->w, s->caps);
		return 0;
	}
	if (strcmp(profile, "unconfined") == 0)
		return 0;
	return seccomp_put_profile(&s->w, "seccomp profile", profile, s->caps, e);
}

static void put_namespace(struct spec *s, const char *type, const char *path)
{
	json_open(&s->w, NULL, '{');
	json_put_string(&s->w, "type", type);
	if (path)
		json_put_string(&s->w, "path", path);
	json_close(&s->w, '}');
}

/* A namespace of another instance, none for "host", else one of its own. */
static int put_mode(struct spec *s, const char *type, const char *option, const char *mode,
		    struct err *e)
{
	struct instance other = { .lockfd = -1 };

	if (mode_is(mode, "host"))
		return 0;
	int r = spec_other_instance(s->eng, option, mode, &other, e);
	if (r < 0)
		return r;
	if (r > 0 && strcmp(type, "ipc") == 0 && !mode_is(other.config.ipc_mode, "shareable")) {
		r = err_set(e, EINVAL, "--ipc %s: instance %s was not made with --ipc shareable",
			    mode, other.name);
	} else if (r > 0) {
		put_namespace(s, type, arena_printf(&s->arena, "/proc/%d/ns/%s",
						    (int)other.status.pid, type));
	} else {
		put_namespace(s, type, NULL);
	}
	instance_release(&other);
	return r < 0 ? r : 0;
}

static int put_namespaces(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;
	/* On v1 a cgroup namespace hides nothing that the mount does not show. */
	bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	bool own_cgroup = c->cgroupns_mode ? mode_is(c->cgroupns_mode, "private") :
					     v2 && !c->privileged;

	if (c->userns_mode && !mode_is(c->userns_mode, "host"))
		return err_set(e, EOPNOTSUPP, "--userns %.40s: only \"host\" is supported",
			       c->userns_mode);
	json_open(&s->w, "namespaces", '[');
	put_namespace(s, "mount", NULL);
	int r = put_mode(s, "pid", "--pid", c->pid_mode, e);
	if (r == 0)
		r = put_mode(s, "ipc", "--ipc", c->ipc_mode, e);
	if (r == 0)
		r = put_mode(s, "uts", "--uts", c->uts_mode, e);
	if (own_cgroup)
		put_namespace(s, "cgroup", NULL);
	/* The keeper's, which makes the wall: named, so that exec enters it too. */
	if (!mode_is(c->network_mode, "host"))
		put_namespace(s, "network", "/proc/self/ns/net");
	json_close(&s->w, ']');
	return r;
}

static void put_sysctls(struct spec *s)
{
	json_open(&s->w, "sysctl", '{');
	for (size_t i = 0; i < s->c->sysctls.n; i++)
		if (strncmp(s->c->sysctls.v[i].key, "net", 3) != 0)
			json_put_string(&s->w, s->c->sysctls.v[i].key, s->c->sysctls.v[i].value);
	json_close(&s->w, '}');
}

static int put_linux(struct spec *s, struct err *e)
{
	json_open(&s->w, "linux", '{');
	put_sysctls(s);
	int r = put_namespaces(s, e);
	if (r == 0)
		r = spec_put_limits(s, e);
	put_paths(s);
	if (r == 0)
		r = put_seccomp(s, e);
	json_close(&s->w, '}');
	return r;
}

/* --- the document --------------------------------------------------------------- */

static void put_annotations(struct spec *s)
{
	json_open(&s->w, "annotations", '{');
	for (size_t i = 0; i < s->c->annotations.n; i++)
		json_put_string(&s->w, s->c->annotations.v[i].key, s->c->annotations.v[i].value);
	json_close(&s->w, '}');
}

static int put_document(struct spec *s, struct err *e)
{
	const struct instance_config *c = s->c;
	CLEANUP_FREE char *root = instance_bundle_path(s->eng, s->in->id, "rootfs");

	json_open(&s->w, NULL, '{');
	json_put_string(&s->w, "ociVersion", OCI_VERSION);
	int r = put_process(s, e);
	if (r < 0)
		return r;
	json_open(&s->w, "root", '{');
	json_put_string(&s->w, "path", root);
	json_put_bool(&s->w, "readonly", c->read_only);
	json_close(&s->w, '}');
	if (!mode_is(c->uts_mode, "host")) {
		json_put_string(&s->w, "hostname", c->hostname ? c->hostname : "");
		if (c->domainname)
			json_put_string(&s->w, "domainname", c->domainname);
	}
	r = spec_put_mounts(s, e);
	put_annotations(s);
	if (r == 0)
		r = put_linux(s, e);
	json_close(&s->w, '}');
	return r;
}

int spec_make(struct engine *eng, const struct instance *in, int rootfd, struct buf *b,
	      struct err *e)
{
	struct spec s = {
		.eng = eng, .in = in, .c = &in->config, .w = { .b = b }, .rootfd = rootfd,
	};

	int r = capabilities_resolve(s.c->privileged, &s.c->cap_add, &s.c->cap_drop, &s.caps, e);
	if (r == 0)
		r = spec_resolve_user(&s, e);
	if (r == 0)
		r = put_document(&s, e);
	arena_release(&s.arena);
	if (r == 0 && b->overflow)
		r = err_set(e, E2BIG, "config.json of %s is too large", in->name);
	return r;
}

int spec_write(struct engine *eng, const struct instance *in, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(SPEC_BYTES_MAX);

	CLEANUP_FD int rootfd = life_mount(eng, in, true, e);
	if (rootfd < 0)
		return rootfd;
	int r = spec_make(eng, in, rootfd, &b, e);
	if (r < 0)
		return r;
	return instance_write_bundle(eng, in->id, "config.json", b.data, b.len, 0600, e);
}
