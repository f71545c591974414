/* guest/agent/program.c - see parts.h: the instance's program, and others in it. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/console.h"
#include "container/container.h"
#include "container/wall.h"

const struct wall_host agent_host = { .state_dir = AGENT_STATE };
static const struct runtime runtime = {
	.root = AGENT_STATE, .cgroup_manager = CGROUP_CGROUPFS,
};

/* The server is not to be what the kernel takes when memory is short; its program may be. */
#define OOM_NEVER "-1000"

int program_instance(char **ret, struct err *e)
{
	char **ids = NULL;
	size_t n = 0;

	int r = state_list(&runtime, &ids, &n, e);
	if (r < 0)
		return r;
	*ret = n ? ids[0] : NULL;
	for (size_t i = 1; i < n; i++)
		free(ids[i]);
	free(ids);
	return *ret ? 0 : err_set(e, ENOENT, "container does not exist");
}

/* ---- stdio ------------------------------------------------------------------------------- */

void stdio_release(struct stdio *io)
{
	fd_close(&io->in);
	fd_close(&io->out);
	fd_close(&io->err);
}

/* What a program is made with: its ends become ours while it is made. */
struct making {
	struct stdio io;                /* our ends */
	int theirs[3];                  /* the program's */
	int own[3];                     /* what we had */
	int console;                    /* listens for the terminal */
	char path[64];                  /* of that */
};

#define MAKING_NONE { .io = { -1, -1, -1, false }, .theirs = { -1, -1, -1 }, \
		      .own = { -1, -1, -1 }, .console = -1 }

static void making_release(struct making *m)
{
	stdio_release(&m->io);
	for (int i = 0; i < 3; i++) {
		fd_close(&m->theirs[i]);
		fd_close(&m->own[i]);
	}
	if (m->console >= 0)
		unlink(m->path);
	fd_close(&m->console);
}

/* ours: which end, 0 to read or 1 to write. */
static int make_pipe(int ours, int *ret_ours, int *ret_theirs, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	*ret_ours = p[ours];
	*ret_theirs = p[!ours];
	if (fcntl(p[ours], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, errno, "make a pipe non-blocking");
	return 0;
}

/* The container half sends a terminal to a socket, as it does for engines. */
static int listen_console(struct making *m, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(m->path, sizeof(m->path), AGENT_DIR "/console.%d", getpid());
	memcpy(a.sun_path, m->path, sizeof(m->path));
	unlink(m->path);
	m->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (m->console < 0 || bind(m->console, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(m->console, 1) < 0)
		return err_sys(e, errno, "make %s for the terminal", m->path);
	return 0;
}

static int making_prepare(struct making *m, bool terminal, struct err *e)
{
	m->io.terminal = terminal;
	if (!terminal) {
		int r = make_pipe(1, &m->io.in, &m->theirs[0], e);

		if (r == 0)
			r = make_pipe(0, &m->io.out, &m->theirs[1], e);
		return r < 0 ? r : make_pipe(0, &m->io.err, &m->theirs[2], e);
	}
	for (int i = 0; i < 3; i++) {
		m->theirs[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (m->theirs[i] < 0)
			return err_sys(e, errno, "open /dev/null");
	}
	return listen_console(m, e);
}

static int swap_in(struct making *m, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		m->own[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
		if (m->own[i] < 0 || dup2(m->theirs[i], i) < 0)
			return err_sys(e, errno, "make stdio");
		fd_close(&m->theirs[i]);
	}
	return 0;
}

static void swap_back(struct making *m)
{
	for (int i = 0; i < 3; i++) {
		if (m->own[i] >= 0 && dup2(m->own[i], i) < 0)
			close(i);       /* else we would hold the program's pipe open */
		fd_close(&m->own[i]);
	}
}

/* It has been sent by now: the program was made. */
static int take_console(struct making *m, struct err *e)
{
	if (!m->io.terminal)
		return 0;
	CLEANUP_FD int s = accept4(m->console, NULL, NULL, SOCK_CLOEXEC);
	if (s < 0)
		return err_sys(e, errno, "take the terminal");
	m->io.out = console_recv_fd(s, e);
	if (m->io.out < 0)
		return m->io.out;
	m->io.in = fcntl(m->io.out, F_DUPFD_CLOEXEC, 3);
	if (m->io.in < 0 || fcntl(m->io.out, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_sys(e, errno, "make the terminal non-blocking");
	return 0;
}

/* ---- its end ----------------------------------------------------------------------------- */

struct oom_watch {
	const char *id;
	uint64_t before;
};

static uint64_t oom_kills(const char *id)
{
	struct err ignored = { 0 };
	uint64_t n = 0;

	/* Without a group nothing is counted. */
	return wall_container.oom_count(&agent_host, id, &n, &ignored) < 0 ? 0 : n;
}

static bool oom_happened(void *arg)
{
	const struct oom_watch *w = arg;

	return oom_kills(w->id) > w->before;
}

/* From now on the host is /dev/null: nothing comes, and what is sent is taken and lost. */
static int detach(struct stream *s)
{
	CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return null < 0 || dup3(null, s->fd, O_CLOEXEC) < 0 ? -errno : 0;
}

/* The program has been made: whatever fails now, it runs. */
static void program_relay(struct stream *s, const struct agent_message *made, bool detached,
			  struct oom_watch *w, struct making *m)
{
	if (file_write_at(AT_FDCWD, "/proc/self/oom_score_adj", OOM_NEVER) < 0)
		log_debug("the kernel may kill this server when memory is short");
	int r = agent_write(s->fd, made);
	if (r == 0 && detached)
		r = detach(s);
	if (r == 0)
		relay(s, (pid_t)made->pid, &m->io, oom_happened, w);
	else
		log_debug("the host is not told of process %u: %s", made->pid, err_text(-r));
}

/* ---- CREATE ------------------------------------------------------------------------------ */

/*
 * What an instance of before had mounted goes: the host says anew where the root is.  A tag
 * is the source of a virtiofs mount (Documentation/filesystems/virtiofs.rst).
 */
static int mount_root(const struct agent *a, const char *tag, struct err *e)
{
	while (umount2(AGENT_ROOT, MNT_DETACH) == 0)
		;
	if (a->root) {
		if (mount(a->root, AGENT_ROOT, NULL, MS_BIND | MS_REC, NULL) < 0)
			return err_sys(e, errno, "mount %s at %s", a->root, AGENT_ROOT);
		return 0;
	}
	if (mount(tag, AGENT_ROOT, "virtiofs", 0, NULL) < 0)
		return err_sys(e, errno, "mount virtio-fs tag %s", tag);
	return 0;
}

/* Of config.json one thing decides about us: whether there is a terminal. */
static int wants_terminal(const struct agent_bytes *config, bool *ret, struct err *e)
{
	struct oci_spec spec = { 0 };

	int r = oci_spec_parse("config.json", config->p, config->n, &spec, e);
	if (r == 0)
		*ret = spec.process && spec.process->terminal;
	oci_spec_release(&spec);
	return r;
}

static int write_bundle(const struct agent_bytes *config, struct err *e)
{
	CLEANUP_FD int dir = open(AGENT_BUNDLE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "open directory %s", AGENT_BUNDLE);
	int r = file_replace_at(dir, "config.json", config->p, config->n, 0600);
	return r < 0 ? err_sys(e, -r, "write config.json") : 0;
}

/* A name of the frame as a string; it must hold no NUL. */
static char *text_of(const struct agent_bytes *b)
{
	char *s = xmalloc(b->n + 1);

	if (b->n)
		memcpy(s, b->p, b->n);
	s[b->n] = '\0';
	return s;
}

static int create(struct stream *s, const struct agent_message *m, const char *id,
		  struct making *k, pid_t *ret_pid, struct err *e)
{
	CLEANUP_FREE char *tag = text_of(&m->extra);
	CLEANUP_FREE char *other = NULL;
	bool terminal = false;

	if (program_instance(&other, e) == 0)
		return err_set(e, EEXIST, "container with given ID already exists: %s", other);
	int r = wants_terminal(&m->data, &terminal, e);
	if (r == 0)
		r = mount_root(s->agent, tag, e);
	if (r == 0)
		r = write_bundle(&m->data, e);
	if (r == 0)
		r = making_prepare(k, terminal, e);
	if (r < 0)
		return r;
	struct create_opts o = {
		.bundle = AGENT_BUNDLE,
		.rootfs = AGENT_ROOT,
		.console_socket = terminal ? k->path : NULL,
		.ret_pid = ret_pid,
	};
	r = swap_in(k, e);
	if (r == 0)
		r = container_create(&runtime, id, &o, e);
	swap_back(k);
	return r < 0 ? r : take_console(k, e);
}

int program_create(struct stream *s, const struct agent_message *m, struct err *e)
{
	CLEANUP(making_release) struct making k = MAKING_NONE;
	CLEANUP_FREE char *id = text_of(&m->name);
	pid_t pid = 0;

	if (strlen(id) != m->name.n)
		return err_set(e, EINVAL, "the name of the instance holds a NUL");
	int r = create(s, m, id, &k, &pid, e);
	if (r < 0)
		return r;
	program_relay(s, &(struct agent_message){ .kind = AGENT_CREATED, .pid = (uint32_t)pid },
		      false, &(struct oom_watch){ .id = id }, &k);
	return 0;
}

/* ---- EXEC -------------------------------------------------------------------------------- */

static int exec(const struct agent_message *m, const char *id, struct making *k, pid_t *ret_pid,
		struct err *e)
{
	struct arena arena __attribute__((cleanup(arena_release))) = { 0 };
	struct oci_process *process = NULL;
	int status;

	int r = oci_process_parse("process", m->data.p, m->data.n, &arena, &process, e);
	if (r < 0)
		return r;
	if (m->rows && m->columns) {
		process->console_height = (uint16_t)m->rows;
		process->console_width = (uint16_t)m->columns;
	}
	r = making_prepare(k, process->terminal, e);
	if (r < 0)
		return r;
	struct wall_exec x = {
		.process = process,
		.detach = true,
		.console_socket = process->terminal ? k->path : NULL,
		.ret_pid = ret_pid,
	};
	r = swap_in(k, e);
	if (r == 0)
		r = wall_container.exec(&agent_host, id, &x, &status, e);
	swap_back(k);
	return r < 0 ? r : take_console(k, e);
}

int program_exec(struct stream *s, const struct agent_message *m, struct err *e)
{
	CLEANUP(making_release) struct making k = MAKING_NONE;
	CLEANUP_FREE char *id = NULL;
	pid_t pid = 0;

	int r = program_instance(&id, e);
	if (r < 0)
		return r;
	struct oom_watch w = { .id = id, .before = oom_kills(id) };
	bool detached = m->all;
	r = exec(m, id, &k, &pid, e);
	if (r < 0)
		return r;
	program_relay(s, &(struct agent_message){ .kind = AGENT_STARTED, .pid = (uint32_t)pid },
		      detached, &w, &k);
	return 0;
}
