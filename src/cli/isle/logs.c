/* cli/isle/logs.c - isle logs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/ps_text.h"
#include "cli/isle/time_value.h"
#include "cli/values.h"
#include "engine/life.h"
#include "engine/log.h"

struct logs_args {
	bool follow, timestamps, details;
	const char *since, *until, *tail;
};

#define AT(member) offsetof(struct logs_args, member)

static const struct option options[] = {
	{ "details", 0, OPT_FLAG, AT(details), NULL, "the instance's labels with each line", NULL },
	{ "follow", 'f', OPT_FLAG, AT(follow), NULL, "go on with what is written", NULL },
	{ "since", 0, OPT_STRING, AT(since), "TIME", "from then on: 10m, 2024-05-01T10:00:00Z",
	  NULL },
	{ "tail", 'n', OPT_STRING, AT(tail), "N", "the last N lines (default all)", NULL },
	{ "timestamps", 't', OPT_FLAG, AT(timestamps), NULL, "when each line was written", NULL },
	{ "until", 0, OPT_STRING, AT(until), "TIME", "up to then", NULL },
	OPTION_HELP,
};

static int read_args(const struct logs_args *a, struct logs_options *o, struct err *e)
{
	if (a->since && time_value_parse(a->since, &o->since_ns, e) < 0)
		return err_prefix(e, "option --since");
	if (a->until && time_value_parse(a->until, &o->until_ns, e) < 0)
		return err_prefix(e, "option --until");
	/* Docker takes -1, and any other negative number, as all. */
	if (a->tail && strcmp(a->tail, "all") != 0 && value_i64(a->tail, &o->tail, e) < 0)
		return err_prefix(e, "option --tail");
	o->tail = o->tail < 0 ? -1 : o->tail;
	return 0;
}

static int check_driver(const struct instance *in, struct err *e)
{
	const char *driver = in->config.log_driver ? in->config.log_driver : "json-file";

	if (strcmp(driver, "journald") == 0)
		return err_set(e, EOPNOTSUPP, "%s logs to the journal: journalctl "
			       "CONTAINER_ID_FULL=%s", in->name, in->id);
	if (strcmp(driver, "none") == 0)
		return err_set(e, EOPNOTSUPP, "%s was made with --log-driver none: nothing is "
			       "kept", in->name);
	return 0;
}

static int logs(struct isle_call *c, struct err *e)
{
	const struct logs_args *a = c->target;
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	struct logs_options o = {
		.timestamps = a->timestamps, .follow = a->follow, .tail = -1, .end_fd = -1,
	};

	int r = read_args(a, &o, e);
	if (r >= 0)
		r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r >= 0)
		r = check_driver(&in, e);
	if (r < 0)
		return r;
	CLEANUP_FREE char *path = instance_path(c->eng, in.id, "log.json");
	CLEANUP_FREE char *labels = ps_labels_text(&in.config.labels);
	/* A connection without ATTACH says nothing until the keeper ends. */
	CLEANUP_FD int sock = a->follow && instance_is_up(&in) ? life_connect(c->eng, &in, NULL)
							       : -1;
	o.details = a->details ? labels : NULL;
	o.end_fd = sock;
	o.follow = sock >= 0;
	return logs_read(path, &o, logs_print, NULL, e);
}

const struct command command_logs = {
	.name = "logs",
	.aliases = "container logs",
	.args = "INSTANCE",
	.summary = "show what an instance has printed",
	.examples = "  isle logs -f --tail 20 web\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct logs_args),
	.min_args = 1,
	.max_args = 1,
	.run = logs,
};
