#pragma once
/* oci/coverage.h - the tables as a document.  Layer: oci. */
#include <stdio.h>

/*
 * Print docs/spec-coverage.md.  The tables are what parses config.json, so the
 * list cannot claim a property that is not read.
 */
void oci_coverage_print(FILE *out);
