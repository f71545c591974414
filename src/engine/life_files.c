/* engine/life_files.c - what a keeper and the program find in the instance's directory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fd.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "engine/life_impl.h"

#define KEEPER_BYTES_MAX (4u << 20)
#define HOSTS_BYTES_MAX (1u << 20)
#define MS_NS 1000000

/* --- keeper.json ----------------------------------------------------------------- */

/* "10m", "1g", bytes: what --log-opt max-size takes; 0 for none. */
static int64_t size_of(const char *text)
{
	static const char units[] = "bkmgt";
	char *end;

	if (!text || !*text)
		return 0;
	double v = strtod(text, &end);
	const char *unit = *end ? strchr(units, *end | 0x20) : units;
	for (; unit && unit > units; unit--)
		v *= 1024;
	return v > 0 && v < 9e18 ? (int64_t)v : 0;
}

static void put_log(struct json_writer *w, struct engine *eng, const struct instance *in)
{
	const struct instance_config *c = &in->config;
	const char *size = oci_kvs_get(&c->log_options, "max-size");
	const char *files = oci_kvs_get(&c->log_options, "max-file");
	const char *tag = oci_kvs_get(&c->log_options, "tag");
	CLEANUP_FREE char *path = instance_path(eng, in->id, "log.json");

	json_open(w, "log", '{');
	json_put_string(w, "driver", c->log_driver);
	json_put_string(w, "path", path);
	json_put_int(w, "maxSize", size_of(size ? size : eng->config.log_max_size));
	json_put_int(w, "maxFile", files ? (int64_t)strtoul(files, NULL, 10) :
					   (int64_t)eng->config.log_max_file);
	if (tag)
		json_put_string(w, "tag", tag);
	json_close(w, '}');
}

static int put_mount(struct json_writer *w, struct engine *eng, const struct instance *in,
		     struct err *e)
{
	static const char *const dirs[][2] = {
		{ "upper", "upper" }, { "work", "work" },
	};
	CLEANUP_FREE char *target = instance_bundle_path(eng, in->id, "rootfs");
	struct arena a = { 0 };
	struct oci_strv lower;

	int r = life_lower_dirs(eng, in, &a, &lower, e);
	if (r == 0) {
		json_open(w, "mount", '{');
		json_put_strings(w, "lower", lower.v, lower.n);
		for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
			CLEANUP_FREE char *path = instance_path(eng, in->id, dirs[i][1]);
			json_put_string(w, dirs[i][0], path);
		}
		json_put_string(w, "target", target);
		/* Unmounting would sync the file system they are on, for files that go. */
		if (in->config.auto_remove)
			json_put_string(w, "options", eng->rootless ? "volatile,userxattr" :
								      "volatile");
		else if (eng->rootless)
			json_put_string(w, "options", "userxattr");
		json_close(w, '}');
	}
	arena_release(&a);
	return r;
}

static void put_health(struct json_writer *w, const struct image_healthcheck *h)
{
	if (!h->set)
		return;
	json_open(w, "health", '{');
	json_put_strings(w, "test", h->test.v, h->test.n);
	json_put_int(w, "intervalMs", (int64_t)(h->interval_ns / MS_NS));
	json_put_int(w, "timeoutMs", (int64_t)(h->timeout_ns / MS_NS));
	json_put_int(w, "startPeriodMs", (int64_t)(h->start_period_ns / MS_NS));
	json_put_int(w, "retries", h->retries);
	json_close(w, '}');
}

/* "15", "TERM", "SIGTERM", "RTMIN+3": 0 for no signal's name. */
int life_signal_number(const char *name)
{
	char *end;

	if (!name || !*name)
		return SIGTERM;
	long n = strtol(name, &end, 10);
	if (!*end)
		return n > 0 && n < _NSIG ? (int)n : 0;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (strncasecmp(name, "RTMIN", 5) == 0 || strncasecmp(name, "RTMAX", 5) == 0) {
		n = strtol(name + 5, &end, 10) + (name[3] == 'I' || name[3] == 'i' ? SIGRTMIN :
										    SIGRTMAX);
		return *end || n < SIGRTMIN || n > SIGRTMAX ? 0 : (int)n;
	}
	for (int s = 1; s < SIGRTMIN; s++)
		if (sigabbrev_np(s) && strcasecmp(sigabbrev_np(s), name) == 0)
			return s;
	return 0;
}

int64_t life_stop_timeout_ms(const struct engine *eng, const struct instance *in)
{
	int s = in->config.stop_timeout_s;

	return 1000 * (int64_t)(s >= 0 ? s : (int)eng->config.stop_timeout_s);
}

static void put_reap(struct json_writer *w, struct engine *eng, const struct instance *in)
{
	const char *argv[10] = {
		eng->self_program, "--root", eng->root, "--run-root", eng->run_root,
	};
	size_t n = 5;

	if (eng->config_file) {
		argv[n++] = "--config";
		argv[n++] = eng->config_file;
	}
	argv[n++] = "system";
	argv[n++] = "reap";
	argv[n++] = in->id;
	json_put_strings(w, "reap", argv, n);
}

/* Binds whose mounts shall come and go with the host's. */
static void put_shared(struct json_writer *w, const struct instance_config *c)
{
	json_open(w, "sharedSources", '[');
	for (size_t i = 0; i < c->n_mounts; i++) {
		const char *p = c->mounts[i].propagation;

		if (p && c->mounts[i].source && strcmp(c->mounts[i].type, "bind") == 0 &&
		    (strcmp(p, "shared") == 0 || strcmp(p, "rshared") == 0))
			json_put_string(w, NULL, c->mounts[i].source);
	}
	json_close(w, ']');
}

static void put_rest(struct json_writer *w, struct engine *eng, const struct instance *in)
{
	static const char *const policies[] = { "no", "on-failure", "always", "unless-stopped" };
	const struct instance_config *c = &in->config;
	int sig = life_signal_number(c->stop_signal);

	json_put_bool(w, "tty", c->tty);
	json_put_bool(w, "openStdin", c->open_stdin);
	json_put_bool(w, "stdinOnce", c->stdin_once);
	put_log(w, eng, in);
	json_open(w, "restart", '{');
	json_put_string(w, "policy", policies[c->restart]);
	json_put_int(w, "max", c->restart_max);
	json_close(w, '}');
	json_open(w, "stop", '{');
	json_put_int(w, "signal", sig ? sig : SIGTERM);
	json_put_int(w, "timeoutMs", life_stop_timeout_ms(eng, in));
	json_close(w, '}');
	put_health(w, &c->health);
	put_shared(w, c);
	put_reap(w, eng, in);
}

char *life_socket_path(const struct engine *eng, const char *id)
{
	return xasprintf("%s/keepers/%s", eng->run_root, id);
}

int life_write_keeper(struct engine *eng, const struct instance *in, bool own_network,
		      struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(KEEPER_BYTES_MAX);
	CLEANUP_FREE char *dir = instance_bundle_path(eng, in->id, NULL);
	CLEANUP_FREE char *socket = life_socket_path(eng, in->id);
	struct json_writer w = { .b = &b };

	json_open(&w, NULL, '{');
	json_put_string(&w, "id", in->id);
	json_put_string(&w, "name", in->name);
	json_put_string(&w, "image", in->config.image);
	json_put_string(&w, "wall", in->config.wall);
	json_put_string(&w, "bundle", dir);
	json_put_string(&w, "socket", socket);
	json_put_string(&w, "stateDir", eng->host.state_dir);
	json_put_bool(&w, "systemdCgroup", eng->host.systemd_cgroup);
	json_put_bool(&w, "rootless", eng->rootless);
	json_put_bool(&w, "ownNetwork", own_network);
	int r = put_mount(&w, eng, in, e);
	if (r < 0)
		return r;
	put_rest(&w, eng, in);
	json_close(&w, '}');
	if (b.overflow)
		return err_set(e, E2BIG, "keeper.json of %s is too large", in->name);
	return instance_write_file(eng, in->id, "keeper.json", b.data, b.len, 0600, e);
}

/* --- hosts, hostname, resolv.conf ---------------------------------------------------- */

/* With the host's network its names are the host's, and what --add-host says. */
static int write_host_hosts(struct engine *eng, const struct instance *in, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(HOSTS_BYTES_MAX);
	const struct oci_strv *extra = &in->config.extra_hosts;

	int r = file_read_at(AT_FDCWD, "/etc/hosts", &b);
	if (r < 0 && r != -ENOENT)
		return err_sys(e, -r, "read /etc/hosts");
	for (size_t i = 0; i < extra->n; i++) {
		const char *colon = strchr(extra->v[i], ':');

		if (colon)
			buf_printf(&b, "%s\t%.*s\n", strcmp(colon + 1, "host-gateway") == 0 ?
				   "127.0.0.1" : colon + 1, (int)(colon - extra->v[i]),
				   extra->v[i]);
	}
	return instance_write_bundle(eng, in->id, "hosts", b.data ? b.data : "", b.len, 0644, e);
}

int life_write_files(struct engine *eng, const struct instance *in, struct err *e)
{
	const struct instance_config *c = &in->config;
	bool host = strcmp(c->network_mode, "host") == 0;
	CLEANUP_FREE char *hosts = instance_bundle_path(eng, in->id, "hosts");
	CLEANUP_FREE char *resolv = instance_bundle_path(eng, in->id, "resolv.conf");
	CLEANUP_FREE char *line = xasprintf("%s\n", c->hostname);

	int r = instance_write_bundle(eng, in->id, "hostname", line, strlen(line), 0644, e);
	if (r < 0)
		return r;
	r = host ? write_host_hosts(eng, in, e) :
		   net_write_hosts(&eng->net, in->id, hosts, &c->extra_hosts, e);
	if (r == 0)
		r = net_write_resolv(resolv, &c->dns, &c->dns_search, &c->dns_options, host, e);
	return r;
}
