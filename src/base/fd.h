#pragma once
/*
 * base/fd.h - descriptors: ownership, whole reads and writes.  Layer: base.
 *
 * Every descriptor isle makes is close-on-exec from birth.  Functions return
 * >= 0 or -errno and restart on EINTR.
 */
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Close *fd if it is >= 0, set it to -1; errno is kept. */
void fd_close(int *fd);
#define CLEANUP_FD __attribute__((cleanup(fd_close)))
/* Hand a descriptor out of a CLEANUP_FD variable. */
#define take_fd(fd) ({ int take_tmp = (fd); (fd) = -1; take_tmp; })

/* Write all n bytes.  0 or -errno. */
MUST_CHECK int fd_write_all(int fd, const void *p, size_t n);
/* Read until n bytes or end of file; returns the bytes read. */
MUST_CHECK ssize_t fd_read_all(int fd, void *p, size_t n);
/* Append all of fd to b; -EFBIG past b->max. */
MUST_CHECK int fd_read_buf(int fd, struct buf *b);

/* Append all of the file at (dirfd, path) to b. */
MUST_CHECK int file_read_at(int dirfd, const char *path, struct buf *b);
/*
 * One write(2) of s to an existing file: kernel interfaces (cgroup, proc, sys).
 * A short write is -EIO.
 */
MUST_CHECK int file_write_at(int dirfd, const char *path, const char *s);
/*
 * Replace (dirfd, name) by n bytes: temporary file, rename.  No fsync: for the
 * run directory, which lives as long as the host is up.  mode as in open(2).
 */
MUST_CHECK int file_replace_at(int dirfd, const char *name, const void *p,
			       size_t n, mode_t mode);

/*
 * A sealed (F_SEAL_WRITE|SHRINK|GROW|SEAL) close-on-exec memfd holding n bytes;
 * returns the descriptor.  exec says whether it may be executed.
 */
MUST_CHECK int fd_sealed(const char *name, const void *p, size_t n, int exec);

/*
 * One message of n bytes with descriptors over a unix socket, n_fds at most
 * FD_PASS_MAX.  fd_recv() fills fd with close-on-exec descriptors and returns how many
 * came, which is at most max: others are closed.  -EPIPE at end of file.
 */
#define FD_PASS_MAX 32
MUST_CHECK int fd_send(int sock, const void *p, size_t n, const int *fd, size_t n_fds);
MUST_CHECK ssize_t fd_recv(int sock, void *p, size_t n, int *fd, size_t max);

/* Make fd survive (keep != 0) or not survive exec. */
MUST_CHECK int fd_set_keep(int fd, int keep);
