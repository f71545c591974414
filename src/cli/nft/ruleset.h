#pragma once
/*
 * cli/nft/ruleset.h - the nft table "isle": its chains, sets and elements.  Layer: cli.
 *
 * Rules stand for good; what changes are elements of sets, looked up by hash: with a
 * thousand published ports a packet costs what it costs with one.
 */
#include <stdbool.h>

#include "base/err.h"
#include "cli/nft/batch.h"

/* The table anew: whatever was in it goes, in the same transaction. */
void ruleset_replace(struct batch *b);
void ruleset_delete(struct batch *b);
/* Add or remove a bridge, a published port; the addresses' families must agree. */
void ruleset_network(struct batch *b, const char *device, bool internal, bool add);
MUST_CHECK int ruleset_port(struct batch *b, const char *protocol, const char *host_ip,
			  unsigned host_port, const char *ip, unsigned port, bool add,
			  struct err *e);
