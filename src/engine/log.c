/*
 * engine/log.c - see log.h
 *
 * Times are compared as text: the writer's are of one width, in UTC (time_rfc3339()).
 */
#include "engine/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

#define FILES_MAX 1001
#define BLOCK_BYTES 65536
#define RECORD_MAX (1u << 20)           /* a line of 16 KiB, escaped, is far less */
#define NS_PER_S 1000000000

struct reading {
	const char *path;
	const struct logs_options *o;
	logs_line_fn *fn;
	void *arg;
	char since[TIME_RFC3339_MAX], until[TIME_RFC3339_MAX];
	struct buf record;              /* the beginning of a line whose end is not there yet */
	int fd;                         /* the file being read */
	ino_t ino;
	off_t at;
	bool past;                      /* a line was later than until */
};

static void open_number(const struct reading *rd, unsigned i, int *ret)
{
	CLEANUP_FREE char *path = i ? xasprintf("%s.%u", rd->path, i) : xstrdup(rd->path);

	*ret = open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- one record --------------------------------------------------------------------- */

static int record(struct reading *rd, const char *p, size_t n, struct err *e)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT(RECORD_MAX);
	/* Programs print NULs too, so not through json_parse(). */
	CLEANUP_JSON json_t *j = json_loadb(p, n, JSON_ALLOW_NUL, NULL);
	const char *stream = json_string_value(json_object_get(j, "stream"));
	const char *time = json_string_value(json_object_get(j, "time"));
	const json_t *text = json_object_get(j, "log");

	if (!stream || !time || !json_is_string(text))
		return 0;               /* torn by a crash of the host: the next is whole */
	if (rd->o->since_ns && strcmp(time, rd->since) < 0)
		return 0;
	if (rd->o->until_ns && strcmp(time, rd->until) > 0) {
		rd->past = true;
		return 0;
	}
	bool is_stderr = strcmp(stream, "stderr") == 0;
	if (is_stderr ? rd->o->no_stderr : rd->o->no_stdout)
		return 0;
	if (rd->o->timestamps)
		buf_printf(&line, "%s ", time);
	if (rd->o->details)
		buf_printf(&line, "%s ", rd->o->details);
	buf_add(&line, json_string_value(text), json_string_length(text));
	return rd->fn(rd->arg, is_stderr, line.data, line.len, e);
}

static int records(struct reading *rd, const char *p, size_t n, struct err *e)
{
	int r = 0;

	while (n > 0 && r >= 0 && !rd->past) {
		const char *end = memchr(p, '\n', n);
		size_t len = end ? (size_t)(end - p) : n;

		if (!end || rd->record.len)
			buf_add(&rd->record, p, len);
		if (end && rd->record.len)
			r = record(rd, rd->record.data, rd->record.len, e);
		else if (end)
			r = record(rd, p, len, e);
		if (end) {
			rd->record.len = 0;
			rd->record.overflow = false;
		}
		p += len + (end != NULL);
		n -= len + (end != NULL);
	}
	return r;
}

/* From where we are to the end of the file. */
static int read_on(struct reading *rd, struct err *e)
{
	CLEANUP_FREE char *p = xmalloc(BLOCK_BYTES);
	struct stat sb;

	/* maxFile 1: the file begins anew in its place. */
	if (fstat(rd->fd, &sb) == 0 && sb.st_size < rd->at) {
		rd->at = 0;
		rd->record.len = 0;
	}
	while (!rd->past) {
		ssize_t n = pread(rd->fd, p, BLOCK_BYTES, rd->at);

		if (n < 0)
			return err_sys(e, errno, "read the log %s", rd->path);
		if (n == 0)
			return 0;
		rd->at += n;
		int r = records(rd, p, (size_t)n, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- where to begin -------------------------------------------------------------------- */

/* The offset of the last *left lines of a file; *left is what the older ones still owe. */
static int tail_offset(int fd, int64_t *left, off_t *ret)
{
	CLEANUP_FREE char *p = xmalloc(BLOCK_BYTES);
	struct stat sb;

	if (fstat(fd, &sb) < 0)
		return -errno;
	off_t at = sb.st_size;
	bool last = true;               /* the newline of the last line begins no other */
	while (at > 0) {
		off_t from = at > BLOCK_BYTES ? at - BLOCK_BYTES : 0;
		ssize_t n = pread(fd, p, (size_t)(at - from), from);

		if (n != at - from)
			return n < 0 ? -errno : -EIO;
		while (n-- > 0) {
			if (p[n] != '\n')
				continue;
			if (!last && --*left == 0) {
				*ret = from + n + 1;
				return 0;
			}
			last = false;
		}
		at = from;
	}
	if (!last)
		--*left;
	*ret = 0;
	return 0;
}

/* All of the log's files, newest first.  A rotation between two of them shows one twice. */
static size_t open_all(const struct reading *rd, int *fd)
{
	struct stat sb[2];
	size_t n;

again:
	for (n = 0; n < FILES_MAX; n++) {
		open_number(rd, (unsigned)n, &fd[n]);
		if (fd[n] < 0)
			break;
		if (fstat(fd[n], &sb[n & 1]) < 0 || n == 0 || sb[0].st_ino != sb[1].st_ino)
			continue;
		for (size_t i = 0; i <= n; i++)
			close(fd[i]);
		goto again;
	}
	return n;
}

static int read_all(struct reading *rd, struct err *e)
{
	CLEANUP_FREE int *fd = xcalloc(FILES_MAX, sizeof(*fd));
	size_t n = open_all(rd, fd), first = n;
	int64_t left = rd->o->tail;
	struct stat sb;
	off_t at = 0;
	int r = 0;

	if (rd->o->tail >= 0)
		for (first = 0; r == 0 && first < n && left > 0; first++)
			r = tail_offset(fd[first], &left, &at);
	if (r < 0)
		err_sys(e, -r, "read the log %s", rd->path);
	if (r == 0 && rd->o->tail == 0 && n > 0 && fstat(fd[0], &sb) == 0) {
		at = sb.st_size;
		first = 1;
	}
	for (size_t i = first; r == 0 && i-- > 0; at = 0) {
		rd->fd = fd[i];
		rd->at = at;
		r = read_on(rd, e);
	}
	for (size_t i = 1; i < n; i++)
		close(fd[i]);
	rd->fd = n ? fd[0] : -1;
	if (n && fstat(rd->fd, &sb) == 0)
		rd->ino = sb.st_ino;
	return r;
}

/* ---- following ----------------------------------------------------------------------------- */

/* The number under which the file we read stands now, 0 the newest; -1 it was removed. */
static int own_number(const struct reading *rd)
{
	for (unsigned i = 0; i < FILES_MAX; i++) {
		CLEANUP_FREE char *path = i ? xasprintf("%s.%u", rd->path, i) : xstrdup(rd->path);
		struct stat sb;

		if (stat(path, &sb) < 0 && i > 0)
			return -1;
		if (sb.st_ino == rd->ino)
			return (int)i;
	}
	return -1;
}

static int next_file(struct reading *rd, unsigned i)
{
	struct stat sb;
	int fd;

	open_number(rd, i, &fd);
	if (fd < 0 || fstat(fd, &sb) < 0) {
		fd_close(&fd);
		return 0;
	}
	fd_close(&rd->fd);
	rd->fd = fd;
	rd->ino = sb.st_ino;
	rd->at = 0;
	rd->record.len = 0;
	return 1;
}

/* The rest of this file, then those that came after it. */
static int catch_up(struct reading *rd, struct err *e)
{
	if (rd->fd < 0 && !next_file(rd, 0))
		return 0;
	for (;;) {
		int i = own_number(rd);
		int r = read_on(rd, e);

		/* Looked up before it was read to its end: what is renamed gets no more lines. */
		if (r < 0 || i == 0 || rd->past)
			return r;
		/* Removed since: the oldest there is comes next, here the newest alone. */
		if (!next_file(rd, i > 0 ? (unsigned)i - 1 : 0))
			return 0;
	}
}

static int watch(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *dir = slash ? xasprintf("%.*s", (int)(slash - path + 1), path)
				       : xstrdup(".");
	CLEANUP_FD int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_sys(e, errno, "watch %s", dir);
	return take_fd(fd);
}

static int follow(struct reading *rd, int notify, struct err *e)
{
	bool ended = false;
	char p[4096];
	int r = 0;

	while (r >= 0 && !rd->past) {
		struct pollfd f[] = {
			{ .fd = notify, .events = POLLIN },
			{ .fd = rd->o->end_fd, .events = POLLIN },
		};

		while (read(notify, p, sizeof(p)) > 0)
			;               /* which file it was does not matter */
		r = catch_up(rd, e);
		if (r < 0 || ended)
			break;
		if (poll(f, ARRAY_LEN(f), -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "wait for the log");
		ended = f[1].revents != 0;
	}
	return r;
}

int logs_read(const char *path, const struct logs_options *o, logs_line_fn *fn, void *arg,
	      struct err *e)
{
	struct reading rd = {
		.path = path, .o = o, .fn = fn, .arg = arg, .fd = -1,
		.record = BUF_INIT(RECORD_MAX),
	};
	CLEANUP_FD int notify = -1;

	time_rfc3339_at(o->since_ns / NS_PER_S, (uint32_t)(o->since_ns % NS_PER_S), rd.since);
	time_rfc3339_at(o->until_ns / NS_PER_S, (uint32_t)(o->until_ns % NS_PER_S), rd.until);
	/* Ahead of the first reading: nothing is missed in between. */
	if (o->follow) {
		notify = watch(path, e);
		if (notify < 0)
			return notify;
	}
	int r = read_all(&rd, e);
	if (r >= 0 && o->follow && !rd.past)
		r = follow(&rd, notify, e);
	fd_close(&rd.fd);
	buf_release(&rd.record);
	return r < 0 ? r : 0;
}

int logs_print(void *arg, bool is_stderr, const char *p, size_t n, struct err *e)
{
	(void)arg;
	int r = fd_write_all(is_stderr ? STDERR_FILENO : STDOUT_FILENO, p, n);
	return r < 0 ? err_sys(e, -r, "write the log") : 0;
}
