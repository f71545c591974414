/*
 * tests/lib/host.c - the other ends: what an engine does around a runtime.
 *
 *	recvtty SOCK            console socket: receive a pty master, say "NAME ROWS COLS",
 *	                        then copy stdin to it and its output to stdout
 *	recvpid SOCK            pidfd socket: receive a pidfd, say its pid
 *	agent SOCK ERRNO [N]    seccomp agent: print the state message, answer the first N
 *	                        notifications with ERRNO (0: let it go on)
 *	notify SOCK             systemd's notify socket: print the first datagram
 *	pty CMD...              run CMD on a new pty of 31 x 97, copy its output
 *	swap A B                exchange the two names for ever
 *	can-idmap DIR           exit 0 where DIR's file system can be mounted with idmap
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int listen_at(const char *path, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	/* The name appears when the socket listens: tests wait for the name. */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s.", path);
	if (s < 0 || bind(s, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    (type != SOCK_DGRAM && listen(s, 1) < 0) || rename(sa.sun_path, path) < 0) {
		perror(path);
		exit(2);
	}
	chmod(path, 0777);
	return s;
}

/* Receive one message with one descriptor. */
static int recv_fd(int s, char *buf, size_t size, ssize_t *ret_n)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int) * 4)]; } c;
	struct iovec iov = { buf, size - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &c, .msg_controllen = sizeof(c) };
	int fd = -1;

	*ret_n = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
	if (*ret_n < 0)
		return -1;
	buf[*ret_n] = 0;
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_type == SCM_RIGHTS) {
		if (h->cmsg_len != CMSG_LEN(sizeof(int)))
			fprintf(stderr, "more than one descriptor\n");
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	}
	return fd;
}

/* Copy stdin to the terminal and the terminal to stdout until it hangs up. */
static void pump(int tty)
{
	struct pollfd p[2] = { { .fd = tty, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	char buf[4096];

	for (;;) {
		if (poll(p, 2, 20000) <= 0)
			return;
		if (p[0].revents) {
			ssize_t n = read(tty, buf, sizeof(buf));

			if (n <= 0 || write(1, buf, (size_t)n) < 0)
				return;
		}
		if (p[1].revents) {
			ssize_t n = read(0, buf, sizeof(buf));

			if (n <= 0)
				p[1].fd = -1;
			else if (write(tty, buf, (size_t)n) < 0)
				return;
		}
	}
}

static int do_recvtty(char **a)
{
	char name[256];
	struct winsize ws = { 0 };
	ssize_t n;
	int s = listen_at(a[0], SOCK_STREAM), c = accept(s, NULL, NULL);
	int tty = recv_fd(c, name, sizeof(name), &n);

	if (tty < 0)
		return 1;
	/* There must be no second message. */
	char more;
	if (recv(c, &more, 1, MSG_DONTWAIT) > 0)
		fprintf(stderr, "a second message\n");
	ioctl(tty, TIOCGWINSZ, &ws);
	printf("%s %u %u\n", name, ws.ws_row, ws.ws_col);
	fflush(stdout);
	pump(tty);
	return 0;
}

static int do_recvpid(char **a)
{
	char buf[256], line[256];
	ssize_t n;
	int fd = recv_fd(accept(listen_at(a[0], SOCK_STREAM), NULL, NULL), buf, sizeof(buf), &n);

	snprintf(buf, sizeof(buf), "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(buf, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Pid:", 4) == 0)
			printf("%d\n", atoi(line + 4));
	return 0;
}

static int do_agent(char **a)
{
	static char buf[65536];
	ssize_t n;
	int max = a[2] ? atoi(a[2]) : 1;
	int fd = recv_fd(accept(listen_at(a[0], SOCK_STREAM), NULL, NULL), buf, sizeof(buf), &n);

	printf("%s\n", buf);
	fflush(stdout);
	if (fd < 0)
		return 1;
	for (int i = 0; i < max; i++) {
		struct { struct seccomp_notif r; char pad[256]; } rq = { 0 };
		struct { struct seccomp_notif_resp r; char pad[256]; } rs = { 0 };

		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &rq) < 0)
			return 0;
		printf("syscall %d\n", rq.r.data.nr);
		fflush(stdout);
		rs.r.id = rq.r.id;
		rs.r.error = -atoi(a[1]);
		if (rs.r.error == 0)
			rs.r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &rs);
	}
	return 0;
}

static int do_notify(char **a)
{
	char buf[4096];
	ssize_t n = recv(listen_at(a[0], SOCK_DGRAM), buf, sizeof(buf), 0);

	return n > 0 && write(1, buf, (size_t)n) == n ? 0 : 1;
}

static int do_pty(char **a)
{
	struct winsize ws = { .ws_row = 31, .ws_col = 97 };
	int tty, status;
	pid_t p = forkpty(&tty, NULL, NULL, &ws);

	if (p == 0) {
		execvp(a[0], a);
		_exit(127);
	}
	pump(tty);
	waitpid(p, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static _Noreturn int do_swap(char **a)
{
	for (;;)
		syscall(SYS_renameat2, AT_FDCWD, a[0], AT_FDCWD, a[1], 2 /* RENAME_EXCHANGE */);
}

static int do_can_idmap(char **a)
{
	char path[64];
	int pipes[2], ready[2];
	char c;

	if (pipe(pipes) < 0 || pipe(ready) < 0)
		return 2;
	pid_t p = fork();
	if (p == 0) {
		unshare(CLONE_NEWUSER);
		close(ready[1]);                /* it is in its own namespace now */
		close(ready[0]);
		close(pipes[1]);
		_exit(read(pipes[0], &c, 1) < 0);
	}
	close(pipes[0]);
	close(ready[1]);
	if (read(ready[0], &c, 1) < 0)
		return 2;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", p);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ok = write(fd, "0 1000 1", 8) == 8;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", p);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok = ok && write(fd, "0 1000 1", 8) == 8;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", p);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = (uint64_t)open(path, O_RDONLY | O_CLOEXEC) };
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, a[0], OPEN_TREE_CLONE | O_CLOEXEC);
	ok = ok && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0;
	close(pipes[1]);
	waitpid(p, NULL, 0);
	return !ok;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int args; int (*fn)(char **); } t[] = {
		{ "recvtty", 1, do_recvtty }, { "recvpid", 1, do_recvpid },
		{ "agent", 2, do_agent }, { "notify", 1, do_notify }, { "pty", 1, do_pty },
		{ "swap", 2, do_swap }, { "can-idmap", 1, do_can_idmap },
	};

	for (size_t i = 0; argc > 1 && i < sizeof(t) / sizeof(t[0]); i++)
		if (strcmp(t[i].name, argv[1]) == 0 && argc - 2 >= t[i].args)
			return t[i].fn(argv + 2);
	fprintf(stderr, "host: see the head of tests/lib/host.c\n");
	return 2;
}
