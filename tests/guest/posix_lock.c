/* posix_lock.c - record locks and flock(2).  See posix.h. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix.h"

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start,
			   .l_len = len };

	return fcntl(fd, cmd, &l);
}

static void others_meet_the_lock(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
	int fd = open("f", O_RDWR);

	OK(fd >= 0 && fcntl(fd, F_GETLK, &l) == 0);
	OK(l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 10 && l.l_pid == getppid());
	FAILS(lock(fd, F_SETLK, F_RDLCK, 15, 1), EAGAIN);
	OK(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0 && lock(fd, F_SETLK, F_WRLCK, 20, 0) == 0);
}

static void nobody_locks(void)
{
	int fd = open("f", O_RDWR);

	OK(fd >= 0 && lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
}

static void record_locks(void)
{
	int fd, again;

	OK(put("f", "x") == 0 && (fd = open("f", O_RDWR)) >= 0);
	OK(lock(fd, F_SETLK, F_WRLCK, 10, 10) == 0);
	in_child(others_meet_the_lock);
	/* Any descriptor of the file that is closed gives up all of the process's. */
	OK((again = open("f", O_RDONLY)) >= 0 && close(again) == 0);
	in_child(nobody_locks);
	FAILS(lock(fd, F_SETLK, F_WRLCK, -5, 1), EINVAL);
	close(fd);
}

static void a_waiter_gets_the_lock(void)
{
	int status, fd, p[2];
	char c;

	OK(put("f", "x") == 0 && (fd = open("f", O_RDWR)) >= 0 && pipe(p) == 0);
	OK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
	pid_t pid = fork();

	if (pid == 0) {
		alarm(20);
		if (write(p[1], "r", 1) != 1)
			_exit(2);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 0) == 0 ? 0 : 1);
	}
	OK(pid > 0 && read(p[0], &c, 1) == 1);
	OK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	OK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
}

static void description_locks(void)
{
	int a, b;

	OK(put("f", "x") == 0 && (a = open("f", O_RDWR)) >= 0 && (b = open("f", O_RDWR)) >= 0);
	OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 0) == 0);
	FAILS(lock(b, F_OFD_SETLK, F_RDLCK, 0, 0), EAGAIN);
	close(a);
	OK(lock(b, F_OFD_SETLK, F_RDLCK, 0, 0) == 0);
	close(b);
}

static void flocks(void)
{
	int a, b;

	OK(put("f", "x") == 0 && (a = open("f", O_RDWR)) >= 0 && (b = open("f", O_RDONLY)) >= 0);
	OK(flock(a, LOCK_EX | LOCK_NB) == 0);
	FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0);
	FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	close(a);
	OK(flock(b, LOCK_EX | LOCK_NB) == 0);
	close(b);
}

const struct check lock_checks[] = {
	{ "record_locks", record_locks },
	{ "a_waiter_gets_the_lock", a_waiter_gets_the_lock },
	{ "description_locks", description_locks },
	{ "flocks", flocks },
	{ NULL, NULL },
};
