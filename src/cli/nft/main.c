/*
 * cli/nft/main.c - isle-nft: changes the nft table "isle".  Layer: cli.
 *
 * libnftnl cannot be linked statically in Debian, and `isle` starts faster static, so what
 * it takes to change rules is a program of its own.  Standard input: net/rules.h.
 * The exit status is 0 or an errno, with one line on stderr.
 * "isle-nft settle RUN-DIR" is the process of net/settle.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/nft/batch.h"
#include "cli/nft/ruleset.h"
#include "net/rules.h"
#include "net/settle.h"

#define WORDS_MAX 6

static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t n = 0;
	char *word;

	while (n < WORDS_MAX && (word = strsep(&line, " "))) {
		if (word[0])
			words[n++] = word;
	}
	return n;
}

static int number(const char *s, unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*ret = (unsigned)v;
	return *end || end == s || v == 0 || v > 65535 ? -EINVAL : 0;
}

static int one_line(struct batch *b, char *line, struct err *e)
{
	char *w[WORDS_MAX] = { NULL };
	bool add = line[0] != '-';
	unsigned host_port, port;
	size_t n = split(add ? line : line + 1, w);

	if (n == 3 && strcmp(w[0], "network") == 0) {
		ruleset_network(b, w[1], strcmp(w[2], "internal") == 0, add);
		return 0;
	}
	if (n == 6 && strcmp(w[0], "port") == 0 && number(w[3], &host_port) == 0 &&
	    number(w[5], &port) == 0)
		return ruleset_port(b, w[1], w[2], host_port, w[4], port, add, e);
	if (n == 0)
		return err_set(e, EINVAL, "standard input has a line without words");
	return err_set(e, EINVAL, "standard input has a line that is not understood: %s", w[0]);
}

static int apply(char *text, struct err *e)
{
	struct batch b;
	const char *mode = strsep(&text, "\n");
	char *line;
	int r = 0;

	batch_init(&b);
	if (strcmp(mode, "replace") == 0)
		ruleset_replace(&b);
	else if (strcmp(mode, "delete") == 0)
		ruleset_delete(&b);
	else if (strcmp(mode, "change") != 0)
		r = err_set(e, EINVAL, "\"%s\" is not replace, change or delete", mode);
	while (r == 0 && (line = strsep(&text, "\n"))) {
		if (line[0])
			r = one_line(&b, line, e);
	}
	if (r == 0)
		r = batch_commit(&b, e);
	batch_release(&b);
	return r;
}

static int settle(const char *run_dir, struct err *e)
{
	struct net n = { .run_dir = run_dir, .nft_helper = "/proc/self/exe" };

	return settle_main(&n, e);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	int r;

	if (argc == 3 && strcmp(argv[1], "settle") == 0) {
		r = settle(argv[2], &e);
	} else if (argc == 1) {
		struct buf in __attribute__((cleanup(buf_release))) = BUF_INIT(RULES_BYTES_MAX);
		r = fd_read_buf(STDIN_FILENO, &in);
		if (r < 0)
			r = err_sys(&e, -r, "read standard input");
		else
			r = apply(in.data ? in.data : (char[1]){ 0 }, &e);
	} else {
		r = err_set(&e, EINVAL, "usage: isle-nft < RULES, or isle-nft settle RUN-DIR");
	}
	if (r < 0)
		(void)fprintf(stderr, "%s\n", e.msg);
	return r < 0 ? -r : 0;
}
