#pragma once
/*
 * base/err.h - one error: a code and a one-line message.  Layer: base.
 *
 * A fallible function returns an int: >= 0, or -errno.  Above sys/ its last
 * parameter is a struct err, filled where the facts are.  The message is held
 * inline, so an error can be made after clone(2), out of memory, and be sent
 * whole over a socket.  A caller may prefix it once; only main prints it.
 */
#include <stddef.h>

#define ERR_MSG_MAX 1024

#define MUST_CHECK __attribute__((warn_unused_result))

struct err {
	int code;               /* positive errno; 0 while there is no error */
	char msg[ERR_MSG_MAX];  /* one line, no newline, always terminated */
};

/*
 * Set *e to code (positive errno) and the formatted message.  Control bytes in
 * the result are replaced by '?': the message may carry hostile names.
 * e may be NULL.  Returns -code, so that "return err_set(...)" reads well.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_set(), with ": " and the lower-case text of code appended. */
int err_sys(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "prefix: " ahead of the message of *e.  Returns -e->code. */
int err_prefix(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The text of a positive errno in the spelling engines match on: lower case, as
 * Go prints it ("no such file or directory"), from a table; never NULL.
 */
const char *err_text(int code);

#ifdef __clang_analyzer__
/*
 * clang-tidy does not know that codes are positive, and would follow every failure on as
 * a success with nothing filled in.
 */
static inline int err_negative(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}
#define err_set(...) err_negative(err_set(__VA_ARGS__))
#define err_sys(...) err_negative(err_sys(__VA_ARGS__))
#define err_prefix(...) err_negative(err_prefix(__VA_ARGS__))
#endif
