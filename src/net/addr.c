/* net/addr.c - see addr.h */
#include "net/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int addr_parse(const char *s, struct addr *ret)
{
	*ret = (struct addr){ 0 };
	if (inet_pton(AF_INET, s, ret->b) == 1)
		ret->family = AF_INET;
	else if (inet_pton(AF_INET6, s, ret->b) == 1)
		ret->family = AF_INET6;
	else
		return -EINVAL;
	return 0;
}

void addr_format(const struct addr *a, char ret[ADDR_TEXT_MAX])
{
	ret[0] = 0;
	if (a->family != 0)
		(void)inet_ntop(a->family, a->b, ret, ADDR_TEXT_MAX);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, addr_bytes(a)) == 0;
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, addr_bytes(a)) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == AF_INET ? a->b[0] == 127 : memcmp(a->b, one, sizeof(one)) == 0;
}

/* Bit i of an address, 0 the first. */
static unsigned bit(const struct addr *a, unsigned i)
{
	return (a->b[i / 8] >> (7 - i % 8)) & 1;
}

int subnet_parse(const char *s, int family, struct subnet *ret, struct err *e)
{
	char text[ADDR_TEXT_MAX], *end;
	const char *slash = strchr(s, '/');

	if (!slash || (size_t)(slash - s) >= sizeof(text))
		return err_set(e, EINVAL, "\"%s\" is not a subnet: ADDRESS/PREFIX is expected", s);
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = 0;
	errno = 0;
	unsigned long prefix = strtoul(slash + 1, &end, 10);
	if (addr_parse(text, &ret->addr) < 0 || ret->addr.family != family)
		return err_set(e, EINVAL, "\"%s\" is not an %s subnet", s,
			       family == AF_INET ? "IPv4" : "IPv6");
	if (errno || *end || slash[1] < '0' || slash[1] > '9' ||
	    prefix > addr_bytes(&ret->addr) * 8)
		return err_set(e, EINVAL, "\"%s\" has no valid prefix length", s);
	ret->prefix = (unsigned)prefix;
	for (unsigned i = ret->prefix; i < addr_bytes(&ret->addr) * 8; i++)
		ret->addr.b[i / 8] &= (uint8_t)~(1u << (7 - i % 8));
	return 0;
}

void subnet_format(const struct subnet *s, char ret[ADDR_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	ret[0] = 0;
	if (s->addr.family == 0)
		return;
	addr_format(&s->addr, text);
	(void)snprintf(ret, ADDR_TEXT_MAX, "%.48s/%u", text, s->prefix);
}

static bool same_bits(const struct addr *a, const struct addr *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (bit(a, i) != bit(b, i))
			return false;
	}
	return true;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
	unsigned n = a->prefix < b->prefix ? a->prefix : b->prefix;

	return a->addr.family == b->addr.family && same_bits(&a->addr, &b->addr, n);
}

bool subnet_contains(const struct subnet *s, const struct addr *a)
{
	return s->addr.family == a->family && same_bits(&s->addr, a, s->prefix);
}

uint32_t subnet_last(const struct subnet *s)
{
	unsigned host_bits = (unsigned)addr_bytes(&s->addr) * 8 - s->prefix;

	if (host_bits >= 32)
		return UINT32_MAX - 1;
	uint32_t size = (uint32_t)1 << host_bits;
	/* The last one of an IPv4 subnet is its broadcast address. */
	uint32_t less = s->addr.family == AF_INET ? 2 : 1;
	return size > less ? size - less : 0;
}

struct addr subnet_host(const struct subnet *s, uint32_t number)
{
	struct addr a = s->addr;
	size_t n = addr_bytes(&a);

	for (size_t i = 0; i < 4; i++)
		a.b[n - 1 - i] |= (uint8_t)(number >> (8 * i));
	return a;
}

int subnet_number(const struct subnet *s, const struct addr *a, uint32_t *ret)
{
	size_t n = addr_bytes(a);
	uint32_t number = 0;

	if (!subnet_contains(s, a))
		return -EINVAL;
	for (size_t i = 0; i < 4; i++)
		number |= (uint32_t)(a->b[n - 1 - i] ^ s->addr.b[n - 1 - i]) << (8 * i);
	struct addr again = subnet_host(s, number);
	*ret = number;
	return addr_equal(&again, a) ? 0 : -EINVAL;
}
