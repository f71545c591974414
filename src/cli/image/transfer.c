/* cli/image/transfer.c - what pull and push share.  Layer: cli. */
#include "cli/image/transfer.h"
#include "cli/values.h"

int transfer_parse_time(const char *s, void *target, struct err *e)
{
	return value_duration_ns(s, target, e);
}

static void note(void *arg, const char *line)
{
	progress_line(arg, "%s", line);
}

struct client_options transfer_client(const struct transfer_options *o, struct progress *p)
{
	struct client_options c = CLIENT_OPTIONS_DEFAULT;

	if (o->retry > 0)
		c.tries = o->retry;
	if (o->retry_delay_ns > 0)
		c.delay_ms = (o->retry_delay_ns + 999999) / 1000000;
	if (o->timeout_ns > 0)
		c.stall_ms = (o->timeout_ns + 999999) / 1000000;
	c.note = note;
	c.note_arg = p;
	return c;
}

struct progress *transfer_progress(const struct transfer_options *o)
{
	return progress_new(stderr, o->quiet ? PROGRESS_NONE : progress_mode_of(stderr));
}
