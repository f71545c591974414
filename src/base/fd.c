/* base/fd.c - see fd.h */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U        /* memfd_create(2), Linux 6.3 */
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define FD_READ_CHUNK 16384

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n > 0) {
		ssize_t k = TEMP_FAILURE_RETRY(write(fd, s, n));

		if (k < 0)
			return -errno;
		s += k;
		n -= (size_t)k;
	}
	return 0;
}

ssize_t fd_read_all(int fd, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t k = TEMP_FAILURE_RETRY(read(fd, (char *)p + got, n - got));

		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

int fd_read_buf(int fd, struct buf *b)
{
	for (;;) {
		size_t room = b->max - b->len;
		size_t want = room < FD_READ_CHUNK ? room + 1 : FD_READ_CHUNK;
		char chunk[FD_READ_CHUNK];
		ssize_t k = TEMP_FAILURE_RETRY(read(fd, chunk, want));

		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		buf_add(b, chunk, (size_t)k);
		if (b->overflow)
			return -EFBIG;
	}
	/* An empty file too leaves a terminated string. */
	buf_add(b, "", 0);
	return 0;
}

int file_read_at(int dirfd, const char *path, struct buf *b)
{
	CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd_read_buf(fd, b);
}

int file_write_at(int dirfd, const char *path, const char *s)
{
	CLEANUP_FD int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = strlen(s);

	if (fd < 0)
		return -errno;
	ssize_t k = TEMP_FAILURE_RETRY(write(fd, s, n));
	if (k < 0)
		return -errno;
	return (size_t)k == n ? 0 : -EIO;
}

int file_replace_at(int dirfd, const char *name, const void *p, size_t n,
		    mode_t mode)
{
	char tmp[NAME_MAX + 1];

	if (snprintf(tmp, sizeof(tmp), ".%s.%d", name, getpid()) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;

	CLEANUP_FD int fd = openat(dirfd, tmp,
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
				   mode);
	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, p, n);
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dirfd, tmp, 0);
	return r;
}

int fd_sealed(const char *name, const void *p, size_t n, int exec)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	CLEANUP_FD int fd = memfd_create(name, flags | (exec ? MFD_EXEC : MFD_NOEXEC_SEAL));

	if (fd < 0 && errno == EINVAL)          /* before Linux 6.3 */
		fd = memfd_create(name, flags);
	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, p, n);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(fd);
}

union fd_control {
	struct cmsghdr h;       /* for its alignment */
	char space[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
};

int fd_send(int sock, const void *p, size_t n, const int *fd, size_t n_fds)
{
	union fd_control c = { .space = { 0 } };
	struct iovec iov = { .iov_base = (void *)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > FD_PASS_MAX)
		return -E2BIG;
	if (n_fds) {
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c.h.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&c.h), fd, n_fds * sizeof(int));
	}
	return TEMP_FAILURE_RETRY(sendmsg(sock, &m, MSG_NOSIGNAL)) < 0 ? -errno : 0;
}

ssize_t fd_recv(int sock, void *p, size_t n, int *fd, size_t max)
{
	union fd_control c;
	struct iovec iov = { .iov_base = p, .iov_len = n };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof(c),
	};
	size_t got = 0;

	ssize_t k = TEMP_FAILURE_RETRY(recvmsg(sock, &m, MSG_CMSG_CLOEXEC));
	if (k < 0)
		return -errno;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int one;

			memcpy(&one, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (got < max)
				fd[got++] = one;
			else
				close(one);
		}
	}
	return k == 0 ? -EPIPE : (ssize_t)got;
}

int fd_set_keep(int fd, int keep)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	flags = keep ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC;
	return fcntl(fd, F_SETFD, flags) < 0 ? -errno : 0;
}
