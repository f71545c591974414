/* base/sha2.c - see sha2.h.  Names as in FIPS 180-4, sections 4 to 6. */
#include "base/sha2.h"

#include <string.h>

/* Section 4.2.3.  The constants of SHA-256 (4.2.2) are the upper halves of the first 64. */
static const uint64_t K[80] = {
	0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
	0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
	0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
	0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
	0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
	0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
	0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
	0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
	0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
	0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
	0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
	0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
	0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
	0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
	0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
	0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
	0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
	0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
	0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
	0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* Section 5.3.5; the upper halves are those of SHA-256, 5.3.3. */
static const uint64_t H0[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static uint32_t rotr32(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint64_t rotr64(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

/* The two functions differ in word size and in the distances alone. */
#define DEFINE_BLOCK(name, word, rounds, rotr, shift, S0, S1, s0, s1)                        \
static void name(uint64_t hash[8], const unsigned char *p)                                   \
{                                                                                            \
	word w[rounds], v[8];                                                                \
	const size_t size = sizeof(word);                                                    \
	\
	for (unsigned t = 0; t < 16; t++) {                                                  \
		w[t] = 0;                                                                    \
		for (size_t i = 0; i < size; i++)                                            \
			w[t] = w[t] << 8 | p[t * size + i];                                  \
	}                                                                                    \
	for (unsigned t = 16; t < (rounds); t++)                                             \
		w[t] = s1(w[t - 2]) + w[t - 7] + s0(w[t - 15]) + w[t - 16];                  \
	for (unsigned i = 0; i < 8; i++)                                                     \
		v[i] = (word)hash[i];                                                        \
	for (unsigned t = 0; t < (rounds); t++) {                                            \
		word t1 = v[7] + S1(v[4]) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +               \
			  (word)(K[t] >> (shift)) + w[t];                                    \
		word t2 = S0(v[0]) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));        \
	\
		memmove(v + 1, v, 7 * size);                                                 \
		v[4] += t1;                                                                  \
		v[0] = t1 + t2;                                                              \
	}                                                                                    \
	for (unsigned i = 0; i < 8; i++)                                                     \
		hash[i] = (word)((word)hash[i] + v[i]);                                      \
}

#define A32(x) (rotr32(x, 2) ^ rotr32(x, 13) ^ rotr32(x, 22))
#define E32(x) (rotr32(x, 6) ^ rotr32(x, 11) ^ rotr32(x, 25))
#define a32(x) (rotr32(x, 7) ^ rotr32(x, 18) ^ (x) >> 3)
#define e32(x) (rotr32(x, 17) ^ rotr32(x, 19) ^ (x) >> 10)
#define A64(x) (rotr64(x, 28) ^ rotr64(x, 34) ^ rotr64(x, 39))
#define E64(x) (rotr64(x, 14) ^ rotr64(x, 18) ^ rotr64(x, 41))
#define a64(x) (rotr64(x, 1) ^ rotr64(x, 8) ^ (x) >> 7)
#define e64(x) (rotr64(x, 19) ^ rotr64(x, 61) ^ (x) >> 6)

DEFINE_BLOCK(block256, uint32_t, 64, rotr32, 32, A32, E32, a32, e32)
DEFINE_BLOCK(block512, uint64_t, 80, rotr64, 0, A64, E64, a64, e64)

static size_t block_size(const struct sha2 *s)
{
	return s->bits == 256 ? 64 : 128;
}

static void run_block(struct sha2 *s, const unsigned char *p)
{
	if (s->bits == 256)
		block256(s->h, p);
	else
		block512(s->h, p);
}

void sha2_init(struct sha2 *s, unsigned bits)
{
	*s = (struct sha2){ .bits = bits };
	for (unsigned i = 0; i < 8; i++)
		s->h[i] = bits == 256 ? H0[i] >> 32 : H0[i];
}

void sha2_add(struct sha2 *s, const void *p, size_t n)
{
	const unsigned char *c = p;
	size_t size = block_size(s);

	s->len_bytes += n;
	while (n > 0) {
		size_t k = size - s->fill < n ? size - s->fill : n;

		if (s->fill == 0 && n >= size) {
			run_block(s, c);
			k = size;
		} else {
			memcpy(s->block + s->fill, c, k);
			s->fill += k;
			if (s->fill == size) {
				run_block(s, s->block);
				s->fill = 0;
			}
		}
		c += k;
		n -= k;
	}
}

void sha2_end(struct sha2 *s, char ret[SHA2_HEX_MAX])
{
	static const unsigned char pad[128] = { 0x80 };
	static const char hex[] = "0123456789abcdef";
	size_t size = block_size(s), room = size / 8;
	uint64_t bits = s->len_bytes * 8;
	unsigned char len[16] = { 0 };

	/* Section 5.1: one bit, zeros, the length in 64 or 128 bits. */
	size_t gap = (2 * size - room - s->fill - 1) % size + 1;
	for (unsigned i = 0; i < 8; i++)
		len[room - 1 - i] = (unsigned char)(bits >> (8 * i));
	sha2_add(s, pad, gap);
	sha2_add(s, len, room);
	size_t width = s->bits / 64;
	for (size_t i = 0; i < 2 * s->bits / 8; i++) {
		size_t nibble = i % (2 * width);

		ret[i] = hex[s->h[i / (2 * width)] >> (4 * (2 * width - 1 - nibble)) & 15];
	}
	ret[2 * s->bits / 8] = '\0';
}
