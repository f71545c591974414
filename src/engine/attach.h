#pragma once
/*
 * engine/attach.h - a terminal, or pipes, in front of an instance's keeper: what run, start -a,
 * attach (and exec's options) share.  Layer: engine.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DETACH_KEYS_MAX 16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct detach_keys {
	unsigned char key[DETACH_KEYS_MAX];
	size_t n;                       /* 0: nothing detaches */
};

/* Docker's --detach-keys: "ctrl-p,ctrl-q", "a,b", "ctrl-@"; "" for none. */
MUST_CHECK int detach_keys_parse(const char *s, struct detach_keys *ret, struct err *e);

/*
 * Look for the keys in what was typed: p[0..n) goes to out (n + DETACH_KEYS_MAX bytes), but
 * for the beginning of the keys, which is held back in *matched until it is known.  True
 * once all were typed: what stood before them is in out.
 */
bool detach_keys_scan(const struct detach_keys *k, size_t *matched, const unsigned char *p,
		      size_t n, unsigned char *out, size_t *ret_n);

struct attach {
	int sock;                       /* from life_start() or life_connect(), ATTACH sent */
	bool input;                     /* our stdin is sent */
	bool tty;                       /* the instance has a terminal */
	bool sig_proxy;                 /* signals we get go to the program; not with tty */
	const char *detach_keys;        /* NULL: DETACH_KEYS_DEFAULT; used with tty */
};

struct attach_end {
	int exit_code;
	bool detached;                  /* by the keys: the instance goes on */
	bool restarting;                /* it ended with exit_code and is started again */
	bool oom;
};

/*
 * Copy until the program ends or the user detaches.  With tty and input our terminal is in
 * raw mode meanwhile, and its size is the instance's.  -EPIPE: the keeper went away.
 * Signal masks and terminal are as before when this returns.
 */
MUST_CHECK int attach_run(const struct attach *a, struct attach_end *ret, struct err *e);
