/* engine/keeper/log.c - the program's output as lines for a log driver. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/keeper/log_impl.h"

/* Docker's: a longer line is written in pieces, all but the last without a newline. */
#define LINE_BYTES 16384

int log_sink_open(const struct keeper_config *c, struct log **ret, struct err *e)
{
	struct log *l = xcalloc(1, sizeof(*l));
	int r = 0;

	l->cfg = c;
	l->fd = -1;
	l->partial[0].max = l->partial[1].max = LINE_BYTES;
	if (c->log.driver == LOG_DRIVER_JSON_FILE)
		r = log_file_open(l, e);
	else if (c->log.driver == LOG_DRIVER_JOURNALD)
		r = log_journal_open(l, e);
	if (r < 0) {
		log_sink_close(l);
		l = NULL;
	}
	*ret = l;
	return r;
}

/* What a full disk swallowed is told in the log itself once there is room. */
static int tell_loss(struct log *l)
{
	char text[160];

	int n = snprintf(text, sizeof(text), "isle: %llu bytes of output are not in this log: %s",
			 (unsigned long long)l->lost_bytes, err_text(l->lost_code));
	int r = l->ops->line(l, KEEPER_STDERR, text, (size_t)n, true);
	return r == 0 ? l->ops->commit(l) : r;
}

static void write_lines(struct log *l, enum keeper_kind stream, const char *p, size_t n)
{
	struct buf *part = &l->partial[stream == KEEPER_STDERR];
	int r = 0;

	if (l->lost_bytes && tell_loss(l) == 0)
		l->lost_bytes = 0;
	for (size_t done = 0; done < n && r == 0; ) {
		const char *end = memchr(p + done, '\n', n - done);
		size_t len = end ? (size_t)(end - p) - done : n - done;
		size_t room = LINE_BYTES - part->len;
		bool whole = end && len <= room;

		if (len > room)
			len = room;
		if (!whole || part->len)
			buf_add(part, p + done, len);
		if (whole && !part->len)
			r = l->ops->line(l, stream, p + done, len, true);
		else if (whole || part->len == LINE_BYTES)
			r = l->ops->line(l, stream, part->data, part->len, whole);
		if (whole || part->len == LINE_BYTES)
			part->len = 0;
		done += len + whole;
	}
	int c = l->ops->commit(l);
	if (r < 0 || c < 0) {
		l->lost_bytes += n;
		l->lost_code = r < 0 ? -r : -c;
	}
}

void log_sink_add(struct log *l, enum keeper_kind stream, const char *p, size_t n)
{
	if (l && l->ops)
		write_lines(l, stream, p, n);
}

void log_sink_flush(struct log *l)
{
	for (int i = 0; l && l->ops && i < 2; i++) {
		struct buf *part = &l->partial[i];
		int r = 0;

		if (part->len)
			r = l->ops->line(l, i ? KEEPER_STDERR : KEEPER_STDOUT, part->data,
					 part->len, false);
		if (r == 0)
			r = l->ops->commit(l);
		if (r < 0) {
			l->lost_bytes += part->len;
			l->lost_code = -r;
		}
		buf_release(part);
		part->max = LINE_BYTES;
	}
}

void log_sink_close(struct log *l)
{
	if (!l)
		return;
	fd_close(&l->fd);
	buf_release(&l->partial[0]);
	buf_release(&l->partial[1]);
	buf_release(&l->out);
	free(l);
}
