#pragma once
/*
 * base/log.h - the log of a program.  Layer: base.
 *
 * One sink a process: --log FILE --log-format text|json as engines ask for it,
 * or stderr.  Library code logs at debug level only; main logs the one error
 * line of a failure, as the last line of the file.
 */
#include <stdbool.h>

#include "base/err.h"

enum log_format { LOG_TEXT, LOG_JSON };
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* path NULL: stderr.  Appends.  Program is the prefix of stderr lines. */
MUST_CHECK int log_open(const char *program, const char *path, enum log_format f,
			bool debug, struct err *e);
/* Before log_open() and when debug is off, debug lines cost one test. */
bool log_debug_on(void);
/*
 * JSON lines are {"level":"debug|warning|error","msg":...,"time":RFC 3339}.
 * Without a file, debug lines go to stderr in the log's format.
 * Warnings and errors also go to stderr ("isle-runtime: msg") when a file is set.
 */
void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define log_debug(...) \
	do { if (log_debug_on()) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__); } while (0)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
