#pragma once
/*
 * oci/table.h - from JSON to structs by tables.  Layer: oci, inside only.
 *
 * One struct oci_table an object of the specification, one struct oci_field a
 * property.  A field says what JSON it takes, what range, where the value goes in
 * the C struct, and which section of the specification it implements, so that the
 * tables are at once the parser, the schema and the list of what is covered
 * (docs/spec-coverage.md is printed from them).
 *
 * Rules of the walk, the same for every object:
 *   - null counts as absent, and so does "" where a string is wanted: Go's encoders
 *     write both for a value that was not set;
 *   - a member that no field names is ignored, unless the table is closed;
 *   - anything else that is not what the field says is -EINVAL with
 *     "config.json:14: linux.resources.pids.limit: expected an integer, found a string".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_tree.h"

enum oci_type {
	OCI_BOOL,               /* bool */
	OCI_OPT_BOOL,           /* struct opt_bool */
	OCI_INT,                /* an integer of width bytes, min..max */
	OCI_OPT_INT,            /* struct opt_i64 or opt_u64, min..max */
	OCI_STRING,             /* const char * */
	OCI_ENUM,               /* string of names[]: its number at offset, itself at text */
	OCI_FLAGS,              /* list of strings of names[]: uint64_t of or-ed numbers */
	OCI_STRINGS,            /* list of strings: struct oci_strv */
	OCI_IDS,                /* list of uint32: uint32_t *, size_t */
	OCI_CAPS,               /* list of capability names: uint64_t mask; see spec_process.c */
	OCI_OBJECT,             /* sub, embedded: its base is at offset; bool at present */
	OCI_OBJECT_NEW,         /* sub, allocated: pointer at offset */
	OCI_OBJECTS,            /* list of sub: pointer at offset, size_t behind it */
	OCI_MAP,                /* object whose values are sub; key at offset 0 of each */
	OCI_STRING_MAP,         /* struct oci_kvs */
	OCI_IGNORED,            /* known, not read: note says why */
};

#define OCI_NOWHERE UINT16_MAX          /* an offset that is not there */

enum {
	OCI_REQUIRED = 1,
	OCI_ABSOLUTE = 2,       /* STRING, each of STRINGS: a path that starts with '/' */
};

struct oci_name {
	const char *name;       /* NULL ends a table */
	int64_t number;
};

struct oci_field {
	const char *key;        /* NULL ends a table */
	enum oci_type type;
	uint8_t flags, width;
	uint16_t offset;
	uint16_t text;          /* ENUM: where the string goes */
	uint16_t present;       /* OBJECT: a bool to set, or OCI_NOWHERE */
	int64_t min;
	uint64_t max;
	const struct oci_name *names;
	const struct oci_table *sub;
	const char *words;      /* ENUM, FLAGS: what runc calls a bad one, "invalid ..." */
	const char *section;    /* coverage: when not the table's */
	const char *note;       /* coverage: what becomes of it; NULL is "applied" */
};

struct oci_walk;

struct oci_table {
	const char *section;    /* "config-linux.md#devices" */
	size_t size;            /* of the C struct; 0 when embedded only */
	bool closed;            /* a member no field names is an error */
	const struct oci_field *fields;
	/* Checks that need more than one property; NULL when there are none. */
	int (*check)(const struct oci_walk *w, const struct json_node *v, void *object);
};

/* Where the walk is; a chain on the stack, written out when there is an error. */
struct oci_walk {
	const char *name;               /* of the document */
	struct arena *a;
	struct err *e;
	const struct oci_walk *up;
	const char *key;                /* this step: a member ... */
	uint32_t index;                 /* ... or, key NULL, an element */
};

/* Fill *object (zeroed by the caller) from v. */
MUST_CHECK int oci_table_walk(const struct oci_walk *w, const struct oci_table *t,
			      const struct json_node *v, void *object);

/* -EINVAL, "NAME:LINE: PATH: " and the text; key (may be NULL) is one step more. */
int oci_walk_error(const struct oci_walk *w, const struct json_node *v, const char *key,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The number of name, or -1. */
int64_t oci_name_number(const struct oci_name *names, const char *name);

/* --- How tables are written --------------------------------------------- */

#define OCI_WIDTH(T, m) sizeof(((T *)0)->m)
/* A list is a pointer with its count right behind it. */
#define OCI_LIST_AT(T, v, n) (offsetof(T, v) + \
	0 * sizeof(char[offsetof(T, n) == offsetof(T, v) + sizeof(void *) ? 1 : -1]))

#define F_BOOL(k, T, m, ...) { .key = k, .type = OCI_BOOL, .offset = offsetof(T, m), \
	__VA_ARGS__ }
#define F_OPT_BOOL(k, T, m) { .key = k, .type = OCI_OPT_BOOL, .offset = offsetof(T, m) }
/* The range follows: U32, or .min and .max. */
#define F_INT(k, T, m, ...) { .key = k, .type = OCI_INT, .offset = offsetof(T, m), \
	.width = OCI_WIDTH(T, m), __VA_ARGS__ }
#define F_OPT_INT(k, T, m, ...) { .key = k, .type = OCI_OPT_INT, .offset = offsetof(T, m), \
	__VA_ARGS__ }
#define F_STRING(k, T, m, ...) { .key = k, .type = OCI_STRING, .offset = offsetof(T, m), \
	__VA_ARGS__ }
#define F_ENUM(k, T, m, table, ...) { .key = k, .type = OCI_ENUM, .offset = offsetof(T, m), \
	.width = OCI_WIDTH(T, m), .text = OCI_NOWHERE, .names = table, __VA_ARGS__ }
#define F_ENUM_TEXT(k, T, m, string, table, ...) { .key = k, .type = OCI_ENUM, \
	.offset = offsetof(T, m), .width = OCI_WIDTH(T, m), .text = offsetof(T, string), \
	.names = table, __VA_ARGS__ }
/* A string that must be of the table; only the string is kept. */
#define F_WORD(k, T, m, table, ...) { .key = k, .type = OCI_ENUM, .offset = OCI_NOWHERE, \
	.text = offsetof(T, m), .names = table, __VA_ARGS__ }
#define F_FLAGS(k, T, m, table, ...) { .key = k, .type = OCI_FLAGS, \
	.offset = offsetof(T, m), .names = table, __VA_ARGS__ }
#define F_STRINGS(k, T, m, ...) { .key = k, .type = OCI_STRINGS, .offset = offsetof(T, m), \
	__VA_ARGS__ }
#define F_IDS(k, T, v, n) { .key = k, .type = OCI_IDS, .offset = OCI_LIST_AT(T, v, n) }
#define F_CAPS(k, T, m) { .key = k, .type = OCI_CAPS, .offset = offsetof(T, m) }
#define F_OBJECT(k, at, table, ...) { .key = k, .type = OCI_OBJECT, .offset = at, \
	.present = OCI_NOWHERE, .sub = table, __VA_ARGS__ }
/* The same, with a bool of the parent that says it was there. */
#define F_OBJECT_SEEN(k, T, seen, at, table) { .key = k, .type = OCI_OBJECT, .offset = at, \
	.present = offsetof(T, seen), .sub = table }
#define F_OBJECT_NEW(k, T, m, table, ...) { .key = k, .type = OCI_OBJECT_NEW, \
	.offset = offsetof(T, m), .sub = table, __VA_ARGS__ }
#define F_OBJECTS(k, T, v, n, table) { .key = k, .type = OCI_OBJECTS, \
	.offset = OCI_LIST_AT(T, v, n), .sub = table }
#define F_MAP(k, T, v, n, table) { .key = k, .type = OCI_MAP, \
	.offset = OCI_LIST_AT(T, v, n), .sub = table }
#define F_STRING_MAP(k, T, m, ...) { .key = k, .type = OCI_STRING_MAP, \
	.offset = offsetof(T, m), __VA_ARGS__ }
#define F_IGNORED(k, why) { .key = k, .type = OCI_IGNORED, .note = why }
#define F_END { .key = NULL }

/* The specification's integer types. */
#define AT(where) .section = where
#define RANGE(lo, hi) .min = lo, .max = hi
#define U16 RANGE(0, UINT16_MAX)
#define U32 RANGE(0, UINT32_MAX)
#define U64 RANGE(0, UINT64_MAX)
#define I32 RANGE(INT32_MIN, INT32_MAX)
#define I64 RANGE(INT64_MIN, INT64_MAX)

struct oci_caps;

/* Add the capability of that name to *mask, or to the unknown ones of caps. */
void oci_caps_add(struct oci_caps *caps, uint64_t *mask, const char *name, struct arena *a);

/* The tables, one or more files each. */
extern const struct oci_table oci_table_spec;           /* spec.c: the whole document */
extern const struct oci_table oci_table_process;        /* spec_process.c */
extern const struct oci_table oci_table_linux;          /* spec_linux.c */
extern const struct oci_table oci_table_idmap;
extern const struct oci_table oci_table_resources;      /* spec_resources.c */
extern const struct oci_table oci_table_seccomp;        /* spec_seccomp.c */
extern const struct oci_table oci_table_vm;             /* spec_vm.c */
