#pragma once
/*
 * base/json_tree.h - a JSON document as a read-only tree in an arena.  Layer: base.
 *
 * For documents that others wrote: config.json, process and resources objects.
 * jansson (json.h) cannot serve here, for three reasons.  Its integers end at
 * INT64_MAX, while engines write 18446744073709551615 for "unlimited" and seccomp
 * arguments use all 64 bits.  Its nodes know no line, and a message should name
 * one.  And its tree of small allocations costs ten times what this one does, a
 * tenth of the time a whole container may take to start.
 *
 * The grammar is RFC 8259, strictly.  Refused beyond it: text that is not UTF-8,
 * "\u0000" (no string of C, and no path or argument of Linux, can hold it) and
 * nesting deeper than JSON_TREE_DEPTH_MAX.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define JSON_TREE_DEPTH_MAX 128
#define JSON_TREE_BYTES_MAX (32u << 20)

enum json_kind {
	JSON_KIND_NULL, JSON_KIND_BOOL, JSON_KIND_INT, JSON_KIND_REAL,
	JSON_KIND_STRING, JSON_KIND_LIST, JSON_KIND_OBJECT
};

struct json_node {
	enum json_kind kind;
	uint32_t line;                  /* 1-based, where the value starts */
	uint32_t n;                     /* bytes of a string, children of a list or object */
	bool truth;                     /* BOOL */
	bool negative, huge;            /* INT: huge when |value| >= 2^64 */
	const char *key;                /* in an object, else NULL */
	const struct json_node *next;   /* sibling */
	union {
		const char *s;                  /* STRING, terminated */
		uint64_t magnitude;             /* INT: |value| */
		const struct json_node *first;  /* LIST, OBJECT */
	};
};

/*
 * Parse the n bytes at p, which are copied.  name is what messages call the
 * document.  Everything lives in a.  A syntax error is -EINVAL and says
 * "name:line:column: what".
 */
MUST_CHECK int json_tree_parse(const char *name, const char *p, size_t n,
			       struct arena *a, const struct json_node **ret,
			       struct err *e);

/* "an object", "a string", "null": for messages. */
const char *json_kind_name(enum json_kind kind);

/* The member named key, or NULL; NULL too when it is not an object. */
const struct json_node *json_tree_member(const struct json_node *object, const char *key);

/*
 * The value at path ("linux.devices[2].access") below root, or, where the path
 * ends early, the deepest one there is: never NULL.
 */
const struct json_node *json_tree_at(const struct json_node *root, const char *path);
