/* Fuzz target: references; what is taken reads the same when written and read again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const char *text = arena_strndup(&a, (const char *)data, size);
	struct reference r, again;
	struct err e = { 0 };

	if (reference_parse(text, &a, &r, &e) < 0)
		return 0;
	assert(r.path && *r.path);
	const char *full = reference_format(&r, &a);
	assert(reference_parse(full, &a, &again, &e) == 0);
	assert(strcmp(reference_format(&again, &a), full) == 0);
	return 0;
}
