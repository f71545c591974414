/* Fuzz target: a packet to a keeper or from one, and keeper.json. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "engine/keeper/parts.h"
#include "proto/keeper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FREE unsigned char *copy = xmalloc(size + 1);
	unsigned char again[KEEPER_HEADER];
	struct keeper_config c = { .arena = { NULL } };
	struct keeper_message m;
	struct err e = { 0 };

	memcpy(copy, data, size);
	copy[size] = '\0';
	/* What is taken is what would be sent. */
	if (keeper_decode(copy, size, &m) == 0) {
		int r = keeper_encode(&m, again);

		assert(r == 0 && memcmp(again, data, KEEPER_HEADER) == 0);
	}
	int r = keeper_config_parse((const char *)data, size, &c, &e);
	assert(r == 0 || e.code == -r);
	arena_release(&c.arena);
	return 0;
}
