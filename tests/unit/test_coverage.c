/* docs/spec-coverage.md is what the tables of src/oci print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/coverage.h"

#define DOCUMENT SOURCE_ROOT "/docs/spec-coverage.md"

static void document_is_current(void **state)
{
	CLEANUP(buf_release) struct buf committed = BUF_INIT(1u << 20);
	CLEANUP_FREE char *printed = NULL;
	size_t n;
	FILE *out = open_memstream(&printed, &n);

	(void)state;
	assert_non_null(out);
	oci_coverage_print(out);
	fclose(out);
	assert_int_equal(file_read_at(AT_FDCWD, DOCUMENT, &committed), 0);
	if (strcmp(committed.data, printed) != 0)
		fail_msg("out of date: build/main/src/oci/spec-coverage > docs/spec-coverage.md");
}

/* Each wall and each level of the document stands there. */
static void document_has_all_levels(void **state)
{
	static const char *const rows[] = {
		("| `process.rlimits[].soft` | integer, 64 bits unsigned; required | applied | "
		 "config.md#posix-process |"),
		"| `linux.resources.blockIO.throttleReadIOPSDevice[].rate` |",
		"| `linux.resources.rdma.*.hcaHandles` |",
		"| `linux.timeOffsets.boottime.nanosecs` | integer, 0 to 999999999 |",
		"| `process.commandLine` | any | ignored on purpose",
		"| `windows` | any | ignored on purpose",
	};
	CLEANUP_FREE char *printed = NULL;
	size_t n;
	FILE *out = open_memstream(&printed, &n);

	(void)state;
	assert_non_null(out);
	oci_coverage_print(out);
	fclose(out);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strstr(printed, rows[i]))
			fail_msg("missing: %s", rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_is_current),
		cmocka_unit_test(document_has_all_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
