/*
 * isle-agent as a guest would run it, but in namespaces of this host: PID 1 of a pid
 * namespace with mounts, a network and a name of its own, spoken to over a unix socket.
 * Its programs are busybox's, in a root that holds nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "proto/agent.h"
#include "sys/nlreq.h"

#define BUSYBOX "/bin/busybox"
#define WAIT_MS 20000                   /* for what takes milliseconds */

static struct {
	char dir[64];
	char *root, *socket;
	pid_t outer;                    /* the parent of the agent: ends when it does */
} here;

/* ---- the agent --------------------------------------------------------------------------- */

/* Not named as the guest is to know it, which finds it by its address. */
static int make_device(void)
{
	static const unsigned char mac[] = { 2, 0, 0, 0, 0, 7 };
	struct ifinfomsg m = { .ifi_family = AF_UNSPEC };
	static struct nlreq q;

	nlreq_init(&q);
	nlreq_message(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	nlreq_str(&q, IFLA_IFNAME, "device");
	nlreq_attr(&q, IFLA_ADDRESS, mac, sizeof(mac));
	size_t nest = nlreq_nest(&q, IFLA_LINKINFO);
	nlreq_str(&q, IFLA_INFO_KIND, "bridge");
	nlreq_nest_end(&q, nest);
	CLEANUP_FD int sock = nlreq_open(NETLINK_ROUTE, -1);
	return sock < 0 ? sock : nlreq_talk(sock, &q);
}

static _Noreturn void agent_run(void)
{
	if (make_device() < 0)
		_exit(103);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    mount("run", "/run", "tmpfs", 0, NULL) < 0)
		_exit(101);
	execl(AGENT, "isle-agent", "--listen", here.socket, "--root", here.root, NULL);
	_exit(102);
}

static void agent_start(void)
{
	here.outer = fork();
	assert_true(here.outer >= 0);
	if (here.outer == 0) {
		int status;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNET) < 0)
			_exit(100);
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			agent_run();
		}
		_exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
		      WEXITSTATUS(status) : 99);
	}
}

/* The only child of its parent. */
static pid_t agent_pid(void)
{
	CLEANUP_FREE char *path = xasprintf("/proc/%d/task/%d/children", here.outer, here.outer);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	return (pid_t)strtol(text, NULL, 10);
}

/* What it and its servers hold for themselves, in kilobytes. */
static long agent_memory(void)
{
	CLEANUP_FREE char *command = xasprintf(
		"for p in %d $(cat /proc/%d/task/*/children); do cat /proc/$p/status; done 2>&1 | "
		"awk '/^RssAnon/ { n += $2 } END { print n }'", agent_pid(), agent_pid());
	FILE *f = popen(command, "r");
	char text[32] = "";

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	pclose(f);
	return strtol(text, NULL, 10);
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timespec step = { .tv_nsec = 10000000 };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", here.socket);
	for (int i = 0; i < WAIT_MS / 10; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return fd;
		close(fd);
		nanosleep(&step, NULL);
	}
	fail_msg("the agent does not listen");
	return -1;
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	assert_true(in >= 0 && out >= 0);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	close(out);
}

static int set_up(void **state)
{
	static const char *const dirs[] = { "bin", "proc", "dev", "sys", "tmp", "etc" };

	(void)state;
	snprintf(here.dir, sizeof(here.dir), "/tmp/isle-agent.XXXXXX");
	if (!mkdtemp(here.dir))
		return -1;
	here.root = xasprintf("%s/root", here.dir);
	here.socket = xasprintf("%s/s", here.dir);
	mkdir(here.root, 0755);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		CLEANUP_FREE char *d = xasprintf("%s/%s", here.root, dirs[i]);

		mkdir(d, 0755);
	}
	CLEANUP_FREE char *busybox = xasprintf("%s" BUSYBOX, here.root);
	CLEANUP_FREE char *sh = xasprintf("%s/bin/sh", here.root);
	copy_file(BUSYBOX, busybox);
	if (symlink("busybox", sh) < 0)
		return -1;
	agent_start();
	return 0;
}

/* ---- streams ----------------------------------------------------------------------------- */

struct client {
	int fd;
	struct agent_reader in;
};

static struct client request(const struct agent_message *m)
{
	struct client c = { .fd = dial(), .in.from = AGENT_FROM_GUEST };
	struct timeval wait = { .tv_sec = WAIT_MS / 1000 };

	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(agent_write(c.fd, m), 0);
	return c;
}

static void hang_up(struct client *c)
{
	agent_reader_release(&c->in);
	fd_close(&c->fd);
}

/* The next message, which must be of that kind. */
static struct agent_message expect(struct client *c, enum agent_kind kind)
{
	struct agent_message m = { 0 };
	int r = agent_read(&c->in, c->fd, &m);

	if (r != 1)
		fail_msg("message %d expected, but reading it was %d", kind, r);
	if (m.kind == AGENT_ERROR && kind != AGENT_ERROR)
		fail_msg("message %d expected: %.*s", kind, (int)m.name.n,
			 (const char *)m.name.p);
	assert_int_equal(m.kind, kind);
	return m;
}

static void ask(const struct agent_message *m, enum agent_kind answer)
{
	struct client c = request(m);

	expect(&c, answer);
	hang_up(&c);
}

static void ask_kind(enum agent_kind kind)
{
	ask(&(struct agent_message){ .kind = kind }, AGENT_DONE);
}

struct output {
	struct buf out, err;
	int exit_code;
	bool oom;
};

#define OUTPUT_NONE { BUF_INIT(64u << 20), BUF_INIT(1u << 20), -1, false }

static void output_release(struct output *o)
{
	buf_release(&o->out);
	buf_release(&o->err);
}

static struct agent_bytes bytes(const char *s)
{
	return (struct agent_bytes){ s, strlen(s) };
}

/* All that comes until the program has ended. */
static void collect(struct client *c, struct output *o)
{
	for (;;) {
		struct agent_message m = { 0 };
		int r = agent_read(&c->in, c->fd, &m);

		if (r != 1)
			fail_msg("the stream ended without EXIT: %d", r);
		if (m.kind == AGENT_STDOUT)
			buf_add(&o->out, m.data.p, m.data.n);
		else if (m.kind == AGENT_STDERR)
			buf_add(&o->err, m.data.p, m.data.n);
		else {
			assert_int_equal(m.kind, AGENT_EXIT);
			o->exit_code = m.exit_code;
			o->oom = m.oom;
			return;
		}
	}
}

/* ---- an instance ------------------------------------------------------------------------- */

static json_t *process_json(bool terminal, const char *script)
{
	return json_pack("{s:b, s:s, s:[s,s,s], s:[s], s:{s:i,s:i}}", "terminal", terminal,
			 "cwd", "/", "args", "/bin/sh", "-c", script, "env",
			 "PATH=/bin", "user", "uid", 0, "gid", 0);
}

static char *config_json(bool terminal, const char *script)
{
	CLEANUP_JSON json_t *j = json_pack(
		"{s:s, s:o, s:{s:s}, s:s, s:[{s:s,s:s,s:s},{s:s,s:s,s:s},{s:s,s:s,s:s}],"
		" s:{s:s+, s:[{s:s},{s:s},{s:s}]}}",
		"ociVersion", "1.2.0", "process", process_json(terminal, script),
		"root", "path", "/of/the/host", "hostname", "inside", "mounts",
		"destination", "/proc", "type", "proc", "source", "proc",
		"destination", "/dev", "type", "tmpfs", "source", "tmpfs",
		"destination", "/dev/pts", "type", "devpts", "source", "devpts",
		"linux", "cgroupsPath", "/isle-agent-test-", here.dir + strlen("/tmp/isle-agent."),
		"namespaces", "type", "pid", "type", "mount", "type", "uts");

	assert_non_null(j);
	return json_dumps(j, JSON_COMPACT);
}

static struct client create(bool terminal, const char *script)
{
	CLEANUP_FREE char *config = config_json(terminal, script);
	struct client c = request(&(struct agent_message){
		.kind = AGENT_CREATE, .name = bytes("one"), .data = bytes(config),
		.extra = bytes("root"),
	});

	assert_true(expect(&c, AGENT_CREATED).pid > 1);
	return c;
}

static struct client start(bool terminal, const char *script)
{
	struct client c = create(terminal, script);

	ask_kind(AGENT_START);
	return c;
}

static struct client exec(bool terminal, const char *script, unsigned rows, unsigned columns)
{
	CLEANUP_JSON json_t *j = process_json(terminal, script);
	CLEANUP_FREE char *process = json_dumps(j, JSON_COMPACT);
	struct client c = request(&(struct agent_message){
		.kind = AGENT_EXEC, .rows = rows, .columns = columns, .data = bytes(process),
	});

	assert_true(expect(&c, AGENT_STARTED).pid > 1);
	return c;
}

static void delete(void)
{
	ask(&(struct agent_message){ .kind = AGENT_DELETE, .all = true }, AGENT_DONE);
}

static void run(const char *script, struct output *o)
{
	struct client c = start(false, script);

	collect(&c, o);
	hang_up(&c);
	delete();
}

/* What may be left of a case that failed. */
static int clean(void **state)
{
	(void)state;
	struct client c = request(&(struct agent_message){ .kind = AGENT_DELETE, .all = true });
	struct agent_message m;

	(void)!agent_read(&c.in, c.fd, &m);
	hang_up(&c);
	return 0;
}

/* ---- cases: the machine ------------------------------------------------------------------ */

static void says_hello(void **state)
{
	struct client c = request(&(struct agent_message){
		.kind = AGENT_HELLO, .version = AGENT_VERSION });
	struct agent_message m = expect(&c, AGENT_WELCOME);

	(void)state;
	assert_int_equal(m.version, AGENT_VERSION);
	assert_true(m.name.n > 0 && m.data.n > 0);
	assert_int_equal(m.extra.n, 36);        /* a UUID, without the newline */
	hang_up(&c);
}

/* The clock is the test machine's: time_ns 0 leaves it alone. */
static void configure(const char *network, enum agent_kind answer)
{
	ask(&(struct agent_message){
		.kind = AGENT_CONFIGURE, .name = bytes("guest-name"),
		.data = bytes("0123456789abcdef"), .extra = bytes(network),
	}, answer);
}

static void is_configured(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;

	(void)state;
	configure("{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:07\","
		  "\"mtu\":1400,\"addresses\":[\"10.11.12.13/24\",\"fd11::1/64\"],"
		  "\"gateways\":[\"10.11.12.1\",\"fd11::7\"]}]}", AGENT_DONE);
	/* Again is no error: a template's machines are configured twice. */
	configure("{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:07\","
		  "\"addresses\":[\"10.11.12.13/24\"],\"gateways\":[\"10.11.12.1\"]}]}",
		  AGENT_DONE);
	run("ip address show eth0; ip route; ip -6 route; cat /proc/sys/kernel/hostname", &o);
	assert_non_null(strstr(o.out.data, "mtu 1400"));
	assert_non_null(strstr(o.out.data, "10.11.12.13/24"));
	assert_non_null(strstr(o.out.data, "brd 10.11.12.255"));
	assert_non_null(strstr(o.out.data, "fd11::1/64"));
	assert_non_null(strstr(o.out.data, "default via 10.11.12.1 dev eth0"));
	assert_non_null(strstr(o.out.data, "default via fd11::7 dev eth0"));
	/* The container's own, as config.json has it. */
	assert_non_null(strstr(o.out.data, "inside"));
}

static void refuses_a_wrong_network(void **state)
{
	static const char *const wrong[] = {
		"{", "[]", "{\"interfaces\":[{}]}", "{\"interfaces\":[7]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"mac\":\"00:00:00:00:00\"}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"mac\":\"00:00:00:00:00:00:00\"}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"addresses\":[\"10.0.0.1\"]}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"addresses\":[\"10.0.0.1/\"]}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"addresses\":[\"10.0.0.1/33\"]}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"addresses\":[\"10.0.0.1/8x\"]}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"addresses\":[\"10.0.0/8\"]}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"addresses\":[7]}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"gateways\":[\"10.0.0.1/8\"]}]}",
		"{\"interfaces\":[{\"name\":\"lo\",\"what\":1}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		configure(wrong[i], AGENT_ERROR);
}

/* ---- cases: the program ------------------------------------------------------------------ */

static void runs_a_program(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;

	(void)state;
	run("echo out; echo err >&2; exit 7", &o);
	assert_string_equal(o.out.data, "out\n");
	assert_string_equal(o.err.data, "err\n");
	assert_int_equal(o.exit_code, 7);
	assert_false(o.oom);
}

static void tells_the_signal(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = start(false, "echo up; exec sleep 1000");

	(void)state;
	expect(&c, AGENT_STDOUT);
	ask(&(struct agent_message){ .kind = AGENT_KILL, .signal = SIGKILL }, AGENT_DONE);
	collect(&c, &o);
	assert_int_equal(o.exit_code, 128 + SIGKILL);
	hang_up(&c);
	delete();
}

static void sends_signals(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = start(false, "trap 'echo got; exit 3' TERM; echo up; "
				"while :; do sleep 0.1; done");

	(void)state;
	expect(&c, AGENT_STDOUT);
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_SIGNAL, .signal = SIGTERM }), 0);
	collect(&c, &o);
	assert_string_equal(o.out.data, "got\n");
	assert_int_equal(o.exit_code, 3);
	hang_up(&c);
	delete();
}

static void feeds_stdin(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = start(false, "cat; echo end");

	(void)state;
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_STDIN, .data = bytes("one ") }), 0);
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_STDIN, .data = bytes("two\n") }), 0);
	assert_int_equal(agent_write_kind(c.fd, AGENT_STDIN_EOF), 0);
	/* After the end of the input more of it is no error, and neither is a second end. */
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_STDIN, .data = bytes("late") }), 0);
	assert_int_equal(agent_write_kind(c.fd, AGENT_STDIN_EOF), 0);
	collect(&c, &o);
	assert_string_equal(o.out.data, "one two\nend\n");
	hang_up(&c);
	delete();
}

/* A host that has shut its half down still gets the rest. */
static void half_closed_is_end_of_input(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = start(false, "cat; echo end");

	(void)state;
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_STDIN, .data = bytes("x") }), 0);
	shutdown(c.fd, SHUT_WR);
	collect(&c, &o);
	assert_string_equal(o.out.data, "xend\n");
	hang_up(&c);
	delete();
}

#define MUCH (8u << 20)

/* More than all buffers on the way hold, in both directions at once. */
static void much_goes_both_ways(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	static char zeros[AGENT_DATA_MAX];
	struct client c = start(false, "cat");

	(void)state;
	pid_t feeder = fork();
	if (feeder == 0) {
		struct agent_message m = {
			.kind = AGENT_STDIN, .data = { zeros, sizeof(zeros) },
		};

		for (size_t i = 0; i < MUCH / sizeof(zeros); i++)
			if (agent_write(c.fd, &m) < 0)
				_exit(1);
		_exit(agent_write_kind(c.fd, AGENT_STDIN_EOF) < 0);
	}
	collect(&c, &o);
	assert_int_equal(waitpid(feeder, NULL, 0), feeder);
	assert_int_equal(o.out.len, MUCH);
	assert_int_equal(o.exit_code, 0);
	hang_up(&c);
	delete();
}

static void a_slow_reader_slows_the_program(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = start(false, "head -c 33554432 /dev/zero; echo end >&2");
	struct timespec nap = { .tv_nsec = 300000000 };

	(void)state;
	nanosleep(&nap, NULL);
	/* Had it taken everything in, it would be four times that. */
	assert_in_range(agent_memory(), 1, 8192);
	collect(&c, &o);
	assert_int_equal(o.out.len, 33554432);
	assert_string_equal(o.err.data, "end\n");
	hang_up(&c);
	delete();
}

static void does_not_wait_for_who_holds_the_pipe(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client keep = start(false, "echo up; exec sleep 1000");

	(void)state;
	expect(&keep, AGENT_STDOUT);
	/* In no pid namespace of its own, so the second sleep outlives the first shell. */
	struct client c = exec(false, "sleep 1000 & echo first", 0, 0);
	collect(&c, &o);
	assert_string_equal(o.out.data, "first\n");
	assert_int_equal(o.exit_code, 0);
	hang_up(&c);
	hang_up(&keep);
	delete();
}

static void has_a_terminal(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = create(true, "tty; read x; stty size; read x; stty size; exit 4");

	(void)state;
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_RESIZE, .rows = 33, .columns = 101 }), 0);
	ask_kind(AGENT_START);
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_STDIN, .data = bytes("\n") }), 0);
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_RESIZE, .rows = 44, .columns = 102 }), 0);
	assert_int_equal(agent_write(c.fd, &(struct agent_message){
		.kind = AGENT_STDIN, .data = bytes("\n") }), 0);
	collect(&c, &o);
	assert_non_null(strstr(o.out.data, "/dev/pts/0\r\n"));
	assert_non_null(strstr(o.out.data, "44 102\r\n"));
	assert_int_equal(o.err.len, 0);
	assert_int_equal(o.exit_code, 4);
	hang_up(&c);
	delete();
}

static void tells_what_cannot_be_executed(void **state)
{
	CLEANUP_FREE char *config = config_json(false, "true");
	struct agent_message m;

	(void)state;
	/* "/bin/sh" once: the program.  What is left is JSON still. */
	memcpy(strstr(config, "/bin/sh"), "/bin/no", strlen("/bin/no"));
	struct client c = request(&(struct agent_message){
		.kind = AGENT_CREATE, .name = bytes("one"), .data = bytes(config),
		.extra = bytes("root"),
	});
	m = expect(&c, AGENT_ERROR);
	assert_int_equal(m.exit_code, 127);
	assert_int_equal(m.code, ENOENT);
	hang_up(&c);
	/* Nothing was left, so that the name can be had again. */
	ask(&(struct agent_message){ .kind = AGENT_STATUS }, AGENT_ERROR);
}

/* ---- cases: the instance ----------------------------------------------------------------- */

static json_t *ask_json(enum agent_kind kind)
{
	struct client c = request(&(struct agent_message){ .kind = kind });
	struct agent_message m = expect(&c, AGENT_JSON);
	json_t *j = json_loadb(m.data.p, m.data.n, 0, NULL);

	assert_non_null(j);
	hang_up(&c);
	return j;
}

static void is_status(const char *want)
{
	CLEANUP_JSON json_t *j = ask_json(AGENT_STATUS);

	assert_string_equal(json_string_value(json_object_get(j, "status")), want);
}

static size_t count_pids(void)
{
	CLEANUP_JSON json_t *j = ask_json(AGENT_PIDS);

	return json_array_size(j);
}

static void await_pids(size_t n)
{
	struct timespec step = { .tv_nsec = 20000000 };

	for (int i = 0; i < WAIT_MS / 20; i++) {
		if (count_pids() == n)
			return;
		nanosleep(&step, NULL);
	}
	fail_msg("there are still %zu processes, not %zu", count_pids(), n);
}

static void has_a_life(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = create(false, "echo up; exec sleep 1000");

	(void)state;
	is_status("created");
	ask_kind(AGENT_START);
	expect(&c, AGENT_STDOUT);
	is_status("running");
	ask_kind(AGENT_PAUSE);
	is_status("paused");
	ask_kind(AGENT_RESUME);
	is_status("running");
	assert_int_equal(count_pids(), 1);
	ask(&(struct agent_message){
		.kind = AGENT_UPDATE, .data = bytes("{\"pids\":{\"limit\":77}}") }, AGENT_DONE);
	CLEANUP_JSON json_t *stats = ask_json(AGENT_STATS);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "pids"),
							    "limit")), 77);
	/* A second one has no room, and a running one is not deleted without force. */
	CLEANUP_FREE char *config = config_json(false, "true");
	ask(&(struct agent_message){ .kind = AGENT_CREATE, .name = bytes("two"),
		.data = bytes(config), .extra = bytes("root") }, AGENT_ERROR);
	ask(&(struct agent_message){ .kind = AGENT_DELETE }, AGENT_ERROR);
	ask(&(struct agent_message){ .kind = AGENT_KILL, .signal = SIGTERM, .all = true },
	    AGENT_DONE);
	/* The first process of a pid namespace has no default for SIGTERM. */
	is_status("running");
	ask(&(struct agent_message){ .kind = AGENT_KILL, .signal = SIGKILL, .all = true },
	    AGENT_DONE);
	collect(&c, &o);
	assert_int_equal(o.exit_code, 137);
	is_status("stopped");
	ask(&(struct agent_message){ .kind = AGENT_DELETE }, AGENT_DONE);
	ask(&(struct agent_message){ .kind = AGENT_STATUS }, AGENT_ERROR);
	ask(&(struct agent_message){ .kind = AGENT_START }, AGENT_ERROR);
	hang_up(&c);
}

static void tells_of_oom(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	struct client c = create(false, "read x; dd if=/dev/zero of=/dev/null bs=64M "
				"count=1; exit $?");
	struct client watch = request(&(struct agent_message){ .kind = AGENT_OOM });

	(void)state;
	assert_int_equal(expect(&watch, AGENT_OOM_COUNT).count, 0);
	ask(&(struct agent_message){ .kind = AGENT_UPDATE,
		.data = bytes("{\"memory\":{\"limit\":16777216}}") }, AGENT_DONE);
	ask_kind(AGENT_START);
	assert_int_equal(agent_write_kind(c.fd, AGENT_STDIN_EOF), 0);
	assert_true(expect(&watch, AGENT_OOM_COUNT).count > 0);
	collect(&c, &o);
	assert_int_equal(o.exit_code, 137);
	assert_true(o.oom);
	hang_up(&c);
	hang_up(&watch);
	delete();
}

/* ---- cases: further programs ------------------------------------------------------------- */

static void runs_further_programs(void **state)
{
	CLEANUP(output_release) struct output o = OUTPUT_NONE, t = OUTPUT_NONE;
	struct client keep = start(false, "echo up; exec sleep 1000"), c;

	(void)state;
	expect(&keep, AGENT_STDOUT);
	c = exec(false, "echo $$ out; echo err >&2; exit 9", 0, 0);
	collect(&c, &o);
	hang_up(&c);
	assert_non_null(strstr(o.out.data, " out\n"));
	assert_string_equal(o.err.data, "err\n");
	assert_int_equal(o.exit_code, 9);
	c = exec(true, "stty size; kill -9 $$", 21, 77);
	collect(&c, &t);
	hang_up(&c);
	assert_string_equal(t.out.data, "21 77\r\n");
	assert_int_equal(t.exit_code, 137);
	assert_false(t.oom);
	c = request(&(struct agent_message){
		.kind = AGENT_EXEC, .data = bytes("{\"args\":[\"/no\"],\"cwd\":\"/\"}") });
	assert_int_equal(expect(&c, AGENT_ERROR).exit_code, 127);
	hang_up(&c);
	hang_up(&keep);
	delete();
}

static void detached_ones_go_on(void **state)
{
	struct client keep = start(false, "echo up; exec sleep 1000");
	CLEANUP_JSON json_t *p = process_json(false, "head -c 1000000 /dev/zero; "
					      "exec sleep 1001");
	CLEANUP_FREE char *process = json_dumps(p, JSON_COMPACT);
	struct agent_message m;

	(void)state;
	expect(&keep, AGENT_STDOUT);
	struct client c = request(&(struct agent_message){
		.kind = AGENT_EXEC, .all = true, .data = bytes(process) });
	expect(&c, AGENT_STARTED);
	assert_int_equal(agent_read(&c.in, c.fd, &m), 0);
	hang_up(&c);
	/* It comes this far only if its output was taken. */
	CLEANUP(output_release) struct output o = OUTPUT_NONE;
	c = exec(false, "until ps | grep -q '[s]leep 1001'; do sleep 0.1; done", 0, 0);
	collect(&c, &o);
	assert_int_equal(o.exit_code, 0);
	hang_up(&c);
	hang_up(&keep);
	delete();
}

#define MANY 20

static void runs_many_at_once(void **state)
{
	struct client keep = start(false, "echo up; exec sleep 1000"), c[MANY];

	(void)state;
	expect(&keep, AGENT_STDOUT);
	for (int i = 0; i < MANY; i++) {
		CLEANUP_FREE char *script = xasprintf("read x; echo %d $x; exit %d", i, i);

		c[i] = exec(false, script, 0, 0);
	}
	/* All of them wait now: begun with the last, so that none stands in another's way. */
	for (int i = MANY - 1; i >= 0; i--) {
		CLEANUP(output_release) struct output o = OUTPUT_NONE;
		CLEANUP_FREE char *want = xasprintf("%d go\n", i);

		assert_int_equal(agent_write(c[i].fd, &(struct agent_message){
			.kind = AGENT_STDIN, .data = bytes("go\n") }), 0);
		collect(&c[i], &o);
		assert_string_equal(o.out.data, want);
		assert_int_equal(o.exit_code, i);
		hang_up(&c[i]);
	}
	hang_up(&keep);
	delete();
}

/* ---- cases: hosts that misbehave --------------------------------------------------------- */

static void a_host_that_goes_away_ends_the_pipe(void **state)
{
	struct client keep = start(false, "echo up; exec sleep 1000");

	(void)state;
	expect(&keep, AGENT_STDOUT);
	struct client c = exec(false, "yes", 0, 0);
	expect(&c, AGENT_STDOUT);
	hang_up(&c);
	/* SIGPIPE, or SIGHUP with a terminal. */
	await_pids(1);
	c = exec(true, "sleep 1000", 0, 0);
	hang_up(&c);
	await_pids(1);
	hang_up(&keep);
	delete();
}

static void garbage_ends_its_stream_alone(void **state)
{
	static const char *const wrong[] = {
		"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff\x01\x00", "\x02\0\0\0\xff\xff",
		"\x06\0\0\0\x10\0aaaa",         /* a WELCOME: not of a host's */
		"\x06\0\0\0\x01\0\0\0\0\0",     /* HELLO of version 0 */
		"\x02\0\0\0\x01",               /* cut short */
	};
	static const size_t length[] = { 18, 6, 6, 10, 10, 5 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct client c = { .fd = dial(), .in.from = AGENT_FROM_GUEST };
		struct agent_message m;

		assert_int_equal(write(c.fd, wrong[i], length[i]), length[i]);
		shutdown(c.fd, SHUT_WR);
		assert_int_equal(agent_read(&c.in, c.fd, &m), 1);
		assert_int_equal(m.kind, AGENT_ERROR);
		hang_up(&c);
	}
	/* Who says nothing at all does not stand in the way, and neither does a half request. */
	struct client idle = { .fd = dial() }, half = { .fd = dial() };
	assert_int_equal(write(half.fd, wrong[5], 5), 5);
	/* What is no request, and what is none for the stream of a program. */
	ask(&(struct agent_message){ .kind = AGENT_STDIN, .data = bytes("x") }, AGENT_ERROR);
	ask(&(struct agent_message){ .kind = AGENT_CREATE, .name = bytes("../x"),
		.data = bytes("{}"), .extra = bytes("root") }, AGENT_ERROR);
	ask(&(struct agent_message){ .kind = AGENT_EXEC, .data = bytes("[") }, AGENT_ERROR);
	says_hello(NULL);
	hang_up(&idle);
	hang_up(&half);
}

static void a_wrong_frame_ends_a_program_s_stream(void **state)
{
	struct client keep = start(false, "echo up; exec sleep 1000");
	struct agent_message m;

	(void)state;
	expect(&keep, AGENT_STDOUT);
	struct client c = exec(false, "echo up; cat", 0, 0);
	expect(&c, AGENT_STDOUT);
	assert_int_equal(agent_write_kind(c.fd, AGENT_START), 0);
	assert_true(agent_read(&c.in, c.fd, &m) <= 0);
	hang_up(&c);
	await_pids(1);
	hang_up(&keep);
	delete();
}

/* Last of all: nothing that was started above is a zombie, and no server is left. */
static void nothing_is_left(void **state)
{
	struct timespec step = { .tv_nsec = 20000000 };
	char text[4096] = "";

	(void)state;
	CLEANUP_FREE char *path = xasprintf("/proc/%d/task/%d/children", agent_pid(), agent_pid());
	for (int i = 0; i < WAIT_MS / 20; i++) {
		CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text) - 1);

		assert_true(fd >= 0 && n >= 0);
		if (n <= 0)
			return;
		text[n] = '\0';
		nanosleep(&step, NULL);
	}
	fail_msg("children of the agent: %s", text);
}

/* ---- the run ----------------------------------------------------------------------------- */

static int tear_down(void **state)
{
	CLEANUP_FREE char *command = xasprintf("rm -rf %s", here.dir);
	int status = 0;

	(void)state;
	/* The agent is the init of its namespace: everything in it ends with it. */
	struct client c = request(&(struct agent_message){ .kind = AGENT_SHUTDOWN });
	struct agent_message m;
	(void)!agent_read(&c.in, c.fd, &m);
	hang_up(&c);
	if (waitpid(here.outer, &status, 0) < 0)
		return -1;
	free(here.root);
	free(here.socket);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_hello),
		cmocka_unit_test_teardown(is_configured, clean),
		cmocka_unit_test(refuses_a_wrong_network),
		cmocka_unit_test_teardown(runs_a_program, clean),
		cmocka_unit_test_teardown(tells_the_signal, clean),
		cmocka_unit_test_teardown(sends_signals, clean),
		cmocka_unit_test_teardown(feeds_stdin, clean),
		cmocka_unit_test_teardown(half_closed_is_end_of_input, clean),
		cmocka_unit_test_teardown(much_goes_both_ways, clean),
		cmocka_unit_test_teardown(a_slow_reader_slows_the_program, clean),
		cmocka_unit_test_teardown(does_not_wait_for_who_holds_the_pipe, clean),
		cmocka_unit_test_teardown(has_a_terminal, clean),
		cmocka_unit_test_teardown(tells_what_cannot_be_executed, clean),
		cmocka_unit_test_teardown(has_a_life, clean),
		cmocka_unit_test_teardown(tells_of_oom, clean),
		cmocka_unit_test_teardown(runs_further_programs, clean),
		cmocka_unit_test_teardown(detached_ones_go_on, clean),
		cmocka_unit_test_teardown(runs_many_at_once, clean),
		cmocka_unit_test_teardown(a_host_that_goes_away_ends_the_pipe, clean),
		cmocka_unit_test_teardown(garbage_ends_its_stream_alone, clean),
		cmocka_unit_test_teardown(a_wrong_frame_ends_a_program_s_stream, clean),
		cmocka_unit_test(nothing_is_left),
	};

	if (geteuid() != 0 || access(BUSYBOX, X_OK) < 0) {
		printf("needs root and %s\n", BUSYBOX);
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
