/* container/console.c - see console.h */
#include "container/console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/inroot.h"

int console_connect(const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	/* Through a descriptor, since sun_path holds only 108 bytes (unix(7)). */
	CLEANUP_FD int node = open(path, O_PATH | O_CLOEXEC);

	if (node < 0)
		return err_sys(e, errno, "open socket %s", path);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", node);

	CLEANUP_FD int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return err_sys(e, errno, "make a socket");
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, errno, "connect to socket %s", path);
	return take_fd(sock);
}

int console_send_fd(int sock, int fd, const char *name, struct err *e)
{
	int r = fd_send(sock, name, strlen(name), &fd, 1);

	return r < 0 ? err_sys(e, -r, "send %s over the socket", name) : 0;
}

int console_recv_fd(int sock, struct err *e)
{
	char name[64];
	int fd;
	ssize_t n = fd_recv(sock, name, sizeof(name), &fd, 1);

	if (n == 0 || n == -EPIPE)
		return err_set(e, EPROTO, "receive the terminal: no descriptor came");
	return n < 0 ? err_sys(e, (int)-n, "receive the terminal") : fd;
}

int console_new(int rootfd, const char *path, uint16_t height, uint16_t width, uid_t uid,
		struct console *ret, struct err *e)
{
	struct statfs fs;
	int unlock = 0;

	CLEANUP_FD int master = inroot_open(rootfd, path, O_RDWR | O_NOCTTY, 0);
	if (master < 0)
		return err_sys(e, -master, "open %s of the container for its terminal (is devpts "
			       "mounted at /dev/pts?)", path);
	/* An image may put anything there; only a devpts answers TIOCGPTPEER honestly. */
	if (fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_set(e, EINVAL, "%s of the container is not on a devpts", path);
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, errno, "unlock the container's terminal");

	CLEANUP_FD int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(e, errno, "open the container's terminal");
	if (height && width) {
		struct winsize ws = { .ws_row = height, .ws_col = width };

		if (ioctl(slave, TIOCSWINSZ, &ws) < 0)
			return err_sys(e, errno, "size the container's terminal");
	}
	if (fchown(slave, uid, (gid_t)-1) < 0 && errno != EPERM && errno != EROFS)
		return err_sys(e, errno, "give the container's terminal to uid %u", uid);
	*ret = (struct console){ .master = take_fd(master), .slave = take_fd(slave) };
	return 0;
}

void console_release(struct console *c)
{
	fd_close(&c->master);
	fd_close(&c->slave);
}

int console_set_stdio(int fd, struct err *e)
{
	for (int i = 0; i < 3; i++)
		if (dup2(fd, i) < 0)
			return err_sys(e, errno, "make the terminal stdio");
	return 0;
}
