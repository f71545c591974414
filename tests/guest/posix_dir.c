/* posix_dir.c - reading directories, and trees.  See posix.h. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix.h"

#define MANY 5000

static int make_many(int n)
{
	for (int i = 0; i < n; i++) {
		char name[64];
		int fd;

		/* Names of many lengths: entries end everywhere in a buffer. */
		snprintf(name, sizeof(name), "%d-%.*s", i, i % 40,
			 "........................................");
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0)
			return -1;
		close(fd);
	}
	return 0;
}

/* How many of the names of make_many() are seen once, less 10000 for each seen otherwise. */
static int count_once(DIR *d)
{
	static unsigned char seen[MANY];
	const struct dirent *e;
	int n = 0;

	memset(seen, 0, sizeof(seen));
	while ((e = readdir(d))) {
		int i = (int)strtol(e->d_name, NULL, 10);

		if (e->d_name[0] == '.')
			continue;
		if (i < 0 || i >= MANY || seen[i]++)
			return n - 10000;
		n++;
	}
	return n;
}

static void thousands_of_entries(void)
{
	DIR *d;

	OK(make_many(MANY) == 0 && (d = opendir(".")));
	OK(count_once(d) == MANY);
	rewinddir(d);
	OK(count_once(d) == MANY);
	closedir(d);
}

static void entries_tell_types(void)
{
	const struct dirent *e;
	bool dots = false, dotdots = false;
	struct stat st;
	DIR *d;

	OK(mkdir("d", 0755) == 0 && put("f", "") == 0 && symlink("f", "l") == 0 &&
	   mkfifo("p", 0600) == 0 && (d = opendir(".")));
	while ((e = readdir(d))) {
		dots |= strcmp(e->d_name, ".") == 0;
		dotdots |= strcmp(e->d_name, "..") == 0;
		if (e->d_name[0] == '.' || e->d_type == DT_UNKNOWN)
			continue;
		OK(lstat(e->d_name, &st) == 0 && e->d_ino == st.st_ino);
		OK(e->d_type == IFTODT(st.st_mode));
	}
	OK(dots && dotdots);
	closedir(d);
}

static void seek_goes_back(void)
{
	char name[256] = "";
	const struct dirent *e;
	DIR *d;

	OK(make_many(300) == 0 && (d = opendir(".")));
	for (int i = 0; i < 150; i++)
		OK(readdir(d));
	long at = telldir(d);

	OK((e = readdir(d)));
	snprintf(name, sizeof(name), "%s", e->d_name);
	while (readdir(d))
		;
	seekdir(d, at);
	OK((e = readdir(d)) && strcmp(e->d_name, name) == 0);
	closedir(d);
}

static void two_readers(void)
{
	DIR *a, *b;
	int n = 0, m = 0;
	bool more = true;

	OK(make_many(700) == 0 && (a = opendir(".")) && (b = opendir(".")));
	while (more) {
		more = false;
		if (readdir(a)) {
			n++;
			more = true;
		}
		if (readdir(b)) {
			m++;
			more = true;
		}
	}
	OK(n == 702 && m == 702);
	closedir(a);
	closedir(b);
}

static void removing_while_reading(void)
{
	const struct dirent *e;
	int n = 0;
	DIR *d;

	OK(make_many(2000) == 0 && (d = opendir(".")));
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			n += unlink(e->d_name) == 0;
	OK(n == 2000);
	rewinddir(d);
	OK(count_once(d) == 0);
	closedir(d);
}

static void new_names_are_seen(void)
{
	DIR *d;

	OK(make_many(3) == 0 && (d = opendir(".")) && count_once(d) == 3);
	OK(put("100", "") == 0 && unlink("1-.") == 0);
	rewinddir(d);
	OK(count_once(d) == 3);
	closedir(d);
	OK((d = opendir(".")) && count_once(d) == 3);
	closedir(d);
	/* A name that was asked for when it was not there. */
	OK(!exists("later") && put("later", "x") == 0 && exists("later"));
	OK(unlink("later") == 0 && !exists("later"));
}

static void a_removed_directory_is_empty(void)
{
	DIR *d;

	OK(mkdir("d", 0755) == 0 && chdir("d") == 0 && rmdir("../d") == 0);
	FAILS(open("f", O_WRONLY | O_CREAT, 0644), ENOENT);
	OK((d = opendir(".")) && !readdir(d));
	closedir(d);
	OK(chdir("..") == 0);
}

static void run_it(void)
{
	execl("./prog", "prog", (char *)NULL);
	failed(__FILE__, __LINE__, "exec", errno);
}

static void programs_run(void)
{
	char buf[65536];
	ssize_t n;
	int in = open("/proc/self/exe", O_RDONLY), out = open("prog", O_WRONLY | O_CREAT, 0755);

	OK(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		OK(write(out, buf, (size_t)n) == n);
	close(in);
	close(out);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		/* Without an argument it explains itself, with status 2. */
		close(STDERR_FILENO);
		run_it();
		_exit(1);
	}
	OK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 2);
	OK(chmod("prog", 0644) == 0);
	FAILS(execl("./prog", "prog", (char *)NULL), EACCES);
}

const struct check dir_checks[] = {
	{ "thousands_of_entries", thousands_of_entries },
	{ "entries_tell_types", entries_tell_types },
	{ "seek_goes_back", seek_goes_back },
	{ "two_readers", two_readers },
	{ "removing_while_reading", removing_while_reading },
	{ "new_names_are_seen", new_names_are_seen },
	{ "a_removed_directory_is_empty", a_removed_directory_is_empty },
	{ "programs_run", programs_run },
	{ NULL, NULL },
};
