/* cli/isle/events.c - isle events: what happened, and what happens. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "cli/isle/time_value.h"
#include "engine/event.h"

#define LINES_BYTES_MAX (32u << 20)

struct events_options {
	const char *since, *until, *format;
	struct oci_strv filters;
};

#define AT(member) offsetof(struct events_options, member)

static const struct option options[] = {
	{ "filter", 'f', OPT_STRINGS, AT(filters), "KEY=VALUE",
	  "only some: type, event, container, image, volume, network, label", NULL },
	{ "format", 0, OPT_STRING, AT(format), "TEMPLATE", "print by a template, or json", NULL },
	{ "since", 0, OPT_STRING, AT(since), "TIME", "from then on (default now)", NULL },
	{ "until", 0, OPT_STRING, AT(until), "TIME", "up to then (default for ever)", NULL },
	OPTION_HELP,
};

struct watch {
	const struct events_options *o;
	int64_t since_ns, until_ns;     /* until: INT64_MAX for ever */
	struct buf partial;             /* a line whose end is not read yet */
};

/* --- filters ---------------------------------------------------------------- */

static const char *text_of(const json_t *event, const char *key)
{
	const char *s = json_string_value(json_object_get(event, key));

	return s ? s : "";
}

static int match_type(const json_t *event, const char *value)
{
	return strcmp(text_of(event, "Type"), value) == 0;
}

static int match_event(const json_t *event, const char *value)
{
	/* "health_status" is for "health_status: healthy", too. */
	const char *action = text_of(event, "Action");
	size_t n = strlen(value);

	return strncmp(action, value, n) == 0 && (action[n] == '\0' || action[n] == ':');
}

/* A thing of that type by its ID, a prefix of it, or its name. */
static int match_actor(const json_t *event, const char *type, const char *value)
{
	const json_t *actor = json_object_get(event, "Actor");
	const char *name = text_of(json_object_get(actor, "Attributes"), "name");

	return match_type(event, type) && *value &&
	       (strncmp(text_of(actor, "ID"), value, strlen(value)) == 0 ||
		strcmp(name, value) == 0);
}

static int match_container(const json_t *event, const char *value)
{
	return match_actor(event, "container", value);
}

static int match_image(const json_t *event, const char *value)
{
	const json_t *actor = json_object_get(event, "Actor");

	return match_actor(event, "image", value) ||
	       strcmp(text_of(json_object_get(actor, "Attributes"), "image"), value) == 0;
}

static int match_volume(const json_t *event, const char *value)
{
	return match_actor(event, "volume", value);
}

static int match_network(const json_t *event, const char *value)
{
	return match_actor(event, "network", value);
}

static int match_label(const json_t *event, const char *value)
{
	const json_t *a = json_object_get(json_object_get(event, "Actor"), "Attributes");
	size_t len = strcspn(value, "=");
	CLEANUP_FREE char *key = xasprintf("%.*s", (int)len, value);
	const char *have = json_string_value(json_object_get(a, key));

	return have && (!value[len] || strcmp(have, value + len + 1) == 0);
}

static int filter(const struct watch *w, json_t *event, struct err *e)
{
	static const struct output_filter known[] = {
		{ "container", match_container }, { "event", match_event },
		{ "image", match_image }, { "label", match_label }, { "network", match_network },
		{ "type", match_type }, { "volume", match_volume },
	};
	CLEANUP_JSON json_t *one = json_array();

	if (event)
		json_array_append(one, event);
	int r = output_filter(&w->o->filters, known, ARRAY_LEN(known), one, e);
	return r < 0 ? r : (int)json_array_size(one);
}

/* --- printing --------------------------------------------------------------- */

/* "2024-05-01T10:00:00.123456789Z container start ID (image=busybox, name=web)" */
static void print_plain(const json_t *event)
{
	const json_t *actor = json_object_get(event, "Actor");
	json_int_t ns = json_integer_value(json_object_get(event, "timeNano"));
	char when[TIME_RFC3339_MAX];
	const char *key, *comma = "";
	json_t *value;

	time_rfc3339_at(ns / 1000000000, (uint32_t)(ns % 1000000000), when);
	printf("%s %s %s %s", when, text_of(event, "Type"), text_of(event, "Action"),
	       text_of(actor, "ID"));
	json_object_foreach(json_object_get(actor, "Attributes"), key, value) {
		printf("%s%s=%s", *comma ? comma : " (", key, json_string_value(value));
		comma = ", ";
	}
	printf("%s\n", *comma ? ")" : "");
}

static int show(const struct watch *w, json_t *event, struct err *e)
{
	json_int_t ns = json_integer_value(json_object_get(event, "timeNano"));

	if (ns < w->since_ns || ns > w->until_ns)
		return 0;
	int r = filter(w, event, e);
	if (r <= 0)
		return r;
	if (!w->o->format) {
		print_plain(event);
		return output_flush(e);
	}
	CLEANUP_JSON json_t *one = json_pack("[O]", event);
	return output_objects(w->o->format, one, e);
}

/* Whole lines of what was read; the rest stays for the next time. */
static int show_lines(struct watch *w, struct err *e)
{
	char *line = w->partial.data, *end;

	while (line && (end = memchr(line, '\n', w->partial.len - (size_t)(line -
			w->partial.data)))) {
		CLEANUP_JSON json_t *event = NULL;
		/* A line that was cut by a full disk is nobody's event. */
		int r = json_parse(EVENT_FILE, line, (size_t)(end - line), &event, NULL);

		r = r < 0 ? 0 : show(w, event, e);
		if (r < 0)
			return r;
		line = end + 1;
	}
	if (line) {
		size_t left = w->partial.len - (size_t)(line - w->partial.data);
		memmove(w->partial.data, line, left);
		w->partial.len = left;
	}
	return 0;
}

static int show_file(struct watch *w, int fd, struct err *e)
{
	int r = fd_read_buf(fd, &w->partial);

	return r < 0 ? err_sys(e, -r, "read " EVENT_FILE) : show_lines(w, e);
}

/* --- following -------------------------------------------------------------- */

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Milliseconds until w->until_ns, at most an hour; 0 when it is past. */
static int time_left(const struct watch *w)
{
	int64_t now = now_ns();

	if (w->until_ns <= now)
		return 0;
	int64_t ms = (w->until_ns - now) / 1000000 + 1;
	return ms > 3600000 ? 3600000 : (int)ms;
}

/* fd is taken over; when the file is renamed its rest is read, and the new one follows. */
static int follow(struct watch *w, int root, int fd, int changes, struct err *e)
{
	int r = 0;

	for (;;) {
		struct stat own, named;
		char buf[4096];
		int left = time_left(w);
		CLEANUP_FD int next = -1;

		if (fd >= 0)
			r = show_file(w, fd, e);
		if (r < 0 || left == 0)
			break;
		if (fd < 0 || fstat(fd, &own) < 0 || fstatat(root, EVENT_FILE, &named, 0) < 0 ||
		    own.st_ino != named.st_ino)
			next = openat(root, EVENT_FILE, O_RDONLY | O_CLOEXEC);
		if (next >= 0) {
			fd_close(&fd);
			fd = take_fd(next);
			continue;
		}
		struct pollfd p = { .fd = changes, .events = POLLIN };
		if (poll(&p, 1, left) > 0 && read(changes, buf, sizeof(buf)) < 0 && errno != EAGAIN)
			r = err_sys(e, errno, "watch " EVENT_FILE);
		if (r < 0)
			break;
	}
	fd_close(&fd);
	return r;
}

static int events(struct isle_call *c, struct err *e)
{
	const struct events_options *o = c->target;
	struct watch w = { .o = o, .since_ns = now_ns(), .until_ns = INT64_MAX,
			   .partial = BUF_INIT(LINES_BYTES_MAX) };
	int root = c->eng->rootfd;

	if (o->since && time_value_parse(o->since, &w.since_ns, e) < 0)
		return err_prefix(e, "option --since");
	if (o->until && time_value_parse(o->until, &w.until_ns, e) < 0)
		return err_prefix(e, "option --until");
	int r = filter(&w, NULL, e);
	if (r < 0)
		return r;
	/* Watched before it is read: nothing falls between. */
	CLEANUP_FD int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (changes < 0 || inotify_add_watch(changes, c->eng->root, IN_MODIFY | IN_CREATE |
					     IN_MOVED_FROM) < 0)
		return err_sys(e, errno, "watch %s", c->eng->root);
	CLEANUP_FD int old = openat(root, EVENT_FILE ".1", O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int fd = openat(root, EVENT_FILE, O_RDONLY | O_CLOEXEC);
	if (old >= 0 && o->since)
		r = show_file(&w, old, e);
	/* Without --since what was is skipped unread. */
	if (fd >= 0 && !o->since && lseek(fd, 0, SEEK_END) < 0)
		r = err_sys(e, errno, "read " EVENT_FILE);
	if (r >= 0)
		r = follow(&w, root, take_fd(fd), changes, e);
	buf_release(&w.partial);
	return r;
}

const struct command command_events = {
	.name = "events",
	.args = "",
	.summary = "show what happens to instances, images, networks and volumes",
	.examples = "  isle events --since 10m --until 0s --filter type=container\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct events_options),
	.run = events,
};
