/* base/log.c - see log.h */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

/* The sink is the process's, as stderr is: passing it everywhere buys nothing. */
static struct {
	const char *program;
	int fd;                 /* -1: stderr alone */
	enum log_format format;
	bool debug;
} log_sink = { .program = "isle", .fd = -1 };

int log_open(const char *program, const char *path, enum log_format f, bool debug,
	     struct err *e)
{
	log_sink.program = program;
	log_sink.format = f;
	log_sink.debug = debug;
	if (!path || !*path)
		return 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(e, errno, "open log file %s", path);
	log_sink.fd = fd;
	return 0;
}

bool log_debug_on(void)
{
	return log_sink.debug;
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_DEBUG: return "debug";
	case LOG_LEVEL_WARN: return "warning";
	default: return "error";
	}
}

static void log_format_line(struct buf *b, enum log_level level, const char *msg)
{
	char now[TIME_RFC3339_MAX];

	time_rfc3339(now);
	if (log_sink.format == LOG_JSON) {
		buf_printf(b, "{\"level\":\"%s\",\"msg\":", level_name(level));
		json_add_string(b, msg);
		buf_printf(b, ",\"time\":\"%s\"}\n", now);
	} else {
		buf_printf(b, "time=\"%s\" level=%s msg=", now, level_name(level));
		json_add_string(b, msg);
		buf_add_str(b, "\n");
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);

	int r = 0;
	CLEANUP(buf_release) struct buf b = BUF_INIT(16 * sizeof(msg));
	bool plain = log_sink.format == LOG_TEXT && level != LOG_LEVEL_DEBUG;
	if (log_sink.fd >= 0 || !plain) {
		log_format_line(&b, level, msg);
		r = fd_write_all(log_sink.fd >= 0 ? log_sink.fd : STDERR_FILENO, b.data, b.len);
	}
	bool stderr_too = log_sink.fd >= 0 ? level != LOG_LEVEL_DEBUG : plain;
	if (stderr_too || r < 0)
		dprintf(STDERR_FILENO, "%s: %s%s\n", log_sink.program,
			level == LOG_LEVEL_WARN ? "warning: " : "", msg);
}
