/* guest/agent/network.c - the network of the machine, as the host says it is. */
#include "parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "sys/nlreq.h"

#define MAC_BYTES 6
#define WAIT_STEPS 500                  /* a device's driver may still be at it */
#define WAIT_STEP_NS 10000000

struct address {
	int family;
	size_t n;                       /* bytes of it */
	unsigned prefix;
	uint8_t b[16];
};

struct device {
	const char *name;
	bool has_mac;
	uint8_t mac[MAC_BYTES];
	int index;                      /* out: of the device found; 0: none */
	bool renamed;                   /* out: it has another name yet */
};

static int address_parse(const char *s, bool with_prefix, struct address *ret, struct err *e)
{
	char text[INET6_ADDRSTRLEN + 1], *end = NULL;
	size_t n = strcspn(s, "/");

	*ret = (struct address){ .family = memchr(s, ':', n) ? AF_INET6 : AF_INET };
	ret->n = ret->family == AF_INET ? 4 : 16;
	if (n < sizeof(text) && (s[n] == '/') == with_prefix) {
		memcpy(text, s, n);
		text[n] = '\0';
		ret->prefix = with_prefix ? (unsigned)strtoul(s + n + 1, &end, 10) : 0;
		if (inet_pton(ret->family, text, ret->b) == 1 && ret->prefix <= 8 * ret->n &&
		    (!with_prefix || (end != s + n + 1 && *end == '\0')))
			return 0;
	}
	return err_set(e, EINVAL, "network: \"%s\" is not an address%s", s,
		       with_prefix ? " with its prefix" : "");
}

static int mac_parse(const char *s, struct device *d, struct err *e)
{
	unsigned v[MAC_BYTES];
	int end = 0;

	if (!s)
		return 0;
	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &end) != MAC_BYTES || s[end])
		return err_set(e, EINVAL, "network: \"%s\" is not a MAC address", s);
	for (size_t i = 0; i < MAC_BYTES; i++)
		d->mac[i] = (uint8_t)v[i];
	d->has_mac = true;
	return 0;
}

/* ---- the device -------------------------------------------------------------------------- */

static int match_device(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	struct device *d = arg;
	size_t n_mac, n_name;

	if (h->nlmsg_type != RTM_NEWLINK || d->index)
		return 0;
	const void *mac = nlreq_find(IFLA_RTA(m), IFLA_PAYLOAD(h), IFLA_ADDRESS, &n_mac);
	const char *name = nlreq_find(IFLA_RTA(m), IFLA_PAYLOAD(h), IFLA_IFNAME, &n_name);
	bool named = name && n_name == strlen(d->name) + 1 &&
		     memcmp(name, d->name, n_name) == 0;
	bool is_it = d->has_mac ? mac && n_mac == MAC_BYTES && memcmp(mac, d->mac, n_mac) == 0
				: named;
	if (is_it) {
		d->index = m->ifi_index;
		d->renamed = !named;
	}
	return 0;
}

static int device_find(int sock, struct nlreq *q, struct device *d, struct err *e)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_NS };
	struct ifinfomsg all = { .ifi_family = AF_UNSPEC };

	for (int i = 0; i < WAIT_STEPS; i++) {
		nlreq_init(q);
		nlreq_message(q, RTM_GETLINK, NLM_F_DUMP, &all, sizeof(all));
		int r = nlreq_get(sock, q, match_device, d);
		if (r < 0)
			return err_sys(e, -r, "network: list the devices");
		if (d->index)
			return 0;
		nanosleep(&step, NULL);
	}
	return err_set(e, ENODEV, "network: there is no device for %s", d->name);
}

/* ---- what it gets ------------------------------------------------------------------------ */

static void add_link(struct nlreq *q, const struct device *d, int mtu)
{
	struct ifinfomsg m = { .ifi_index = d->index };
	struct ifinfomsg up = { .ifi_index = d->index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	/* Until Linux 6.2 a name changes only while the device is down: so this comes first. */
	if (d->renamed || mtu > 0) {
		nlreq_message(q, RTM_NEWLINK, 0, &m, sizeof(m));
		if (d->renamed)
			nlreq_str(q, IFLA_IFNAME, d->name);
		if (mtu > 0)
			nlreq_u32(q, IFLA_MTU, (uint32_t)mtu);
	}
	nlreq_message(q, RTM_NEWLINK, 0, &up, sizeof(up));
}

static void add_address(struct nlreq *q, int index, const struct address *a)
{
	struct ifaddrmsg m = {
		.ifa_family = (unsigned char)a->family,
		.ifa_prefixlen = (unsigned char)a->prefix,
		.ifa_index = (unsigned)index,
		/* The host gave it to nobody else: no second of duplicate detection. */
		.ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
	};

	nlreq_message(q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nlreq_attr(q, IFA_LOCAL, a->b, a->n);
	nlreq_attr(q, IFA_ADDRESS, a->b, a->n);
	if (a->family == AF_INET && a->prefix < 31) {
		uint32_t net, host = UINT32_MAX >> a->prefix;

		memcpy(&net, a->b, sizeof(net));
		net = htonl(ntohl(net) | host);
		nlreq_attr(q, IFA_BROADCAST, &net, sizeof(net));
	}
}

static void add_default_route(struct nlreq *q, int index, const struct address *via)
{
	struct rtmsg m = {
		.rtm_family = (unsigned char)via->family,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = RTNH_F_ONLINK,     /* it may be outside of the subnet */
	};

	nlreq_message(q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nlreq_attr(q, RTA_GATEWAY, via->b, via->n);
	nlreq_u32(q, RTA_OIF, (uint32_t)index);
}

/* Addresses, or the gateways of default routes, appended to the request. */
static int add_list(struct nlreq *q, int index, const json_t *list, bool gateways, struct err *e)
{
	struct address a;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (!s)
			return err_set(e, EINVAL, "network: an address is not a string");
		int r = address_parse(s, !gateways, &a, e);
		if (r < 0)
			return r;
		if (gateways)
			add_default_route(q, index, &a);
		else
			add_address(q, index, &a);
	}
	return 0;
}

static int configure_device(int sock, struct nlreq *q, json_t *o, struct err *e)
{
	const json_t *addresses = NULL, *gateways = NULL;
	const char *mac = NULL;
	struct device d = { 0 };
	json_error_t why;
	int mtu = 0;

	if (json_unpack_ex(o, &why, JSON_STRICT, "{s:s, s?:s, s?:i, s?:o, s?:o}", "name", &d.name,
			   "mac", &mac, "mtu", &mtu, "addresses", &addresses, "gateways",
			   &gateways) < 0)
		return err_set(e, EINVAL, "network: %s", why.text);
	int r = mac_parse(mac, &d, e);
	if (r == 0)
		r = device_find(sock, q, &d, e);
	if (r < 0)
		return r;
	nlreq_init(q);
	add_link(q, &d, mtu);
	r = add_list(q, d.index, addresses, false, e);
	if (r == 0)
		r = add_list(q, d.index, gateways, true, e);
	if (r < 0)
		return r;
	r = nlreq_talk(sock, q);
	return r < 0 ? err_sys(e, -r, "network: configure %s%s%s", d.name, q->text[0] ? ": " : "",
			       q->text) : 0;
}

int network_configure(const char *text, size_t n, struct err *e)
{
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));
	CLEANUP_JSON json_t *j = NULL;
	json_t *list = NULL;
	json_error_t why;

	int r = json_parse("network", text, n, &j, e);
	if (r < 0)
		return r;
	if (json_unpack_ex(j, &why, JSON_STRICT, "{s?:o}", "interfaces", &list) < 0)
		return err_set(e, EINVAL, "network: %s", why.text);
	CLEANUP_FD int sock = nlreq_open(NETLINK_ROUTE, -1);
	if (sock < 0)
		return err_sys(e, -sock, "network: open a netlink socket");
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = configure_device(sock, q, json_array_get(list, i), e);
	return r;
}
