/* cli/isle/run_ports.c - -p and --expose: see run_values.h */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/run_values.h"
#include "cli/values.h"

struct range {
	unsigned first, last;
};

/* "80" or "80-90"; least is 0 where "choose one" may be meant. */
static int range_parse(const char *s, unsigned least, struct range *ret, struct err *e)
{
	const char *dash = strchr(s, '-');
	CLEANUP_FREE char *first = dash ? xasprintf("%.*s", (int)(dash - s), s) : xstrdup(s);
	uint64_t a, b;

	if (value_u64(first, &a, NULL) < 0 || a < least || a > 65535)
		return err_set(e, EINVAL, "\"%s\" is not a port from %u to 65535", first, least);
	b = a;
	if (dash && (value_u64(dash + 1, &b, NULL) < 0 || b > 65535))
		return err_set(e, EINVAL, "\"%s\" is not a port from %u to 65535", dash + 1, least);
	if (b < a || (dash && a == 0))
		return err_set(e, EINVAL, "\"%s\" is not a range of ports, low to high", s);
	*ret = (struct range){ (unsigned)a, (unsigned)b };
	return 0;
}

/* Cuts "/udp" off s; *ret is a constant. */
static int protocol_parse(char *s, const char **ret, struct err *e)
{
	char *slash = strchr(s, '/');

	*ret = "tcp";
	if (!slash)
		return 0;
	*slash++ = '\0';
	if (strcasecmp(slash, "udp") == 0)
		*ret = "udp";
	else if (strcasecmp(slash, "tcp") != 0)
		return err_set(e, EINVAL, "\"%s\" is not a protocol that can be published: tcp "
			       "or udp", slash);
	return 0;
}

/* Cuts the address off the front of *rest: "[::1]:", "127.0.0.1:". */
static int address_parse(char **rest, const char *whole, const char **ret, struct err *e)
{
	struct in6_addr bytes;
	char *s = *rest, *end;

	*ret = "";
	if (*s == '[') {
		end = strchr(s, ']');
		if (!end || end[1] != ':')
			return err_set(e, EINVAL, "\"%s\" is not [IP]:HOST:PORT", whole);
		*end = '\0';
		*ret = s + 1;
		*rest = end + 2;
		if (inet_pton(AF_INET6, *ret, &bytes) != 1)
			return err_set(e, EINVAL, "\"%s\" is not an IPv6 address", *ret);
		return 0;
	}
	char *colon = strchr(s, ':');
	if (!colon || !strchr(colon + 1, ':'))
		return 0;               /* PORT or HOST:PORT */
	if (strchr(strchr(colon + 1, ':') + 1, ':'))
		return err_set(e, EINVAL, "\"%s\" is not IP:HOST:PORT; an IPv6 address stands in "
			       "brackets", whole);
	*colon = '\0';
	*ret = s;
	*rest = colon + 1;
	if (**ret && inet_pton(AF_INET, *ret, &bytes) != 1)
		return err_set(e, EINVAL, "\"%s\" is not an IP address", *ret);
	return 0;
}

int port_parse(const char *s, struct arena *a, struct net_port **v, size_t *n, struct err *e)
{
	char *rest = arena_strdup(a, s);
	struct range inside, host = { 0, 0 };
	struct net_port p = { 0 };

	int r = protocol_parse(rest, &p.protocol, e);
	if (r >= 0)
		r = address_parse(&rest, s, &p.host_ip, e);
	if (r < 0)
		return r;
	char *colon = strchr(rest, ':');
	if (colon)
		*colon = '\0';
	const char *host_text = colon ? rest : "";
	r = range_parse(colon ? colon + 1 : rest, 1, &inside, e);
	if (r >= 0 && *host_text)
		r = range_parse(host_text, 0, &host, e);
	if (r < 0)
		return r;
	if (host.first && host.last - host.first != inside.last - inside.first)
		return err_set(e, EINVAL, "\"%s\": the two ranges are not of the same length", s);

	size_t more = inside.last - inside.first + 1;
	struct net_port *all = arena_calloc(a, *n + more, sizeof(*all));
	if (*n)
		memcpy(all, *v, *n * sizeof(*all));
	for (size_t i = 0; i < more; i++) {
		p.port = (uint16_t)(inside.first + i);
		p.host_port = (uint16_t)(host.first ? host.first + i : 0);
		all[*n + i] = p;
	}
	*v = all;
	*n += more;
	return 0;
}

int expose_parse(const char *s, struct arena *a, struct oci_strv *to, struct err *e)
{
	char *text = arena_strdup(a, s);
	const char *protocol;
	struct range ports;

	int r = protocol_parse(text, &protocol, e);
	if (r >= 0)
		r = range_parse(text, 1, &ports, e);
	if (r < 0)
		return r;
	for (unsigned p = ports.first; p <= ports.last; p++)
		words_add(a, to, arena_printf(a, "%u/%s", p, protocol));
	return 0;
}
