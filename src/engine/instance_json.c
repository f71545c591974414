/*
 * engine/instance_json.c - struct instance_config as JSON and back, by one table.
 *
 * The names are those of Docker's container object (Engine API, ContainerInspect): two
 * objects, Config for what the program is given and HostConfig for how it is held, so
 * that inspect shows what the database keeps.  A third, Isle, has what Docker has no name for.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "engine/instance.h"
#include "engine/instance_json.h"

enum kind { STRING, STRINGS, PAIRS, SET, BOOL, INT, I64, UINT };

struct field {
	const char *part, *name;
	enum kind kind;
	size_t offset;
};

#define AT(member) offsetof(struct instance_config, member)
#define CONFIG "Config"
#define HOST "HostConfig"
#define ISLE "Isle"

static const struct field fields[] = {
	{ CONFIG, "Image", STRING, AT(image) },
	{ CONFIG, "Entrypoint", STRINGS, AT(entrypoint) },
	{ CONFIG, "Cmd", STRINGS, AT(cmd) },
	{ CONFIG, "Env", STRINGS, AT(env) },
	{ CONFIG, "WorkingDir", STRING, AT(working_dir) },
	{ CONFIG, "User", STRING, AT(user) },
	{ CONFIG, "Hostname", STRING, AT(hostname) },
	{ CONFIG, "Domainname", STRING, AT(domainname) },
	{ CONFIG, "Labels", PAIRS, AT(labels) },
	{ CONFIG, "Tty", BOOL, AT(tty) },
	{ CONFIG, "OpenStdin", BOOL, AT(open_stdin) },
	{ CONFIG, "StdinOnce", BOOL, AT(stdin_once) },
	{ CONFIG, "StopSignal", STRING, AT(stop_signal) },
	{ CONFIG, "ExposedPorts", SET, AT(expose) },
	{ HOST, "GroupAdd", STRINGS, AT(group_add) },
	{ HOST, "Annotations", PAIRS, AT(annotations) },
	{ HOST, "Init", BOOL, AT(init) },
	{ HOST, "AutoRemove", BOOL, AT(auto_remove) },
	{ HOST, "Privileged", BOOL, AT(privileged) },
	{ HOST, "ReadonlyRootfs", BOOL, AT(read_only) },
	{ HOST, "CapAdd", STRINGS, AT(cap_add) },
	{ HOST, "CapDrop", STRINGS, AT(cap_drop) },
	{ HOST, "SecurityOpt", STRINGS, AT(security_options) },
	{ HOST, "PidMode", STRING, AT(pid_mode) },
	{ HOST, "IpcMode", STRING, AT(ipc_mode) },
	{ HOST, "UTSMode", STRING, AT(uts_mode) },
	{ HOST, "UsernsMode", STRING, AT(userns_mode) },
	{ HOST, "CgroupnsMode", STRING, AT(cgroupns_mode) },
	{ HOST, "DeviceCgroupRules", STRINGS, AT(device_cgroup_rules) },
	{ HOST, "Sysctls", PAIRS, AT(sysctls) },
	{ HOST, "OomScoreAdj", INT, AT(oom_score_adj) },
	{ HOST, "OomKillDisable", BOOL, AT(oom_kill_disable) },
	{ HOST, "ShmSize", I64, AT(shm_size_bytes) },
	{ HOST, "Memory", I64, AT(memory) },
	{ HOST, "MemorySwap", I64, AT(memory_swap) },
	{ HOST, "MemoryReservation", I64, AT(memory_reservation) },
	{ HOST, "NanoCpus", I64, AT(nano_cpus) },
	{ HOST, "CpuShares", I64, AT(cpu_shares) },
	{ HOST, "CpuPeriod", I64, AT(cpu_period) },
	{ HOST, "CpuQuota", I64, AT(cpu_quota) },
	{ HOST, "CpusetCpus", STRING, AT(cpuset_cpus) },
	{ HOST, "CpusetMems", STRING, AT(cpuset_mems) },
	{ HOST, "PidsLimit", I64, AT(pids_limit) },
	{ HOST, "BlkioWeight", UINT, AT(blkio_weight) },
	{ HOST, "CgroupParent", STRING, AT(cgroup_parent) },
	{ HOST, "VolumesFrom", STRINGS, AT(volumes_from) },
	{ HOST, "NetworkMode", STRING, AT(network_mode) },
	{ HOST, "PublishAllPorts", BOOL, AT(publish_all) },
	{ HOST, "ExtraHosts", STRINGS, AT(extra_hosts) },
	{ HOST, "Dns", STRINGS, AT(dns) },
	{ HOST, "DnsSearch", STRINGS, AT(dns_search) },
	{ HOST, "DnsOptions", STRINGS, AT(dns_options) },
	{ ISLE, "EntrypointSet", BOOL, AT(entrypoint_set) },
	{ ISLE, "HealthDisable", BOOL, AT(health_disable) },
	{ ISLE, "NoNewPrivileges", BOOL, AT(no_new_privileges) },
	{ ISLE, "StopTimeout", INT, AT(stop_timeout_s) },
	{ ISLE, "RestartPolicy", INT, AT(restart) },
	{ ISLE, "RestartMax", UINT, AT(restart_max) },
	{ ISLE, "LogDriver", STRING, AT(log_driver) },
	{ ISLE, "LogOptions", PAIRS, AT(log_options) },
	{ ISLE, "Platform", STRING, AT(platform) },
	{ ISLE, "Layers", STRINGS, AT(layers) },
};

/* Lists of structs: a count beside a pointer, each element by a table of its own. */
struct list {
	const char *part, *name;
	size_t offset, offset_n, size;
	const struct field *fields;
	size_t n_fields;
};

#define IN(tag, name, kind, member) { NULL, name, kind, offsetof(struct tag, member) }

static const struct field mount_fields[] = {
	IN(instance_mount, "Type", STRING, type), IN(instance_mount, "Source", STRING, source),
	IN(instance_mount, "Target", STRING, target),
	IN(instance_mount, "ReadOnly", BOOL, read_only),
	IN(instance_mount, "NoCopy", BOOL, no_copy),
	IN(instance_mount, "Anonymous", BOOL, anonymous),
	IN(instance_mount, "Propagation", STRING, propagation),
	IN(instance_mount, "Options", STRINGS, options),
	IN(instance_mount, "SizeBytes", I64, tmpfs_size_bytes),
	IN(instance_mount, "Mode", UINT, tmpfs_mode),
};
static const struct field device_fields[] = {
	IN(instance_device, "PathOnHost", STRING, host),
	IN(instance_device, "PathInContainer", STRING, path),
	IN(instance_device, "CgroupPermissions", STRING, permissions),
};
static const struct field ulimit_fields[] = {
	IN(instance_ulimit, "Name", STRING, name), IN(instance_ulimit, "Soft", I64, soft),
	IN(instance_ulimit, "Hard", I64, hard),
};
static const struct field throttle_fields[] = {
	IN(instance_throttle, "Path", STRING, device), IN(instance_throttle, "Rate", I64, rate),
};
static const struct field network_fields[] = {
	IN(instance_network, "Name", STRING, name), IN(instance_network, "IPv4", STRING, ip4),
	IN(instance_network, "IPv6", STRING, ip6), IN(instance_network, "MAC", STRING, mac),
	IN(instance_network, "Aliases", STRINGS, aliases),
};

#define LIST(part, name, member, tag, table) \
	{ part, name, AT(member), AT(n_##member), sizeof(struct tag), table, ARRAY_LEN(table) }

static const struct list lists[] = {
	LIST(HOST, "Mounts", mounts, instance_mount, mount_fields),
	LIST(HOST, "Devices", devices, instance_device, device_fields),
	LIST(HOST, "Ulimits", ulimits, instance_ulimit, ulimit_fields),
	LIST(HOST, "BlkioDeviceReadBps", read_bps, instance_throttle, throttle_fields),
	LIST(HOST, "BlkioDeviceWriteBps", write_bps, instance_throttle, throttle_fields),
	LIST(HOST, "BlkioDeviceReadIOps", read_iops, instance_throttle, throttle_fields),
	LIST(HOST, "BlkioDeviceWriteIOps", write_iops, instance_throttle, throttle_fields),
	LIST(ISLE, "Networks", networks, instance_network, network_fields),
};

/* --- to JSON ---------------------------------------------------------------- */

json_t *strings_to_json(const struct oci_strv *v)
{
	json_t *j = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(j, json_string(v->v[i]));
	return j;
}

json_t *pairs_to_json(const struct oci_kvs *v)
{
	json_t *j = json_object();

	for (size_t i = 0; i < v->n; i++)
		json_object_set_new(j, v->v[i].key, json_string(v->v[i].value));
	return j;
}

static json_t *set_to_json(const struct oci_strv *v)
{
	json_t *j = json_object();

	for (size_t i = 0; i < v->n; i++)
		json_object_set_new(j, v->v[i], json_object());
	return j;
}

static json_t *value_to_json(const struct field *f, const void *base)
{
	const void *p = (const char *)base + f->offset;
	const char *s;

	switch (f->kind) {
	case STRING:
		s = *(const char *const *)p;
		return json_string(s ? s : "");
	case STRINGS:
		return strings_to_json(p);
	case PAIRS:
		return pairs_to_json(p);
	case SET:
		return set_to_json(p);
	case BOOL:
		return json_boolean(*(const bool *)p);
	case INT:
		return json_integer(*(const int *)p);
	case UINT:
		return json_integer(*(const unsigned *)p);
	case I64:
		return json_integer(*(const int64_t *)p);
	}
	return json_null();
}

static json_t *part_of(json_t *top, const char *part)
{
	json_t *j = json_object_get(top, part);

	if (!j) {
		j = json_object();
		json_object_set_new(top, part, j);
	}
	return j;
}

static json_t *list_to_json(const struct list *l, const struct instance_config *c)
{
	const char *v = *(const char *const *)(const void *)((const char *)c + l->offset);
	size_t n = *(const size_t *)(const void *)((const char *)c + l->offset_n);
	json_t *j = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *item = json_object();

		for (size_t k = 0; k < l->n_fields; k++)
			json_object_set_new(item, l->fields[k].name,
					    value_to_json(&l->fields[k], v + i * l->size));
		json_array_append_new(j, item);
	}
	return j;
}

/* {"80/tcp": [{HostIp, HostPort}]}: in the order of -p under each. */
static json_t *ports_to_json(const struct instance_config *c)
{
	json_t *j = json_object();

	for (size_t i = 0; i < c->n_ports; i++) {
		const struct net_port *p = &c->ports[i];
		char key[32], host_port[8] = "";

		snprintf(key, sizeof(key), "%u/%.8s", p->port, p->protocol);
		json_t *v = json_object_get(j, key);
		if (!v) {
			v = json_array();
			json_object_set_new(j, key, v);
		}
		if (p->host_port)
			snprintf(host_port, sizeof(host_port), "%u", p->host_port);
		json_array_append_new(v, json_pack("{ss ss}", "HostIp",
						   p->host_ip ? p->host_ip : "",
						   "HostPort", host_port));
	}
	return j;
}

static json_t *health_to_json(const struct image_healthcheck *h)
{
	if (!h->set)
		return json_null();
	return json_pack("{so sI sI sI sI}", "Test", strings_to_json(&h->test),
			 "Interval", (json_int_t)h->interval_ns,
			 "Timeout", (json_int_t)h->timeout_ns,
			 "StartPeriod", (json_int_t)h->start_period_ns,
			 "Retries", (json_int_t)h->retries);
}

json_t *instance_config_to_json(const struct instance_config *c)
{
	json_t *j = json_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		json_object_set_new(part_of(j, fields[i].part), fields[i].name,
				    value_to_json(&fields[i], c));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		json_object_set_new(part_of(j, lists[i].part), lists[i].name,
				    list_to_json(&lists[i], c));
	json_object_set_new(part_of(j, HOST), "PortBindings", ports_to_json(c));
	json_object_set_new(part_of(j, CONFIG), "Healthcheck", health_to_json(&c->health));
	return j;
}

/* --- from JSON ---------------------------------------------------------------- */

/* A list's strings, or a set's keys. */
static int read_strings(const json_t *j, struct arena *a, struct oci_strv *ret)
{
	json_t *object = json_is_object(j) ? (json_t *)(uintptr_t)j : NULL;
	size_t n = object ? json_object_size(object) : json_array_size(j), i = 0;

	ret->v = arena_calloc(a, n + 1, sizeof(*ret->v));
	ret->n = n;
	for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
		ret->v[i++] = arena_strdup(a, json_object_iter_key(it));
	for (; i < n; i++) {
		ret->v[i] = arena_strdup(a, json_string_value(json_array_get(j, i)));
		if (!ret->v[i])
			return -EINVAL;
	}
	return 0;
}

static int read_pairs(const json_t *j, struct arena *a, struct oci_kvs *ret)
{
	json_t *object = (json_t *)(uintptr_t)j;
	size_t i = 0;

	ret->v = arena_calloc(a, json_object_size(j) + 1, sizeof(*ret->v));
	ret->n = json_object_size(j);
	for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it), i++) {
		ret->v[i].key = arena_strdup(a, json_object_iter_key(it));
		ret->v[i].value = arena_strdup(a, json_string_value(json_object_iter_value(it)));
		if (!ret->v[i].value)
			return -EINVAL;
	}
	return 0;
}

static bool kind_fits(enum kind kind, const json_t *j)
{
	switch (kind) {
	case STRING:
		return json_is_string(j);
	case STRINGS:
		return json_is_array(j);
	case PAIRS:
	case SET:
		return json_is_object(j);
	case BOOL:
		return json_is_boolean(j);
	case INT:
	case UINT:
	case I64:
		return json_is_integer(j);
	}
	return false;
}

/* An absent member keeps its zero: rows of an older isle stay readable. */
static int read_value(const struct field *f, const json_t *object, struct arena *a, void *base,
		      struct err *e)
{
	const json_t *j = json_object_get(object, f->name);
	void *p = (char *)base + f->offset;
	int r = 0;

	if (!j)
		return 0;
	if (!kind_fits(f->kind, j))
		return err_set(e, EINVAL, "%s has a value of the wrong kind", f->name);
	switch (f->kind) {
	case STRING:
		if (json_string_length(j) > 0)
			*(const char **)p = arena_strdup(a, json_string_value(j));
		break;
	case STRINGS:
	case SET:
		r = read_strings(j, a, p);
		break;
	case PAIRS:
		r = read_pairs(j, a, p);
		break;
	case BOOL:
		*(bool *)p = json_is_true(j);
		break;
	case INT:
		*(int *)p = (int)json_integer_value(j);
		break;
	case UINT:
		*(unsigned *)p = (unsigned)json_integer_value(j);
		break;
	case I64:
		*(int64_t *)p = json_integer_value(j);
		break;
	}
	return r < 0 ? err_set(e, EINVAL, "%s: strings were expected", f->name) : 0;
}

static int read_list(const struct list *l, const json_t *j, struct arena *a,
		     struct instance_config *c, struct err *e)
{
	const json_t *list = json_object_get(json_object_get(j, l->part), l->name);
	size_t n = json_array_size(list);
	char *v = arena_calloc(a, n + 1, l->size);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		for (size_t k = 0; r == 0 && k < l->n_fields; k++)
			r = read_value(&l->fields[k], json_array_get(list, i), a,
				       v + i * l->size, e);
	*(void **)(void *)((char *)c + l->offset) = v;
	*(size_t *)(void *)((char *)c + l->offset_n) = n;
	return r;
}

static int read_port(const char *key, const json_t *j, struct arena *a, struct net_port *ret)
{
	const char *ip = json_string_value(json_object_get(j, "HostIp"));
	const char *host_port = json_string_value(json_object_get(j, "HostPort"));
	const char *slash = strchr(key, '/');

	if (!slash || !ip || !host_port)
		return -EINVAL;
	ret->port = (uint16_t)strtoul(key, NULL, 10);
	ret->host_port = (uint16_t)strtoul(host_port, NULL, 10);
	ret->protocol = arena_strdup(a, slash + 1);
	ret->host_ip = arena_strdup(a, ip);
	return 0;
}

static int read_ports(const json_t *host, struct arena *a, struct instance_config *c)
{
	json_t *ports = json_object_get(host, "PortBindings");
	size_t n = 0;
	int r = 0;

	for (void *it = json_object_iter(ports); it; it = json_object_iter_next(ports, it))
		n += json_array_size(json_object_iter_value(it));
	c->ports = arena_calloc(a, n + 1, sizeof(*c->ports));
	for (void *it = json_object_iter(ports); it; it = json_object_iter_next(ports, it))
		for (size_t i = 0; r == 0 && i < json_array_size(json_object_iter_value(it)); i++)
			r = read_port(json_object_iter_key(it),
				      json_array_get(json_object_iter_value(it), i), a,
				      &c->ports[c->n_ports++]);
	return r;
}

static int read_health(const json_t *j, struct arena *a, struct image_healthcheck *h)
{
	h->set = json_is_object(j);
	if (!h->set)
		return 0;
	h->interval_ns = (uint64_t)json_integer_value(json_object_get(j, "Interval"));
	h->timeout_ns = (uint64_t)json_integer_value(json_object_get(j, "Timeout"));
	h->start_period_ns = (uint64_t)json_integer_value(json_object_get(j, "StartPeriod"));
	h->retries = (unsigned)json_integer_value(json_object_get(j, "Retries"));
	return read_strings(json_object_get(j, "Test"), a, &h->test);
}

int instance_config_from_json(const json_t *j, struct arena *a, struct instance_config *ret,
			      struct err *e)
{
	const json_t *host = json_object_get(j, HOST);
	int r = 0;

	*ret = (struct instance_config){ .stop_timeout_s = -1 };
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(fields); i++)
		r = read_value(&fields[i], json_object_get(j, fields[i].part), a, ret, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++)
		r = read_list(&lists[i], j, a, ret, e);
	if (r < 0)
		return r;
	if (read_ports(host, a, ret) < 0)
		return err_set(e, EINVAL, "PortBindings is malformed");
	if (read_health(json_object_get(json_object_get(j, CONFIG), "Healthcheck"), a,
			&ret->health) < 0)
		return err_set(e, EINVAL, "Healthcheck is malformed");
	return 0;
}
