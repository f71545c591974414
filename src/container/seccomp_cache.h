#pragma once
/*
 * container/seccomp_cache.h - compiled filters kept on disk.  Layer: container, private
 * to seccomp.c.
 *
 * An entry is one file named by a 64-bit hash of its key:
 *
 *	struct header | key | struct sock_filter[n]
 *
 * The key is the canonical form of everything the program depends on, and a hit is
 * proven by comparing it whole.  Files are made by rename, 0600, and taken only if
 * they are the caller's own and nobody else may write them.  Whatever is wrong
 * with an entry or the directory, the answer is a miss.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "container/seccomp.h"
#include "oci/spec.h"

#define SECCOMP_KEY_BYTES_MAX (8u << 20)

/* Append the key of a profile to b.  Flags and listener are not part of it. */
void seccomp_cache_key(const struct oci_seccomp *s, struct buf *b);
/* True with p->insns and p->n set (heap). */
bool seccomp_cache_load(int dirfd, const struct buf *key, struct seccomp_program *p);
/* Failing is only logged. */
void seccomp_cache_store(int dirfd, const struct buf *key, const struct seccomp_program *p);
