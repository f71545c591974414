/*
 * spec-coverage - print docs/spec-coverage.md; tests/unit/test_coverage.c compares
 * the committed file with what this prints.
 */
#include "oci/coverage.h"

int main(void)
{
	oci_coverage_print(stdout);
	return 0;
}
