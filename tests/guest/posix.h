#pragma once
/*
 * tests/guest/posix.h - checks of a file system's behaviour, run where it is mounted.
 *
 * Each runs in an empty directory of its own, as root, and returns at the first thing that is
 * not as POSIX or the manual pages have it; posix.c prints a TAP line for each.  The same
 * program runs on the host and in a guest, so a check that fails on both says something
 * about the check.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct check {
	const char *name;
	void (*run)(void);
};

extern const struct check name_checks[], file_checks[], attr_checks[], user_checks[],
	lock_checks[], dir_checks[];

/* Say what failed, where, with errno; the check is over. */
void failed(const char *file, int line, const char *what, int error);

#define OK(cond) \
	do { \
		errno = 0; \
		if (!(cond)) { \
			failed(__FILE__, __LINE__, #cond, errno); \
			return; \
		} \
	} while (0)

/* The call fails with that errno and no other. */
#define FAILS(call, error) \
	do { \
		errno = 0; \
		if ((call) >= 0 || errno != (error)) { \
			failed(__FILE__, __LINE__, #call " fails with " #error, errno); \
			return; \
		} \
	} while (0)

/* A file with that text and mode 0644 less nothing; -1 on failure. */
int put(const char *name, const char *text);
/* Whether it holds exactly that text. */
bool holds(const char *name, const char *text);
bool exists(const char *name);

/*
 * Run fn in a child with these ids (groups: one more, or 0) and no capabilities; its
 * failures are this check's.  The child's umask is 022.
 */
void as_user(unsigned uid, unsigned gid, unsigned group, void (*fn)(void));
/* The same as root. */
void in_child(void (*fn)(void));
