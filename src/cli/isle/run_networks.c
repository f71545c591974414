/* cli/isle/run_networks.c - --network, addresses, --add-host: see run_values.h */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "cli/isle/run_values.h"

int value_ip(const char *s, int family, struct err *e)
{
	struct in6_addr bytes;
	bool v4 = inet_pton(AF_INET, s, &bytes) == 1, v6 = inet_pton(AF_INET6, s, &bytes) == 1;

	if ((family == AF_INET && v4) || (family == AF_INET6 && v6) ||
	    (family == AF_UNSPEC && (v4 || v6)))
		return 0;
	return err_set(e, EINVAL, "\"%s\" is not an %s address", s,
		       family == AF_INET ? "IPv4" : family == AF_INET6 ? "IPv6" : "IP");
}

int value_mac(const char *s, struct err *e)
{
	size_t i = 0;

	/* Six bytes: an Ethernet address, "02:42:ac:11:00:02". */
	while (i < 17 && (i % 3 == 2 ? s[i] == ':' : isxdigit((unsigned char)s[i])))
		i++;
	if (i < 17 || s[17])
		return err_set(e, EINVAL, "\"%s\" is not an address such as 02:42:ac:11:00:02", s);
	return 0;
}

static int network_field(const char *key, const char *value, struct arena *a,
			 struct instance_network *ret, struct err *e)
{
	if (strcmp(key, "name") == 0) {
		ret->name = value;
	} else if (strcmp(key, "alias") == 0) {
		words_add(a, &ret->aliases, value);
	} else if (strcmp(key, "ip") == 0) {
		ret->ip4 = value;
		return value_ip(value, AF_INET, e);
	} else if (strcmp(key, "ip6") == 0) {
		ret->ip6 = value;
		return value_ip(value, AF_INET6, e);
	} else if (strcmp(key, "mac-address") == 0) {
		ret->mac = value;
		return value_mac(value, e);
	} else {
		return err_set(e, EINVAL, "\"%s\" is not one of name, alias, ip, ip6, "
			       "mac-address", key);
	}
	return 0;
}

int network_parse(const char *s, struct arena *a, struct instance_network *ret, struct err *e)
{
	char *rest = arena_strdup(a, s), *field;

	*ret = (struct instance_network){ 0 };
	if (!strchr(s, '=')) {
		ret->name = rest;
		rest = NULL;
	}
	while ((field = strsep(&rest, ","))) {
		char *value = strchr(field, '=');

		if (!value || !value[1])
			return err_set(e, EINVAL, "\"%s\" is not KEY=VALUE", field);
		*value++ = '\0';
		int r = network_field(field, value, a, ret, e);
		if (r < 0)
			return r;
	}
	if (!ret->name || !*ret->name)
		return err_set(e, EINVAL, "\"%s\" names no network", s);
	if (strcmp(ret->name, "default") == 0)
		ret->name = NET_DEFAULT;
	return 0;
}

int extra_host_parse(const char *s, struct arena *a, const char **ret, struct err *e)
{
	/* The first ':' ends the name: an IPv6 address has more of them. */
	size_t len = strcspn(s, ":=");
	const char *ip = s[len] ? s + len + 1 : "";
	size_t n = strlen(ip);

	if (len == 0 || !*ip)
		return err_set(e, EINVAL, "\"%s\" is not NAME:IP", s);
	if (n > 2 && ip[0] == '[' && ip[n - 1] == ']')
		ip = arena_strndup(a, ip + 1, n - 2);
	if (strcmp(ip, "host-gateway") != 0) {
		int r = value_ip(ip, AF_UNSPEC, e);
		if (r < 0)
			return r;
	}
	*ret = arena_printf(a, "%.*s:%s", (int)len, s, ip);
	return 0;
}
