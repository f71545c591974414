/* oci/coverage.c - see coverage.h */
#include "oci/coverage.h"

#include <inttypes.h>
#include <string.h>

#include "oci/spec.h"
#include "oci/table.h"

static const char head[] =
"# What of the runtime specification is covered\n"
"\n"
"Printed by `tools/spec-coverage.c` from the tables in `src/oci/` that read `config.json`;\n"
"do not edit. Version " OCI_VERSION " of the runtime-spec, and every earlier 1.x.\n"
"\n"
"*Applied* means that the container half acts on it. A property that is not listed is unknown\n"
"and ignored, as the specification wants it. A value of another type or out of range is an error\n"
"that names the line and the path. `*` stands for any name.\n";

static void print_names(FILE *out, const char *before, const struct oci_name *names)
{
	fprintf(out, "%s", before);
	for (size_t i = 0; names[i].name; i++)
		fprintf(out, "%s`%s`", i ? ", " : "", names[i].name);
	if (!names[0].name)
		fprintf(out, "nothing");
}

static void print_range(FILE *out, const struct oci_field *f)
{
	fprintf(out, "integer, ");
	if (f->min == INT64_MIN && f->max == INT64_MAX)
		fprintf(out, "64 bits");
	else if (f->min == 0 && f->max == UINT64_MAX)
		fprintf(out, "64 bits unsigned");
	else
		fprintf(out, "%" PRId64 " to %" PRIu64, f->min, f->max);
}

static void print_type(FILE *out, const struct oci_field *f)
{
	const char *path = f->flags & OCI_ABSOLUTE ? ", absolute path" : "";

	switch (f->type) {
	case OCI_BOOL:
	case OCI_OPT_BOOL: fprintf(out, "boolean"); break;
	case OCI_INT:
	case OCI_OPT_INT: print_range(out, f); break;
	case OCI_STRING: fprintf(out, "string%s", path); break;
	case OCI_ENUM: print_names(out, "one of ", f->names); break;
	case OCI_FLAGS: print_names(out, "list of ", f->names); break;
	case OCI_STRINGS: fprintf(out, "list of strings%s", path); break;
	case OCI_IDS: fprintf(out, "list of integers, 0 to %u", UINT32_MAX); break;
	case OCI_CAPS: fprintf(out, "list of capability names"); break;
	case OCI_OBJECT:
	case OCI_OBJECT_NEW: fprintf(out, "object"); break;
	case OCI_OBJECTS: fprintf(out, "list of objects"); break;
	case OCI_MAP: fprintf(out, "map of objects"); break;
	case OCI_STRING_MAP: fprintf(out, "map of strings"); break;
	case OCI_IGNORED: fprintf(out, "any"); break;
	}
	if (f->flags & OCI_REQUIRED)
		fprintf(out, "; required");
}

static void print_table(FILE *out, const struct oci_table *t, const char *prefix)
{
	for (const struct oci_field *f = t->fields; f->key; f++) {
		const char *suffix = f->type == OCI_OBJECTS ? "[]" :
				     f->type == OCI_MAP ? ".*" : "";
		char path[256];

		snprintf(path, sizeof(path), "%s%s%s%s", prefix, *prefix ? "." : "", f->key,
			 suffix);
		fprintf(out, "| `%s` | ", path);
		print_type(out, f);
		fprintf(out, " | %s | %s |\n", f->note ? f->note : "applied",
			f->section ? f->section : f->sub ? f->sub->section : t->section);
		if (f->sub)
			print_table(out, f->sub, path);
	}
}

void oci_coverage_print(FILE *out)
{
	fprintf(out, "%s\n| Property | Type | What becomes of it | Section |\n"
		"|---|---|---|---|\n", head);
	print_table(out, &oci_table_spec, "");
}
