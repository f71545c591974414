#pragma once
/*
 * container/init/init.h - inside isle-init, one file a topic.  Layer: container, but
 * a program of its own: musl, static, nothing of isle but plan.h.
 *
 * Functions return 0 or -errno with in->msg filled by init_err(); main() tells it and
 * ends.  No memory is allocated: the plan is mapped private and relocated in place.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "container/init/plan.h"

#define MUST_CHECK __attribute__((warn_unused_result))

struct init {
	char *base;                     /* the mapped plan */
	struct init_plan *plan;
	int channel;                    /* where a failure is told */
	int32_t pid;                    /* as the runtime sees us, from the commit */
	char **args, **env;             /* env has room for HOME */
	uint64_t permitted;             /* capabilities we have */
	bool filtered;                  /* under the payload's seccomp filter */
	struct notify *notify;          /* seccomp.c: the thread that speaks for us then */
	struct init_msg msg;
	char exe[PATH_MAX];             /* args[0] as found */
	char home[PATH_MAX + 8];        /* "HOME=..." */
};

static inline const char *plan_str(const struct init *in, uint32_t off)
{
	return off ? in->base + off : NULL;
}

static inline void *plan_array(const struct init *in, struct plan_ref r)
{
	return in->base + r.off;
}

/* The failure: message, with the text of code appended by the reader if sys. */
int init_err(struct init *in, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int init_err_sys(struct init *in, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* text.c.  The formats of init_err() are %s %.Ns %.*s %d %u %% and no others. */
void text_vformat(char *to, size_t size, const char *fmt, va_list ap);
/* Decimal digits alone, at most max (which is below 2^60). */
bool text_number(const char *s, uint64_t max, uint64_t *ret);

/* Tell in->msg on the channel and end the process. */
_Noreturn void init_end(struct init *in);

/* plan.c: map the plan, check it, close every descriptor it does not name. */
MUST_CHECK int init_plan_open(struct init *in, int fd);
MUST_CHECK int init_fds_sweep(struct init *in, int plan_fd);

/* task.c: what setrlimit, sched_setattr and their kind set.  early is root's part and
 * what can fail; late is what would hinder isle-init itself. */
MUST_CHECK int task_early(struct init *in);
MUST_CHECK int task_late(struct init *in);
void task_signals_default(void);
MUST_CHECK int task_terminal(struct init *in);
MUST_CHECK int task_label(struct init *in);

/* ids.c */
MUST_CHECK int ids_stdio_owner(struct init *in);
/* Bounding set, groups, gid, uid; all permitted capabilities stay. */
MUST_CHECK int ids_become_user(struct init *in);
/* effective := the payload's, so that files are seen as it will see them. */
MUST_CHECK int ids_caps_as_payload(struct init *in);
/* effective := all; the inheritable and ambient sets of the payload. */
MUST_CHECK int ids_caps_raise(struct init *in);
/* The last: one capset(2). */
MUST_CHECK int ids_caps_final(struct init *in);

/* lookup.c */
/* Returns 1 when the directory must be tried again as the user. */
MUST_CHECK int cwd_enter(struct init *in, bool as_user);
MUST_CHECK int cwd_check(struct init *in);
void env_home(struct init *in);
MUST_CHECK int exe_find(struct init *in);

/* hooks.c */
MUST_CHECK int start_hooks_run(struct init *in);
/*
 * json in pieces, pid in the place of the 0 of each "pid":0.  pid_text holds its digits.
 * Quotes inside a JSON string are escaped, so the key cannot be met inside one.
 * Returns the number of pieces.
 */
#define JSON_PIECES_MAX 8
#define PID_TEXT_MAX 16
int json_pid_pieces(const char *json, int pid, char pid_text[PID_TEXT_MAX],
		    struct iovec iov[JSON_PIECES_MAX]);

/* seccomp.c */
MUST_CHECK int seccomp_prepare(struct init *in);        /* the notify thread, if needed */
MUST_CHECK int seccomp_load(struct init *in);
/* Have the notify thread tell in->msg and end us. */
_Noreturn void seccomp_notify_tell(struct init *in);
