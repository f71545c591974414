/* engine/event.c - see event.h */
#include "engine/event.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define LINE_BYTES_MAX (1u << 20)
#define FILE_BYTES_MAX (8 << 20)        /* two of them: weeks of a busy host */

/*
 * The file to append to, locked.  A full one is renamed by whoever holds its lock; who waited
 * for that lock holds a file that has lost its name then, and opens anew.
 */
static int open_locked(struct engine *eng)
{
	for (;;) {
		CLEANUP_FD int fd = openat(eng->rootfd, EVENT_FILE,
					   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		struct stat own, named;

		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &own) < 0)
			return -errno;
		if (fstatat(eng->rootfd, EVENT_FILE, &named, 0) < 0 || named.st_ino != own.st_ino)
			continue;
		if (own.st_size < FILE_BYTES_MAX)
			return take_fd(fd);
		if (renameat(eng->rootfd, EVENT_FILE, eng->rootfd, EVENT_FILE ".1") < 0)
			return -errno;
	}
}

void event_add(struct engine *eng, const char *type, const char *action, const char *id,
	       json_t *attributes)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT(LINE_BYTES_MAX);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	CLEANUP_JSON json_t *j = json_pack("{s:I, s:I, s:s, s:s, s:{s:s, s:o}}", "time",
		(json_int_t)now.tv_sec, "timeNano",
		(json_int_t)now.tv_sec * 1000000000 + now.tv_nsec, "Type", type, "Action", action,
		"Actor", "ID", id, "Attributes", attributes ? attributes : json_object());
	if (!j) {
		log_debug("event %s %s of %s has no JSON", type, action, id);
		return;
	}
	json_add(&line, j, JSON_COMPACT);
	buf_add_str(&line, "\n");
	CLEANUP_FD int fd = open_locked(eng);
	int r = fd < 0 ? fd : line.overflow ? -EFBIG : fd_write_all(fd, line.data, line.len);
	if (r < 0)
		log_debug("event %s %s of %s is not written: %s", type, action, id, err_text(-r));
}
