/*
 * engine/life_start.c - life_start(): an instance's keeper, beside whose work its network is made.
 *
 * Killed at any point: the row says "starting" from the first transaction on, and nobody
 * holds the lock any more, so the next command gives back what was leased.  A keeper whose
 * starter has gone before GO ends by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/event.h"
#include "engine/life_impl.h"
#include "proto/keeper.h"
#include "sys/calls.h"

#define PROGRAM_BYTES_MAX (64u << 20)
#define KEEPER_FD 3
#define ENV_MAX 32

struct start {
	struct engine *eng;
	struct instance *in;
	bool own_network;
	int join_net;                   /* the namespace of container:ID, or -1 */
	pid_t keeper;
	int sock;
};

/* --- the network --------------------------------------------------------------------- */

bool life_has_networks(const struct instance_config *c)
{
	return strcmp(c->network_mode, "none") != 0 && strcmp(c->network_mode, "host") != 0 &&
	       strncmp(c->network_mode, "container:", 10) != 0;
}

/* -P: what is exposed and not published by -p already, at a free port each. */
static size_t all_ports(const struct instance_config *c, struct arena *a, struct net_port **ret)
{
	struct net_port *v = arena_calloc(a, c->n_ports + c->expose.n + 1, sizeof(*v));
	size_t n = c->n_ports;

	if (n)
		memcpy(v, c->ports, n * sizeof(*v));
	for (size_t i = 0; c->publish_all && i < c->expose.n; i++) {
		unsigned long port = strtoul(c->expose.v[i], NULL, 10);
		const char *slash = strchr(c->expose.v[i], '/');
		const char *protocol = slash ? slash + 1 : "tcp";
		bool there = port == 0 || port > UINT16_MAX;

		for (size_t k = 0; !there && k < n; k++)
			there = v[k].port == port && strcmp(v[k].protocol, protocol) == 0;
		if (!there)
			v[n++] = (struct net_port){ .host_ip = "", .port = (uint16_t)port,
						    .protocol = protocol };
	}
	*ret = v;
	return n;
}

static int plan_networks(struct start *s, struct err *e)
{
	const struct instance_config *c = &s->in->config;
	const struct instance_network mode = { .name = c->network_mode };
	const struct instance_network *v = c->n_networks ? c->networks : &mode;
	size_t n = c->n_networks ? c->n_networks : 1;
	struct net_port *ports = NULL;
	size_t n_ports = all_ports(c, &s->in->arena, &ports);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct net_endpoint ep = {
			.network = strcmp(v[i].name, "default") == 0 ? NET_DEFAULT : v[i].name,
			.instance = s->in->id, .name = s->in->name, .hostname = c->hostname,
			.aliases = v[i].aliases, .ip4 = v[i].ip4, .ip6 = v[i].ip6, .mac = v[i].mac,
		};

		/* Ports belong to the first: it has the default route. */
		r = net_plan(&s->eng->net, &ep, ports, i == 0 ? n_ports : 0, &s->in->arena, e);
	}
	return r;
}

/* Its row says "starting", and what it leases is leased, at once or not at all. */
static int record(struct start *s, struct err *e)
{
	int r = db_begin(s->eng->db, e);

	if (r < 0)
		return r;
	s->in->stopped = false;
	r = instance_mark(s->eng, s->in, INSTANCE_STARTING, e);
	if (r == 0 && life_has_networks(&s->in->config))
		r = plan_networks(s, e);
	if (r == 0)
		return db_commit(s->eng->db, e);
	db_rollback(s->eng->db);
	s->in->active = INSTANCE_IDLE;
	return r;
}

static int connect_network(struct start *s, struct err *e)
{
	return life_has_networks(&s->in->config) ?
	       net_connect(&s->eng->net, s->in->id, s->keeper, e) : 0;
}

/* --- the keeper's process -------------------------------------------------------------- */

/* /proc/sys/net is of the namespace of who opens it: ours is new, and empty yet. */
static int write_sysctl(const char *key, const char *value)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/sys/");
	int r = oci_sysctl_path(key, path + 10, sizeof(path) - 10);
	return r < 0 ? r : file_write_at(AT_FDCWD, path, value);
}

static void write_sysctls(const struct instance_config *c, int report)
{
	/* Docker's: ports below 1024 and ping for everyone, as nobody else is in there. */
	static const char *const defaults[][2] = {
		{ "net.ipv4.ip_unprivileged_port_start", "0" },
		{ "net.ipv4.ping_group_range", "0 2147483647" },
	};

	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (!oci_kvs_get(&c->sysctls, defaults[i][0]))
			(void)!write_sysctl(defaults[i][0], defaults[i][1]);
	for (size_t i = 0; i < c->sysctls.n; i++) {
		const struct oci_kv *kv = &c->sysctls.v[i];

		if (strncmp(kv->key, "net", 3) != 0)
			continue;
		int r = write_sysctl(kv->key, kv->value);
		if (r < 0) {
			struct err why;

			err_sys(&why, -r, "--sysctl %s=%s", kv->key, kv->value);
			(void)!keeper_send_error(report, KEEPER_FAILED, 125, &why, 0);
			_exit(125);
		}
	}
}

/* What a keeper may need of our environment; it keeps what it has for as long as it lives. */
static void keep_env(char **ret)
{
	static const char *const names[] = {
		"PATH=", "HOME=", "ISLE_", "XDG_", "DBUS_", "HTTP_PROXY=", "NOTIFY_SOCKET=",
	};
	size_t n = 0;

	for (char **p = environ; *p && n < ENV_MAX - 1; p++)
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (strncmp(*p, names[i], strlen(names[i])) == 0) {
				ret[n++] = *p;
				break;
			}
	ret[n] = NULL;
}

/*
 * Processes of a pid namespace that others share see the keeper's children in it, and could
 * write to their program file (container/exe.h, CVE-2019-5736).  create() would become a sealed
 * copy by itself, but by then the keeper cannot be executed again: so it starts as one.
 */
static void exec_sealed(const char *program, char **argv, char **env)
{
	CLEANUP(buf_release) struct buf self = BUF_INIT(PROGRAM_BYTES_MAX);

	int r = file_read_at(AT_FDCWD, program, &self);
	CLEANUP_FD int fd = r < 0 ? r : fd_sealed("isle-runtime", self.data, self.len, 1);
	if (fd >= 0)
		fexecve(fd, argv, env);
	else
		errno = -fd;
}

/* In the child: become the keeper.  Nobody hears us but through the socket. */
static void exec_keeper(const struct start *s, int sock, const char *dir)
{
	char *argv[] = { s->eng->runtime_program, (char[]){ "keeper" }, (char *)(uintptr_t)dir,
			 (char[]){ "3" }, NULL };
	char *env[ENV_MAX];
	sigset_t none;
	struct err why;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->join_net >= 0 && sys_setns(s->join_net, CLONE_NEWNET) < 0)
		goto fail;
	if (s->own_network)
		write_sysctls(&s->in->config, sock);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		goto fail;
	if (sock == KEEPER_FD ? fd_set_keep(sock, 1) < 0 : dup2(sock, KEEPER_FD) < 0)
		goto fail;
	keep_env(env);
	const char *pid_mode = s->in->config.pid_mode;
	if (pid_mode && strncmp(pid_mode, "container:", 10) == 0)
		exec_sealed(s->eng->runtime_program, argv, env);
	else
		execve(s->eng->runtime_program, argv, env);
fail:
	err_sys(&why, errno, "start the keeper %s", s->eng->runtime_program);
	(void)!keeper_send_error(sock, KEEPER_FAILED, 125, &why, 0);
	_exit(125);
}

static int start_keeper(struct start *s, struct err *e)
{
	CLEANUP_FREE char *dir = instance_path(s->eng, s->in->id, NULL);
	struct clone_args args = {
		.flags = CLONE_NEWNS | (s->own_network ? CLONE_NEWNET : 0),
		.exit_signal = SIGCHLD,
	};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "make a socket pair");
	CLEANUP_FD int theirs = pair[1];
	s->sock = pair[0];
	s->keeper = sys_clone3(&args);
	if (s->keeper < 0)
		return err_sys(e, -s->keeper, "make the keeper of %s with its namespaces",
			       s->in->name);
	if (s->keeper == 0)
		exec_keeper(s, theirs, dir);
	return 0;
}

/* --- talking to it ------------------------------------------------------------------------ */

/* The next message, which has to be kind; FAILED becomes the error. */
static int await(struct start *s, enum keeper_kind kind, int *ret_exit, struct err *e)
{
	CLEANUP_FREE unsigned char *buf = xmalloc(KEEPER_PACKET_MAX + 1);
	struct keeper_message m = { 0 };

	int r = keeper_recv(s->sock, buf, &m, 0);
	if (r < 0)
		return err_sys(e, -r, "hear from the keeper of %s", s->in->name);
	if (r == 0)
		return err_set(e, EPIPE, "the keeper of %s died while it started", s->in->name);
	if (m.kind == KEEPER_FAILED) {
		*ret_exit = m.exit_code;
		return err_set(e, m.code > 0 ? m.code : EIO, "%.*s", (int)m.n,
			       m.data ? m.data : "");
	}
	if (m.kind != kind)
		return err_set(e, EPROTO, "the keeper of %s sent message %d, not %d", s->in->name,
			       (int)m.kind, (int)kind);
	s->in->status.pid = m.pid;
	return 0;
}

static int go(struct start *s, unsigned attach_flags, struct err *e)
{
	const struct keeper_message attach = { .kind = KEEPER_ATTACH, .flags = attach_flags };
	int r = attach_flags ? keeper_send(s->sock, &attach, 0) : 0;

	if (r == 0)
		r = keeper_send_kind(s->sock, KEEPER_GO);
	return r < 0 ? err_sys(e, -r, "tell the keeper of %s to start", s->in->name) : 0;
}

/* However far it got: nothing runs afterwards, and nothing is leased. */
static void undo(struct start *s)
{
	struct err why;

	fd_close(&s->sock);
	if (s->keeper > 0) {
		/* It removes what it made when its starter goes; a stuck one is not waited for. */
		struct pollfd p = { .fd = sys_pidfd_open(s->keeper), .events = POLLIN };

		if (p.fd >= 0 && poll(&p, 1, 5000) <= 0)
			(void)!sys_pidfd_send_signal(p.fd, SIGKILL);
		fd_close(&p.fd);
		waitpid(s->keeper, NULL, 0);
	}
	int r = instance_refresh(s->eng, s->in, &why);
	/* --rm means it: there is no program whose end would do it. */
	if (r == 0)
		r = s->in->config.auto_remove ? life_remove(s->eng, s->in, true, true, &why) :
						life_give_back(s->eng, s->in, &why);
	if (r < 0)
		log_debug("%s", why.msg);
}

/* --- the whole ----------------------------------------------------------------------------- */

/* --ipc shareable: a tmpfs of the host's, as a mount inside could not be joined. */
static int make_shm(struct start *s, struct err *e)
{
	const struct instance_config *c = &s->in->config;
	CLEANUP_FREE char *dir = xasprintf("%s/shm/%s", s->eng->run_root, s->in->id);
	char options[64];

	if (!c->ipc_mode || strcmp(c->ipc_mode, "shareable") != 0)
		return 0;
	int r = engine_mkdir_all(dir, 0711, e);
	if (r < 0)
		return r;
	snprintf(options, sizeof(options), "mode=1777,size=%lld",
		 c->shm_size_bytes > 0 ? (long long)c->shm_size_bytes : 64LL << 20);
	if (mount("shm", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return err_sys(e, errno, "mount shared memory at %s", dir);
	return 0;
}

/* What an earlier start left is written over. */
static int make_bundle(struct start *s, struct err *e)
{
	CLEANUP_FREE char *dir = instance_bundle_path(s->eng, s->in->id, NULL);
	CLEANUP_FREE char *root = instance_bundle_path(s->eng, s->in->id, "rootfs");

	if ((mkdir(dir, 0700) < 0 && errno != EEXIST) ||
	    (mkdir(root, 0755) < 0 && errno != EEXIST))
		return err_sys(e, errno, "make directory %s", root);
	return 0;
}

static int prepare(struct start *s, struct err *e)
{
	const struct instance_config *c = &s->in->config;
	struct instance other = { .lockfd = -1 };
	char path[64];

	s->own_network = strcmp(c->network_mode, "host") != 0;
	if (strncmp(c->network_mode, "container:", 10) == 0) {
		int r = instance_find(s->eng, c->network_mode + 10, false, &other, e);

		if (r == 0 && !other.status.pid)
			r = err_set(e, ESRCH, "--network %s: that instance is not running: start "
				    "it first", c->network_mode);
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)other.status.pid);
		instance_release(&other);
		if (r < 0)
			return r;
		s->own_network = false;
		s->join_net = open(path, O_RDONLY | O_CLOEXEC);
		if (s->join_net < 0)
			return err_sys(e, errno, "open %s", path);
	}
	int r = life_make_dirs(s->eng, s->in, e);
	if (r == 0)
		r = make_bundle(s, e);
	if (r == 0)
		r = make_shm(s, e);
	if (r == 0)
		r = life_write_files(s->eng, s->in, e);
	if (r == 0)
		r = spec_write(s->eng, s->in, e);
	return r < 0 ? r : life_write_keeper(s->eng, s->in, s->own_network, e);
}

static int run(struct start *s, unsigned attach_flags, struct err *e)
{
	int exit_code = 125;

	int r = prepare(s, e);
	if (r == 0)
		r = start_keeper(s, e);
	/* Beside the keeper, which mounts and creates meanwhile. */
	if (r == 0)
		r = connect_network(s, e);
	if (r == 0)
		r = await(s, KEEPER_CREATED, &exit_code, e);
	if (r == 0)
		r = go(s, attach_flags, e);
	if (r == 0)
		r = await(s, KEEPER_STARTED, &exit_code, e);
	s->in->start_exit_code = exit_code;
	return r;
}

int life_start(struct engine *eng, struct instance *in, unsigned attach_flags, int *ret_sock,
	       struct err *e)
{
	struct start s = { .eng = eng, .in = in, .join_net = -1, .sock = -1 };
	bool fresh = in->active == INSTANCE_STARTING;

	int r = fresh ? 0 : instance_refresh(eng, in, e);
	if (r < 0)
		return r;
	if (instance_is_up(in))
		return err_set(e, EALREADY, "instance %s is running already", in->name);
	if (in->removing)
		return err_set(e, EBUSY, "instance %s is being removed", in->name);
	/* What a killed command or keeper left. */
	if (in->active != INSTANCE_IDLE && !fresh)
		r = life_give_back(eng, in, e);
	if (r == 0)
		r = record(&s, e);
	if (r < 0)
		return r;
	r = run(&s, attach_flags, e);
	fd_close(&s.join_net);
	if (r < 0) {
		undo(&s);
		return r;
	}
	in->status.state = INSTANCE_RUNNING;
	in->status.keeper_pid = s.keeper;
	r = instance_mark(eng, in, INSTANCE_ACTIVE, e);
	if (r < 0) {
		undo(&s);
		return r;
	}
	event_add(eng, "container", "start", in->id,
		  json_pack("{ss ss}", "name", in->name, "image", in->config.image));
	*ret_sock = s.sock;
	return 0;
}
