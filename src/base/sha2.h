#pragma once
/*
 * base/sha2.h - SHA-256 and SHA-512 (FIPS 180-4).  Layer: base.
 *
 * For `isle`, which is static and has no crypto library: the digests of manifests,
 * configs and, when asked to, of whole blobs.  Nothing secret goes through here.
 */
#include <stddef.h>
#include <stdint.h>

struct sha2 {
	unsigned bits;                  /* 256 or 512 */
	uint64_t h[8];                  /* 32 bits used of each with 256 */
	uint64_t len_bytes;
	unsigned char block[128];
	size_t fill;
};

#define SHA2_HEX_MAX 129                /* with the NUL */

/* bits: 256 or 512. */
void sha2_init(struct sha2 *s, unsigned bits);
void sha2_add(struct sha2 *s, const void *p, size_t n);
/* Lower-case hex. */
void sha2_end(struct sha2 *s, char ret[SHA2_HEX_MAX]);
