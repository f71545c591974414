/* base/db_index.c - see db_index.h.  Layouts: sqlite.org/walformat.html */
#include "base/db_index.h"

#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define DMS_OFFSET 128                  /* of the lock in "-shm" */
#define INDEX_VERSION 3007000
#define FRAME_BYTES 24                  /* of a frame's header */
#define BOOT_CHARS 36                   /* of the boot's ID: random(4) */
#define NOTE_MAX 96

/* 2.1, the WAL-index header; numbers are the machine's. */
struct index_header {
	uint32_t version, unused, change;
	uint8_t made, big_endian;
	uint16_t page_bytes;            /* 1 stands for 65536 */
	uint32_t n_frames, n_pages, checksum[2];
	uint8_t salt[8];
	uint32_t own_checksum[2];
};
_Static_assert(sizeof(struct index_header) == 48, "as in the file");

struct wal_header {
	uint32_t magic, version, page_bytes, sequence;
	uint8_t salt[8];
	uint32_t checksum[2];
};

struct frame_header {                   /* numbers are big-endian */
	uint32_t page, commit_pages;
	uint8_t salt[8];
	uint32_t checksum[2];
};
_Static_assert(sizeof(struct frame_header) == FRAME_BYTES, "as in the file");

/*
 * What the note has to say: the running kernel's ID, and which two files it is about.
 * By stat(2): closing a descriptor of them would give up sqlite's locks.
 * False: without /proc, or without the files, nothing can be told.
 */
static bool note_text(const char *path, char ret[NOTE_MAX])
{
	CLEANUP_FREE char *shm = xasprintf("%s-shm", path), *wal = xasprintf("%s-wal", path);
	CLEANUP_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[BOOT_CHARS + 1] = "";
	struct stat s, w;

	if (fd < 0 || read(fd, id, BOOT_CHARS) != BOOT_CHARS || stat(shm, &s) < 0 ||
	    stat(wal, &w) < 0)
		return false;
	snprintf(ret, NOTE_MAX, "%s %ju %ju\n", id, (uintmax_t)s.st_ino, (uintmax_t)w.st_ino);
	return true;
}

static bool noted(const char *path)
{
	CLEANUP_FREE char *note = xasprintf("%s-boot", path);
	CLEANUP_FD int fd = open(note, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char was[NOTE_MAX], is[NOTE_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, was, sizeof(was) - 1);

	was[n > 0 ? n : 0] = 0;
	return n > 0 && note_text(path, is) && strcmp(was, is) == 0;
}

/*
 * The index ends where the WAL does.  A writer may be at it meanwhile; then they differ, and
 * sqlite sees that writer's lock.
 */
static bool belongs(const char *path, int index)
{
	CLEANUP_FREE char *name = xasprintf("%s-wal", path);
	struct index_header h;
	struct wal_header w;
	struct frame_header last, next;

	if (pread(index, &h, sizeof(h), 0) != sizeof(h) || h.version != INDEX_VERSION || !h.made)
		return false;
	CLEANUP_FD int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	off_t frame = FRAME_BYTES + (h.page_bytes == 1 ? 65536 : h.page_bytes);
	off_t end = (off_t)sizeof(w) + (off_t)h.n_frames * frame;
	/* Of the same round: a commit the index does not know, from a kill or another day. */
	if (pread(fd, &next, sizeof(next), end) == sizeof(next) &&
	    memcmp(h.salt, next.salt, sizeof(h.salt)) == 0)
		return false;
	/* Nothing is read from the WAL. */
	if (h.n_frames == 0)
		return true;
	if (pread(fd, &w, sizeof(w), 0) != sizeof(w) ||
	    pread(fd, &last, sizeof(last), end - frame) != sizeof(last))
		return false;
	return memcmp(h.salt, w.salt, sizeof(h.salt)) == 0 &&
	       memcmp(h.salt, last.salt, sizeof(h.salt)) == 0 &&
	       h.checksum[0] == be32toh(last.checksum[0]) &&
	       h.checksum[1] == be32toh(last.checksum[1]);
}

int db_index_hold(const char *path)
{
	CLEANUP_FREE char *name = xasprintf("%s-shm", path);
	CLEANUP_FD int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	/* Of the descriptor, not of the process: sqlite asks whether another one has it. */
	struct flock lock = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = DMS_OFFSET, .l_len = 1,
	};

	/*
	 * The lock comes last: while we doubt, another command must not take ours for that
	 * of one who knows.  Whoever changes both files in between leaves them as they belong.
	 */
	if (fd < 0 || !noted(path) || !belongs(path, fd) || fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return -1;
	return take_fd(fd);
}

void db_index_made(const char *path)
{
	CLEANUP_FREE char *note = xasprintf("%s-boot", path);
	char text[NOTE_MAX];

	if (noted(path) || !note_text(path, text))
		return;
	/* Half a note is no note. */
	CLEANUP_FD int fd = open(note, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)!fd_write_all(fd, text, strlen(text));
}

void db_index_doubt(const char *path)
{
	CLEANUP_FREE char *note = xasprintf("%s-boot", path);

	unlink(note);
}
