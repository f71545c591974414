/* net/link.c - see link.h */
#include "net/link.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/nlreq.h"

static int fail(const struct nlreq *q, int r, struct err *e, const char *what)
{
	return q->text[0] ? err_set(e, -r, "%s: %s (%s)", what, err_text(-r), q->text) :
			    err_sys(e, -r, "%s", what);
}

/* ---- what is there ------------------------------------------------------------------ */

struct routes {
	int (*each)(const struct subnet *to, const char *device, void *arg);
	void *arg;
};

static int route_one(const struct nlmsghdr *h, void *arg)
{
	const struct routes *l = arg;
	const struct rtmsg *m = NLMSG_DATA(h);
	size_t left = RTM_PAYLOAD(h), n;
	char device[IF_NAMESIZE] = "";

	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_table != RT_TABLE_MAIN ||
	    m->rtm_type != RTN_UNICAST)
		return 0;
	struct subnet s = { .addr.family = m->rtm_family, .prefix = m->rtm_dst_len };
	const void *dst = nlreq_find(RTM_RTA(m), left, RTA_DST, &n);
	if (dst && n <= sizeof(s.addr.b))
		memcpy(s.addr.b, dst, n);
	const void *oif = nlreq_find(RTM_RTA(m), left, RTA_OIF, &n);
	if (oif && n == sizeof(unsigned)) {
		unsigned index;
		memcpy(&index, oif, sizeof(index));
		(void)if_indextoname(index, device);
	}
	return l->each(&s, device, l->arg);
}

int link_routes(int family,
		int (*each)(const struct subnet *to, const char *device, void *arg), void *arg,
		struct err *e)
{
	struct routes l = { .each = each, .arg = arg };
	struct rtmsg m = { .rtm_family = (unsigned char)family };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));
	CLEANUP_FD int sock = nlreq_open(NETLINK_ROUTE, -1);

	if (sock < 0)
		return err_sys(e, -sock, "open a netlink socket");
	nlreq_init(q);
	nlreq_message(q, RTM_GETROUTE, NLM_F_DUMP, &m, sizeof(m));
	int r = nlreq_get(sock, q, route_one, &l);
	return r < 0 ? err_sys(e, -r, "read the host's routes") : 0;
}

bool link_has_ipv6(void)
{
	char c = 0;
	CLEANUP_FD int fd = open("/proc/sys/net/ipv6/conf/all/disable_ipv6",
				 O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c == '0';
}

struct found {
	int index;
	bool bridge;
	int master;                     /* counted: links with this master */
	int ports;
};

static int link_one(const struct nlmsghdr *h, void *arg)
{
	struct found *f = arg;
	const struct ifinfomsg *m = NLMSG_DATA(h);
	size_t left = IFLA_PAYLOAD(h), n;
	uint32_t master = 0;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	f->index = m->ifi_index;
	const void *p = nlreq_find(IFLA_RTA(m), left, IFLA_MASTER, &n);
	if (p && n == sizeof(master)) {
		memcpy(&master, p, n);
		f->ports += (int)master == f->master;
	}
	const void *info = nlreq_find(IFLA_RTA(m), left, IFLA_LINKINFO, &n);
	const char *kind = info ? nlreq_find(info, n, IFLA_INFO_KIND, &n) : NULL;
	f->bridge = kind && n >= sizeof("bridge") - 1 && strncmp(kind, "bridge", n) == 0;
	return 0;
}

static int link_find(int sock, const char *device, struct found *f)
{
	struct ifinfomsg m = { 0 };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));

	*f = (struct found){ 0 };
	nlreq_init(q);
	nlreq_message(q, RTM_GETLINK, 0, &m, sizeof(m));
	nlreq_str(q, IFLA_IFNAME, device);
	int r = nlreq_get(sock, q, link_one, f);
	return r == -ENODEV ? 0 : r;
}

int link_bridge_find(int sock, const char *device, struct err *e)
{
	struct found f;
	int r = link_find(sock, device, &f);

	if (r < 0)
		return err_sys(e, -r, "look for network device %s", device);
	if (f.index != 0 && !f.bridge)
		return err_set(e, EEXIST, "network device %s is there and is no bridge: set "
			       "another name as \"bridge\" in isle.conf", device);
	return f.index;
}

int link_bridge_ports(int sock, int index, struct err *e)
{
	struct ifinfomsg m = { 0 };
	struct found f = { .master = index };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));

	nlreq_init(q);
	nlreq_message(q, RTM_GETLINK, NLM_F_DUMP, &m, sizeof(m));
	/* The kernel leaves out all but the ports: IFLA_MASTER filters a dump. */
	nlreq_u32(q, IFLA_MASTER, (uint32_t)index);
	int r = nlreq_get(sock, q, link_one, &f);
	return r < 0 ? err_sys(e, -r, "count the ports of a bridge") : f.ports;
}

int link_remove(int sock, const char *device, struct err *e)
{
	struct ifinfomsg m = { 0 };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));

	nlreq_init(q);
	nlreq_message(q, RTM_DELLINK, 0, &m, sizeof(m));
	nlreq_str(q, IFLA_IFNAME, device);
	int r = nlreq_talk(sock, q);
	return r < 0 && r != -ENODEV ? err_sys(e, -r, "remove network device %s", device) : 0;
}

/* ---- what the host must do for it ------------------------------------------------------ */

static int sysctl_set(const char *path, const char *value, struct err *e)
{
	int r = file_write_at(AT_FDCWD, path, value);

	return r < 0 ? err_sys(e, -r, "write %s to %s", value, path) : 0;
}

static bool sysctl_is(const char *path, char value)
{
	char c = 0;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c == value;
}

/*
 * A host that forwards no longer listens to router advertisements, and would lose its own
 * default route, unless accept_ra is 2 (kernel: networking/ip-sysctl, accept_ra).
 */
static void keep_router_advertisements(void)
{
	DIR *d = opendir("/proc/sys/net/ipv6/conf");
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		CLEANUP_FREE char *path = xasprintf("/proc/sys/net/ipv6/conf/%s/accept_ra",
						    entry->d_name);
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") != 0 &&
		    sysctl_is(path, '1'))
			(void)!file_write_at(AT_FDCWD, path, "2");
	}
	if (d)
		(void)closedir(d);
}

static int forwarding_on(bool ipv6, struct err *e)
{
	static const char path4[] = "/proc/sys/net/ipv4/ip_forward";
	static const char path6[] = "/proc/sys/net/ipv6/conf/all/forwarding";
	int r = sysctl_is(path4, '1') ? 0 : sysctl_set(path4, "1", e);

	if (r < 0 || !ipv6 || sysctl_is(path6, '1'))
		return r;
	keep_router_advertisements();
	return sysctl_set(path6, "1", e);
}

/* ---- making ----------------------------------------------------------------------------- */

static void add_address(struct nlreq *q, int index, const struct addr *a, unsigned prefix)
{
	struct ifaddrmsg m = {
		.ifa_family = (unsigned char)a->family,
		.ifa_prefixlen = (unsigned char)prefix,
		.ifa_index = (unsigned)index,
	};

	/* The table has made sure that nobody else has it: usable at once. */
	if (a->family == AF_INET6)
		m.ifa_flags = IFA_F_NODAD;
	nlreq_message(q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nlreq_attr(q, IFA_LOCAL, a->b, addr_bytes(a));
	nlreq_attr(q, IFA_ADDRESS, a->b, addr_bytes(a));
}

static void add_default_route(struct nlreq *q, int index, const struct addr *via)
{
	struct rtmsg m = {
		.rtm_family = (unsigned char)via->family,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};

	nlreq_message(q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nlreq_attr(q, RTA_GATEWAY, via->b, addr_bytes(via));
	nlreq_u32(q, RTA_OIF, (uint32_t)index);
}

/* As Docker's: 02:42 and the IPv4 address. */
static void mac_of(const struct addr *a, uint8_t ret[6])
{
	ret[0] = 0x02;
	ret[1] = 0x42;
	memcpy(ret + 2, a->b, 4);
}

static int bridge_create(int sock, const struct network *net, struct err *e)
{
	struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));
	uint8_t mac[6];

	mac_of(&net->gateway4, mac);
	nlreq_init(q);
	nlreq_message(q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof(up));
	nlreq_str(q, IFLA_IFNAME, net->device);
	/* A bridge without an address of its own changes it with its ports. */
	nlreq_attr(q, IFLA_ADDRESS, mac, sizeof(mac));
	if (net->mtu)
		nlreq_u32(q, IFLA_MTU, net->mtu);
	size_t info = nlreq_nest(q, IFLA_LINKINFO);
	nlreq_str(q, IFLA_INFO_KIND, "bridge");
	nlreq_nest_end(q, info);
	int r = nlreq_talk(sock, q);
	CLEANUP_FREE char *what = xasprintf("make bridge %s", net->device);
	return r < 0 && r != -EEXIST ? fail(q, r, e, what) : 0;
}

int link_bridge_make(int sock, const struct network *net, struct err *e)
{
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));
	bool ipv6 = net->gateway6.family != 0;

	int r = bridge_create(sock, net, e);
	if (r < 0)
		return r;
	int index = link_bridge_find(sock, net->device, e);
	if (index < 0)
		return index;
	nlreq_init(q);
	add_address(q, index, &net->gateway4, net->subnet4.prefix);
	if (ipv6)
		add_address(q, index, &net->gateway6, net->subnet6.prefix);
	r = nlreq_talk(sock, q);
	CLEANUP_FREE char *what = xasprintf("give bridge %s its address", net->device);
	if (r < 0 && r != -EEXIST)
		return fail(q, r, e, what);
	if (!net->internal && (r = forwarding_on(ipv6, e)) < 0)
		return r;
	/* Ports published on 127.0.0.1 leave by this device with that source; what comes in by
	 * it for 127.0.0.0/8 is dropped by the table's chain "raw". */
	CLEANUP_FREE char *path = xasprintf("/proc/sys/net/ipv4/conf/%s/route_localnet",
					    net->device);
	r = sysctl_set(path, "1", e);
	return r < 0 ? r : index;
}

static int veth_create(int sock, int bridge, int nsfd, const struct endpoint *ep,
		       struct nlreq *q)
{
	struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	uint8_t mac[6];
	unsigned b[6];

	mac_of(&ep->ip4, mac);
	if (ep->mac && sscanf(ep->mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3],
			      &b[4], &b[5]) == 6) {
		for (size_t i = 0; i < 6; i++)
			mac[i] = (uint8_t)b[i];
	}
	nlreq_init(q);
	nlreq_message(q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof(up));
	nlreq_str(q, IFLA_IFNAME, ep->link);
	nlreq_u32(q, IFLA_MASTER, (uint32_t)bridge);
	if (ep->net.mtu)
		nlreq_u32(q, IFLA_MTU, ep->net.mtu);
	size_t info = nlreq_nest(q, IFLA_LINKINFO);
	nlreq_str(q, IFLA_INFO_KIND, "veth");
	size_t data = nlreq_nest(q, IFLA_INFO_DATA);
	size_t peer = nlreq_nest(q, VETH_INFO_PEER);
	/* Not up: veth_open() wants both ends, and this one is made first. */
	nlreq_bytes(q, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	nlreq_str(q, IFLA_IFNAME, ep->ifname);
	nlreq_attr(q, IFLA_ADDRESS, mac, sizeof(mac));
	if (ep->net.mtu)
		nlreq_u32(q, IFLA_MTU, ep->net.mtu);
	nlreq_u32(q, IFLA_NET_NS_FD, (uint32_t)nsfd);
	nlreq_nest_end(q, peer);
	nlreq_nest_end(q, data);
	nlreq_nest_end(q, info);
	return nlreq_talk(sock, q);
}

/*
 * With br_netfilter (Docker loads it) a packet to the instance's own published port is
 * turned back inside the bridge, to the port it came from, which needs hairpin mode.
 */
static int hairpin_on(int sock, const char *link, struct nlreq *q)
{
	struct ifinfomsg m = { .ifi_family = AF_BRIDGE };

	if (!sysctl_is("/proc/sys/net/bridge/bridge-nf-call-iptables", '1'))
		return 0;
	m.ifi_index = (int)if_nametoindex(link);
	nlreq_init(q);
	nlreq_message(q, RTM_SETLINK, 0, &m, sizeof(m));
	size_t info = nlreq_nest(q, IFLA_PROTINFO);
	nlreq_u8(q, IFLA_BRPORT_MODE, 1);
	nlreq_nest_end(q, info);
	return nlreq_talk(sock, q);
}

static int address_inside(int in_sock, const struct endpoint *ep, bool gateway,
			  struct nlreq *q)
{
	struct found f;
	int r = link_find(in_sock, ep->ifname, &f);

	if (r < 0)
		return r;
	struct ifinfomsg up = { .ifi_index = f.index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	nlreq_init(q);
	nlreq_message(q, RTM_NEWLINK, 0, &up, sizeof(up));
	add_address(q, f.index, &ep->ip4, ep->net.subnet4.prefix);
	if (ep->ip6.family != 0)
		add_address(q, f.index, &ep->ip6, ep->net.subnet6.prefix);
	if (gateway)
		add_default_route(q, f.index, &ep->net.gateway4);
	if (gateway && ep->ip6.family != 0)
		add_default_route(q, f.index, &ep->net.gateway6);
	return nlreq_talk(in_sock, q);
}

int link_veth_make(int sock, int bridge, int nsfd, int in_sock, const struct endpoint *ep,
		   bool gateway, struct err *e)
{
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));
	CLEANUP_FREE char *what = xasprintf("connect %s to network %s as %s", ep->name,
					    ep->net.name, ep->ifname);
	int r = veth_create(sock, bridge, nsfd, ep, q);

	if (r == -EEXIST) {
		struct found f;
		/* Its name is random: what exists is the device inside, made before. */
		if (link_find(in_sock, ep->ifname, &f) == 0 && f.index != 0)
			return 0;
	}
	/* br_add_if(): BR_MAX_PORTS less the one that is never given. */
	if (r == -EXFULL || r == -ENOSPC)
		(void)!link_remove(sock, ep->link, NULL);
	if (r == -EXFULL)
		return err_set(e, EXFULL, "%s: a bridge of Linux holds 1,023 devices and %s is "
			       "full; put further instances on another network", what,
			       ep->net.device);
	if (r < 0)
		return fail(q, r, e, what);
	r = hairpin_on(sock, ep->link, q);
	if (r == 0)
		r = address_inside(in_sock, ep, gateway, q);
	if (r == 0)
		return 0;
	r = fail(q, r, e, what);
	(void)!link_remove(sock, ep->link, NULL);
	return r;
}

int link_loopback_up(int in_sock, struct err *e)
{
	struct ifinfomsg m = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));

	nlreq_init(q);
	nlreq_message(q, RTM_NEWLINK, 0, &m, sizeof(m));
	int r = nlreq_talk(in_sock, q);
	return r < 0 ? err_sys(e, -r, "set up the loopback device") : 0;
}
