/* cli/isle/run_options.c - see run_options.h */
#include "cli/isle/run_options.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/run_values.h"
#include "cli/values.h"

#define MEMORY_MIN (6 << 20)            /* Docker's: less cannot even start a program */
#define HOSTNAME_MAX 64                 /* sethostname(2) */

/* --- values that need nothing else --------------------------------------- */

static int parse_bytes(const char *s, void *target, struct err *e)
{
	return value_bytes(s, target, e);
}

static int parse_i64(const char *s, void *target, struct err *e)
{
	return value_i64(s, target, e);
}

static int parse_cpus(const char *s, void *target, struct err *e)
{
	return cpus_parse(s, target, e);
}

static int parse_duration(const char *s, void *target, struct err *e)
{
	uint64_t *ns = target;
	int r = value_duration_ns(s, ns, e);

	/* 0 is "the image's, or the default", as in Docker. */
	if (r >= 0 && *ns && *ns < 1000000)
		return err_set(e, EINVAL, "\"%s\" is less than 1ms", s);
	return r;
}

static int parse_oom_score(const char *s, void *target, struct err *e)
{
	int64_t v;

	if (value_i64(s, &v, NULL) < 0 || v < -1000 || v > 1000)
		return err_set(e, EINVAL, "\"%s\" is not a number from -1000 to 1000", s);
	*(int *)target = (int)v;
	return 0;
}

static int parse_signal_name(const char *s, void *target, struct err *e)
{
	int r = value_signal(s, e);

	*(const char **)target = s;
	return r < 0 ? r : 0;
}

static int parse_restart(const char *s, void *target, struct err *e)
{
	struct run_options *o = (struct run_options *)((char *)target -
						       offsetof(struct run_options, restart_set));

	o->restart_set = true;
	return restart_parse(s, &o->config.restart, &o->config.restart_max, e);
}

static int parse_blkio_weight(const char *s, void *target, struct err *e)
{
	uint64_t v;

	if (value_u64(s, &v, NULL) < 0 || (v != 0 && (v < 10 || v > 1000)))
		return err_set(e, EINVAL, "\"%s\" is not a weight from 10 to 1000, nor 0", s);
	*(unsigned *)target = (unsigned)v;
	return 0;
}

/* A mode is one of words, or, where the first is "container:", another instance's. */
static int mode_choice(const char *s, const char *const *words, size_t n, const char **target,
		       struct err *e)
{
	*target = s;
	if (strcmp(words[0], "container:") == 0 && strncmp(s, words[0], 10) == 0 && s[10])
		return 0;
	return value_choice(s, words, n, e);
}

static int parse_pid_mode(const char *s, void *target, struct err *e)
{
	static const char *const words[] = { "container:", "host", "private" };

	return mode_choice(s, words, ARRAY_LEN(words), target, e);
}

static int parse_ipc_mode(const char *s, void *target, struct err *e)
{
	static const char *const words[] = { "container:", "host", "private", "shareable", "none" };

	return mode_choice(s, words, ARRAY_LEN(words), target, e);
}

/* --uts, --userns, --cgroupns */
static int parse_own_mode(const char *s, void *target, struct err *e)
{
	static const char *const words[] = { "host", "private" };

	return mode_choice(s, words, ARRAY_LEN(words), target, e);
}

static int parse_pull(const char *s, void *target, struct err *e)
{
	static const char *const words[] = { "missing", "always", "never" };

	return mode_choice(s, words, ARRAY_LEN(words), target, e);
}

static int parse_log_driver(const char *s, void *target, struct err *e)
{
	static const char *const words[] = { "json-file", "journald", "none" };

	return mode_choice(s, words, ARRAY_LEN(words), target, e);
}

static int parse_hostname(const char *s, void *target, struct err *e)
{
	*(const char **)target = s;
	if (!*s || strlen(s) > HOSTNAME_MAX || strpbrk(s, "/ \t\n"))
		return err_set(e, EINVAL, "\"%s\" is not a host name of 1 to %d letters", s,
			       HOSTNAME_MAX);
	return 0;
}

/* --- the table ---------------------------------------------------------- */

#define AT(member) offsetof(struct run_options, member)
#define CONFIG(member) offsetof(struct run_options, config.member)

/*
 * In the order of -h.  -h itself is --hostname, as in Docker: help has no letter.
 */
const struct option run_option_table[RUN_OPTIONS_COUNT] = {
	{ "detach", 'd', OPT_FLAG, AT(detach), NULL,
	  "run in the background and print the ID", NULL },
	{ "detach-keys", 0, OPT_STRING, AT(detach_keys), "KEYS",
	  "keys that detach (default ctrl-p,ctrl-q)", NULL },
	{ "sig-proxy", 0, OPT_FLAG_OFF, AT(no_sig_proxy), NULL,
	  "pass signals on to the program (default true)", NULL },
	{ "add-host", 0, OPT_STRINGS, AT(add_hosts), "NAME:IP", "a line of /etc/hosts", NULL },
	{ "annotation", 0, OPT_STRINGS, AT(annotations), "KEY=VALUE",
	  "an annotation of the OCI bundle", NULL },
	{ "attach", 'a', OPT_STRINGS, AT(attach), "STREAM",
	  "attach stdin, stdout or stderr", NULL },
	{ "cap-add", 0, OPT_STRINGS, CONFIG(cap_add), "CAP", "add a capability, or ALL", NULL },
	{ "cap-drop", 0, OPT_STRINGS, CONFIG(cap_drop), "CAP", "drop a capability, or ALL", NULL },
	{ "cgroup-parent", 0, OPT_STRING, CONFIG(cgroup_parent), "PATH",
	  "control group above the instance's", NULL },
	{ "cgroupns", 0, OPT_PARSED, CONFIG(cgroupns_mode), "MODE",
	  "cgroup namespace: host or private", parse_own_mode },
	{ "cidfile", 0, OPT_STRING, AT(cidfile), "FILE",
	  "write the ID to FILE, which must not exist", NULL },
	{ "device", 0, OPT_STRINGS, AT(devices), "HOST[:PATH[:rwm]]",
	  "give it a device of the host", NULL },
	{ "device-cgroup-rule", 0, OPT_STRINGS, CONFIG(device_cgroup_rules), "RULE",
	  "allow devices: \"c 1:3 rwm\"", NULL },
	{ "device-read-bps", 0, OPT_STRINGS, AT(read_bps), "DEVICE:RATE",
	  "limit bytes read a second", NULL },
	{ "device-read-iops", 0, OPT_STRINGS, AT(read_iops), "DEVICE:RATE",
	  "limit reads a second", NULL },
	{ "device-write-bps", 0, OPT_STRINGS, AT(write_bps), "DEVICE:RATE",
	  "limit bytes written a second", NULL },
	{ "device-write-iops", 0, OPT_STRINGS, AT(write_iops), "DEVICE:RATE",
	  "limit writes a second", NULL },
	{ "dns", 0, OPT_STRINGS, AT(dns), "IP", "a DNS server", NULL },
	{ "dns-option", 0, OPT_STRINGS, CONFIG(dns_options), "OPTION",
	  "an option of resolv.conf", NULL },
	{ "dns-search", 0, OPT_STRINGS, CONFIG(dns_search), "DOMAIN", "a DNS search domain", NULL },
	{ "domainname", 0, OPT_STRING, CONFIG(domainname), "NAME", "NIS domain name", NULL },
	{ "entrypoint", 0, OPT_STRING, AT(entrypoint), "PROGRAM",
	  "instead of the image's entry point", NULL },
	{ "env", 'e', OPT_STRINGS, AT(env), "NAME[=VALUE]", "set an environment variable", NULL },
	{ "env-file", 0, OPT_STRINGS, AT(env_files), "FILE",
	  "read environment variables from FILE", NULL },
	{ "expose", 0, OPT_STRINGS, AT(expose), "PORT[/PROTO]", "tell of a port, for -P", NULL },
	{ "group-add", 0, OPT_STRINGS, CONFIG(group_add), "GROUP",
	  "a further group, by name or number", NULL },
	{ "health-cmd", 0, OPT_STRING, AT(health_cmd), "COMMAND",
	  "command that checks the health", NULL },
	{ "health-interval", 0, OPT_PARSED, CONFIG(health.interval_ns), "DURATION",
	  "time between checks (default 30s)", parse_duration },
	{ "health-retries", 0, OPT_UINT, CONFIG(health.retries), "N",
	  "failures in a row that mean unhealthy (default 3)", NULL },
	{ "health-start-period", 0, OPT_PARSED, CONFIG(health.start_period_ns), "DURATION",
	  "failures this early do not count", parse_duration },
	{ "health-timeout", 0, OPT_PARSED, CONFIG(health.timeout_ns), "DURATION",
	  "time a check may take (default 30s)", parse_duration },
	{ "hostname", 'h', OPT_PARSED, CONFIG(hostname), "NAME",
	  "host name inside (default: the ID's start)", parse_hostname },
	{ "init", 0, OPT_FLAG, CONFIG(init), NULL,
	  "a small init as process 1: it reaps and passes signals on", NULL },
	{ "interactive", 'i', OPT_FLAG, CONFIG(open_stdin), NULL,
	  "keep standard input open", NULL },
	{ "ip", 0, OPT_STRING, AT(ip4), "IP", "IPv4 address on the network", NULL },
	{ "ip6", 0, OPT_STRING, AT(ip6), "IP", "IPv6 address on the network", NULL },
	{ "ipc", 0, OPT_PARSED, CONFIG(ipc_mode), "MODE",
	  "host, private, shareable, none, container:NAME", parse_ipc_mode },
	{ "label", 'l', OPT_STRINGS, AT(labels), "KEY[=VALUE]", "a label", NULL },
	{ "label-file", 0, OPT_STRINGS, AT(label_files), "FILE", "read labels from FILE", NULL },
	{ "log-driver", 0, OPT_PARSED, CONFIG(log_driver), "DRIVER",
	  "json-file, journald or none", parse_log_driver },
	{ "log-opt", 0, OPT_STRINGS, AT(log_options), "KEY=VALUE",
	  "max-size=SIZE, max-file=N, tag=TEXT", NULL },
	{ "mac-address", 0, OPT_STRING, AT(mac), "MAC", "Ethernet address on the network", NULL },
	{ "mount", 0, OPT_STRINGS, AT(mounts), "FIELDS",
	  "type=bind|volume|tmpfs,source=...,target=...", NULL },
	{ "name", 0, OPT_STRING, AT(name), "NAME",
	  "name of the instance (default: one is made)", NULL },
	{ "network", 0, OPT_STRINGS, AT(networks), "NETWORK",
	  "a network, none, host or container:NAME (default bridge)", NULL },
	{ "net", 0, OPT_STRINGS, AT(networks), "NETWORK", "the same as --network", NULL },
	{ "network-alias", 0, OPT_STRINGS, AT(aliases), "NAME",
	  "a further name on the network", NULL },
	{ "net-alias", 0, OPT_STRINGS, AT(aliases), "NAME", "the same as --network-alias", NULL },
	{ "no-healthcheck", 0, OPT_FLAG, CONFIG(health_disable), NULL,
	  "do not run the image's health check", NULL },
	{ "oom-kill-disable", 0, OPT_FLAG, CONFIG(oom_kill_disable), NULL,
	  "wait for memory instead of being killed (cgroup v1)", NULL },
	{ "oom-score-adj", 0, OPT_PARSED, CONFIG(oom_score_adj), "N",
	  "-1000 (killed last) to 1000", parse_oom_score },
	{ "pid", 0, OPT_PARSED, CONFIG(pid_mode), "MODE",
	  "host, private, container:NAME", parse_pid_mode },
	{ "platform", 0, OPT_STRING, CONFIG(platform), "OS/ARCH",
	  "which of a multi-platform image", NULL },
	{ "privileged", 0, OPT_FLAG, CONFIG(privileged), NULL,
	  "all capabilities and devices, nothing masked", NULL },
	{ "publish", 'p', OPT_STRINGS, AT(publish), "[[IP:]HOST:]PORT",
	  "publish a port, or a range, [/udp]", NULL },
	{ "publish-all", 'P', OPT_FLAG, CONFIG(publish_all), NULL,
	  "publish all exposed ports on free ones", NULL },
	{ "pull", 0, OPT_PARSED, AT(pull), "WHEN", "missing (default), always, never", parse_pull },
	{ "quiet", 'q', OPT_FLAG, AT(quiet), NULL, "do not show how a pull goes on", NULL },
	{ "read-only", 0, OPT_FLAG, CONFIG(read_only), NULL, "root file system read-only", NULL },
	{ "rm", 0, OPT_FLAG, CONFIG(auto_remove), NULL,
	  "remove it and its anonymous volumes when it ends", NULL },
	{ "security-opt", 0, OPT_STRINGS, AT(security), "OPTION",
	  "no-new-privileges, seccomp=FILE, apparmor=...", NULL },
	{ "shm-size", 0, OPT_PARSED, CONFIG(shm_size_bytes), "SIZE",
	  "size of /dev/shm (default 64m)", parse_bytes },
	{ "stop-signal", 0, OPT_PARSED, CONFIG(stop_signal), "SIGNAL",
	  "signal that stops it (default the image's, or TERM)", parse_signal_name },
	{ "stop-timeout", 0, OPT_STRING, AT(stop_timeout), "SECONDS",
	  "time to stop in, before KILL (default 10)", NULL },
	{ "sysctl", 0, OPT_STRINGS, AT(sysctls), "KEY=VALUE",
	  "a kernel parameter of its namespaces", NULL },
	{ "tmpfs", 0, OPT_STRINGS, AT(tmpfs), "TARGET[:OPTIONS]", "mount a tmpfs", NULL },
	{ "tty", 't', OPT_FLAG, CONFIG(tty), NULL, "give it a terminal", NULL },
	{ "ulimit", 0, OPT_STRINGS, AT(ulimits), "NAME=SOFT[:HARD]",
	  "a resource limit of its processes", NULL },
	{ "user", 'u', OPT_STRING, CONFIG(user), "USER[:GROUP]",
	  "run as this user, by name or number", NULL },
	{ "userns", 0, OPT_PARSED, CONFIG(userns_mode), "MODE",
	  "user namespace: host or private", parse_own_mode },
	{ "uts", 0, OPT_PARSED, CONFIG(uts_mode), "MODE",
	  "host name namespace: host or private", parse_own_mode },
	{ "volume", 'v', OPT_STRINGS, AT(volumes), "[SOURCE:]TARGET[:OPTIONS]",
	  "mount a folder or a volume", NULL },
	{ "volumes-from", 0, OPT_STRINGS, CONFIG(volumes_from), "NAME[:ro]",
	  "mount another instance's volumes", NULL },
	{ "wall", 0, OPT_STRING, CONFIG(wall), "WALL",
	  "what isolates it (default container)", NULL },
	{ "workdir", 'w', OPT_STRING, CONFIG(working_dir), "DIR", "directory to start in", NULL },
	{ "blkio-weight", 0, OPT_PARSED, CONFIG(blkio_weight), "N",
	  "share of block I/O, 10 to 1000", parse_blkio_weight },
	{ "cpu-period", 0, OPT_PARSED, CONFIG(cpu_period), "MICROSECONDS",
	  "period of --cpu-quota", parse_i64 },
	{ "cpu-quota", 0, OPT_PARSED, CONFIG(cpu_quota), "MICROSECONDS",
	  "processor time a period", parse_i64 },
	{ "cpu-shares", 'c', OPT_PARSED, CONFIG(cpu_shares), "N",
	  "share of busy processors (default 1024)", parse_i64 },
	{ "cpus", 0, OPT_PARSED, CONFIG(nano_cpus), "N", "how many processors: 1.5", parse_cpus },
	{ "cpuset-cpus", 0, OPT_STRING, CONFIG(cpuset_cpus), "LIST",
	  "which processors: 0-3,5", NULL },
	{ "cpuset-mems", 0, OPT_STRING, CONFIG(cpuset_mems), "LIST",
	  "which memory nodes: 0,1", NULL },
	{ "memory", 'm', OPT_PARSED, CONFIG(memory), "SIZE", "limit of memory", parse_bytes },
	{ "memory-reservation", 0, OPT_PARSED, CONFIG(memory_reservation), "SIZE",
	  "what it keeps when memory is short", parse_bytes },
	{ "memory-swap", 0, OPT_PARSED, CONFIG(memory_swap), "SIZE",
	  "limit of memory and swap together, -1 none", parse_bytes },
	{ "pids-limit", 0, OPT_PARSED, CONFIG(pids_limit), "N",
	  "limit of processes, -1 none", parse_i64 },
	{ "restart", 0, OPT_PARSED, AT(restart_set), "POLICY",
	  "no, on-failure[:N], always, unless-stopped", parse_restart },
	{ "help", 0, OPT_HELP, 0, NULL, "show this help", NULL },
};

/* --- what depends on another ---------------------------------------------- */

int run_limits_check(const struct instance_config *c, struct err *e)
{
	if (c->memory < 0 || (c->memory && c->memory < MEMORY_MIN))
		return err_set(e, EINVAL, "option --memory: the least is 6m");
	if (c->memory_swap < -1)
		return err_set(e, EINVAL, "option --memory-swap: a size or -1 was expected");
	if (c->memory_reservation < 0 || (c->memory && c->memory_reservation > c->memory))
		return err_set(e, EINVAL, "option --memory-reservation: it must be below --memory");
	if (c->nano_cpus && (c->cpu_period || c->cpu_quota))
		return err_set(e, EINVAL, "option --cpus: it does not go with --cpu-period and "
			       "--cpu-quota, which say the same");
	if (c->cpu_period && (c->cpu_period < 1000 || c->cpu_period > 1000000))
		return err_set(e, EINVAL, "option --cpu-period: from 1000 to 1000000 "
			       "microseconds");
	if (c->cpu_quota && c->cpu_quota != -1 && c->cpu_quota < 1000)
		return err_set(e, EINVAL, "option --cpu-quota: the least is 1000 microseconds");
	if (c->cpu_shares < 0)
		return err_set(e, EINVAL, "option --cpu-shares: a number above 0 was expected");
	if (c->pids_limit < -1)
		return err_set(e, EINVAL, "option --pids-limit: a number or -1 was expected");
	return 0;
}

static int swap_check(const struct instance_config *c, struct err *e)
{
	if (c->memory_swap && !c->memory)
		return err_set(e, EINVAL, "option --memory-swap: it is memory and swap together, "
			       "so it needs --memory");
	if (c->memory_swap > 0 && c->memory_swap < c->memory)
		return err_set(e, EINVAL, "option --memory-swap: it is memory and swap together, "
			       "so it cannot be below --memory");
	return 0;
}

/* Calls parse(text, i) for each; the message names the option. */
#define EACH(list, option, call) \
	do { \
		for (size_t i = 0; i < (list).n; i++) { \
			const char *text = (list).v[i]; \
			if ((call) < 0) \
				return err_prefix(e, "option --" option); \
		} \
	} while (0)

static int finish_words(struct run_options *o, struct arena *a, struct err *e)
{
	struct instance_config *c = &o->config;
	struct oci_kvs sysctls = { 0 };

	EACH(o->env_files, "env-file", env_file_parse(text, a, &c->env, e));
	EACH(o->env, "env", env_parse(text, a, &c->env, e));
	EACH(o->label_files, "label-file", label_file_parse(text, a, &c->labels, e));
	EACH(o->labels, "label", key_value_parse(text, a, &c->labels, e));
	EACH(o->annotations, "annotation", key_value_parse(text, a, &c->annotations, e));
	EACH(o->sysctls, "sysctl", key_value_parse(text, a, &sysctls, e));
	EACH(o->log_options, "log-opt", log_option_parse(text, a, &c->log_options, e));
	EACH(o->security, "security-opt", security_parse(text, a, c, e));
	EACH(o->expose, "expose", expose_parse(text, a, &c->expose, e));
	EACH(o->publish, "publish", port_parse(text, a, &c->ports, &c->n_ports, e));
	c->sysctls = sysctls;
	return 0;
}

static int finish_lists(struct run_options *o, struct arena *a, struct err *e)
{
	struct instance_config *c = &o->config;

	c->mounts = arena_calloc(a, o->volumes.n + o->mounts.n + o->tmpfs.n, sizeof(*c->mounts));
	EACH(o->volumes, "volume", volume_parse(text, a, &c->mounts[c->n_mounts++], e));
	EACH(o->mounts, "mount", mount_parse(text, a, &c->mounts[c->n_mounts++], e));
	EACH(o->tmpfs, "tmpfs", tmpfs_parse(text, a, &c->mounts[c->n_mounts++], e));
	c->devices = arena_calloc(a, o->devices.n, sizeof(*c->devices));
	EACH(o->devices, "device", device_parse(text, a, &c->devices[c->n_devices++], e));
	c->ulimits = arena_calloc(a, o->ulimits.n, sizeof(*c->ulimits));
	EACH(o->ulimits, "ulimit", ulimit_parse(text, a, &c->ulimits[c->n_ulimits++], e));
	c->read_bps = arena_calloc(a, o->read_bps.n, sizeof(*c->read_bps));
	EACH(o->read_bps, "device-read-bps",
	     throttle_parse(text, true, a, &c->read_bps[c->n_read_bps++], e));
	c->write_bps = arena_calloc(a, o->write_bps.n, sizeof(*c->write_bps));
	EACH(o->write_bps, "device-write-bps",
	     throttle_parse(text, true, a, &c->write_bps[c->n_write_bps++], e));
	c->read_iops = arena_calloc(a, o->read_iops.n, sizeof(*c->read_iops));
	EACH(o->read_iops, "device-read-iops",
	     throttle_parse(text, false, a, &c->read_iops[c->n_read_iops++], e));
	c->write_iops = arena_calloc(a, o->write_iops.n, sizeof(*c->write_iops));
	EACH(o->write_iops, "device-write-iops",
	     throttle_parse(text, false, a, &c->write_iops[c->n_write_iops++], e));
	for (size_t i = 0; i < c->n_mounts; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->mounts[i].target, c->mounts[k].target) == 0)
				return err_set(e, EINVAL, "two mounts have the target %s",
					       c->mounts[i].target);
	return 0;
}

/* --- the network ---------------------------------------------------------- */

static bool is_network(const struct instance_config *c)
{
	return strcmp(c->network_mode, "none") != 0 && strcmp(c->network_mode, "host") != 0 &&
	       strncmp(c->network_mode, "container:", 10) != 0;
}

/* What an instance without a network stack of its own cannot be given. */
static int network_mode_check(const struct run_options *o, struct err *e)
{
	const struct instance_config *c = &o->config;
	bool shared = strncmp(c->network_mode, "container:", 10) == 0;

	if (shared && (c->n_ports || c->publish_all))
		return err_set(e, EINVAL, "option --publish: the ports are %s's to publish",
			       c->network_mode);
	if (shared && c->hostname)
		return err_set(e, EINVAL, "option --hostname: the name is %s's", c->network_mode);
	if (shared && (c->extra_hosts.n || c->dns.n || c->dns_search.n || c->dns_options.n))
		return err_set(e, EINVAL, "option --dns, --add-host: the names are %s's",
			       c->network_mode);
	if (o->ip4 || o->ip6 || o->mac || o->aliases.n)
		return err_set(e, EINVAL, "option --ip, --mac-address, --network-alias: they do "
			       "not go with --network %s", c->network_mode);
	if (!shared && (c->n_ports || c->publish_all))
		log_warn("published ports are discarded with --network %s", c->network_mode);
	return 0;
}

static int own_network(const struct run_options *o, struct arena *a, struct err *e)
{
	struct instance_network *n = &o->config.networks[0];
	bool named = strcmp(n->name, NET_DEFAULT) != 0;

	if ((o->ip4 || o->ip6) && !named)
		return err_set(e, EINVAL, "option --ip: addresses are chosen on networks that were "
			       "made by \"isle network create\", so name one with --network");
	if (o->aliases.n && !named)
		return err_set(e, EINVAL, "option --network-alias: names are resolved on networks "
			       "that were made by \"isle network create\", so name one with "
			       "--network");
	n->ip4 = o->ip4 ? o->ip4 : n->ip4;
	n->ip6 = o->ip6 ? o->ip6 : n->ip6;
	n->mac = o->mac ? o->mac : n->mac;
	for (size_t i = 0; i < o->aliases.n; i++)
		words_add(a, &n->aliases, o->aliases.v[i]);
	if (o->ip4 && value_ip(o->ip4, AF_INET, e) < 0)
		return err_prefix(e, "option --ip");
	if (o->ip6 && value_ip(o->ip6, AF_INET6, e) < 0)
		return err_prefix(e, "option --ip6");
	if (o->mac && value_mac(o->mac, e) < 0)
		return err_prefix(e, "option --mac-address");
	return 0;
}

static int finish_network(struct run_options *o, struct arena *a, struct err *e)
{
	struct instance_config *c = &o->config;

	c->networks = arena_calloc(a, o->networks.n + 1, sizeof(*c->networks));
	EACH(o->networks, "network", network_parse(text, a, &c->networks[c->n_networks++], e));
	EACH(o->dns, "dns", value_ip(text, AF_UNSPEC, e));
	c->dns = o->dns;
	c->extra_hosts.v = arena_calloc(a, o->add_hosts.n + 1, sizeof(*c->extra_hosts.v));
	EACH(o->add_hosts, "add-host",
	     extra_host_parse(text, a, &c->extra_hosts.v[c->extra_hosts.n++], e));
	if (!c->n_networks)
		c->networks[c->n_networks++].name = NET_DEFAULT;
	for (size_t i = 0; i < c->n_networks; i++) {
		c->network_mode = c->networks[i].name;
		if (c->n_networks > 1 && !is_network(c))
			return err_set(e, EINVAL, "option --network: \"%s\" cannot be one of "
				       "several",
				       c->network_mode);
	}
	c->network_mode = c->networks[0].name;
	if (is_network(c))
		return own_network(o, a, e);
	/* network_mode says it all: there is no endpoint. */
	c->n_networks = 0;
	return network_mode_check(o, e);
}

/* --- all ------------------------------------------------------------------ */

static int finish_program(struct run_options *o, struct arena *a, struct err *e)
{
	struct instance_config *c = &o->config;
	uint64_t seconds;

	if (o->entrypoint) {
		c->entrypoint_set = true;
		if (*o->entrypoint)
			words_add(a, &c->entrypoint, o->entrypoint);
	}
	c->stop_timeout_s = -1;
	if (o->stop_timeout && strcmp(o->stop_timeout, "-1") != 0) {
		if (value_u64(o->stop_timeout, &seconds, NULL) < 0 || seconds > INT_MAX / 1000)
			return err_set(e, EINVAL, "option --stop-timeout: \"%s\" is not a number "
				       "of seconds", o->stop_timeout);
		c->stop_timeout_s = (int)seconds;
	}
	struct image_healthcheck *h = &c->health;
	if (o->health_cmd) {
		words_add(a, &h->test, "CMD-SHELL");
		words_add(a, &h->test, o->health_cmd);
	}
	h->set = h->test.n || h->interval_ns || h->timeout_ns || h->start_period_ns || h->retries;
	if (h->set && c->health_disable)
		return err_set(e, EINVAL, "option --no-healthcheck: it does not go with "
			       "--health-*");
	if (c->working_dir && c->working_dir[0] != '/')
		return err_set(e, EINVAL, "option --workdir: \"%s\" is not an absolute path",
			       c->working_dir);
	return 0;
}

static int check(const struct run_options *o, struct err *e)
{
	const struct instance_config *c = &o->config;

	if (c->auto_remove && c->restart != RESTART_NO)
		return err_set(e, EINVAL, "option --rm: it does not go with --restart");
	if (c->hostname && c->uts_mode && strcmp(c->uts_mode, "host") == 0)
		return err_set(e, EINVAL, "option --hostname: it does not go with --uts host");
	if (c->log_options.n && c->log_driver && strcmp(c->log_driver, "none") == 0)
		return err_set(e, EINVAL, "option --log-opt: it does not go with --log-driver "
			       "none");
	if (o->detach && o->attach.n)
		return err_set(e, EINVAL, "option --attach: it does not go with --detach");
	for (size_t i = 0; i < o->attach.n; i++)
		if (strcasecmp(o->attach.v[i], "stdin") != 0 &&
		    strcasecmp(o->attach.v[i], "stdout") != 0 &&
		    strcasecmp(o->attach.v[i], "stderr") != 0)
			return err_set(e, EINVAL, "option --attach: \"%s\" is not stdin, stdout or "
				       "stderr", o->attach.v[i]);
	if (c->shm_size_bytes < 0)
		return err_set(e, EINVAL, "option --shm-size: a size above 0 was expected");
	int r = run_limits_check(c, e);
	return r < 0 ? r : swap_check(c, e);
}

int run_options_finish(struct run_options *o, struct arena *a, struct err *e)
{
	int r = check(o, e);

	if (r >= 0)
		r = finish_words(o, a, e);
	if (r >= 0)
		r = finish_lists(o, a, e);
	if (r >= 0)
		r = finish_network(o, a, e);
	return r < 0 ? r : finish_program(o, a, e);
}
