#pragma once
/* image/store_rows.h - what the files of the store share about rows.  Layer: image, inside only. */
#include "image/store.h"
#include "image/store_files.h"

#define STORE_DOCUMENT_MAX (8u << 20)   /* bytes of a manifest or config */

/* Append a copy of text; the list lives in a and ends with NULL. */
void strv_add(struct arena *a, struct oci_strv *list, const char *text);
/* The first column of all rows; sql has one "?", for key. */
MUST_CHECK int store_strings(const struct store *s, struct arena *a, struct oci_strv *ret,
			     struct err *e, const char *sql, const char *key);
/* A blob or layer of which image_prune() is to see at once whether anybody needs it. */
MUST_CHECK int store_doom(const struct store *s, const char *digest, struct err *e);
/* "sha256:<hex>" of n bytes, by the algorithm of the digest like (NULL: sha256). */
void store_digest(const char *like, const void *p, size_t n, char ret[STORE_NAME_MAX]);
