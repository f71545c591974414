/* cli/isle/commit.c - isle commit: an image of what an instance wrote. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/changes.h"
#include "cli/isle/command.h"
#include "cli/isle/freeze.h"
#include "cli/isle/program.h"
#include "engine/event.h"
#include "net/net.h"

#define FIXED_WORDS 24                  /* of isle-image's line: all but --change */

struct commit_options {
	bool no_pause;
	const char *author, *message;
	struct oci_strv changes;
};

#define AT(member) offsetof(struct commit_options, member)

static const struct option options[] = {
	{ "author", 'a', OPT_STRING, AT(author), "NAME", "who made it", NULL },
	{ "change", 'c', OPT_STRINGS, AT(changes), "INSTRUCTION",
	  "a line of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER ...", NULL },
	{ "message", 'm', OPT_STRING, AT(message), "TEXT", "what the history says", NULL },
	{ "pause", 'p', OPT_FLAG_OFF, AT(no_pause), NULL,
	  "freeze the instance meanwhile (default true)", NULL },
	OPTION_HELP,
};

/* An object's member that is a set: made where there is none. */
static json_t *set_in(json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	if (!json_is_object(v)) {
		v = json_object();
		json_object_set_new(object, key, v);
	}
	return v;
}

/* Docker counts what -p publishes and -v makes anonymously among an instance's Config. */
static void add_sets(json_t *config, const struct instance_config *c)
{
	char port[32];

	for (size_t i = 0; i < c->n_ports; i++) {
		snprintf(port, sizeof(port), "%u/%.8s", c->ports[i].port, c->ports[i].protocol);
		json_object_set_new(set_in(config, "ExposedPorts"), port, json_object());
	}
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i].anonymous)
			json_object_set_new(set_in(config, "Volumes"), c->mounts[i].target,
					    json_object());
}

/* What of an instance's "Config" an image's has, too; what is null or "" was not said. */
static json_t *image_config(const struct instance *in)
{
	static const char *const keys[] = {
		"Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "StopSignal",
		"User", "WorkingDir",
	};
	CLEANUP_JSON json_t *all = instance_config_to_json(&in->config);
	json_t *ret = json_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		json_t *v = json_object_get(json_object_get(all, "Config"), keys[i]);
		bool empty = json_is_string(v) ? !*json_string_value(v) :
			     !json_array_size(v) && !json_object_size(v);

		if (v && !empty)
			json_object_set(ret, keys[i], v);
	}
	if (in->config.health_disable)
		json_object_set_new(ret, "Healthcheck", json_pack("{s:[s]}", "Test", "NONE"));
	add_sets(ret, &in->config);
	return ret;
}

/* For isle-image to read: a descriptor it inherits. */
static int config_fd(const struct instance *in, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(JSON_BYTES_MAX);
	CLEANUP_JSON json_t *config = image_config(in);

	json_add(&text, config, JSON_COMPACT);
	CLEANUP_FD int fd = fd_sealed("config", text.data, text.len, 0);
	int r = fd < 0 ? fd : fd_set_keep(fd, 1);
	return r < 0 ? err_sys(e, -r, "hand the config over") : take_fd(fd);
}

struct line {
	const char **v;
	size_t n;
};

static void add(struct line *l, const char *option, const char *value)
{
	if (!value)
		return;
	l->v[l->n++] = option;
	l->v[l->n++] = value;
}

static int run_image(struct isle_call *c, struct instance *in, struct err *e)
{
	const struct commit_options *o = c->target;
	CLEANUP_FREE char *upper = instance_path(c->eng, in->id, "upper");
	struct diff_change *v = NULL;
	size_t n = 0;

	int r = changes_of(c->eng, in, &v, &n, e);
	if (r < 0)
		return r;
	CLEANUP_FD int fd = config_fd(in, e);
	if (fd < 0)
		return fd;
	CLEANUP_FREE char *config = xasprintf("/proc/self/fd/%d", fd);
	CLEANUP_FREE const char **words = xcalloc(2 * o->changes.n + FIXED_WORDS, sizeof(*words));
	struct line l = { .v = words };
	l.v[l.n++] = "commit";
	add(&l, "--upper", upper);
	add(&l, "--config", config);
	add(&l, "--image", in->image_id);
	for (size_t i = 0; i < n; i++)
		add(&l, "--skip", change_is_ours(&v[i]) ? v[i].path + 1 : NULL);
	add(&l, "--author", o->author);
	add(&l, "--message", o->message);
	for (size_t i = 0; i < o->changes.n; i++)
		add(&l, "--change", o->changes.v[i]);
	l.v[l.n++] = "--";
	if (c->argc > 1)
		l.v[l.n++] = c->argv[1];
	return program_run_image(c->eng, l.v, -1, &c->status, e);
}

static void on_signal(int signal)
{
	(void)signal;
}

/*
 * Control-C ends isle-image, which is in the foreground as we are; what we froze has to go
 * on whatever becomes of it.  A handler, not SIG_IGN, which isle-image would inherit.
 */
static int run_frozen(struct isle_call *c, struct instance *in, struct err *e)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction old[ARRAY_LEN(signals)];
	const struct sigaction sa = { .sa_handler = on_signal };
	struct err why = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &sa, &old[i]);
	int r = freeze(c, in, true, e);
	bool frozen = r >= 0;
	/* An ordinary user's without a group of its own: its files are taken as it runs. */
	if (r == -ENOTSUP)
		log_warn("%s cannot be paused meanwhile: %s", in->name, e->msg);
	if (frozen || r == -ENOTSUP)
		r = run_image(c, in, e);
	if (freeze(c, in, false, &why) < 0 && frozen)
		log_error("%s stays paused; \"isle unpause %s\" lets it go on: %s", in->name,
			  in->name, why.msg);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	return r;
}

static int commit(struct isle_call *c, struct err *e)
{
	const struct commit_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	struct image base;

	int r = instance_find(c->eng, c->argv[0], true, &in, e);
	if (r < 0)
		return r;
	r = in.image_id ? image_find(&c->eng->store, in.image_id, &in.arena, &base, e) : -ENOENT;
	if (r == -ENOENT)
		return err_set(e, ENOENT, "the image of %s was removed; its files alone: "
			       "\"isle export %s | isle import - NAME\"", in.name, in.name);
	if (r < 0)
		return r;
	r = !o->no_pause && in.status.state == INSTANCE_RUNNING ? run_frozen(c, &in, e) :
								   run_image(c, &in, e);
	if (r >= 0 && c->status == 0)
		event_add(c->eng, "container", "commit", in.id,
			  json_pack("{s:s, s:s}", "name", in.name, "comment",
				    o->message ? o->message : ""));
	return r;
}

const struct command command_commit = {
	.name = "commit",
	.aliases = "container commit",
	.args = "INSTANCE [NAME[:TAG]]",
	.summary = "make an image of what an instance wrote",
	.examples = "  isle commit -c 'CMD [\"nginx\"]' -m 'with my page' web site:1\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct commit_options),
	.min_args = 1,
	.max_args = 2,
	.run = commit,
};
