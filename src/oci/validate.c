/*
 * oci/validate.c - the rules of the specification that tie objects together.
 *
 * The words are runc's where engines and test suites look for them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "oci/spec.h"
#include "oci/table.h"

#define RULE_PATH_MAX 128

/* "config.json:14: linux.sysctl: " and the text; the line is that of path's value. */
__attribute__((format(printf, 4, 5)))
static int broken(const struct oci_spec *spec, struct err *e, const char *path,
		  const char *fmt, ...)
{
	char what[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, EINVAL, "%s:%u: %s: %s", spec->name,
		       json_tree_at(spec->doc, path)->line, path, what);
}

static int check_namespaces(const struct oci_spec *spec, struct err *e)
{
	unsigned seen = 0;

	for (size_t i = 0; i < spec->os.n_namespaces; i++) {
		enum oci_ns type = spec->os.namespaces[i].type;
		char path[RULE_PATH_MAX];

		snprintf(path, sizeof(path), "linux.namespaces[%zu]", i);
		if (seen & 1u << type)
			return broken(spec, e, path, "malformed spec file: duplicated ns \"%s\"",
				      oci_ns_name(type));
		seen |= 1u << type;
	}
	return 0;
}

static int check_uts(const struct oci_spec *spec, struct err *e)
{
	if (oci_ns_find(spec, OCI_NS_UTS))
		return 0;
	if (spec->hostname)
		return broken(spec, e, "hostname",
			      "unable to set hostname without a private UTS namespace");
	if (spec->domainname)
		return broken(spec, e, "domainname",
			      "unable to set domainname without a private UTS namespace");
	return 0;
}

/* Masks in the host's own mount table would be the host's. */
static int check_masks(const struct oci_spec *spec, struct err *e)
{
	const struct oci_linux *os = &spec->os;

	if (oci_ns_find(spec, OCI_NS_MOUNT) || os->masked_paths.n + os->readonly_paths.n == 0)
		return 0;
	return broken(spec, e, os->masked_paths.n ? "linux.maskedPaths" : "linux.readonlyPaths",
		      "unable to restrict sys entries without a private MNT namespace");
}

/*
 * A joined user namespace has its maps already; containerd, CRI-O and Podman
 * repeat them in the document all the same, so that is no error.  Nor are maps of no
 * user namespace at all, which tools leave in: they map nothing.
 */
static int check_user(const struct oci_spec *spec, struct err *e)
{
	const struct oci_namespace *user = oci_ns_find(spec, OCI_NS_USER);
	const struct oci_linux *os = &spec->os;

	/* Neither means the caller's own ids (namespaces.c); one alone is a mistake. */
	if (!user || user->path || !os->uid_maps.n == !os->gid_maps.n)
		return 0;
	if (os->uid_maps.n == 0)
		return broken(spec, e, "linux.uidMappings",
			      "user namespaces enabled, but no uid mappings found");
	return broken(spec, e, "linux.gidMappings",
		      "user namespaces enabled, but no gid mappings found");
}

static int check_time(const struct oci_spec *spec, struct err *e)
{
	const struct oci_namespace *ns = oci_ns_find(spec, OCI_NS_TIME);

	if (!spec->os.time_monotonic.set && !spec->os.time_boottime.set)
		return 0;
	if (!ns)
		return broken(spec, e, "linux.timeOffsets",
			      "time namespace offsets specified, but time namespace isn't "
			      "enabled in the config");
	if (ns->path)           /* time_namespaces(7): only before its first process */
		return broken(spec, e, "linux.timeOffsets",
			      "the offsets of a joined time namespace cannot be changed");
	return 0;
}

static bool has_option(const struct oci_mount *m, const char *a, const char *b)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (strcmp(m->options.v[i], a) == 0 || strcmp(m->options.v[i], b) == 0)
			return true;
	return false;
}

static int check_mount(const struct oci_spec *spec, size_t i, struct err *e)
{
	const struct oci_mount *m = &spec->mounts[i];
	bool maps = m->uid_maps.n + m->gid_maps.n > 0;
	char path[RULE_PATH_MAX];

	snprintf(path, sizeof(path), "mounts[%zu]", i);
	if (!maps && !has_option(m, "idmap", "ridmap"))
		return 0;
	if (!has_option(m, "bind", "rbind") && !(m->type && strcmp(m->type, "bind") == 0))
		return broken(spec, e, path, "invalid mount: id-mapped mounts are only supported "
			      "for bind-mounts");
	if (maps && (m->uid_maps.n == 0 || m->gid_maps.n == 0))
		return broken(spec, e, path,
			      "invalid mount: id-mapped mounts must have both uid and gid "
			      "mappings specified");
	if (!maps && !oci_ns_find(spec, OCI_NS_USER))
		return broken(spec, e, path,
			      "an id-mapped mount needs mappings or a user namespace");
	return 0;
}

static int check_mounts(const struct oci_spec *spec, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->n_mounts; i++)
		r = check_mount(spec, i, e);
	return r;
}

/* netdevice(7), dev_valid_name() of the kernel */
static bool net_name_ok(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 16 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
	       s[strcspn(s, "/: \t\n\v\f\r")] == '\0';
}

static const char *net_target(const struct oci_net_device *d)
{
	return d->name ? d->name : d->host_name;
}

static int check_net_devices(const struct oci_spec *spec, struct err *e)
{
	const struct oci_linux *os = &spec->os;
	const char *path = "linux.netDevices";

	if (os->n_net_devices > 0 && !oci_ns_find(spec, OCI_NS_NETWORK))
		return broken(spec, e, path,
			      "unable to move network devices without a NET namespace");
	for (size_t i = 0; i < os->n_net_devices; i++) {
		const struct oci_net_device *d = &os->net_devices[i];

		if (!net_name_ok(d->host_name) || !net_name_ok(net_target(d)))
			return broken(spec, e, path, "invalid network device name \"%.80s\"",
				      net_name_ok(d->host_name) ? d->name : d->host_name);
		for (size_t k = 0; k < i; k++)
			if (strcmp(net_target(d), net_target(&os->net_devices[k])) == 0)
				return broken(spec, e, path, "two devices named \"%s\"",
					      net_target(d));
	}
	return 0;
}

int oci_sysctl_path(const char *key, char *ret, size_t size)
{
	size_t n = strlen(key), first = strcspn(key, "./");
	bool dots = key[first] == '.';
	const char *step = ret;

	if (n >= size)
		return -ENAMETOOLONG;
	for (size_t i = 0; i <= n; i++) {
		char c = key[i];

		/* sysctl.d(5): whichever comes first separates, the other is literal. */
		if (dots && (c == '.' || c == '/'))
			c = c == '.' ? '/' : '.';
		ret[i] = c == '/' ? '\0' : c;
		if (ret[i])
			continue;
		if (!*step || strcmp(step, ".") == 0 || strcmp(step, "..") == 0)
			return -EINVAL;
		ret[i] = c;
		step = ret + i + 1;
	}
	return 0;
}

/* 1 when the container has a namespace of that type that is not the runtime's own. */
static int ns_is_own(const struct oci_spec *spec, enum oci_ns type, const char *proc,
		     struct err *e)
{
	const struct oci_namespace *ns = oci_ns_find(spec, type);
	struct stat own, host;

	if (!ns || !ns->path)
		return ns != NULL;
	if (stat(ns->path, &own) < 0)
		return err_sys(e, errno, "%s namespace path %s", oci_ns_name(type), ns->path);
	if (stat(proc, &host) < 0)
		return err_sys(e, errno, "%s", proc);
	return own.st_dev != host.st_dev || own.st_ino != host.st_ino;
}

/* Which namespace isolates the sysctl at path; OCI_NS_COUNT for none. */
static enum oci_ns sysctl_ns(const char *path)
{
	static const char *const ipc[] = {
		"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
		"kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced",
	};

	for (size_t i = 0; i < ARRAY_LEN(ipc); i++)
		if (strcmp(path, ipc[i]) == 0)
			return OCI_NS_IPC;
	if (strncmp(path, "fs/mqueue/", 10) == 0)
		return OCI_NS_IPC;
	if (strncmp(path, "net/", 4) == 0)
		return OCI_NS_NETWORK;
	if (strcmp(path, "kernel/domainname") == 0 || strcmp(path, "kernel/hostname") == 0)
		return OCI_NS_UTS;
	return OCI_NS_COUNT;
}

/* The host's sysctls must stay the host's, whatever the document says. */
static int check_sysctl(const struct oci_spec *spec, const char *key, const char *value,
			struct err *e)
{
	const char *at = "linux.sysctl";
	char path[256];
	int own = 0;

	if (oci_sysctl_path(key, path, sizeof(path)) < 0)
		return broken(spec, e, at, "sysctl \"%.80s\" contains an invalid path: it is not a "
			      "name below /proc/sys", key);
	enum oci_ns ns = sysctl_ns(path);
	if (ns == OCI_NS_IPC) {
		own = ns_is_own(spec, ns, "/proc/self/ns/ipc", e);
		if (own == 0)
			return broken(spec, e, at, "sysctl \"%s\" is not allowed in the hosts "
				      "ipc namespace", key);
	} else if (ns == OCI_NS_NETWORK) {
		own = ns_is_own(spec, ns, "/proc/self/ns/net", e);
		if (own == 0)
			return broken(spec, e, at, "sysctl \"%s\" not allowed in host network "
				      "namespace", key);
	} else if (ns == OCI_NS_UTS) {
		own = ns_is_own(spec, ns, "/proc/self/ns/uts", e);
		if (own > 0 && strcmp(path, "kernel/hostname") == 0)
			return broken(spec, e, at, "sysctl \"%s\" is not allowed as it conflicts "
				      "with the OCI \"hostname\" field", key);
		if (own > 0 && spec->domainname && strcmp(path, "kernel/domainname") == 0 &&
		    strcmp(value, spec->domainname) != 0)
			return broken(spec, e, at, "sysctl \"%s\" conflicts with the OCI "
				      "\"domainname\" field", key);
	}
	if (own == 0)
		return broken(spec, e, at, "sysctl \"%s\" is not in a separate kernel namespace",
			      key);
	return own < 0 ? own : 0;
}

static int check_sysctls(const struct oci_spec *spec, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->os.sysctl.n; i++)
		r = check_sysctl(spec, spec->os.sysctl.v[i].key, spec->os.sysctl.v[i].value, e);
	return r;
}

static int check_root(const struct oci_spec *spec, struct err *e)
{
	return spec->root_path ? 0 : broken(spec, e, "root", "root must be specified");
}

int oci_spec_validate(const struct oci_spec *spec, struct err *e)
{
	static int (*const rules[])(const struct oci_spec *, struct err *) = {
		check_root, check_namespaces, check_uts, check_masks, check_user,
		check_time, check_mounts, check_net_devices, check_sysctls,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(rules); i++)
		r = rules[i](spec, e);
	return r;
}
