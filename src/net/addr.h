#pragma once
/*
 * net/addr.h - IP addresses and subnets as numbers.  Layer: net.
 *
 * An instance's address is its subnet's plus a host number, the same in both families, so
 * that a lease is one small integer.  Functions return 0 or -EINVAL without a message
 * unless they take a struct err.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ADDR_TEXT_MAX 64                /* "addr/prefix" with room */

struct addr {
	int family;                     /* AF_INET, AF_INET6; 0: none */
	uint8_t b[16];                  /* network order; 4 or 16 of them */
};

struct subnet {
	struct addr addr;               /* host bits are zero */
	unsigned prefix;
};

static inline size_t addr_bytes(const struct addr *a)
{
	return a->family == AF_INET ? 4 : 16;
}

/* Numeric only: no names, no zones. */
MUST_CHECK int addr_parse(const char *s, struct addr *ret);
/* "172.29.0.2"; "" for none. */
void addr_format(const struct addr *a, char ret[ADDR_TEXT_MAX]);
bool addr_equal(const struct addr *a, const struct addr *b);
/* 0.0.0.0 or :: */
bool addr_is_any(const struct addr *a);
bool addr_is_loopback(const struct addr *a);

/* "ADDRESS/PREFIX" of family; host bits are cleared.  The message names s. */
MUST_CHECK int subnet_parse(const char *s, int family, struct subnet *ret, struct err *e);
void subnet_format(const struct subnet *s, char ret[ADDR_TEXT_MAX]);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);
bool subnet_contains(const struct subnet *s, const struct addr *a);
/* The highest host number that is an address of its own, at most UINT32_MAX - 1. */
uint32_t subnet_last(const struct subnet *s);
/* The address with that host number. */
struct addr subnet_host(const struct subnet *s, uint32_t number);
/* The other way; -EINVAL where it is outside or does not fit. */
MUST_CHECK int subnet_number(const struct subnet *s, const struct addr *a, uint32_t *ret);
