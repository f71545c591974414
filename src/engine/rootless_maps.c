/* engine/rootless_maps.c - see rootless_maps.h, newuidmap(1), subuid(5) */
#include "engine/rootless_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define RANGES_MAX 16
#define FILE_BYTES_MAX (1u << 20)
#define NOT_FOUND 127                   /* the shell's status for it */

struct range { unsigned long first, count; };

void maps_user_name(uid_t uid, char *ret, size_t size)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	char number[16];

	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	snprintf(ret, size, "%s", number);
	if (file_read_at(AT_FDCWD, "/etc/passwd", &b) < 0 || !b.data)
		return;
	for (char *next = b.data, *line; (line = strsep(&next, "\n")); ) {
		char *name = strsep(&line, ":");

		strsep(&line, ":");
		if (name && line && strcmp(strsep(&line, ":"), number) == 0) {
			snprintf(ret, size, "%s", name);
			return;
		}
	}
}

/* NAME-OR-UID:FIRST:COUNT */
static size_t read_ranges(const char *file, const char *name, struct range *ret)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
	char uid[16];
	size_t n = 0;

	snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
	if (file_read_at(AT_FDCWD, file, &b) < 0 || !b.data)
		return 0;
	for (char *next = b.data, *line; n < RANGES_MAX && (line = strsep(&next, "\n")); ) {
		const char *who = strsep(&line, ":"), *first = strsep(&line, ":");

		if (!line || !first || !*who || (strcmp(who, uid) != 0 && strcmp(who, name) != 0))
			continue;
		ret[n].first = strtoul(first, NULL, 10);
		ret[n].count = strtoul(line, NULL, 10);
		n += ret[n].count > 0;
	}
	return n;
}

/* "newuidmap PID 0 UID 1 1 FIRST COUNT ...": 0 is the user, the others follow from 1 on. */
static int exec_map(const char *program, pid_t pid, unsigned own, const struct range *v, size_t n)
{
	char text[4 + 3 * RANGES_MAX][24], *argv[6 + 3 * RANGES_MAX];
	unsigned long next = 1;
	size_t k = 0;

	snprintf(text[0], sizeof(text[0]), "%d", (int)pid);
	snprintf(text[1], sizeof(text[1]), "0");
	snprintf(text[2], sizeof(text[2]), "%u", own);
	snprintf(text[3], sizeof(text[3]), "1");
	for (size_t i = 0; i < n; i++) {
		snprintf(text[4 + 3 * i], sizeof(text[0]), "%lu", next);
		snprintf(text[5 + 3 * i], sizeof(text[0]), "%lu", v[i].first);
		snprintf(text[6 + 3 * i], sizeof(text[0]), "%lu", v[i].count);
		next += v[i].count;
	}
	argv[k++] = (char *)(uintptr_t)program;
	for (size_t i = 0; i < 4 + 3 * n; i++)
		argv[k++] = text[i];
	argv[k] = NULL;
	/* It is one line that is told, and ours names the package. */
	int null = open("/dev/null", O_RDWR);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	execvp(program, argv);
	return NOT_FOUND;
}

static enum maps_result run_map(const char *program, pid_t pid, unsigned own,
				const struct range *v, size_t n)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(exec_map(program, pid, own, v, n));
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return MAPS_REFUSED;
	return WEXITSTATUS(status) == 0 ? MAPS_WRITTEN :
	       WEXITSTATUS(status) == NOT_FOUND ? MAPS_NO_PROGRAM : MAPS_REFUSED;
}

/* Without subordinate ids: the user alone is there. */
static enum maps_result map_one(pid_t pid)
{
	char path[48], text[48];

	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	int r = file_write_at(AT_FDCWD, path, "deny");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)getuid());
	if (r == 0)
		r = file_write_at(AT_FDCWD, path, text);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)getgid());
	if (r == 0)
		r = file_write_at(AT_FDCWD, path, text);
	return r == 0 ? MAPS_WRITTEN : MAPS_REFUSED;
}

enum maps_result maps_write(pid_t pid)
{
	struct range uids[RANGES_MAX], gids[RANGES_MAX];
	char name[256];

	maps_user_name(getuid(), name, sizeof(name));
	size_t n_uids = read_ranges("/etc/subuid", name, uids);
	size_t n_gids = read_ranges("/etc/subgid", name, gids);
	if (n_uids == 0 || n_gids == 0)
		return map_one(pid);
	enum maps_result r = run_map("newgidmap", pid, getgid(), gids, n_gids);
	return r != MAPS_WRITTEN ? r : run_map("newuidmap", pid, getuid(), uids, n_uids);
}

int maps_error(enum maps_result result, uid_t uid, struct err *e)
{
	char name[256];

	maps_user_name(uid, name, sizeof(name));
	if (result == MAPS_NO_PROGRAM)
		return err_set(e, ENOENT, "newuidmap and newgidmap are not installed, which map "
			       "the ids that /etc/subuid gives %s: apt-get install uidmap", name);
	return err_set(e, EPERM, "map ids into the user namespace: newuidmap and newgidmap have to "
		       "be setuid root, and the ranges of /etc/subuid and /etc/subgid to be %s's "
		       "own and no one else's", name);
}
