/* cli/isle/commit.c - isle commit: an image of what an instance wrote. */
#include <errno.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/program.h"
#include "engine/event.h"
#include "engine/life.h"

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

/* What of an instance's "Config" an image's has, too; what is null or "" was not said. */
static json_t *image_config(const json_t *from)
{
	static const char *const keys[] = {
		"Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "StopSignal",
		"User", "Volumes", "WorkingDir",
	};
	json_t *ret = json_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		json_t *v = json_object_get(from, keys[i]);

		if (v && !json_is_null(v) && !(json_is_string(v) && !*json_string_value(v)))
			json_object_set(ret, keys[i], v);
	}
	return ret;
}

/* For isle-image to read: a descriptor it inherits. */
static int config_fd(struct isle_call *c, struct instance *in, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(JSON_BYTES_MAX);
	CLEANUP_JSON json_t *all = NULL, *config = NULL;

	int r = instance_describe(c->eng, in, &all, e);
	if (r < 0)
		return r;
	config = image_config(json_object_get(all, "Config"));
	json_add(&text, config, JSON_COMPACT);
	CLEANUP_FD int fd = fd_sealed("config", text.data, text.len, 0);
	r = fd < 0 ? fd : fd_set_keep(fd, 1);
	return r < 0 ? err_sys(e, -r, "hand the config over") : take_fd(fd);
}

static int run_image(struct isle_call *c, struct instance *in, struct err *e)
{
	const struct commit_options *o = c->target;
	/* Made by the start, below our mounts: Docker has them in a layer of their own. */
	static const char *const ours[] = { "etc/hostname", "etc/hosts", "etc/resolv.conf" };
	CLEANUP_FREE char *upper = instance_path(c->eng, in->id, "upper");
	CLEANUP_FREE const char **line = xcalloc(2 * o->changes.n + 20, sizeof(*line));
	size_t n = 0;

	CLEANUP_FD int fd = config_fd(c, in, e);
	if (fd < 0)
		return fd;
	CLEANUP_FREE char *config = xasprintf("/proc/self/fd/%d", fd);
	line[n++] = "commit";
	line[n++] = "--upper";
	line[n++] = upper;
	line[n++] = "--config";
	line[n++] = config;
	line[n++] = "--image";
	line[n++] = in->image_id;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		line[n++] = "--skip";
		line[n++] = ours[i];
	}
	if (o->author) {
		line[n++] = "--author";
		line[n++] = o->author;
	}
	if (o->message) {
		line[n++] = "--message";
		line[n++] = o->message;
	}
	for (size_t i = 0; i < o->changes.n; i++) {
		line[n++] = "--change";
		line[n++] = o->changes.v[i];
	}
	line[n++] = "--";
	if (c->argc > 1)
		line[n++] = c->argv[1];
	return program_run_image(c->eng, line, -1, &c->status, e);
}

static int commit(struct isle_call *c, struct err *e)
{
	const struct commit_options *o = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	const struct wall *wall;

	int r = instance_find(c->eng, c->argv[0], true, &in, e);
	if (r >= 0 && !in.image_id)
		return err_set(e, ENOENT, "the image of %s is not there any more", in.name);
	if (r >= 0)
		r = engine_wall(in.config.wall, &wall, e);
	if (r < 0)
		return r;
	bool pause = !o->no_pause && in.status.state == INSTANCE_RUNNING;
	if (pause)
		r = wall->pause(&c->eng->host, in.id, e);
	if (r >= 0)
		r = run_image(c, &in, e);
	if (pause) {
		struct err why = { 0 };

		if (wall->resume(&c->eng->host, in.id, &why) < 0)
			log_error("%s stays paused: %s", in.name, why.msg);
	}
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
