/*
 * engine/instance_describe.c - Docker's container object (Engine API, ContainerInspect).
 *
 * Its Config and HostConfig are what the database keeps; State is status.json;
 * NetworkSettings comes from the network's tables.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/instance_impl.h"
#include "engine/instance_json.h"

#define NEVER "0001-01-01T00:00:00Z"

static json_t *time_json(int64_t ns)
{
	char text[TIME_RFC3339_MAX] = NEVER;

	if (ns > 0)
		time_rfc3339_at(ns / 1000000000, (uint32_t)(ns % 1000000000), text);
	return json_string(text);
}

static json_t *text_json(const char *s)
{
	return json_string(s ? s : "");
}

/* {Status, FailingStreak, Log: [{Start, End, ExitCode, Output}]} out of status.json's. */
static json_t *health_json(const struct instance_status *s)
{
	json_t *log = json_array(), *entry;
	size_t i;

	json_array_foreach(json_object_get(s->health_log, "log"), i, entry)
		json_array_append_new(log, json_pack("{so so sO? sO?}",
			"Start", time_json(json_integer_value(json_object_get(entry, "start"))),
			"End", time_json(json_integer_value(json_object_get(entry, "end"))),
			"ExitCode", json_object_get(entry, "exitCode"),
			"Output", json_object_get(entry, "output")));
	return json_pack("{ss sI so}", "Status", s->health, "FailingStreak",
			 json_integer_value(json_object_get(s->health_log, "failingStreak")),
			 "Log", log);
}

static json_t *state_json(const struct instance_status *s)
{
	json_t *j = json_pack("{ss sb sb sb sb sb si si ss}",
		"Status", instance_state_name(s->state),
		/* Docker: a paused or restarting one runs as well. */
		"Running", s->state == INSTANCE_RUNNING || s->state == INSTANCE_PAUSED ||
			s->state == INSTANCE_RESTARTING,
		"Paused", s->state == INSTANCE_PAUSED,
		"Restarting", s->state == INSTANCE_RESTARTING,
		"OOMKilled", s->oom_killed, "Dead", s->state == INSTANCE_DEAD,
		"Pid", (int)s->pid, "ExitCode", s->exit_code, "Error", s->error);

	json_object_set_new(j, "StartedAt", time_json(s->started_ns));
	json_object_set_new(j, "FinishedAt", time_json(s->finished_ns));
	if (*s->health)
		json_object_set_new(j, "Health", health_json(s));
	return j;
}

json_t *instance_json_mounts(struct engine *eng, const struct instance *in)
{
	json_t *v = json_array();

	for (size_t i = 0; i < in->config.n_mounts; i++) {
		const struct instance_mount *m = &in->config.mounts[i];
		bool volume = strcmp(m->type, "volume") == 0;
		CLEANUP_FREE char *source = volume && m->source ?
			xasprintf("%s/volumes/%s/_data", eng->root, m->source) :
			xstrdup(m->source ? m->source : "");
		json_t *j = json_pack("{ss ss ss ss sb ss}", "Type", m->type, "Source", source,
				      "Destination", m->target, "Mode", "", "RW", !m->read_only,
				      "Propagation", m->propagation ? m->propagation :
				      strcmp(m->type, "bind") == 0 ? "rprivate" : "");

		if (volume) {
			json_object_set_new(j, "Name", text_json(m->source));
			json_object_set_new(j, "Driver", json_string("local"));
		}
		json_array_append_new(v, j);
	}
	return v;
}

/* --- NetworkSettings -------------------------------------------------------------------- */

static void copy_text(json_t *to, const char *to_name, const json_t *from, const char *from_name)
{
	const json_t *v = json_object_get(from, from_name);

	json_object_set_new(to, to_name, text_json(json_string_value(v)));
}

static json_t *endpoint_json(const json_t *n)
{
	json_t *j = json_object();
	json_t *aliases = json_object_get(n, "aliases");

	copy_text(j, "IPAddress", n, "ip4");
	copy_text(j, "Gateway", n, "gateway4");
	copy_text(j, "GlobalIPv6Address", n, "ip6");
	copy_text(j, "IPv6Gateway", n, "gateway6");
	copy_text(j, "MacAddress", n, "mac");
	copy_text(j, "NetworkID", n, "network_id");
	copy_text(j, "EndpointID", n, "endpoint_id");
	json_object_set_new(j, "IPPrefixLen",
			    json_integer(json_integer_value(json_object_get(n, "prefix4"))));
	json_object_set_new(j, "GlobalIPv6PrefixLen",
			    json_integer(json_integer_value(json_object_get(n, "prefix6"))));
	if (aliases)
		json_object_set(j, "Aliases", aliases);
	return j;
}

/* "80/tcp": [{HostIp, HostPort}], null for what is only exposed. */
static void add_ports(json_t *ports, json_t *list)
{
	json_t *p;
	size_t i;

	json_array_foreach(list, i, p) {
		char key[32], host_port[8];
		const char *protocol = json_string_value(json_object_get(p, "protocol"));

		snprintf(key, sizeof(key), "%d/%.8s",
			 (int)json_integer_value(json_object_get(p, "port")),
			 protocol ? protocol : "tcp");
		snprintf(host_port, sizeof(host_port), "%d",
			 (int)json_integer_value(json_object_get(p, "host_port")));
		json_t *at = json_object_get(ports, key);
		if (!json_is_array(at)) {
			at = json_array();
			json_object_set_new(ports, key, at);
		}
		json_t *one = json_pack("{ss}", "HostPort", host_port);
		copy_text(one, "HostIp", p, "host_ip");
		json_array_append_new(at, one);
	}
}

static int network_json(struct engine *eng, const struct instance *in, json_t **ret, struct err *e)
{
	CLEANUP_JSON json_t *list = NULL;
	json_t *top = json_object(), *networks = json_object(), *ports = json_object(), *n;
	size_t i;
	int r = instance_is_up(in) ? net_describe(&eng->net, in->id, &list, e) : 0;

	for (i = 0; i < in->config.expose.n; i++)
		json_object_set_new(ports, in->config.expose.v[i], json_null());
	json_array_foreach(list, i, n) {
		const char *name = json_string_value(json_object_get(n, "network"));
		json_t *ep = endpoint_json(n);

		add_ports(ports, json_object_get(n, "ports"));
		/* At the top, as before there were several networks: the first one's. */
		if (i == 0)
			json_object_update_missing(top, ep);
		json_object_set_new(networks, name ? name : "", ep);
	}
	if (r == 0 && !list && in->config.network_mode)
		json_object_set_new(networks, in->config.network_mode, endpoint_json(NULL));
	if (!json_object_get(top, "IPAddress")) {
		json_t *none = endpoint_json(NULL);

		json_object_update_missing(top, none);
		json_decref(none);
	}
	json_object_set_new(top, "Ports", ports);
	json_object_set_new(top, "Networks", networks);
	*ret = top;
	if (r < 0)
		json_decref(top);
	return r;
}

/* --- the object ---------------------------------------------------------------------------- */

static json_t *host_config(json_t *host, const struct instance_config *c)
{
	static const char *const policies[] = { "no", "on-failure", "always", "unless-stopped" };

	json_object_set_new(host, "RestartPolicy",
			    json_pack("{ss si}", "Name", policies[c->restart],
				      "MaximumRetryCount", (int)c->restart_max));
	json_object_set_new(host, "LogConfig", json_pack("{ss so}", "Type", c->log_driver,
							 "Config", pairs_to_json(&c->log_options)));
	json_object_set_new(host, "Runtime", text_json(c->wall));
	return host;
}

static json_t *args_of(const struct instance_config *c, const char **ret_path)
{
	json_t *args = json_array();

	*ret_path = "";
	for (size_t i = 0; i < c->entrypoint.n + c->cmd.n; i++) {
		const char *s = i < c->entrypoint.n ? c->entrypoint.v[i] :
						      c->cmd.v[i - c->entrypoint.n];
		if (i == 0)
			*ret_path = s;
		else
			json_array_append_new(args, json_string(s));
	}
	return args;
}

int instance_describe(struct engine *eng, struct instance *in, json_t **ret, struct err *e)
{
	const struct instance_config *c = &in->config;
	CLEANUP_JSON json_t *config = instance_config_to_json(c);
	CLEANUP_FREE char *slash_name = xasprintf("/%s", in->name);
	json_t *j = json_object(), *network;
	const char *path;

	json_object_set_new(j, "Id", json_string(in->id));
	json_object_set_new(j, "Created", time_json(in->created_ns));
	json_t *args = args_of(c, &path);
	json_object_set_new(j, "Path", json_string(path));
	json_object_set_new(j, "Args", args);
	json_object_set_new(j, "State", state_json(&in->status));
	json_object_set_new(j, "Image", text_json(in->image_id));
	static const char *const files[][2] = {
		{ "ResolvConfPath", "resolv.conf" }, { "HostnamePath", "hostname" },
		{ "HostsPath", "hosts" },
	};
	CLEANUP_FREE char *log = instance_path(eng, in->id, "log.json");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP_FREE char *file = instance_bundle_path(eng, in->id, files[i][1]);
		json_object_set_new(j, files[i][0], json_string(file));
	}
	json_object_set_new(j, "LogPath", json_string(log));
	json_object_set_new(j, "Name", json_string(slash_name));
	json_object_set_new(j, "RestartCount", json_integer(in->status.restart_count));
	json_object_set_new(j, "Driver", json_string("overlayfs"));
	json_object_set_new(j, "Platform", json_string("linux"));
	json_object_set(j, "HostConfig", host_config(json_object_get(config, "HostConfig"), c));
	json_object_set_new(j, "Mounts", instance_json_mounts(eng, in));
	if (c->stop_timeout_s >= 0)
		json_object_set_new(json_object_get(config, "Config"), "StopTimeout",
				    json_integer(c->stop_timeout_s));
	json_object_set(j, "Config", json_object_get(config, "Config"));
	int r = network_json(eng, in, &network, e);
	if (r < 0) {
		json_decref(j);
		return r;
	}
	json_object_set_new(j, "NetworkSettings", network);
	*ret = j;
	return 0;
}
