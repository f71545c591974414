#pragma once
/*
 * image/auth_file.h - our file of credentials, between its reader and its writer.
 * Layer: image, private to auth_*.c.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json_tree.h"

#define AUTH_FILE_BYTES_MAX (1u << 20)

/* $REGISTRY_AUTH_FILE, or the place below the home; NULL where there is no home. */
const char *auth_file_path(struct arena *a);
/* 1 there are bytes, 0 there is no file or an empty one. */
MUST_CHECK int auth_file_read(const char *path, struct buf *b, struct err *e);
/* The helper that a document names for host, or NULL. */
const char *auth_file_helper(const struct json_node *root, const char *host);
/* The key of "auths" that stands for host, or NULL. */
const char *auth_file_key(const struct json_node *root, const char *host);
