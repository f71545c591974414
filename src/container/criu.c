/* container/criu.c - see criu.h */
#include "container/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/rootfs.h"
#include "sys/calls.h"

#define GO_BYTE 'g'
#define LOG_BYTES_MAX (64u << 20)

/* --- arguments ---------------------------------------------------------- */

static void add(struct criu *c, const char *arg)
{
	if (c->n < CRIU_ARGS_MAX)
		c->argv[c->n] = arg;
	c->n++;
}

static const char *format(struct criu *c, const char *fmt, va_list ap)
{
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, ap);
	return arena_strdup(&c->arena, text);
}

void criu_arg(struct criu *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(c, format(c, fmt, ap));
	va_end(ap);
}

void criu_opt(struct criu *c, const char *name, const char *fmt, ...)
{
	va_list ap;

	add(c, name);
	va_start(ap, fmt);
	add(c, format(c, fmt, ap));
	va_end(ap);
}

void criu_keep(struct criu *c, int fd)
{
	if (c->n_keep < CRIU_FDS_MAX)
		c->keep[c->n_keep] = fd;
	c->n_keep++;
}

static char *absolute(struct arena *a, const char *path)
{
	char cwd[4096];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return arena_strdup(a, path);
	return arena_printf(a, "%s/%s", cwd, path);
}

static int use_dir(const char *dir, bool make, struct err *e)
{
	struct stat st;

	if (make && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "create directory %s", dir);
	if (stat(dir, &st) < 0)
		return err_sys(e, errno, "open directory %s", dir);
	return S_ISDIR(st.st_mode) ? 0 : err_sys(e, ENOTDIR, "open directory %s", dir);
}

static int add_mode(struct criu *c, const char *mode, struct err *e)
{
	static const char *const modes[] = { "soft", "full", "strict", "ignore", "none" };

	if (!mode)
		mode = modes[0];
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(mode, modes[i]) == 0) {
			criu_arg(c, "--manage-cgroups=%s", mode);
			return 0;
		}
	}
	return err_set(e, EINVAL, "option --manage-cgroups-mode: \"%s\" is not soft, full, "
		       "strict, ignore or none", mode);
}

static int add_status_fd(struct criu *c, const char *number, struct err *e)
{
	char *end;
	long fd = strtol(number, &end, 10);

	if (end == number || *end || fd < 3 || fd > 65535 || fcntl((int)fd, F_GETFD) < 0)
		return err_set(e, EINVAL, "option --status-fd: \"%s\" is not an open descriptor",
			       number);
	criu_opt(c, "--status-fd", "%ld", fd);
	criu_keep(c, (int)fd);
	return 0;
}

static int add_common(struct criu *c, const struct criu_opts *o, struct err *e)
{
	const struct { bool on; const char *arg; } flags[] = {
		{ o->tcp_established, "--tcp-established" },
		{ o->ext_unix_sk, "--ext-unix-sk" },
		{ o->shell_job, "--shell-job" },
		{ o->file_locks, "--file-locks" },
		{ o->auto_dedup, "--auto-dedup" },
		{ o->lazy_pages, "--lazy-pages" },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (flags[i].on)
			add(c, flags[i].arg);
	}
	c->keep_stdin = o->shell_job;
	if (o->empty_ns && strcmp(o->empty_ns, "network") != 0)
		return err_set(e, EINVAL, "option --empty-ns: \"%s\" is not network, the only "
			       "namespace that criu can leave empty", o->empty_ns);
	if (o->empty_ns)
		criu_opt(c, "--empty-ns", "net");
	int r = add_mode(c, o->manage_cgroups, e);
	if (r >= 0 && o->status_fd)
		r = add_status_fd(c, o->status_fd, e);
	return r;
}

int criu_init(struct criu *c, const char *verb, const struct criu_opts *o, bool make,
	      struct err *e)
{
	*c = (struct criu)CRIU_INIT;
	c->image_dir = absolute(&c->arena, o->image_path ? o->image_path : "checkpoint");
	char *work = o->work_path ? absolute(&c->arena, o->work_path) : c->image_dir;
	const char *name = strcmp(verb, "restore") == 0 ? "restore.log" : "dump.log";

	int r = use_dir(c->image_dir, make, e);
	if (r >= 0)
		r = use_dir(work, true, e);
	if (r < 0)
		return r;
	c->log = arena_printf(&c->arena, "%s/%s", work, name);
	add(c, o->program ? o->program : "criu");
	add(c, verb);
	criu_opt(c, "-D", "%s", c->image_dir);
	criu_opt(c, "-W", "%s", work);
	criu_opt(c, "-o", "%s", name);
	add(c, "-v4");
	return add_common(c, o, e);
}

void criu_release(struct criu *c)
{
	/* A child that was never let go reads end of file and ends. */
	fd_close(&c->sync);
	fd_close(&c->script);
	for (size_t i = 0; i < ARRAY_LEN(c->asks); i++) {
		fd_close(&c->asks[i]);
		fd_close(&c->answers[i]);
	}
	if (c->pid > 0 && TEMP_FAILURE_RETRY(waitpid(c->pid, NULL, 0)) < 0)
		log_debug("criu: %s", err_text(errno));
	arena_release(&c->arena);
}

/* --- what lies outside --------------------------------------------------- */

static void add_mount(struct criu *c, const char *at, const char *source, const char *bundle)
{
	if (!bundle)
		criu_opt(c, "--external", "mnt[%s]:%s", at, at);
	else if (source[0] == '/')
		criu_opt(c, "--external", "mnt[%s]:%s", at, source);
	else
		criu_opt(c, "--external", "mnt[%s]:%s/%s", at, bundle, source);
}

/* A v1 mount of type cgroup without a cgroup namespace: one bind of the container's own
 * group for each hierarchy, below a tmpfs. */
static void add_cgroup_mounts(struct criu *c, const struct oci_mount *m,
			      const struct cgroup *cg, const char *bundle)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_hierarchy *h = &cg->h[i];
		const char *base = strrchr(h->mount, '/');
		CLEANUP_FREE char *at = xasprintf("%s%s", m->destination, base ? base : "");
		CLEANUP_FREE char *source = xasprintf("%s%s", h->mount, h->path);

		add_mount(c, at, source, bundle);
	}
}

/* Device nodes are binds of the host's where the container cannot make its own. */
static void add_devices(struct criu *c, const struct oci_spec *spec, const char *bundle)
{
	static const char *const defaults[] = {
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
	};

	if (!oci_ns_find(spec, OCI_NS_USER))
		return;
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		add_mount(c, defaults[i], defaults[i], bundle);
	for (size_t i = 0; i < spec->os.n_devices; i++)
		add_mount(c, spec->os.devices[i].path, spec->os.devices[i].path, bundle);
}

/* Files are masked with the host's /dev/null; directories with a tmpfs, which criu
 * saves by itself.  A name that is no mount does no harm. */
static void add_masks(struct criu *c, const struct oci_spec *spec, pid_t pid,
		      const char *bundle)
{
	for (size_t i = 0; i < spec->os.masked_paths.n; i++) {
		const char *at = spec->os.masked_paths.v[i];
		CLEANUP_FREE char *path = xasprintf("/proc/%d/root%s", pid, at);
		struct stat st;

		if (bundle || (lstat(path, &st) == 0 && S_ISCHR(st.st_mode)))
			add_mount(c, at, "/dev/null", bundle);
	}
}

int criu_external_mounts(struct criu *c, const struct oci_spec *spec, const struct cgroup *cg,
			 pid_t pid, const char *bundle, struct err *e)
{
	bool cgroupns = oci_ns_find(spec, OCI_NS_CGROUP);

	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct oci_mount *m = &spec->mounts[i];
		struct mount_options mo;
		int r = mount_options_parse(m, &c->arena, &mo, e);

		if (r < 0)
			return r;
		if (mo.flags & MS_BIND)
			add_mount(c, m->destination, m->source, bundle);
		else if (m->type && strcmp(m->type, "cgroup") == 0 && !cgroupns &&
			 cg->mode == CGROUP_MODE_V1)
			add_cgroup_mounts(c, m, cg, bundle);
	}
	add_masks(c, spec, pid, bundle);
	add_devices(c, spec, bundle);
	return 0;
}

/* --- its action script ---------------------------------------------------- */

/*
 * criu runs the file at each of its stages (criu(8), --action-script).  It is a memfd, for
 * /run is often mounted noexec; that and the pipes are reached through /proc and not
 * inherited, for criu has its own mind about descriptors.  When we are gone the
 * path is too, or the read ends, and the script fails.
 */
int criu_at_namespaces(struct criu *c, int (*fn)(void *arg, pid_t init, struct err *e), void *arg,
		       struct err *e)
{
	const int self = (int)getpid();

	if (pipe2(c->asks, O_CLOEXEC) < 0 || pipe2(c->answers, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe to criu's action script");
	CLEANUP_FREE char *text = xasprintf(
		"#!/bin/sh\n"
		"[ \"$CRTOOLS_SCRIPT_ACTION\" = setup-namespaces ] || exit 0\n"
		"echo \"$CRTOOLS_INIT_PID\" >/proc/%d/fd/%d &&\n"
		"read -r answer </proc/%d/fd/%d && exit \"$answer\"\n",
		self, c->asks[1], self, c->answers[0]);
	c->script = fd_sealed("criu-script", text, strlen(text), 1);
	if (c->script < 0)
		return err_sys(e, -c->script, "make criu's action script");
	c->at_namespaces = fn;
	c->arg = arg;
	criu_opt(c, "--action-script", "/proc/%d/fd/%d", self, c->script);
	return 0;
}

/* Until the script has asked and been answered, or criu ended before it. */
static int serve_script(struct criu *c, struct err *e)
{
	CLEANUP_FD int pidfd = sys_pidfd_open(c->pid);
	struct pollfd p[2] = {
		{ .fd = pidfd, .events = POLLIN }, { .fd = c->asks[0], .events = POLLIN },
	};
	char text[32];

	if (pidfd < 0)
		return err_sys(e, -pidfd, "open process %d (criu)", c->pid);
	if (TEMP_FAILURE_RETRY(poll(p, ARRAY_LEN(p), -1)) < 0)
		return err_sys(e, errno, "wait for criu");
	if (!p[1].revents)
		return 0;
	/* One line, in one write of the shell's. */
	ssize_t n = read(c->asks[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	const long init = strtol(text, NULL, 10);
	if (init <= 0)
		return err_set(e, EPROTO, "criu's action script told no process ID");
	int r = c->at_namespaces(c->arg, (pid_t)init, e);
	if (r >= 0 && fd_write_all(c->answers[1], "0\n", 2) < 0)
		return err_sys(e, errno, "answer criu's action script");
	return r;
}

/* --- the process --------------------------------------------------------- */

/*
 * criu wants --root to be a mount.  It is made in a mount namespace that ends with criu,
 * so that nothing stays on the host, whatever is killed when.
 */
static int make_root(const char *root, struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, errno, "make a mount namespace for criu");
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(e, errno, "make the mounts of criu private");
	if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(e, errno, "bind mount %s", root);
	return 0;
}

static _Noreturn void child(struct criu *c, const struct cgroup *join, int sync)
{
	struct err e = { 0 };
	sigset_t none;
	char go;

	/* The foreground's blocked signals are not criu's. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(sync, &go, 1) != 1)
		_exit(0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		err_sys(&e, errno, "prctl PR_SET_PDEATHSIG");
	if (join && !e.code)
		(void)!cgroup_join_self(join, &e);
	if (c->bind_root && !e.code)
		(void)!make_root(c->bind_root, &e);
	for (size_t i = 0; i < c->n_keep && !e.code; i++) {
		if (fd_set_keep(c->keep[i], 1) < 0)
			err_set(&e, EBADF, "descriptor %d is not open", c->keep[i]);
	}
	/* It repeats its log on stderr, where engines look for our one line. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0 && !e.code && ((!c->keep_stdin && dup2(null, 0) < 0) ||
				     dup2(null, 1) < 0 || dup2(null, 2) < 0))
		err_sys(&e, errno, "redirect criu's output");
	if (!e.code) {
		execvp(c->argv[0], (char **)c->argv);
		if (errno == ENOENT)
			err_set(&e, ENOENT, "criu is missing: %s is not there; install the "
				"package criu", c->argv[0]);
		else
			err_sys(&e, errno, "run %s", c->argv[0]);
	}
	(void)!fd_write_all(sync, &e, sizeof(e));
	_exit(1);
}

int criu_spawn(struct criu *c, const struct cgroup *join, struct err *e)
{
	int pair[2];

	if (c->n > CRIU_ARGS_MAX || c->n_keep > CRIU_FDS_MAX)
		return err_set(e, E2BIG, "criu would need %zu arguments and %zu descriptors: too "
			       "many mounts", c->n, c->n_keep);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "make a socket pair for criu");
	for (size_t i = 0; i < c->n; i++)
		log_debug("criu argument %zu: %s", i, c->argv[i]);
	c->pid = fork();
	if (c->pid == 0) {
		close(pair[0]);
		child(c, join, pair[1]);
	}
	close(pair[1]);
	if (c->pid < 0) {
		close(pair[0]);
		return err_sys(e, errno, "fork for criu");
	}
	c->sync = pair[0];
	return 0;
}

/* "(00.015515) Error (criu/vdso.c:381): vdso: Unexpected ..." -> its text, or NULL. */
static const char *error_text(char *line)
{
	char *p = strstr(line, "Error (");

	if (!p)
		return NULL;
	char *end = strstr(p, "): ");
	return end ? end + 3 : p;
}

/*
 * The first error of the log is the cause, the last what came of it.  Without any, the
 * exit status must do.
 */
static int failure(const struct criu *c, int status, struct err *e)
{
	CLEANUP(buf_release) struct buf log = BUF_INIT(LOG_BYTES_MAX);
	const char *first = NULL, *last = NULL;

	if (file_read_at(AT_FDCWD, c->log, &log) >= 0 && log.len) {
		char *rest = log.data, *line;

		while ((line = strsep(&rest, "\n"))) {
			const char *text = error_text(line);

			if (text && !first)
				first = text;
			if (text)
				last = text;
		}
	}
	if (!first && WIFSIGNALED(status))
		return err_set(e, EIO, "criu was killed by signal %d (log: %s)",
			       WTERMSIG(status), c->log);
	if (!first)
		return err_set(e, EIO, "criu failed with status %d (log: %s)",
			       WEXITSTATUS(status), c->log);
	if (first == last)
		return err_set(e, EIO, "criu failed: %s (log: %s)", first, c->log);
	return err_set(e, EIO, "criu failed: %s: %s (log: %s)", first, last, c->log);
}

int criu_finish(struct criu *c, struct err *e)
{
	char go = GO_BYTE;
	struct err told;
	int status = 0;

	if (send(c->sync, &go, 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, errno, "start criu");
	ssize_t n = fd_read_all(c->sync, &told, sizeof(told));
	int r = n == 0 && c->at_namespaces ? serve_script(c, e) : 0;
	/* Its own way of undoing; if it is past that, it is ended with what it made. */
	if (r < 0 && fd_write_all(c->answers[1], "1\n", 2) < 0)
		kill(c->pid, SIGKILL);
	pid_t pid = c->pid;
	c->pid = 0;
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return err_sys(e, errno, "wait for criu");
	if (n == sizeof(told)) {
		if (e)
			*e = told;
		return -told.code;
	}
	if (r < 0)
		return r;
	return status == 0 ? 0 : failure(c, status, e);
}
