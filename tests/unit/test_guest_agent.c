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

#define BUSYBOX "/bin/busybox"
#define WAIT_MS 20000                   /* for what takes milliseconds */

static struct {
	char dir[64];
	char *root, *socket;
	pid_t outer;                    /* the parent of the agent: ends when it does */
} here;

/* ---- the agent --------------------------------------------------------------------------- */

static _Noreturn void agent_run(void)
{
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

/* ---- cases ------------------------------------------------------------------------------- */

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
		cmocka_unit_test_teardown(runs_a_program, clean),
		cmocka_unit_test_teardown(tells_the_signal, clean),
	};

	if (geteuid() != 0 || access(BUSYBOX, X_OK) < 0) {
		printf("needs root and %s\n", BUSYBOX);
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
