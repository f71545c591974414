#pragma once
/*
 * cli/image/transfer.h - options that pull and push share, and their last lines.
 * Layer: cli.
 */
#include "cli/options.h"
#include "image/progress.h"
#include "image/registry_client.h"

struct transfer_options {
	bool quiet;
	unsigned retry;
	uint64_t retry_delay_ns, timeout_ns;
};

#define TRANSFER_OPTIONS(type, member) \
	{ "quiet", 'q', OPT_FLAG, offsetof(type, member.quiet), NULL, \
	  "no progress; print the ID (push: the digest) alone", NULL }, \
	{ "retry", 0, OPT_UINT, offsetof(type, member.retry), "N", \
	  "attempts in a row before giving up (default 6)", NULL }, \
	{ "retry-delay", 0, OPT_PARSED, offsetof(type, member.retry_delay_ns), "TIME", \
	  "wait before the second attempt; doubles (default 500ms)", transfer_parse_time }, \
	{ "timeout", 0, OPT_PARSED, offsetof(type, member.timeout_ns), "TIME", \
	  "silence after which a connection counts as dead (default 30s)", transfer_parse_time }

int transfer_parse_time(const char *s, void *target, struct err *e);
/* Retries are told on progress. */
struct client_options transfer_client(const struct transfer_options *o, struct progress *p);
/* On stderr, or nowhere with -q. */
struct progress *transfer_progress(const struct transfer_options *o);
