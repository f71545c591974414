/* cli/isle/each.c - see each.h */
#include "cli/isle/each.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/output.h"
#include "engine/event.h"

#define AT_ONCE 16                      /* processes: they mostly wait */
#define WORDS_MAX 24

int each_name(struct isle_call *c, bool print, each_name_work *work, const void *arg,
	      struct err *e)
{
	for (size_t i = 0; i < c->argc; i++) {
		struct err why = { 0 };
		int r = work(c, c->argv[i], arg, &why);

		if (r < 0) {
			log_error("%s", why.msg);
			c->status = 1;
		} else if (print && r == 0) {
			printf("%s\n", c->argv[i]);
		}
		/* Seen now: the next name may take its time. */
		r = output_flush(e);
		if (r < 0)
			return r;
	}
	return 0;
}

struct on_instance {
	bool lock;
	each_work *work;
};

static int one(struct isle_call *c, const char *name, const void *arg, struct err *e)
{
	const struct on_instance *on = arg;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	int r = instance_find(c->eng, name, on->lock, &in, e);

	if (r >= 0)
		r = on->work(c, &in, e);
	return r < 0 ? r : 0;
}

int each_instance(struct isle_call *c, bool lock, bool print, each_work *work, struct err *e)
{
	const struct on_instance on = { lock, work };

	return each_name(c, print, one, &on, e);
}

static int spawn(struct isle_call *c, const char *verb, const char *const *options, char *name,
		 struct err *e)
{
	const char *line[WORDS_MAX] = {
		"isle", "--root", c->eng->root, "--run-root", c->eng->run_root,
	};
	size_t n = 5;

	if (c->globals->config_file) {
		line[n++] = "--config";
		line[n++] = c->globals->config_file;
	}
	line[n++] = verb;
	while (*options && n < WORDS_MAX - 3)
		line[n++] = *options++;
	line[n++] = "--";
	line[n] = name;
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		execv(c->eng->self_program, (char *const *)line);
		_exit(127);
	}
	return pid;
}

/* How one of them ended is all that is asked: its lines are printed by then. */
static int reap_one(struct isle_call *c, struct err *e)
{
	int status;

	while (waitpid(-1, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for a process");
	if (status != 0)
		c->status = 1;
	return 0;
}

int each_at_once(struct isle_call *c, const char *verb, const char *const *options,
		 each_work *work, struct err *e)
{
	size_t running = 0;
	int r = 0;

	if (c->argc < 2)
		return each_instance(c, true, true, work, e);
	for (size_t i = 0; r >= 0 && i < c->argc; i++) {
		if (running == AT_ONCE) {
			r = reap_one(c, e);
			running--;
		}
		if (r >= 0)
			r = spawn(c, verb, options, c->argv[i], e);
		running += r > 0;
	}
	for (; running; running--) {
		int last = reap_one(c, r < 0 ? NULL : e);
		r = r < 0 ? r : last;
	}
	return r < 0 ? r : 0;
}

void each_event(struct isle_call *c, const struct instance *in, const char *action)
{
	event_add(c->eng, "container", action, in->id,
		  json_pack("{s:s, s:s}", "image", in->config.image ? in->config.image : "",
			    "name", in->name));
}
