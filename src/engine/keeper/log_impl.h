#pragma once
/* engine/keeper/log_impl.h - the drivers behind log.c.  Layer: engine, private to the keeper. */
#include "engine/keeper/parts.h"

struct log_ops {
	/* One line without its newline; whole says that it had one. */
	int (*line)(struct log *l, enum keeper_kind stream, const char *p, size_t n, bool whole);
	/* What line() kept so far is written; 0 or -errno, and then it is lost. */
	int (*commit)(struct log *l);
};

struct log {
	const struct keeper_config *cfg;
	const struct log_ops *ops;
	struct buf partial[2];          /* of stdout, stderr: a line without its end yet */
	int fd;                         /* file or socket; -1 */
	struct buf out;                 /* file: records to write */
	uint64_t size;                  /* file: its bytes */
	uint64_t lost_bytes;            /* of lines that could not be written, to be told */
	int lost_code;
};

MUST_CHECK int log_file_open(struct log *l, struct err *e);
MUST_CHECK int log_journal_open(struct log *l, struct err *e);
