#pragma once
/*
 * cli/isle/output.h - what listings and inspections print.  Layer: cli.
 *
 * Rows are JSON objects with the field names Docker's --format uses ("ID", "Names",
 * "Image", "Status" ...).  A table has named columns; --format takes "table", "json",
 * "table {{.ID}}\t{{.Names}}" or a template (cli/isle/template.h); -q prints one field.
 * Data goes to stdout, everything else to stderr.  NO_COLOR is honoured.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "oci/spec.h"

struct output_column {
	const char *title;              /* "CONTAINER ID" */
	const char *field;              /* "ID" */
};

struct output_style {
	const char *format;             /* --format, or NULL */
	bool quiet;                     /* -q */
	bool no_trunc;
	const char *quiet_field;        /* "ID" */
};

/* rows: a JSON array of objects. */
MUST_CHECK int output_rows(const struct output_style *s, const struct output_column *columns,
			   size_t n, const json_t *rows, struct err *e);
/* inspect: an array of objects as indented JSON, or each by the template. */
MUST_CHECK int output_objects(const char *format, const json_t *objects, struct err *e);

/* One --filter "key=value" against row: 1 keeps, 0 drops; -EINVAL for an unknown key. */
struct output_filter {
	const char *key;
	int (*match)(const json_t *row, const char *value);
};
MUST_CHECK int output_filter(const struct oci_strv *filters, const struct output_filter *known,
			     size_t n, json_t *rows, struct err *e);

/* "3 minutes ago", "Up 2 hours", "1.2MB": as Docker writes them; *ret is the heap's. */
char *output_duration(int64_t seconds);
char *output_size(uint64_t bytes);              /* powers of 1000 */
char *output_size_binary(uint64_t bytes);       /* powers of 1024: "1.5MiB" */
/* Flush stdout; a full disk or a closed pipe is an error, not silence. */
MUST_CHECK int output_flush(struct err *e);
