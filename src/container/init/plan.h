#pragma once
/*
 * container/init/plan.h - what the runtime and isle-init say to each other: the plan
 * and the messages.  Layer: container; shared with a program built against another
 * libc, so it includes nothing of isle.
 *
 * The plan is one sealed memfd, mapped private by isle-init:
 *
 *	struct init_plan | arrays | strings, each NUL-terminated | '\0'
 *
 * Arrays are (offset, count); strings are offsets, 0 meaning absent.  Slots that
 * become pointer arrays (args, env) hold offsets as uintptr_t and are turned into
 * pointers in place: both programs are built for one machine.  The runtime made it
 * all, so it is trusted; isle-init still checks every bound once (init_plan_open()).
 *
 * Messages, one SOCK_SEQPACKET packet each:
 *
 *	isle-init -> runtime, on sync_fd        struct init_msg
 *	    PID      exec only, before anything of the new process: its pid
 *	    READY    everything that can be done before the start is done
 *	    ERROR    the end
 *	runtime -> isle-init, on sync_fd        struct init_commit, once, after READY
 *	start -> isle-init, on a connection     INIT_START_BYTE
 *	isle-init -> start, on that connection  struct init_msg ERROR; or end of file: exec'd
 *
 * End of file on sync_fd before the commit ends isle-init.  With start_fd -1 the
 * errors after the commit travel on sync_fd as well, and its end of file means exec'd.
 */
#include <stdint.h>
#include <sys/types.h>

#define INIT_PLAN_MAGIC 0x6e616c70656c7369ULL   /* "isleplan" */
#define INIT_PLAN_VERSION 1
#define INIT_PLAN_BYTES_MAX (64u << 20)

#define INIT_COMMIT_BYTE 'c'
#define INIT_START_BYTE 's'

enum init_msg_kind { INIT_MSG_PID = 1, INIT_MSG_READY, INIT_MSG_ERROR };

struct init_msg {
	uint32_t kind;          /* enum init_msg_kind */
	int32_t pid;            /* PID: as the runtime sees it */
	int32_t code;           /* ERROR: positive errno */
	uint32_t sys;           /* ERROR: the text of code is to be appended to msg */
	char msg[1000];         /* ERROR: terminated */
};

struct init_commit {
	uint32_t byte;          /* INIT_COMMIT_BYTE */
	int32_t pid;            /* of the process, as the runtime sees it */
};

enum init_plan_flag {
	INIT_PLAN_FORK = 1 << 0,                /* clone(CLONE_PARENT) first */
	INIT_PLAN_SETSID = 1 << 1,
	INIT_PLAN_CTTY = 1 << 2,                /* stdin becomes the controlling terminal */
	INIT_PLAN_NO_SETGROUPS = 1 << 3,        /* denied in this user namespace */
	INIT_PLAN_MKDIR_CWD = 1 << 4,
	INIT_PLAN_NO_NEW_PRIVS = 1 << 5,
	INIT_PLAN_SCHEDULER = 1 << 6,
	INIT_PLAN_IOPRIO = 1 << 7,
	INIT_PLAN_PERSONALITY = 1 << 8,
	INIT_PLAN_MEMPOLICY = 1 << 9,
	INIT_PLAN_APPARMOR = 1 << 10,           /* where the label goes */
	INIT_PLAN_SELINUX = 1 << 11,
	INIT_PLAN_NOTIFY = 1 << 12,             /* the filter needs a listener */
};

struct plan_ref {
	uint32_t off;           /* bytes from the start of the plan, aligned for the type */
	uint32_t n;             /* elements */
};

struct plan_rlimit {
	uint64_t soft, hard;
	uint32_t resource;
	uint32_t name;          /* "RLIMIT_NOFILE" */
};

struct plan_hook {
	uint32_t path;
	int32_t timeout_s;      /* 0: none */
	struct plan_ref args;   /* uintptr_t[n + 1] */
	struct plan_ref env;    /* uintptr_t[n + 1] */
};

struct plan_insn {              /* struct sock_filter of linux/filter.h */
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

struct plan_sched {             /* struct sched_attr of sched_setattr(2) */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct init_plan {
	uint64_t magic;
	uint32_t version;
	uint32_t size;                  /* of the whole plan */
	uint32_t flags;                 /* enum init_plan_flag */
	int32_t sync_fd, start_fd, procfs_fd, listener_fd;
	uint32_t preserve_fds;          /* 3 .. 3 + n - 1 */

	uint32_t uid, gid, umask;
	uint32_t cwd;                   /* string */
	struct plan_ref gids;           /* uint32_t[n] */
	uint64_t bounding, effective, inheritable, permitted, ambient;

	struct plan_ref rlimits;        /* struct plan_rlimit[n] */
	struct plan_ref cpus;           /* unsigned long[n], affinity mask; n == 0: leave */
	struct plan_sched sched;
	uint32_t ioprio;                /* class << 13 | level */
	uint32_t mempolicy;             /* mode | flags */
	struct plan_ref nodes;          /* unsigned long[n] */
	uint64_t personality;

	uint32_t label;                 /* string */
	uint32_t state_json;            /* string; "pid":0 stands for the pid in the container */
	struct plan_ref hooks;          /* struct plan_hook[n] */
	uint32_t listener_msg;          /* string; "pid":0 stands for the pid in init_commit */
	uint32_t seccomp_flags;
	struct plan_ref seccomp;        /* struct plan_insn[n]; n == 0: none */

	struct plan_ref args;           /* uintptr_t[n + 1]; n == 0: nothing to start */
	struct plan_ref env;            /* uintptr_t[n + 2]: room for HOME */
};
