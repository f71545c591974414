/*
 * engine/keeper/log_file.c - the json-file driver: Docker's format, one object a line,
 *   {"log":"text\n","stream":"stdout","time":"2024-05-01T10:00:00.123456789Z"}
 * rotated by renaming: path, path.1, path.2 ..., maxFile in all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/keeper/log_impl.h"

#define OUT_MAX (4u << 20)
#define OUT_WRITE 65536

static int reopen(struct log *l, int flags)
{
	struct stat sb;

	fd_close(&l->fd);
	l->fd = open(l->cfg->log.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | flags, 0640);
	if (l->fd < 0 || fstat(l->fd, &sb) < 0)
		return -errno;
	l->size = (uint64_t)sb.st_size;
	return 0;
}

/* The oldest goes, the others move up by one, and a new file begins. */
static int rotate(struct log *l)
{
	const char *path = l->cfg->log.path;

	for (unsigned i = l->cfg->log.max_file - 1; i > 0; i--) {
		CLEANUP_FREE char *to = xasprintf("%s.%u", path, i);
		CLEANUP_FREE char *from = i > 1 ? xasprintf("%s.%u", path, i - 1) : xstrdup(path);

		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return reopen(l, O_TRUNC);
}

/* All or nothing: half a record would make the whole file unreadable. */
static int commit(struct log *l)
{
	int r = 0;

	if (l->fd < 0)
		r = reopen(l, 0);
	if (r == 0 && l->out.len)
		r = fd_write_all(l->fd, l->out.data, l->out.len);
	if (r == 0)
		l->size += l->out.len;
	else if (l->fd >= 0 && ftruncate(l->fd, (off_t)l->size) < 0)
		fd_close(&l->fd);
	buf_release(&l->out);
	l->out.max = OUT_MAX;
	return r;
}

static int line(struct log *l, enum keeper_kind stream, const char *p, size_t n, bool whole)
{
	char now[TIME_RFC3339_MAX];
	size_t before = l->out.len;
	int r = 0;

	time_rfc3339(now);
	buf_add_str(&l->out, "{\"log\":");
	json_add_bytes(&l->out, p, n);
	if (whole) {
		l->out.len--;           /* the closing quote */
		buf_add_str(&l->out, "\\n\"");
	}
	buf_printf(&l->out, ",\"stream\":\"%s\",\"time\":\"%s\"}\n",
		   stream == KEEPER_STDERR ? "stderr" : "stdout", now);
	if (l->cfg->log.max_size && l->size + before &&
	    l->size + l->out.len > l->cfg->log.max_size) {
		CLEANUP(buf_release) struct buf record = BUF_INIT(OUT_MAX);

		buf_add(&record, l->out.data + before, l->out.len - before);
		l->out.len = before;
		r = commit(l);
		if (r == 0)
			r = rotate(l);
		buf_add(&l->out, record.data, record.len);
	}
	return r == 0 && l->out.len > OUT_WRITE ? commit(l) : r;
}

static const struct log_ops ops = { .line = line, .commit = commit };

int log_file_open(struct log *l, struct err *e)
{
	l->ops = &ops;
	l->out.max = OUT_MAX;
	int r = reopen(l, 0);
	return r < 0 ? err_sys(e, -r, "open the log %s", l->cfg->log.path) : 0;
}
