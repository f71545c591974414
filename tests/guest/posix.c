/*
 * posix DIR - how the file system at DIR behaves, as TAP.  See posix.h.
 *
 * Runs as root, alone in DIR.
 */
#include "posix.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool bad;
static char why[512];

void failed(const char *file, int line, const char *what, int error)
{
	if (!bad)
		snprintf(why, sizeof(why), "%s:%d: %s (errno: %s)", file, line, what,
			 error ? strerror(error) : "none");
	bad = true;
}

int put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	size_t n = strlen(text);

	if (fd < 0)
		return -1;
	int r = write(fd, text, n) == (ssize_t)n ? 0 : -1;

	close(fd);
	return r;
}

bool holds(const char *name, const char *text)
{
	char buf[4096];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

bool exists(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

static void child(void (*fn)(void), int out)
{
	if (!bad)
		fn();
	if (bad && write(out, why, strlen(why)) < 0)
		_exit(2);
	_exit(bad);
}

static void wait_child(pid_t pid, int in)
{
	ssize_t n = read(in, why, sizeof(why) - 1);
	int status;

	if (n > 0)
		why[n] = '\0';
	close(in);
	if (waitpid(pid, &status, 0) != pid || status != 0) {
		if (n <= 0)
			snprintf(why, sizeof(why), "the child ended with status 0x%x", status);
		bad = true;
	}
}

void as_user(unsigned uid, unsigned gid, unsigned group, void (*fn)(void))
{
	int p[2];

	if (pipe(p) < 0)
		return failed(__FILE__, __LINE__, "pipe", errno);
	pid_t pid = fork();

	if (pid < 0)
		return failed(__FILE__, __LINE__, "fork", errno);
	if (pid == 0) {
		gid_t groups[] = { group };

		close(p[0]);
		umask(022);
		if ((uid || gid || group) &&
		    (setgroups(group != 0, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
		     setresuid(uid, uid, uid) < 0))
			failed(__FILE__, __LINE__, "take the ids", errno);
		child(fn, p[1]);
	}
	close(p[1]);
	wait_child(pid, p[0]);
}

void in_child(void (*fn)(void))
{
	as_user(0, 0, 0, fn);
}

static int run_all(const struct check *c, int n)
{
	int failures = 0;

	for (; c->name; c++) {
		bad = false;
		/* Left where it is when it fails, to be looked at. */
		if (mkdir(c->name, 0755) < 0 || chdir(c->name) < 0)
			failed(__FILE__, __LINE__, "make its directory", errno);
		else
			c->run();
		umask(022);
		if (chdir("..") < 0)
			exit(2);
		printf("%sok %d - %s\n", bad ? "not " : "", ++n, c->name);
		if (bad)
			printf("# %s\n", why);
		failures += bad;
	}
	return failures;
}

int main(int argc, char **argv)
{
	const struct check *const all[] = { name_checks, file_checks, attr_checks, user_checks,
					    lock_checks, dir_checks };
	int n = 0, failures = 0;

	if (argc != 2 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: posix DIR, which must be there and empty\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(022);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		failures += run_all(all[i], n);
		for (const struct check *c = all[i]; c->name; c++)
			n++;
	}
	printf("1..%d\n", n);
	return failures > 0;
}
