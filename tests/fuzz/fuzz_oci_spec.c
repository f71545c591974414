/* Fuzz target: config.json, its rules, and the objects that exec and update read. */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "oci/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP(oci_spec_release) struct oci_spec spec = { 0 };
	struct oci_process *process = NULL;
	struct oci_resources *resources = NULL;
	const char *text = (const char *)data;
	struct err e = { 0 };
	int r = oci_spec_parse("f", text, size, &spec, &e);

	if (r == 0)
		r = oci_spec_validate(&spec, &e);
	assert(r == 0 || e.code == -r);
	r = oci_process_parse("f", text, size, &a, &process, &e);
	assert((r == 0) == (process != NULL));
	r = oci_resources_parse("f", text, size, &a, &resources, &e);
	assert((r == 0) == (resources != NULL));
	return 0;
}
