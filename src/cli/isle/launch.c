/* cli/isle/launch.c - see launch.h */
#include "cli/isle/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/program.h"
#include "engine/attach.h"
#include "engine/life.h"
#include "proto/keeper.h"

/* --- the image -------------------------------------------------------------- */

/* 1: it failed and has said why. */
static int pull(struct isle_call *c, const struct run_options *o, const char *name,
		struct err *e)
{
	const char *line[8] = { "pull" };
	size_t n = 1;
	int status = 0;

	if (o->quiet)
		line[n++] = "--quiet";
	if (o->config.platform) {
		line[n++] = "--platform";
		line[n++] = o->config.platform;
	}
	line[n++] = name;
	/* stdout is the program's: how the pull goes on is told on stderr. */
	int r = program_run_image(c->eng, line, STDERR_FILENO, &status, e);
	return r < 0 ? r : status != 0;
}

static int get_image(struct isle_call *c, const struct run_options *o, const char *name,
		     struct arena *a, struct image *ret, struct err *e)
{
	bool always = o->pull && strcmp(o->pull, "always") == 0;
	bool never = o->pull && strcmp(o->pull, "never") == 0;
	int r = always ? -ENOENT : image_find(&c->eng->store, name, a, ret, e);

	if (r != -ENOENT)
		return r;
	if (never)
		return err_prefix(e, "--pull never");
	if (!always && !o->quiet)
		fprintf(stderr, "Unable to find image '%s' locally\n", name);
	r = pull(c, o, name, e);
	return r != 0 ? r : image_find(&c->eng->store, name, a, ret, e);
}

/* --- the instance ----------------------------------------------------------- */

/* Made first and empty: a file that is there belongs to another instance. */
static int cidfile_open(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, "option --cidfile: %s is there already: another "
			       "instance may use it; remove it, or name another file", path);
	return fd < 0 ? err_sys(e, errno, "option --cidfile: make %s", path) : fd;
}

static int make(struct isle_call *c, struct run_options *o, bool start, struct instance *in,
		struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct image image;
	int r = get_image(c, o, c->argv[0], &a, &image, e);

	if (r == 0)
		r = instance_new(c->eng, o->name, in, e);
	if (r != 0)
		return r;
	in->config = o->config;
	in->config.image = c->argv[0];
	in->config.cmd = (struct oci_strv){ (const char **)c->argv + 1, c->argc - 1 };
	/* How far it has come is in the table: a killed run is cleaned up after. */
	in->active = start ? INSTANCE_STARTING : INSTANCE_IDLE;
	return life_create(c->eng, in, &image, e);
}

int launch_create(struct isle_call *c, struct run_options *o, bool start, struct instance *in,
		  struct err *e)
{
	CLEANUP_FD int fd = -1;
	int r = 0;

	if (o->cidfile)
		r = fd = cidfile_open(o->cidfile, e);
	if (r < 0)
		return r;
	r = make(c, o, start, in, e);
	if (r == 0 && fd >= 0)
		r = fd_write_all(fd, in->id, strlen(in->id));
	if (r != 0 && fd >= 0)
		unlink(o->cidfile);
	return r;
}

/* --- the terminal ----------------------------------------------------------- */

int launch_check_terminal(const struct instance_config *config, bool input, struct err *e)
{
	if (config->tty && input && !isatty(STDIN_FILENO))
		return err_set(e, ENOTTY, "the input device is not a TTY: leave -t out, or give "
			       "it a terminal");
	return 0;
}

static unsigned flags(const struct launch *l)
{
	return (l->in ? KEEPER_ATTACH_STDIN : 0) | (l->out ? KEEPER_ATTACH_STDOUT : 0) |
	       (l->err ? KEEPER_ATTACH_STDERR : 0) | (l->owner ? KEEPER_ATTACH_OWNER : 0);
}

/* It has ended and we were its owner: addresses, ports, --rm. */
static int reap(struct isle_call *c, const char *id, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	int r = instance_find(c->eng, id, true, &in, e);

	if (r < 0)
		return r == -ENOENT ? 0 : r;    /* somebody was faster: rm -f */
	return life_reap(c->eng, &in, e);
}

static int wait_end(struct isle_call *c, struct instance *in, const struct launch *l, int sock,
		    int *ret_status, struct err *e)
{
	const struct attach a = {
		.sock = sock, .input = l->in, .tty = in->config.tty,
		.sig_proxy = !l->no_sig_proxy && !in->config.tty, .detach_keys = l->detach_keys,
	};
	struct attach_end end = { 0 };
	int r = attach_run(&a, &end, e);

	if (r < 0)
		return r;
	*ret_status = end.detached ? 0 : end.exit_code;
	if (end.oom)
		log_warn("%s was killed: it wanted more memory than its limit", in->name);
	/* One that is started again goes on without us, as in Docker. */
	if (end.detached || end.restarting || !l->owner)
		return 0;
	return reap(c, in->id, e);
}

int launch_foreground(struct isle_call *c, struct instance *in, const struct launch *l,
		      int *ret_status, struct err *e)
{
	CLEANUP_FD int sock = -1;
	int r = life_start(c->eng, in, flags(l), &sock, e);

	if (r < 0) {
		*ret_status = in->start_exit_code ? in->start_exit_code : 125;
		return r;
	}
	/* From now on others may stop it, pause it, remove it. */
	fd_close(&in->lockfd);
	*ret_status = 125;
	return wait_end(c, in, l, sock, ret_status, e);
}

int launch_attach(struct isle_call *c, struct instance *in, const struct launch *l, int sock,
		  int *ret_status, struct err *e)
{
	const struct keeper_message m = { .kind = KEEPER_ATTACH, .flags = flags(l) };
	int r = keeper_send(sock, &m, 0);

	if (r < 0)
		return err_sys(e, -r, "attach to %s", in->name);
	return wait_end(c, in, l, sock, ret_status, e);
}
